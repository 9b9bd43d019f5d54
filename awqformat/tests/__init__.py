"""The tests of awqformat, one module per module of the library."""
