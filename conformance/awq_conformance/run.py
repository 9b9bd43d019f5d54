"""One certification run: probes, then every selected case, then the twin gate and the explanations."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, as_completed, wait
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from awq_conformance.adapter import AdapterMissingError, Folders, OneShot, digests, find
from awq_conformance.attempt import attempt
from awq_conformance.cases import Case, Corpus, CorpusAlteredError
from awq_conformance.judge import CaseResult, twin_gate
from awq_conformance.known import KnownFailure, stale
from awq_conformance.probes import Footing, Ground, ProbeError, probe
from awq_conformance.process import limited_files
from awq_conformance.profiles import Profile, profile_of
from awq_conformance.protocol import ONE_SHOT, SERVE, RunnerExit
from awq_conformance.reproduction import Reproduction, Workshop, choose, explanations_of
from awq_conformance.selection import EVERYTHING, NothingToRunError, Selection, select
from awq_conformance.serving import Serving
from awq_conformance.state import play
from awq_conformance.strays import adopted
from awq_conformance.verdict import Grade, Verdict

if TYPE_CHECKING:
    from awq_conformance.diagnosis.names import Diagnosis
    from awq_conformance.protocol import Hello

_ROOM: Final = 4 << 20  # bytes a disk must have left, or a crash may be the disk's
_SECONDS: Final = 10.0  # that are spent on showing failures again
_ANNOTATED: Final = 24  # failures whose bytes are in a report
BOTH: Final = (ONE_SHOT, SERVE)


@dataclass(frozen=True)
class Request:
    """What to run: the adapter's command, a profile, a selection of its cases, and how.

    ``timeout`` is the least time limit of a one-shot call in seconds; ``seed`` makes the fresh random input and
    ``holdout``, where given, a whole set of them. ``known`` are the failures that do not count. ``report`` is the
    folder that failures are written to, to be seen again. ``done`` are results of an earlier run with the same
    request that was not finished.
    """

    command: tuple[str, ...]
    corpus: Corpus
    profile: str
    selection: Selection = EVERYTHING
    jobs: int = 1
    timeout: float = 10.0
    seed: int = 0
    modes: tuple[str, ...] = BOTH
    grade: Grade = Grade.EXACT
    holdout: int | None = None
    known: Mapping[str, KnownFailure] = field(default_factory=dict)
    fail_fast: bool = False
    report: Path | None = None
    done: Mapping[str, CaseResult] = field(default_factory=dict)


@dataclass
class Certification:
    """How a run went. ``inconclusive`` is the reason why there is no verdict, or an empty string.

    ``incomplete`` says why not every case was run, or is empty; ``diagnoses`` explain what failed, best first;
    ``annotated`` are for some failures the bytes of the input that matter, ``reproductions`` what came of showing
    some of them again, by case.
    """

    request: Request
    argv: tuple[str, ...] = ()
    digests: dict[str, str] = field(default_factory=dict)
    footing: Footing | None = None
    results: dict[str, CaseResult] = field(default_factory=dict)
    diagnoses: tuple[Diagnosis, ...] = ()
    annotated: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    reproductions: dict[str, Reproduction] = field(default_factory=dict)
    restarts: int = 0
    abandoned: bool = False
    inconclusive: str = ""
    incomplete: str = ""
    tail: bytes = b""
    adapter_fails: bool = False  # what makes it inconclusive is for `doctor` to explain

    @property
    def modes(self) -> tuple[str, ...]:
        """Return the modes in which every case was put to the adapter."""
        return tuple(caller.mode for caller in self.footing.callers) if self.footing else ()

    @property
    def failures(self) -> list[CaseResult]:
        """Return what failed, causes before consequences: TWIN-FAILED comes last, valid files come first."""
        failed = [result for result in self.results.values() if result.finding.failed]
        return sorted(failed, key=lambda result: (result.verdict is Verdict.TWIN_FAILED, *_simplicity(result.case)))

    @property
    def grade(self) -> Grade:
        """Return the worst grade that any output reached (spec: AWQ-CNF-029)."""
        findings = (finding for result in self.results.values() for finding in result.findings)
        return max((finding.grade for finding in findings), default=Grade.EXACT)

    @property
    def exit(self) -> RunnerExit:
        """Return the exit status: only a MUST decides, SHOULD, MAY and known failures are reported."""
        if self.inconclusive:
            return RunnerExit.INCONCLUSIVE
        decide = (r.case for r in self.failures if r.case.level == "MUST" and r.case.id not in self.request.known)
        return RunnerExit.NOT_CONFORMANT if self.abandoned or any(decide) else RunnerExit.CONFORMANT

    @property
    def certifies(self) -> bool:
        """Return whether a certificate may be issued: conformant, on the whole profile, in every mode there is."""
        request = self.request
        whole = not (request.selection.words or request.known or self.incomplete)
        all_modes = self.footing is not None and (SERVE not in self.footing.terms.hello.ops or self.modes == BOTH)
        graded = max(request.grade, self.grade) <= Grade.BOUNDED
        return self.exit is RunnerExit.CONFORMANT and whole and all_modes and graded


Progress = Callable[[CaseResult | int | str], None]


def certify(request: Request, progress: Progress) -> Certification:
    """Run everything and return what came of it; never raises for what an adapter or an interruption does.

    ``progress`` is called with the number of cases once it is known, then with each result as it comes, and with
    what is done after that.
    """
    run = Certification(request)
    cancel = threading.Event()
    with tempfile.TemporaryDirectory(prefix="awqc-") as scratch, limited_files(), adopted():
        # Adapters are started by the pool's threads alone: an interrupt reaches the main thread, between no
        # fork and its record, and finds every child in the hands of a thread that watches `cancel`.
        pool = ThreadPoolExecutor(request.jobs)
        try:
            run.argv = find(request.command)
            run.digests = digests(run.argv)
            one_shot = OneShot(run.argv, Folders(Path(scratch) / "calls"), cancel)
            _run(run, one_shot, pool, Path(scratch), progress)
        except KeyboardInterrupt:
            run.inconclusive = run.incomplete = "interrupted"
        except ProbeError as failure:
            run.inconclusive, run.tail = f"the adapter, not the loader: {failure}", failure.tail
            run.adapter_fails = True
        except AdapterMissingError as missing:
            run.inconclusive = f"the adapter, not the loader: {missing}"
            run.adapter_fails = True
        except NothingToRunError as reason:
            run.inconclusive = str(reason)
        except CorpusAlteredError as alteration:
            run.inconclusive = f"the corpus was altered: {alteration}"
        except OSError as error:
            run.inconclusive = run.incomplete = f"the runner could not go on: {error}"
        finally:
            cancel.set()
            pool.shutdown(cancel_futures=True)
            for caller in run.footing.callers if run.footing else ():
                caller.kill()
    return run


def _run(run: Certification, one_shot: OneShot, pool: ThreadPoolExecutor, scratch: Path, progress: Progress) -> None:
    request, corpus = run.request, run.request.corpus
    profile = profile_of(corpus, request.profile)
    plays = profile.stories(corpus)
    cases = select(corpus, request.profile, request.selection, [case for case, _ in plays.values()])
    if any(case.made and case.root == corpus.root for case in cases if case.id not in plays):
        corpus = corpus.completed(profile.large(scratch / "made"))
        cases = [corpus.cases.get(case.id, case) for case in cases]
    selected = [case.id for case in cases]
    ground = Ground(one_shot.folders, corpus, request.profile, request.timeout, request.grade)
    footing = run.footing = pool.submit(probe, one_shot, ground, request.modes).result()
    unseen = _unseen(request, profile, scratch, footing.terms.hello)
    corpus = replace(corpus, cases={**corpus.cases, **{case.id: case for case in unseen}})
    cases = [*unseen, *cases]
    progress(len(cases))
    raw = dict(request.done)
    for result in raw.values():
        progress(result)
    waiting = sorted((case for case in cases if case.id not in raw), key=_simplicity)
    futures = [
        pool.submit(play, plays[case.id][1], case, footing)
        if case.id in plays
        else pool.submit(attempt, case, corpus, footing)
        for case in waiting
    ]
    try:
        for future in as_completed(futures):
            result = future.result()
            raw[result.case.id] = result
            progress(result)
            _check_disk(result, scratch)
            if request.fail_fast and result.finding.failed and result.case.level == "MUST":
                run.incomplete = "stopped at the first failure"
                break
    finally:
        for future in futures:
            future.cancel()
        known = {case.id: raw[case.id] for case in cases if case.id in raw}
        run.results = twin_gate(known, partial=len(known) < len(cases))
        serving = next((caller for caller in footing.callers if isinstance(caller, Serving)), None)
        if serving is not None:
            run.restarts, run.abandoned = serving.restarts, serving.abandoned
    run.diagnoses = pool.submit(_explain, run, profile, corpus, footing).result()
    corpus.verify()  # an adapter that edits its input has judged itself
    if not run.incomplete:
        if all(run.results[name].verdict is Verdict.SKIPPED for name in selected):
            raise NothingToRunError("every case was skipped")
        run.inconclusive = stale(request.known, run.results)
    if request.report is not None and run.failures:
        progress("showing failures again")
        workshop = Workshop(run.argv, request.report.absolute(), scratch / "smaller", time.monotonic() + _SECONDS)
        _show_again(run, profile, footing, pool, workshop)


def _unseen(request: Request, profile: Profile, scratch: Path, hello: Hello) -> list[Case]:
    """Return the cases nobody can have tuned to: the fresh one of each run, and the holdout that was asked for."""
    folders = [scratch / "fresh", scratch / "holdout"]
    for folder in folders:
        folder.mkdir()
    cases = profile.random(folders[0], request.seed, hello)
    return cases if request.holdout is None else [*cases, *profile.holdout(folders[1], request.holdout, hello)]


def _explain(run: Certification, profile: Profile, corpus: Corpus, footing: Footing) -> tuple[Diagnosis, ...]:
    if not run.failures:
        return ()
    return profile.explain(footing, run.results, corpus)


def _show_again(
    run: Certification, profile: Profile, footing: Footing, pool: ThreadPoolExecutor, workshop: Workshop
) -> None:
    """Take failures apart, and show the first of each kind again; an interrupt ends that, and leaves the verdict."""
    futures: dict[Future[Reproduction | None], str] = {}
    try:
        for result in choose(run.failures, run.request.known):
            why = explanations_of(result, run.diagnoses)
            futures[pool.submit(profile.reproduce, result, why, footing, workshop)] = result.case.id
        for result in [one for one in run.failures if one.verdict is not Verdict.TWIN_FAILED][:_ANNOTATED]:
            with suppress(OSError):
                run.annotated[result.case.id] = profile.annotated(result)
        wait(futures)
    except KeyboardInterrupt:
        footing.one_shot.cancel.set()
    for future, name in futures.items():
        shown = Reproduction(note="interrupted") if future.cancel() else future.result()
        if shown is not None:
            run.reproductions[name] = shown


def _simplicity(case: Case) -> tuple[bool, int, str]:
    return case.outcome == "reject", case.size, case.id


def _check_disk(result: CaseResult, scratch: Path) -> None:
    """Raise OSError where a failure may be due to a full disk, which is nobody's fault who is judged here."""
    if result.finding.failed and shutil.disk_usage(scratch).free < _ROOM:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(scratch))
