"""``list``, ``show`` and ``generate``: the cases themselves."""

from __future__ import annotations

import sys
from difflib import get_close_matches
from pathlib import Path

import click

from awq_conformance import listing
from awq_conformance.cli.options import CORPUS, PROFILE, end, load_corpus, selecting, selection_of
from awq_conformance.profiles import profile_of
from awq_conformance.protocol import RunnerExit
from awq_conformance.selection import NothingToRunError, select


@click.command("list")
@PROFILE
@CORPUS
@selecting
def list_cases(
    profile: str, root: Path | None, globs: tuple[str, ...], requirements: tuple[str, ...], flags: tuple[str, ...]
) -> None:
    """List the cases: id, level, outcome, title."""
    corpus = load_corpus(root, profile)
    extra = [case for case, _ in profile_of(corpus, profile).stories(corpus).values()]
    try:
        cases = select(corpus, profile, selection_of(globs, requirements, flags), extra)
    except NothingToRunError as reason:
        end(RunnerExit.INCONCLUSIVE, str(reason))
    click.echo(listing.table(cases))


@click.command()
@CORPUS
@click.argument("case")
def show(root: Path | None, case: str) -> None:
    """Show one CASE: what it is, why it is there, what is expected."""
    corpus = load_corpus(root)
    if case not in corpus.cases:
        near = get_close_matches(case, corpus.cases, n=3, cutoff=0.4)
        raise click.UsageError(f"no case {case!r}" + (f"; near it: {', '.join(near)}" if near else ""))
    click.echo(listing.record(corpus.cases[case], corpus.flags))


@click.command()
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
