"""The conformance suite for AWQ weight files: plug in a loader, get a verdict (spec: conformance)."""
