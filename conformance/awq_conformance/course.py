"""A run one case at a time, for those who bring a loop of their own: the probes first, then whatever is asked for."""

from __future__ import annotations

import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from awq_conformance.adapter import Folders, OneShot, find
from awq_conformance.attempt import attempt
from awq_conformance.judge import CaseResult, twin_gate
from awq_conformance.probes import Footing, Ground, probe
from awq_conformance.process import limited_files
from awq_conformance.profiles import Profile, profile_of
from awq_conformance.selection import select
from awq_conformance.state import play
from awq_conformance.strays import adopted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from awq_conformance.cases import Case, Corpus
    from awq_conformance.diagnosis.names import Diagnosis
    from awq_conformance.run import Request

FRESH: Final = "fresh"
"""The name of the random file made for this run alone, whatever its seed."""


def cases_of(request: Request) -> list[Case]:
    """Return the cases that the request selects, those of order and state too; raise NothingToRunError for none."""
    profile = profile_of(request.corpus, request.profile)
    stories = [case for case, _ in profile.stories(request.corpus).values()]
    return select(request.corpus, request.profile, request.selection, stories)


def has_fresh(request: Request) -> bool:
    """Return whether the request comes with a random file."""
    profile = profile_of(request.corpus, request.profile)
    return type(profile).random is not Profile.random and not request.selection.words


@dataclass
class Course:
    """An adapter that works, and what it was asked so far; one thread at a time."""

    request: Request
    corpus: Corpus
    profile: Profile
    footing: Footing
    scratch: Path
    pool: ThreadPoolExecutor
    fresh: list[Case]
    results: dict[str, CaseResult] = field(default_factory=dict)

    def result(self, name: str) -> CaseResult:
        """Return what became of a case; of a malformed file after its twin, without which it proves nothing."""
        case = self._case(name)
        twin = case.twin if case.outcome == "reject" else None
        if twin is not None:
            self.result(twin)
        if name not in self.results:
            self.results[name] = self.pool.submit(self._attempt, case).result()
        gated = twin_gate({one: self.results[one] for one in (name, twin) if one is not None}, partial=False)
        return gated[name]

    def explain(self) -> tuple[Diagnosis, ...]:
        """Return why the loader is wrong, best explanation first."""
        results = twin_gate(self.results, partial=True)
        if not any(result.finding.failed for result in results.values()):
            return ()
        return self.pool.submit(self.profile.explain, self.footing, results, self.corpus).result()

    def _case(self, name: str) -> Case:
        if name == FRESH:
            return self.fresh[0]
        stories = self.profile.stories(self.corpus)
        if name in stories:
            return stories[name][0]
        case = self.corpus.cases[name]
        if case.made and case.root == self.corpus.root:
            self.corpus = self.corpus.completed(self.profile.large(self.scratch / "made"))
        return self.corpus.cases[name]

    def _attempt(self, case: Case) -> CaseResult:
        stories = self.profile.stories(self.corpus)
        if case.id in stories:
            return play(stories[case.id][1], case, self.footing)
        return attempt(case, self.corpus, self.footing)


@contextmanager
def course(request: Request) -> Iterator[Course]:
    """Probe the adapter and yield a course; end every process of it afterwards.

    Raises:
        AdapterMissingError: if the command cannot be run.
        ProbeError: if the adapter does not work.
        NothingToRunError: if it does not claim the profile.
    """
    cancel = threading.Event()
    with tempfile.TemporaryDirectory(prefix="awqc-") as name, limited_files(), adopted(), ThreadPoolExecutor(1) as pool:
        scratch = Path(name)
        one_shot = OneShot(find(request.command), Folders(scratch / "calls"), cancel)
        ground = Ground(one_shot.folders, request.corpus, request.profile, request.timeout, request.grade)
        footing = None
        try:
            footing = pool.submit(probe, one_shot, ground, request.modes).result()
            profile = profile_of(request.corpus, request.profile)
            (scratch / FRESH).mkdir()
            fresh = profile.random(scratch / FRESH, request.seed, footing.terms.hello)
            yield Course(request, request.corpus, profile, footing, scratch, pool, fresh)
        finally:
            cancel.set()
            for caller in footing.callers if footing else ():
                caller.kill()
    request.corpus.verify()  # an adapter that edits its input has judged itself
