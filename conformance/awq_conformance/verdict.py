"""The closed list of verdicts and the record that carries one."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, IntEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from awq_conformance.evidence import Evidence


class Verdict(Enum):
    """What is said about one operation on one case; the value is the name people see."""

    PASS = "PASS"  # noqa: S105  # a verdict, not a password
    SKIPPED = "SKIPPED"
    WRONG = "WRONG"
    NONFINITE = "NONFINITE"
    SHAPE = "SHAPE"
    DTYPE = "DTYPE"
    MISSING_OUTPUT = "MISSING-OUTPUT"
    EXTRA_OUTPUT = "EXTRA-OUTPUT"
    TRUNCATED_OUTPUT = "TRUNCATED-OUTPUT"
    MALFORMED_OUTPUT = "MALFORMED-OUTPUT"
    OUTPUT_ON_REJECT = "OUTPUT-ON-REJECT"
    OVER_ACCEPT = "OVER-ACCEPT"
    OVER_REJECT = "OVER-REJECT"
    UNSUPPORTED = "UNSUPPORTED"
    CRASH = "CRASH"
    TIMEOUT = "TIMEOUT"
    OOM = "OOM"
    PROTOCOL = "PROTOCOL"
    NONDETERMINISTIC = "NONDETERMINISTIC"
    TWIN_FAILED = "TWIN-FAILED"


MEANING: Final[dict[Verdict, str]] = {
    Verdict.PASS: "what the spec asks for",
    Verdict.SKIPPED: "declared in hello as out of reach",
    Verdict.WRONG: "an element differs from the exact result",
    Verdict.NONFINITE: "NaN or infinity where the exact result is finite",
    Verdict.SHAPE: "an output has another shape",
    Verdict.DTYPE: "an output has another element type than allowed or declared",
    Verdict.MISSING_OUTPUT: "accepted, but an output was not written",
    Verdict.EXTRA_OUTPUT: "a file in the output folder that nobody asked for",
    Verdict.TRUNCATED_OUTPUT: "an output is shorter than its shape says",
    Verdict.MALFORMED_OUTPUT: "an output cannot be read as what its name says",
    Verdict.OUTPUT_ON_REJECT: "rejected, but outputs were left behind",
    Verdict.OVER_ACCEPT: "accepted a malformed file",
    Verdict.OVER_REJECT: "rejected a valid file",
    Verdict.UNSUPPORTED: "answered 69 to something not declared as unsupported",
    Verdict.CRASH: "ended by a signal, or with a status other than 0, 65 and 69",
    Verdict.TIMEOUT: "still running at the time limit",
    Verdict.OOM: "used more memory than the file can explain",
    Verdict.PROTOCOL: "broke the adapter protocol",
    Verdict.NONDETERMINISTIC: "two runs on the same file differ",
    Verdict.TWIN_FAILED: "rejected, but its valid twin was not read correctly either, so the rejection proves nothing",
}


class Grade(IntEnum):
    """How close outputs come, best first (spec: conformance, "Grades")."""

    EXACT = 0
    BOUNDED = 1
    FUNCTIONAL = 2
    FAIL = 3

    def __str__(self) -> str:
        """Return the name people use, such as ``exact``."""
        return self.name.lower()


@dataclass(frozen=True)
class Finding:
    """One verdict with its place: the operation, the tensor's number, the output (W, q, z, s, P), one line.

    ``mode`` is how the adapter was called, one-shot or serve. ``grade`` is the worst of all elements of W seen here.
    """

    verdict: Verdict
    op: str
    detail: str = ""
    tensor: int | None = None
    what: str = ""
    mode: str = "one-shot"
    grade: Grade = Grade.EXACT
    evidence: Evidence | None = None

    @property
    def failed(self) -> bool:
        """Return whether this counts against the loader."""
        return self.verdict not in (Verdict.PASS, Verdict.SKIPPED)


class OutputError(ValueError):
    """One output of an adapter is not what it must be."""

    def __init__(self, verdict: Verdict, detail: str) -> None:
        super().__init__(detail)
        self.verdict = verdict
        self.detail = detail
