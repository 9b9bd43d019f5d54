"""Wrong loaders on trial: the whole corpus put to each, several at once."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import cache, partial
from pathlib import Path
from typing import Final

from rich.progress import track

from awq_conformance import profiles
from awq_conformance.cases import Corpus, default_root, load
from awq_conformance.protocol import SERVE
from awq_conformance.run import Request, certify
from awq_conformance.verdict import Verdict
from zoo import build
from zoo.every import PROFILES, profile_of
from zoo.kills import Outcome
from zoo.nursery import nursery

SEED: Final = 20240101  # the fresh file is the same in every run, so that the matrix is


@cache
def whole_corpus(large: Path) -> Corpus:
    """Return the corpus with the cases in ``large``, which are made for a run; verified once in each process."""
    return load(default_root()).completed(large)


def one(name: str, command: tuple[str, ...], large: Path) -> Outcome:
    """Run the whole corpus against one loader, through serve: each question is one to a process that is there."""
    request = Request(command, whole_corpus(large), profile_of(name), jobs=1, seed=SEED, modes=(SERVE,))
    run = certify(request, lambda _: None)
    kills = {result.case.id: result.verdict for result in sorted(run.failures, key=lambda result: result.case.id)}
    gated = tuple(case for case, verdict in kills.items() if verdict is Verdict.TWIN_FAILED)
    names = tuple(dict.fromkeys(diagnosis.name for diagnosis in run.diagnoses))
    sentence = run.diagnoses[0].sentence if run.diagnoses else ""
    return Outcome(name, run.exit, run.inconclusive, tuple(kills), gated, names, sentence)


def case_ids(corpus: Corpus) -> tuple[str, ...]:
    """Return the ids of all cases of the profiles that there are loaders for, in order."""
    found = {case.id for name in PROFILES for case in corpus.of(name)}
    return tuple(sorted(found.union(*(profiles.profile_of(corpus, name).stories(corpus) for name in PROFILES))))


def outcomes(names: Iterable[str], large: Path, jobs: int) -> Iterator[Outcome]:
    """Certify several, as many at once as ``jobs`` says; those made of the C++ core are built first."""
    names = list(names)
    build.build(names)
    with nursery() as forked, ProcessPoolExecutor(jobs) as pool:
        commands = [build.command(name) if build.is_built(name) else (*forked, name) for name in names]
        found = pool.map(partial(one, large=large), names, commands)
        yield from track(found, total=len(names), disable=not sys.stderr.isatty())
