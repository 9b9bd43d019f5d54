"""The command ``awq-conformance``."""

from __future__ import annotations

import os
import secrets
import signal
import sys
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from awq_conformance import listing, report, terminal
from awq_conformance.cases import Corpus, CorpusAlteredError, CorpusMissingError, default_root, load
from awq_conformance.probes import NothingToRunError
from awq_conformance.protocol import RunnerExit
from awq_conformance.run import Request, certify, select

if TYPE_CHECKING:
    from awq_conformance.run import Certification

_CORPUS = click.option(
    "--corpus",
    "root",
    type=click.Path(path_type=Path, file_okay=False),
    help="Corpus folder; default: the one of this checkout or package.",
)
_PROFILE = click.option("--profile", default="core", show_default=True, help="What the loader is to be certified for.")
_CASES = click.option("--case", "globs", multiple=True, metavar="GLOB", help="Only cases whose id matches; repeatable.")


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="awqformat")
def main() -> None:
    """Certify a loader of AWQ weight files.

    Exit status of run: 0 conformant, 1 not conformant, 2 usage, 3 inconclusive.
    """


@main.command(context_settings={"allow_interspersed_args": False})
@_PROFILE
@_CORPUS
@_CASES
@click.option(
    "--report", "folder", type=click.Path(path_type=Path), help="Folder for report.json and certificate.json."
)
@click.option("-j", "--jobs", type=click.IntRange(min=1), default=os.cpu_count() or 1, help="Adapters at a time.")
@click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True),
    default=10.0,
    show_default=True,
    help="Seconds one call may take at least; five times the smallest valid case where that is more.",
)
@click.option("--seed", type=click.IntRange(min=0), help="Seed of the fresh random file; default: a new one.")
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
def run(
    profile: str,
    root: Path | None,
    globs: tuple[str, ...],
    folder: Path | None,
    jobs: int,
    timeout: float,
    seed: int | None,
    command: tuple[str, ...],
) -> None:
    """Run COMMAND as adapter against the corpus and print the verdict.

    COMMAND is called as: COMMAND OP INPUT OUTDIR. Put -- before it.
    """
    console = terminal.Screen()
    try:
        # A closed terminal or a stopped CI job must end the adapters too, not only the runner.
        for number in (signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) is signal.SIG_DFL:  # nohup has asked for SIGHUP to be ignored
                signal.signal(number, signal.default_int_handler)
        corpus = _load(root, profile)
        if folder is not None:
            _prepare(folder)
        seed = secrets.randbits(32) if seed is None else seed
        request = Request(command, corpus, profile, globs, jobs, timeout, seed)
        with terminal.Watch(console, profile) as watch:
            outcome = certify(request, watch)
        written = _write(folder, outcome) if folder is not None else []
        terminal.tell(console, outcome, written)
    except KeyboardInterrupt:
        _end(RunnerExit.INCONCLUSIVE, "interrupted")
    sys.exit(outcome.exit)


@main.command("list")
@_PROFILE
@_CORPUS
@_CASES
def list_cases(profile: str, root: Path | None, globs: tuple[str, ...]) -> None:
    """List the cases: id, level, outcome, title."""
    corpus = _load(root, profile)
    try:
        cases = select(corpus, profile, globs)
    except NothingToRunError as reason:
        _end(RunnerExit.INCONCLUSIVE, str(reason))
    click.echo(listing.table(cases))


@main.command()
@_CORPUS
@click.argument("case")
def show(root: Path | None, case: str) -> None:
    """Show one CASE: what it is, why it is there, what is expected."""
    corpus = _load(root)
    if case not in corpus.cases:
        near = get_close_matches(case, corpus.cases, n=3, cutoff=0.4)
        raise click.UsageError(f"no case {case!r}" + (f"; near it: {', '.join(near)}" if near else ""))
    click.echo(listing.record(corpus.cases[case]))


@main.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@click.option("--check", is_flag=True, help="Write nothing; exit 1 and name what differs.")
def generate(folder: Path, *, check: bool) -> None:
    """Make the corpus in FOLDER, the same bytes on every machine."""
    from awq_conformance.making.corpus import generate as make  # the rest of the runner must not need awqformat
    from awq_conformance.making.corpus import install

    differing = install(make(), folder, write=not check)
    for difference in differing:
        click.echo(difference)
    if check and differing:
        sys.exit(1)


def _load(root: Path | None, profile: str | None = None) -> Corpus:
    try:
        corpus = load(root or default_root())
    except CorpusMissingError as missing:
        raise click.UsageError(str(missing)) from missing
    except CorpusAlteredError as altered:
        _end(RunnerExit.INCONCLUSIVE, f"the corpus was altered: {altered}")
    if profile is not None and profile not in corpus.profiles:
        raise click.UsageError(f"no profile {profile!r} in this corpus; it has {', '.join(corpus.profiles) or 'none'}")
    return corpus


def _prepare(folder: Path) -> None:
    try:
        report.prepare(folder)
    except OSError as error:
        raise click.UsageError(f"--report {folder}: {error.strerror}") from error


def _write(folder: Path, outcome: Certification) -> list[Path]:
    try:
        return report.write(folder, outcome)
    except OSError as error:
        _end(RunnerExit.INCONCLUSIVE, f"--report {folder}: {error.strerror}")


def _end(status: RunnerExit, reason: str) -> NoReturn:
    click.echo(f"awq-conformance: {reason}", err=True)
    sys.exit(status)
