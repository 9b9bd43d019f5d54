"""``doctor``: what is wrong with an adapter."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from awq_conformance.adapter import AdapterMissingError
from awq_conformance.cases import CorpusAlteredError
from awq_conformance.cli.options import CORPUS, PROFILE, end, end_on_signals, load_corpus
from awq_conformance.doctor import page
from awq_conformance.doctor.examination import examine
from awq_conformance.protocol import RunnerExit
from awq_conformance.screen import Screen


@click.command(context_settings={"allow_interspersed_args": False})
@PROFILE
@CORPUS
@click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True),
    default=10.0,
    show_default=True,
    help="Seconds one call may take.",
)
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@click.argument("command", nargs=-1, type=click.UNPROCESSED, required=True)
def doctor(profile: str, root: Path | None, timeout: float, as_json: bool, command: tuple[str, ...]) -> None:  # noqa: FBT001
    """Say what is wrong with the adapter COMMAND, and what to do about it.

    Everything the protocol asks of an adapter is gone through one by one, and on after a problem, so that all are seen
    at once. Exit status: 0 nothing is wrong with the adapter, 3 something is, whatever the loader is worth: that is for
    run. Put -- before COMMAND.
    """
    end_on_signals()
    console = Screen()
    tell = (lambda _: None) if as_json else page.Checklist(console)
    try:
        done = examine(command, load_corpus(root, profile), profile, timeout, tell)
    except KeyboardInterrupt:
        end(RunnerExit.INCONCLUSIVE, "interrupted")
    except (OSError, AdapterMissingError, CorpusAlteredError) as error:
        end(RunnerExit.INCONCLUSIVE, f"the examination could not go on: {error}")
    if as_json:
        click.echo(json.dumps(page.as_record(done), indent=1))
    else:
        page.conclude(console, done)
    sys.exit(done.exit)
