"""``run``: certify one loader, or several side by side."""

from __future__ import annotations

import os
import secrets
import shlex
import sys
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from awq_conformance import journal, known, report, reproduction, terminal
from awq_conformance.adapter import AdapterMissingError
from awq_conformance.cli.options import CORPUS, PROFILE, end, end_on_signals, load_corpus, selecting, selection_of
from awq_conformance.judge import CaseResult
from awq_conformance.protocol import ONE_SHOT, SERVE, RunnerExit
from awq_conformance.run import BOTH, Certification, Request, certify
from awq_conformance.screen import Screen
from awq_conformance.verdict import Grade

_MODES = {"both": BOTH, ONE_SHOT: (ONE_SHOT,), SERVE: (SERVE,)}
_GRADES = {str(grade): grade for grade in (Grade.EXACT, Grade.BOUNDED, Grade.FUNCTIONAL)}


@click.command(context_settings={"allow_interspersed_args": False})
@PROFILE
@CORPUS
@selecting
@click.option(
    "--grade", type=click.Choice(list(_GRADES)), default="exact", show_default=True, help="The grade to reach."
)
@click.option(
    "--mode", type=click.Choice(list(_MODES)), default="both", show_default=True, help="How to call the adapter."
)
@click.option(
    "--report",
    "folder",
    type=click.Path(path_type=Path),
    help="Folder for reports, the certificate, and failures shown again.",
)
@click.option("--resume", is_flag=True, help="Go on with the run that was cut short in the --report folder.")
@click.option("--fail-fast", is_flag=True, help="Stop at the first failure of level MUST.")
@click.option("--holdout", type=click.IntRange(min=0), metavar="SEED", help="Add random cases nobody can tune to.")
@click.option(
    "--known-failures",
    "listed",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help='JSON, {"CASE": {"reason": .., "link": ..}}: these may fail, and must.',
)
@click.option("-j", "--jobs", type=click.IntRange(min=1), default=os.cpu_count() or 1, help="Adapters at a time.")
@click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True),
    default=10.0,
    show_default=True,
    help="Seconds one call may take at least; five times the smallest valid case where that is more.",
)
@click.option("--seed", type=click.IntRange(min=0), help="Seed of the random input of this run; default: a new one.")
@click.option(
    "--loader", "loaders", multiple=True, metavar="NAME=COMMAND", help="One of several loaders to compare; repeatable."
)
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
def run(profile: str, root: Path | None, loaders: tuple[str, ...], command: tuple[str, ...], **options: Any) -> None:
    """Run COMMAND as adapter against the corpus and print the verdict.

    COMMAND is called as: COMMAND OP INPUT OUTDIR. Put -- before it.
    """
    if bool(command) == bool(loaders):
        raise click.UsageError("give either a COMMAND after -- or --loader NAME=COMMAND")
    end_on_signals()
    console = Screen()
    try:
        request = _request(load_corpus(root, profile), profile, command, options)
        with ExitStack() as stack:
            folder: Path | None = options["folder"]
            if folder is not None:
                _own(stack, folder)
            if command:
                sys.exit(_certify(console, request, folder, resume=options["resume"]).exit)
            sys.exit(_compare(console, request, folder, loaders))
    except KeyboardInterrupt:
        end(RunnerExit.INCONCLUSIVE, "interrupted")


def _request(corpus: Any, profile: str, command: tuple[str, ...], options: dict[str, Any]) -> Request:
    if options["resume"] and options["folder"] is None:
        raise click.UsageError("--resume needs the --report folder of the run to go on with")
    try:
        failures = known.read(options["listed"]) if options["listed"] else {}
        seed, holdout = options["seed"], options["holdout"]
        if options["resume"]:
            seed, holdout = journal.seeds(options["folder"])
    except (known.KnownFailuresError, journal.JournalError) as error:
        raise click.UsageError(str(error)) from error
    return Request(
        command=command,
        corpus=corpus,
        profile=profile,
        selection=selection_of(options["globs"], options["requirements"], options["flags"]),
        jobs=options["jobs"],
        timeout=options["timeout"],
        seed=secrets.randbits(32) if seed is None else seed,
        modes=_MODES[options["mode"]],
        grade=_GRADES[options["grade"]],
        holdout=holdout,
        known=failures,
        fail_fast=options["fail_fast"],
    )


def _own(stack: ExitStack, folder: Path) -> None:
    try:
        stack.enter_context(journal.owned(folder))
    except journal.BusyError as error:
        end(RunnerExit.INCONCLUSIVE, str(error))
    except OSError as error:
        raise click.UsageError(f"--report {folder}: {error.strerror}") from error


def _certify(console: Screen, request: Request, folder: Path | None, *, resume: bool = False) -> Certification:
    """Run one loader, keep its journal meanwhile, write its reports and tell the outcome."""
    request = replace(request, report=folder)
    with ExitStack() as stack, terminal.Watch(console, request.profile) as watch:
        take = watch.__call__
        if folder is not None:
            try:
                if resume:
                    request = replace(request, done=journal.resumed(folder, request, request.corpus.cases))
                report.prepare(folder)
                reproduction.clear(folder)
                write = stack.enter_context(journal.begun(folder, request))
            except journal.JournalError as error:
                raise click.UsageError(str(error)) from error
            except AdapterMissingError as missing:
                end(RunnerExit.INCONCLUSIVE, f"the adapter, not the loader: {missing}")
            except OSError as error:
                raise click.UsageError(f"--report {folder}: {error.strerror}") from error

            def take(news: Any) -> None:
                if isinstance(news, CaseResult) and news.case.id not in request.done:
                    write(news)
                watch(news)

        outcome = certify(request, take)
    written = _write(folder, outcome) if folder is not None else []
    terminal.tell(console, outcome, written)
    return outcome


def _write(folder: Path, outcome: Certification) -> list[Path]:
    try:
        written = report.write(folder, outcome)
        if not outcome.incomplete:
            journal.finished(folder)
    except OSError as error:
        end(RunnerExit.INCONCLUSIVE, f"--report {folder}: {error.strerror}")
    return written


def _compare(console: Screen, request: Request, folder: Path | None, loaders: tuple[str, ...]) -> RunnerExit:
    """Run several loaders in turn; return the worst outcome."""
    outcomes = {}
    for loader in loaders:
        name, _, words = loader.partition("=")
        try:
            command = tuple(shlex.split(words))
        except ValueError as error:
            raise click.UsageError(f"--loader {loader}: {error}") from error
        if not (name and command and Path(name).name == name) or name in outcomes:
            raise click.UsageError(f"--loader {loader}: expected NAME=COMMAND, each name once")
        outcomes[name] = _certify(console, replace(request, command=command), folder / name if folder else None)
    terminal.tell_matrix(console, outcomes)
    return max(outcome.exit for outcome in outcomes.values())
