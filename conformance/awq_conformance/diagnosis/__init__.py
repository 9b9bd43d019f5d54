"""Why a loader is wrong: maps measured with tracer files, and what its failures have in common."""
