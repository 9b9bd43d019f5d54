"""The command ``awq-conformance``."""

from __future__ import annotations

import click

from awq_conformance.cli import corpus, run


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="awqformat")
def main() -> None:
    """Certify a loader of AWQ weight files.

    Exit status of run: 0 conformant, 1 not conformant, 2 usage, 3 inconclusive.
    """


main.add_command(run.run)
main.add_command(corpus.list_cases)
main.add_command(corpus.show)
main.add_command(corpus.generate)
