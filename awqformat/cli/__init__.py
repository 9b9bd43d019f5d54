"""The command awqformat: verify, info, quantize, compare, convert."""

from __future__ import annotations

import click

from awqformat.cli.comparison import compare_command
from awqformat.cli.conversion import convert
from awqformat.cli.inspection import info, verify
from awqformat.cli.rounding import quantize

__all__ = ["main"]


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="awqformat")
def main() -> None:
    """Read, check, make, compare and convert AWQ weight files.

    Exit codes: 0 good, 1 compared and too far apart, 2 usage, 65 malformed, 66 cannot be read,
    69 needs something this build lacks, 73 cannot be written, 130 interrupted.
    """


for _command in (verify, info, quantize, compare_command, convert):
    main.add_command(_command)
