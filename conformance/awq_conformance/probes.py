"""Probes: questions that show whether the adapter works at all, asked before anything is scored.

A failed probe says "the adapter, not the loader", and there is no verdict. Wrong numbers are the loader's: they
stop nothing here and are found again by the cases.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Final

from awq_conformance.adapter import Bounds, Caller, Folders, Observation, OneShot, bounds_of
from awq_conformance.compare import compare, written_dtype
from awq_conformance.judge import Limits, Terms, out_of_reach
from awq_conformance.protocol import (
    DEQUANT,
    HELLO,
    HELLO_FILE,
    ONE_SHOT,
    SERVE,
    Hello,
    HelloError,
    parse_hello,
)
from awq_conformance.selection import NothingToRunError
from awq_conformance.serving import RESTARTS_MAX, Serving
from awq_conformance.verdict import Grade, OutputError, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator

    from awq_conformance.cases import Case, Corpus

# The least time limit of a call, as a share of what was asked for, and how many times as long as the smallest valid
# case a case may take where that is more.
_FLOOR: Final = {ONE_SHOT: (1.0, 5), SERVE: (0.5, 20)}


@dataclass(frozen=True)
class Reply:
    """The answer to one question that every adapter must answer alike; ``wrong`` is what is wrong with it, or empty."""

    question: Question
    asked: str
    expected: str
    seen: Observation
    wrong: str = ""


class Question(Enum):
    """What is asked of every adapter before anything is scored."""

    HELLO = "hello"
    UNKNOWN_OP = "unknown-op"
    GOOD_FILE = "good-file"
    EMPTY_FILE = "empty-file"
    MISSING_FILE = "missing-file"
    END_OF_INPUT = "end-of-input"


class ProbeError(Exception):
    """The adapter does not work; ``tail`` is the end of what it printed."""

    def __init__(self, reply: Reply) -> None:
        mode = "" if reply.seen.mode == ONE_SHOT else f" ({reply.seen.mode})"
        super().__init__(f"{reply.asked}{mode}: expected {reply.expected}, got {reply.wrong}")
        self.tail = reply.seen.execution.tail


@dataclass(frozen=True)
class Footing:
    """What the probes established: the terms to judge on, and the ways to call the adapter that every case takes."""

    terms: Terms
    callers: tuple[Caller, ...]
    one_shot: OneShot

    @property
    def swift(self) -> Caller:
        """Return the quickest way to call the adapter that can be relied on."""
        last = self.callers[-1]
        return self.one_shot if isinstance(last, Serving) and last.restarts > RESTARTS_MAX // 2 else last


@dataclass(frozen=True)
class Ground:
    """What probes need: a folder, the corpus, the profile, and the least time limit of a one-shot call in seconds."""

    folders: Folders
    corpus: Corpus
    profile: str
    floor: float
    grade: Grade = Grade.EXACT


def probe(one_shot: OneShot, ground: Ground, modes: tuple[str, ...]) -> Footing:
    """Ask all probes in turn, in each of ``modes`` that hello declares; raise ProbeError at the first bad answer."""
    hello = probe_hello(one_shot, ground.floor)
    if ground.profile not in hello.profiles:
        raise NothingToRunError(f"the adapter's hello does not claim profile {ground.profile}")
    case = plainest(ground.corpus, ground.profile, hello)
    callers: list[Caller] = [one_shot]
    if SERVE in hello.ops and SERVE in modes:
        callers.append(Serving(one_shot.argv, one_shot.folders, one_shot.cancel, hello.words))
    elif ONE_SHOT not in modes:
        raise NothingToRunError(f"the adapter's hello does not list {SERVE}")
    limits, dtype = {}, ""
    for caller in callers:
        try:
            seen = {reply.question: demanded(reply).seen for reply in replies(caller, case, hello, ground)}
            problem = caller.close()
        finally:
            caller.kill()
        good = seen[Question.GOOD_FILE]
        if problem:
            raise ProbeError(Reply(Question.END_OF_INPUT, "end of input", "exit status 0", good, problem))
        dtype = written_dtype(good)
        floor, slack = _FLOOR[caller.mode]
        limits[caller.mode] = Limits(max(ground.floor * floor, slack * good.execution.seconds), good.execution.peak_rss)
    terms = Terms(hello, dtype, limits, ground.grade)
    return Footing(terms, tuple(caller for caller in callers if caller.mode in modes), one_shot)


def demanded(reply: Reply) -> Reply:
    """Return ``reply``; raise ProbeError when there is something wrong with it."""
    if reply.wrong:
        raise ProbeError(reply)
    return reply


def replies(caller: Caller, case: Case, hello: Hello, ground: Ground) -> Iterator[Reply]:
    """Ask one question after the other, and yield what came back; ``case`` is a good file to ask with."""
    bounds = Bounds(ground.floor)
    unknown = f"x{secrets.token_hex(4)}"
    seen = caller.call(unknown, str(case.input), bounds)
    wrong = "" if seen.unsupported else ended(seen)
    yield Reply(Question.UNKNOWN_OP, f"unknown operation {unknown!r}", "exit status 69", seen, wrong)
    yield good_file(case, caller.call(DEQUANT, str(case.input), bounds_of(case, ground.floor)), hello)
    with ground.folders.fresh() as folder:
        empty, told = folder / "empty.awq", "empty folder" if case.folder else "empty file"
        empty.mkdir() if case.folder else empty.touch()
        seen = caller.call(DEQUANT, str(empty), bounds)
        yield Reply(Question.EMPTY_FILE, told, "exit status 65", seen, "" if seen.rejected else ended(seen))
        seen = caller.call(DEQUANT, str(folder / "missing.awq"), bounds)
        wrong = ended(seen) if seen.accepted or seen.execution.timed_out else ""
        yield Reply(Question.MISSING_FILE, "missing file", "anything but exit status 0", seen, wrong)


def ended(seen: Observation) -> str:
    """Return how a call ended, as a phrase."""
    return seen.broken.detail if seen.broken else str(seen.execution)


def probe_hello(one_shot: OneShot, floor: float) -> Hello:
    """Return what the adapter says about itself, or what holds for one that says nothing."""
    reply = demanded(greeting(one_shot.call(HELLO, "-", Bounds(floor))))
    if reply.seen.unsupported:
        return Hello()
    return parse_hello(reply.seen.files[HELLO_FILE].decode("utf-8"))


def greeting(seen: Observation) -> Reply:
    """Return the answer to ``hello``, judged."""

    def reply(expected: str, wrong: str) -> Reply:
        return Reply(Question.HELLO, HELLO, expected, seen, wrong)

    if seen.unsupported:
        return reply("exit status 0 or 69", "")
    if not seen.accepted:
        return reply("exit status 0 or 69", ended(seen))
    if seen.fault is not None or set(seen.files) != {HELLO_FILE}:
        written = seen.fault.detail if seen.fault else ", ".join(sorted(map(repr, seen.files))) or "nothing"
        return reply(f"{HELLO_FILE} and nothing else in the output folder", written)
    try:
        parse_hello(seen.files[HELLO_FILE].decode("utf-8"))
    except (HelloError, UnicodeDecodeError) as error:
        return reply("words of awqc/1", f"{HELLO_FILE}: {error}")
    return reply("words of awqc/1", "")


def plainest(corpus: Corpus, profile: str, hello: Hello) -> Case:
    """Return the plainest valid case of the corpus that holds a quantised tensor within the declared multiples.

    It is about the fewest requirements, and the smallest of those. One group in each row comes last: loaders that do
    not take it work all the same, which is what is asked here.
    """
    good = [
        case
        for case in corpus.cases.values()
        if case.profile == profile and case.outcome == "accept" and any(t.quantised for t in case.expect)
    ]
    within = [case for case in good if not out_of_reach(case, hello)]
    if not within:
        raise NothingToRunError(f"no valid case of profile {profile} has shapes that align={hello.align} allows")
    return min(within, key=lambda case: (_whole_rows(case), len(case.req), case.size, case.id))


def _whole_rows(case: Case) -> bool:
    return any(tensor.group_size == tensor.shape[-1] for tensor in case.expect if tensor.quantised)


def good_file(case: Case, seen: Observation, hello: Hello) -> Reply:
    """Return the answer to a good file, held to outputs of the right names, shapes and dtypes, but to no values."""

    def reply(expected: str, wrong: str) -> Reply:
        return Reply(Question.GOOD_FILE, f"good file {case.id}", expected, seen, wrong)

    if not seen.accepted:
        return reply("exit status 0", ended(seen))
    finding = compare(case, seen, hello, None)
    if finding.verdict not in (Verdict.PASS, Verdict.WRONG, Verdict.NONFINITE):
        return reply("its outputs", f"{finding.verdict.value} {finding.detail}")
    try:
        written_dtype(seen)
    except OutputError as fault:  # one that comes after the wrong element compare() stopped at
        return reply("its outputs", f"{fault.verdict.value} {fault}")
    return reply("its outputs", "")
