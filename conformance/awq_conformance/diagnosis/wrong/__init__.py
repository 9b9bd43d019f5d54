"""Wrong ways of reading a tensor, by the step that is wrong."""
