"""The AWQ binary file: bytes to tensors and back, and every rule in between (spec: container)."""
