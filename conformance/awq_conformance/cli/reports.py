"""``report``, ``certificate``, ``matrix`` and ``schema``: what is made of reports afterwards."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click

from awq_conformance.cli.options import CORPUS, load_corpus
from awq_conformance.protocol import RunnerExit
from awq_conformance.report import CERTIFICATE, FORMATS, REPORT, SCHEMA_FILE
from awq_conformance.report import matrix as comparison
from awq_conformance.report.certificate import verify as problems_of
from awq_conformance.report.record import SCHEMA

_PATH = click.Path(path_type=Path, exists=True)


@click.command()
@click.argument("path", type=_PATH)
@click.option("--format", "name", type=click.Choice(list(FORMATS)), default="markdown", show_default=True)
def report(path: Path, name: str) -> None:
    """Print the report at PATH (report.json or its folder) in another format."""
    click.echo(FORMATS[name][1](_load(path)), nl=False)


@click.command()
@click.argument("paths", nargs=-1, required=True, type=_PATH, metavar="PATH..")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def matrix(paths: tuple[Path, ...], *, as_json: bool) -> None:
    """Compare loaders: print a matrix of the reports at PATH.., each named by its folder."""
    records = {(path if path.is_dir() else path.parent).resolve().name: _load(path) for path in paths}
    if len(records) != len(paths):
        raise click.UsageError("two reports have folders of the same name")
    compared = comparison.matrix_of(records)
    click.echo(json.dumps(compared, indent=1) if as_json else comparison.markdown(compared), nl=as_json)


@click.command()
def schema() -> None:
    """Print the JSON Schema of report.json."""
    click.echo(SCHEMA_FILE.read_text("utf-8"), nl=False)


@click.group()
def certificate() -> None:
    """What a certificate is worth."""


@certificate.command()
@CORPUS
@click.argument("path", type=_PATH)
def verify(root: Path | None, path: Path) -> None:
    """Derive the certificate at PATH again from the report beside it; exit 1 and say why if it does not hold."""
    found = path / CERTIFICATE if path.is_dir() else path
    if not found.is_file():
        raise click.UsageError(f"no {CERTIFICATE} in {path}")
    problems = problems_of(found, load_corpus(root))
    for problem in problems:
        click.echo("".join(char if char.isprintable() else "\ufffd" for char in problem))
    if problems:
        sys.exit(RunnerExit.NOT_CONFORMANT)
    told = json.loads(found.read_bytes())
    click.echo(f"holds: {told['profile']} at grade {told['grade']}, {told['suite']} {told['version']}")


def _load(path: Path) -> dict[str, Any]:
    path = path / REPORT if path.is_dir() else path
    try:
        record = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise click.UsageError(f"{path}: {error}") from error
    if not isinstance(record, dict) or record.get("schema") != SCHEMA:
        raise click.UsageError(f"{path}: not a report of schema {SCHEMA}")
    return record
