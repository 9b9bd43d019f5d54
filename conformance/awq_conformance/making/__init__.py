"""Making the corpus: recipe + seed -> files, the same bytes on every machine (spec: conformance, "Corpus")."""
