"""The whole examination, part by part; what keeps one part from being done is said in its place."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from awq_conformance.adapter import AdapterMissingError, Folders, OneShot, find
from awq_conformance.cases import CorpusAlteredError
from awq_conformance.doctor import greeting, one_shot, operations, pace, program, service
from awq_conformance.doctor.check import Check, State, check, left_out
from awq_conformance.doctor.exhibits import choose
from awq_conformance.doctor.patient import HangingError, Patient
from awq_conformance.probes import Ground
from awq_conformance.process import limited_files
from awq_conformance.protocol import HELLO, ONE_SHOT, SERVE, Hello, RunnerExit
from awq_conformance.selection import NothingToRunError
from awq_conformance.serving import ServeAbandonedError
from awq_conformance.strays import adopted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from awq_conformance.cases import Corpus

Tell = Callable[[Check], None]


@dataclass
class Examination:
    """An examination and what was found: the checks in the order they were made."""

    command: tuple[str, ...]
    corpus: Corpus
    profile: str
    timeout: float
    argv: tuple[str, ...] = ()
    hello: Hello = field(default_factory=Hello)
    checks: list[Check] = field(default_factory=list)

    @property
    def problems(self) -> list[Check]:
        """Return the checks that keep the adapter from being used."""
        return [one for one in self.checks if one.state is State.PROBLEM]

    @property
    def exit(self) -> RunnerExit:
        """Return 0 where nothing is wrong with the adapter, else 3: nothing can be said about the loader."""
        return RunnerExit.INCONCLUSIVE if self.problems else RunnerExit.CONFORMANT


def examine(command: tuple[str, ...], corpus: Corpus, profile: str, timeout: float, tell: Tell) -> Examination:
    """Examine the adapter ``command``; ``tell`` is called with each check as it is made.

    ``timeout`` is the time limit of one call in seconds. Raises KeyboardInterrupt when it is interrupted; no process
    of the adapter is left then, nor at any other end.
    """
    done = Examination(command, corpus, profile, timeout)
    cancel = threading.Event()
    # As in a run: adapters are started by another thread than the one an interrupt reaches.
    with (
        tempfile.TemporaryDirectory(prefix="awqc-") as scratch,
        limited_files(),
        adopted(),
        ThreadPoolExecutor(1) as pool,
    ):
        try:
            pool.submit(_examine, done, Path(scratch), cancel, tell).result()
        finally:
            cancel.set()
    return done


def _examine(done: Examination, scratch: Path, cancel: threading.Event, tell: Tell) -> None:
    for one in _parts(done, scratch, cancel):
        done.checks.append(one)
        tell(one)


def _parts(done: Examination, scratch: Path, cancel: threading.Event) -> Iterator[Check]:
    try:
        done.argv = find(done.command)
        caller = OneShot(done.argv, Folders(scratch / "calls"), cancel)
        patient = Patient(caller, done.timeout, Hello())
        seen = patient.ask_about(HELLO, Path("-"))
    except AdapterMissingError as problem:
        yield program.missing(done.command, str(problem).removeprefix(f"{done.command[0]}: "))
        return
    yield from program.found(done.command)
    done.hello, checks = greeting.examine(seen, done.profile)
    yield from checks
    patient.hello = done.hello
    ground = Ground(caller.folders, done.corpus, done.profile, done.timeout)
    try:
        exhibits = choose(done.corpus, done.profile, done.hello)
    except NothingToRunError as reason:
        remedy = "Declare in align only the multiples that the loader cannot do without."
        yield check("hello/align", "hello leaves cases that can be run", str(reason), remedy)
        return
    shown = one_shot.Seen(seen)
    yield from _until_it_hangs(ONE_SHOT, one_shot.examine(patient, caller, ground, exhibits, shown))
    if shown.good is None or not shown.good.answered:
        return
    yield from _until_it_hangs("operations", operations.examine(patient, exhibits, shown))
    if SERVE in done.hello.ops:
        yield from _until_it_hangs(SERVE, service.examine(caller, ground, exhibits, done.hello, shown))
    try:
        done.corpus.verify()
    except CorpusAlteredError as alteration:
        remedy = "The adapter writes into the corpus: open INPUT for reading only."
        yield check("operations/corpus-untouched", "the corpus is as it was", str(alteration), remedy)
    if shown.good.accepted:
        yield pace.examine(done.corpus, done.profile, done.hello, patient.seconds, shown.pace)


def _until_it_hangs(part: str, checks: Iterator[Check]) -> Iterator[Check]:
    """Yield ``checks``, and after the last hang worth waiting for that the rest was left out."""
    try:
        yield from checks
    except HangingError:
        yield left_out(part, "it hung twice, and each time takes the whole limit")
    except ServeAbandonedError:
        yield left_out(part, "the service broke too often")
