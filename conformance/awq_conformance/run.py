"""One certification run: probes, then every selected case, then the twin gate."""

from __future__ import annotations

import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

from awq_conformance.adapter import Adapter, AdapterMissingError, find
from awq_conformance.attempt import attempt
from awq_conformance.cases import Case, Corpus, CorpusAlteredError
from awq_conformance.fresh import fresh_case, make_large
from awq_conformance.judge import CaseResult, twin_gate
from awq_conformance.probes import Footing, NothingToRunError, ProbeError, probe
from awq_conformance.process import limited_files
from awq_conformance.protocol import RunnerExit
from awq_conformance.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True)
class Request:
    """What to run: the adapter's command, a profile, globs over case ids (none: all), and how.

    ``timeout`` is the least time limit of a call in seconds; ``seed`` makes the fresh random file.
    """

    command: tuple[str, ...]
    corpus: Corpus
    profile: str
    globs: tuple[str, ...]
    jobs: int
    timeout: float
    seed: int


@dataclass
class Certification:
    """How a run went. ``inconclusive`` is the reason why there is no verdict, or an empty string."""

    request: Request
    argv: tuple[str, ...] = ()
    digests: dict[str, str] = field(default_factory=dict)
    footing: Footing | None = None
    results: dict[str, CaseResult] = field(default_factory=dict)
    inconclusive: str = ""
    tail: bytes = b""

    @property
    def failures(self) -> list[CaseResult]:
        """Return what failed, causes before consequences: TWIN-FAILED comes last."""
        failed = [result for result in self.results.values() if result.finding.failed]
        return sorted(failed, key=lambda result: result.verdict is Verdict.TWIN_FAILED)

    @property
    def exit(self) -> RunnerExit:
        """Return the exit status: only a MUST decides, SHOULD and MAY are reported."""
        if self.inconclusive:
            return RunnerExit.INCONCLUSIVE
        if any(result.case.level == "MUST" for result in self.failures):
            return RunnerExit.NOT_CONFORMANT
        return RunnerExit.CONFORMANT

    @property
    def certifies(self) -> bool:
        """Return whether a certificate may be issued: conformant, on the whole profile."""
        return self.exit is RunnerExit.CONFORMANT and not self.request.globs


def certify(request: Request, progress: Callable[[CaseResult | int], None]) -> Certification:
    """Run everything and return what came of it; never raises for what an adapter or an interruption does.

    ``progress`` is called with the number of cases once it is known, then with each result as it comes.
    """
    run = Certification(request)
    cancel = threading.Event()
    with tempfile.TemporaryDirectory(prefix="awqc-") as scratch, limited_files():
        # Adapters are started by the pool's threads alone: an interrupt reaches the main thread, between no
        # fork and its record, and finds every child in the hands of a thread that watches `cancel`.
        pool = ThreadPoolExecutor(request.jobs)
        try:
            run.argv = find(request.command)
            adapter = Adapter(run.argv, Path(scratch), cancel)
            run.digests = adapter.digests()
            _run(run, adapter, pool, progress)
        except KeyboardInterrupt:
            run.inconclusive = "interrupted"
        except ProbeError as failure:
            run.inconclusive, run.tail = f"the adapter, not the loader: {failure}", failure.tail
        except AdapterMissingError as missing:
            run.inconclusive = f"the adapter, not the loader: {missing}"
        except NothingToRunError as reason:
            run.inconclusive = str(reason)
        except CorpusAlteredError as alteration:
            run.inconclusive = f"the corpus was altered: {alteration}"
        except OSError as error:
            run.inconclusive = f"the runner could not go on: {error}"
        finally:
            cancel.set()
            pool.shutdown(cancel_futures=True)
    return run


def select(corpus: Corpus, profile: str, globs: tuple[str, ...]) -> list[Case]:
    """Return the cases of ``profile`` that match any glob, and the twins their verdicts depend on, in corpus order.

    Raises NothingToRunError for a glob that matches nothing: a typing error must not look like a success.
    """
    cases = [case for case in corpus.cases.values() if case.profile == profile]
    for glob in globs:
        if not any(fnmatchcase(case.id, glob) for case in cases):
            raise NothingToRunError(f"no case of profile {profile} matches {glob!r}")
    chosen = {case.id for case in cases if not globs or any(fnmatchcase(case.id, glob) for glob in globs)}
    chosen |= {case.twin for case in cases if case.id in chosen and case.outcome == "reject" and case.twin}
    if not chosen:
        raise NothingToRunError(f"the corpus has no case of profile {profile}")
    return [case for case in corpus.cases.values() if case.id in chosen]


def _run(
    run: Certification, adapter: Adapter, pool: ThreadPoolExecutor, progress: Callable[[CaseResult | int], None]
) -> None:
    request = run.request
    corpus = request.corpus
    cases = select(corpus, request.profile, request.globs)
    if any(case.made for case in cases):
        corpus = corpus.completed(make_large(adapter.scratch / "made"))
        cases = [corpus.cases[case.id] for case in cases]
    selected = [case.id for case in cases]
    footing = pool.submit(probe, adapter, corpus, request.profile, request.timeout).result()
    run.footing = footing
    if request.profile not in footing.terms.hello.profiles:
        raise NothingToRunError(f"the adapter's hello does not claim profile {request.profile}")
    if (corpus.suite, request.profile) == ("awqformat", "core"):
        folder = adapter.scratch / "fresh"
        folder.mkdir()
        cases.insert(0, fresh_case(folder, request.seed, footing.terms.hello.align))
    progress(len(cases))
    futures = [pool.submit(attempt, case, corpus, adapter, footing) for case in cases]
    results = {}
    for future in as_completed(futures):
        result = future.result()
        results[result.case.id] = result
        progress(result)
    run.results = twin_gate({case.id: results[case.id] for case in cases})
    corpus.verify()  # an adapter that edits its input has judged itself
    if all(run.results[name].verdict is Verdict.SKIPPED for name in selected):
        raise NothingToRunError("every case was skipped")
