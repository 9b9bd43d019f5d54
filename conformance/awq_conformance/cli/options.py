"""What several commands share: the options that choose cases, and how a command ends early."""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from awq_conformance.cases import Corpus, CorpusAlteredError, CorpusMissingError, default_root, load
from awq_conformance.protocol import RunnerExit
from awq_conformance.selection import Selection

if TYPE_CHECKING:
    from collections.abc import Callable

CORPUS = click.option(
    "--corpus",
    "root",
    type=click.Path(path_type=Path, file_okay=False),
    help="Corpus folder; default: the one of this checkout or package.",
)
PROFILE = click.option("--profile", default="core", show_default=True, help="What the loader is to be certified for.")


def selecting(command: Callable[..., None]) -> Callable[..., None]:
    """Give ``command`` the options that select cases, as ``globs``, ``requirements`` and ``flags``."""
    for option, name, metavar, what in (
        ("--flag", "flags", "NAME", "that bear this flag"),
        ("--req", "requirements", "ID", "that test this requirement, such as AWQ-CON-012"),
        ("--case", "globs", "GLOB", "whose id matches"),
    ):
        command = click.option(option, name, multiple=True, metavar=metavar, help=f"Only cases {what}; repeatable.")(
            command
        )
    return command


def selection_of(globs: tuple[str, ...], requirements: tuple[str, ...], flags: tuple[str, ...]) -> Selection:
    """Return the selection that the options ask for."""
    return Selection(globs, requirements, flags)


def load_corpus(root: Path | None, profile: str | None = None) -> Corpus:
    """Return the verified corpus; end the command when there is none, or it was altered."""
    try:
        corpus = load(root or default_root())
    except CorpusMissingError as missing:
        raise click.UsageError(str(missing)) from missing
    except CorpusAlteredError as altered:
        end(RunnerExit.INCONCLUSIVE, f"the corpus was altered: {altered}")
    if profile is not None and profile not in corpus.profiles:
        raise click.UsageError(f"no profile {profile!r} in this corpus; it has {', '.join(corpus.profiles) or 'none'}")
    return corpus


def end(status: RunnerExit, reason: str) -> NoReturn:
    """Print ``reason`` to standard error and exit."""
    click.echo(f"awq-conformance: {reason}", err=True)
    sys.exit(status)


def end_on_signals() -> None:
    """Let a closed terminal or a stopped CI job end the adapters too, not only the runner."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_DFL:  # nohup has asked for SIGHUP to be ignored
            signal.signal(number, signal.default_int_handler)
