"""The command ``awq-conformance``."""

from __future__ import annotations

import click

from awq_conformance.cli import corpus, doctor, new_adapter, reports, run


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="awqformat")
def main() -> None:
    """Certify a loader of AWQ weight files.

    Exit status of run: 0 conformant, 1 not conformant, 2 usage, 3 inconclusive. New here? Begin with new-adapter.
    """


for command in (
    run.run,
    new_adapter.new_adapter,
    doctor.doctor,
    corpus.list_cases,
    corpus.show,
    corpus.generate,
    reports.report,
    reports.matrix,
    reports.certificate,
    reports.schema,
):
    main.add_command(command)
