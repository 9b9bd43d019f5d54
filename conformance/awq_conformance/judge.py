"""Judging: what an adapter did with a case, held against what the case asks for (spec: conformance, "Judging")."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from awq_conformance.compare import compare
from awq_conformance.protocol import ONE_SHOT, REJECT_FILE, AdapterExit, Hello
from awq_conformance.verdict import Finding, Grade, Verdict

if TYPE_CHECKING:
    from awq_conformance.adapter import Observation
    from awq_conformance.cases import Case
    from awq_conformance.process import Execution

MEMORY_BOMB: Final = "memory-bomb"  # the flag of files that claim far more than they hold
_MIB: Final = 1 << 20


@dataclass(frozen=True)
class Limits:
    """What a call may take: ``timeout`` in seconds; ``peak_rss`` is what the smallest case needed, in bytes."""

    timeout: float
    peak_rss: int

    def memory(self, case: Case) -> int:
        """Return how many bytes of resident memory the case may take."""
        size = case.size
        if MEMORY_BOMB in case.flags:
            return self.peak_rss + 64 * _MIB + 4 * size
        return max(512 * _MIB, self.peak_rss + 64 * size + 256 * _MIB)


@dataclass(frozen=True)
class Terms:
    """What the adapter declared and what its probes showed; every case is judged on the same terms.

    ``dtype`` is that of W for the whole run, ``grade`` the one asked for, ``limits`` those of each mode.
    """

    hello: Hello
    dtype: str
    limits: dict[str, Limits]
    grade: Grade = Grade.EXACT

    @property
    def timeout(self) -> float:
        """Return the time limit of a one-shot call, in seconds."""
        return self.limits[ONE_SHOT].timeout


@dataclass(frozen=True)
class CaseResult:
    """All findings on one case, in the order they were made, and how each operation's process ended.

    ``code`` is the error code the adapter gave when it rejected the file, or an empty string.
    """

    case: Case
    findings: tuple[Finding, ...]
    calls: dict[str, Execution]
    code: str = ""

    @property
    def finding(self) -> Finding:
        """Return the finding that decides: the first failure, else the first skip, else a pass."""
        failed = [finding for finding in self.findings if finding.failed]
        skipped = [finding for finding in self.findings if finding.verdict is Verdict.SKIPPED]
        return (failed or skipped or list(self.findings))[0]

    @property
    def verdict(self) -> Verdict:
        """Return the verdict on the case."""
        return self.finding.verdict

    @property
    def code_matches(self) -> bool | None:
        """Return whether the code given with a right rejection is one of the case's; None where there is none."""
        if self.case.outcome != "reject" or self.verdict is not Verdict.PASS or not self.code:
            return None
        return self.code in self.case.codes


def out_of_reach(case: Case, hello: Hello) -> bool:
    """Return whether a tensor of this valid case breaks the multiples the adapter declared to need."""
    n, k = hello.align
    return any(t.shape[-2] % n != 0 or t.shape[-1] % k != 0 for t in case.expect if t.quantised)


def judge(case: Case, seen: Observation, terms: Terms, *, skippable: bool) -> Finding:
    """Return the verdict on one call. ``skippable``: hello declared that 69 may be the answer here."""
    return replace(_judge(case, seen, terms, skippable), mode=seen.mode)


def _judge(case: Case, seen: Observation, terms: Terms, skippable: bool) -> Finding:  # noqa: FBT001
    ended = seen.execution
    if seen.broken is not None:
        return Finding(seen.broken.verdict, seen.op, seen.broken.detail)
    if ended.timed_out:
        return Finding(Verdict.TIMEOUT, seen.op, str(ended))
    memory = terms.limits[seen.mode].memory(case)
    if ended.peak_rss > max(memory, ended.blind):
        detail = f"expected at most {memory // _MIB} MiB resident, got {ended.peak_rss // _MIB} MiB"
        return Finding(Verdict.OOM, seen.op, detail)
    if seen.accepted:
        if case.outcome == "reject":
            return Finding(Verdict.OVER_ACCEPT, seen.op, f"expected 65 ({' or '.join(case.codes)}), got {ended}")
        return compare(case, seen, terms.hello, terms.dtype, terms.grade)
    if seen.rejected:
        return _judge_rejection(case, seen)
    if ended.status == AdapterExit.UNSUPPORTED:
        if seen.left:
            return Finding(Verdict.OUTPUT_ON_REJECT, seen.op, f"{ended}, and left {seen.left[0]!r}")
        if skippable:
            return Finding(Verdict.SKIPPED, seen.op, f"{ended}, needs multiples of {terms.hello.align} (N, K)")
        return Finding(Verdict.UNSUPPORTED, seen.op, f"{ended}, though hello leaves nothing open here")
    return Finding(Verdict.CRASH, seen.op, str(ended))


def _judge_rejection(case: Case, seen: Observation) -> Finding:
    if case.outcome == "accept":
        code = error_code(seen)
        return Finding(Verdict.OVER_REJECT, seen.op, f"expected 0, got {seen.execution}{code and f' ({code})'}")
    if seen.fault is not None:
        return Finding(Verdict.OUTPUT_ON_REJECT, seen.op, seen.fault.detail)
    if seen.left:
        return Finding(Verdict.OUTPUT_ON_REJECT, seen.op, f"left {seen.left[0]!r}")
    return Finding(Verdict.PASS, seen.op)


def judge_repetition(first: Observation, second: Observation) -> Finding | None:
    """Compare two runs of the same operation on the same file, byte for byte."""
    detail = ""
    if first.execution.status != second.execution.status or second.fault is not None:
        detail = f"first {first.execution}, then {second.execution}"
    elif first.files != second.files:
        differing = {name for name, _ in first.files.items() ^ second.files.items()}
        detail = f"{min(differing)!r} differs between two runs"
    return Finding(Verdict.NONDETERMINISTIC, first.op, detail) if detail else None


def judge_modes(one: list[Observation], other: list[Observation]) -> Finding | None:
    """Demand the same answers and the same files, byte for byte, from both modes."""
    for first, second in zip(one, other, strict=False):  # a mode that crashed has answered less
        how = (first.execution.status, second.execution.status)
        detail = ""
        if first.broken or second.broken or not {*how} <= {*map(int, AdapterExit)}:
            continue  # a crash has its own verdict
        if how[0] != how[1]:
            detail = f"{first.mode} ended with {first.execution}, {second.mode} with {second.execution}"
        elif first.files != second.files:
            differing = {name for name, _ in first.files.items() ^ second.files.items()}
            detail = f"{min(differing)!r} differs between {first.mode} and {second.mode}"
        elif second.code and REJECT_FILE in second.files and second.code != error_code(first):
            detail = f"{second.mode} says {second.code!r}, {REJECT_FILE} {error_code(first)!r}"
        if detail:
            return Finding(Verdict.PROTOCOL, first.op, detail, mode=second.mode)
    return None


def judge_agreement(seen: list[Observation]) -> Finding | None:
    """Demand one answer to one file: every operation accepts it or every operation rejects it."""
    first = seen[0]
    for other in seen[1:]:
        if (first.accepted and other.rejected) or (first.rejected and other.accepted):
            detail = f"{first.op} ended with {first.execution}, {other.op} with {other.execution}"
            return Finding(Verdict.PROTOCOL, other.op, detail)
    return None


def twin_gate(results: dict[str, CaseResult], *, partial: bool = False) -> dict[str, CaseResult]:
    """Let a rejection count only where the valid twin was accepted and right in the same run.

    This is what a loader that rejects everything, or cannot even start, fails by. In a ``partial`` run rejections
    whose twin was not reached are left out.
    """
    proven = {
        name: result
        for name, result in results.items()
        if not partial or result.case.outcome != "reject" or result.finding.failed or result.case.twin in results
    }
    return {name: _gate(result, results) for name, result in proven.items()}


def _gate(result: CaseResult, results: dict[str, CaseResult]) -> CaseResult:
    twin = result.case.twin
    if result.case.outcome != "reject" or result.verdict is not Verdict.PASS:
        return result
    if twin is None or twin not in results or results[twin].finding.failed:
        verdict, detail = Verdict.TWIN_FAILED, f"{twin} was not accepted and right in this run"
    elif results[twin].verdict is Verdict.SKIPPED:
        verdict, detail = Verdict.SKIPPED, f"its twin {twin} was skipped"
    else:
        return result
    op = result.finding.op
    return replace(result, findings=(*result.findings, Finding(verdict, op, detail)))


def error_code(seen: Observation) -> str:
    """Return the error code given with a rejection, or an empty string; it is shown and counted, never judged."""
    if seen.rejected and seen.code:
        return _printable(seen.code)
    text = seen.files.get(REJECT_FILE, b"") if seen.rejected else b""
    line = text.split(b"\n")[0].decode("ascii", "replace").strip()
    return _printable(line)


def _printable(line: str) -> str:
    return "".join(char if char.isprintable() else "?" for char in line[:80])
