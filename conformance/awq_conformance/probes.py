"""Probes: five questions that show whether the adapter works at all, asked before anything is scored.

A failed probe says "the adapter, not the loader", and there is no verdict. Wrong numbers are the loader's: they
stop nothing here and are found again by the cases.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from awq_conformance.adapter import Adapter, Bounds, Observation, bounds_of
from awq_conformance.compare import compare, written_dtype
from awq_conformance.judge import Terms, out_of_reach
from awq_conformance.protocol import (
    DEQUANT,
    HELLO,
    HELLO_FILE,
    AdapterExit,
    Hello,
    HelloError,
    parse_hello,
)
from awq_conformance.verdict import OutputError, Verdict

if TYPE_CHECKING:
    from awq_conformance.cases import Case, Corpus

_SLACK: Final = 5  # a case may take this many times as long as the smallest one, where that is above the floor


class ProbeError(Exception):
    """The adapter does not work; ``tail`` is the end of what it printed."""

    def __init__(self, probe: str, expected: str, seen: Observation, detail: str = "") -> None:
        super().__init__(f"{probe}: expected {expected}, got {detail or seen.execution}")
        self.tail = seen.execution.tail


class NothingToRunError(Exception):
    """The corpus holds nothing this adapter could be judged by."""


@dataclass(frozen=True)
class Footing:
    """What the probes established: the terms to judge on, and the time limit of one call in seconds."""

    terms: Terms
    timeout: float


def probe(adapter: Adapter, corpus: Corpus, profile: str, floor: float) -> Footing:
    """Ask all probes in turn; raise ProbeError at the first bad answer. ``floor`` is the least time limit."""
    bounds = Bounds(floor)
    hello = _hello(adapter, bounds)
    if profile not in hello.profiles:
        return Footing(Terms(hello, "", 0), floor)  # nothing to ask; the run says so
    unknown = f"x{secrets.token_hex(4)}"
    case = _smallest(corpus, profile, hello)
    seen = adapter.call(unknown, str(case.input), bounds)
    if seen.execution.status != AdapterExit.UNSUPPORTED:
        raise ProbeError(f"unknown operation {unknown!r}", "exit status 69", seen)
    good = adapter.call(DEQUANT, str(case.input), bounds_of(case, floor))
    dtype = _good_file(case, good, hello)
    empty = adapter.scratch / "empty.awq"
    empty.write_bytes(b"")
    seen = adapter.call(DEQUANT, str(empty), bounds)
    if not seen.rejected:
        raise ProbeError("empty file", "exit status 65", seen)
    seen = adapter.call(DEQUANT, str(adapter.scratch / "missing.awq"), bounds)
    if seen.accepted or seen.execution.timed_out:
        raise ProbeError("missing file", "anything but exit status 0", seen)
    return Footing(Terms(hello, dtype, good.execution.peak_rss), max(floor, _SLACK * good.execution.seconds))


def _hello(adapter: Adapter, bounds: Bounds) -> Hello:
    seen = adapter.call(HELLO, "-", bounds)
    if seen.execution.status == AdapterExit.UNSUPPORTED:
        return Hello()
    if not seen.accepted:
        raise ProbeError(HELLO, "exit status 0 or 69", seen)
    if seen.fault is not None or set(seen.files) != {HELLO_FILE}:
        written = seen.fault.detail if seen.fault else ", ".join(sorted(map(repr, seen.files))) or "nothing"
        raise ProbeError(HELLO, f"{HELLO_FILE} and nothing else in the output folder", seen, written)
    try:
        return parse_hello(seen.files[HELLO_FILE].decode("utf-8"))
    except (HelloError, UnicodeDecodeError) as error:
        raise ProbeError(HELLO, "words of awqc/1", seen, f"{HELLO_FILE}: {error}") from error


def _smallest(corpus: Corpus, profile: str, hello: Hello) -> Case:
    """Return the smallest valid case that holds a quantised tensor within the declared multiples."""
    good = [
        case
        for case in corpus.cases.values()
        if case.profile == profile and case.outcome == "accept" and any(t.quantised for t in case.expect)
    ]
    within = [case for case in good if not out_of_reach(case, hello)]
    if not within:
        raise NothingToRunError(f"no valid case of profile {profile} has shapes that align={hello.align} allows")
    return min(within, key=lambda case: (case.files[0].size, case.id))


def _good_file(case: Case, seen: Observation, hello: Hello) -> str:
    """Demand outputs of the right names, shapes and dtypes; return the dtype of W."""
    if not seen.accepted:
        raise ProbeError(f"good file {case.id}", "exit status 0", seen)
    finding = compare(case, seen, hello, None)
    if finding.verdict not in (Verdict.PASS, Verdict.WRONG, Verdict.NONFINITE):
        raise ProbeError(f"good file {case.id}", "its outputs", seen, f"{finding.verdict.value} {finding.detail}")
    try:
        return written_dtype(seen)
    except OutputError as fault:  # one that comes after the wrong element compare() stopped at
        raise ProbeError(f"good file {case.id}", "its outputs", seen, f"{fault.verdict.value} {fault}") from fault
