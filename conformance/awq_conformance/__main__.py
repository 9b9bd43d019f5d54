"""``python -m awq_conformance``."""

from awq_conformance.cli import main

if __name__ == "__main__":
    main(prog_name="awq-conformance")
