"""python -m awqformat: the command awqformat."""

from awqformat.cli import main

main(prog_name="awqformat")
