"""A failure that can be seen again with one call: which element is wrong, and what it is made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from awq_conformance import grade as grading
from awq_conformance.adapter import bounds_of
from awq_conformance.compare import expected, parts_of
from awq_conformance.judge import judge, judge_repetition
from awq_conformance.outputs import parse_name, read_matrix
from awq_conformance.verdict import OutputError, Verdict

if TYPE_CHECKING:
    from typing import Protocol

    from awq_conformance.adapter import Bounds, Observation
    from awq_conformance.cases import Case, Tensor
    from awq_conformance.grade import Mismatch
    from awq_conformance.judge import Terms
    from awq_conformance.verdict import Finding

    class Callee(Protocol):
        """Whatever a loader can be called through."""

        def call(self, op: str, path: str, bounds: Bounds) -> Observation:
            """Ask for one operation."""


@dataclass(frozen=True)
class Failure:
    """What a loader did with a case and what was found wrong; ``mismatch`` is the first wrong element, if any is."""

    case: Case
    seen: Observation
    finding: Finding
    mismatch: Mismatch | None = None

    @property
    def tensor(self) -> Tensor | None:
        """Return the tensor that is wrong, None where the failure has none."""
        return next((t for t in self.case.expect if t.number == self.finding.tensor), None)


def seen_again(case: Case, like: Finding, caller: Callee, terms: Terms) -> Failure | None:
    """Call the loader once more on ``case``; return what it does if that is the failure ``like``.

    Alike are failures of one verdict in one operation, in outputs of one kind.
    """
    bounds = bounds_of(case, terms.timeout)
    seen = caller.call(like.op, str(case.input), bounds)
    finding = judge(case, seen, terms, skippable=False)
    if like.verdict is Verdict.NONDETERMINISTIC and not finding.failed:
        finding = judge_repetition(seen, caller.call(like.op, str(case.input), bounds)) or finding
    if (finding.verdict, finding.what) != (like.verdict, like.what):
        return None
    return Failure(case, seen, finding, _mismatch(case, seen, finding, terms))


def _mismatch(case: Case, seen: Observation, finding: Finding, terms: Terms) -> Mismatch | None:
    """Return the first wrong element of the output that is wrong, None where it is not a matter of elements."""
    tensor = next((t for t in case.expect if t.number == finding.tensor), None)
    if finding.verdict not in (Verdict.WRONG, Verdict.NONFINITE) or tensor is None:
        return None
    due = expected(case, tensor, finding.what)
    for filename, data in seen.files.items():
        name = parse_name(filename)
        if name is None or (name.number, name.what) != (tensor.number, finding.what):
            continue
        try:
            got = read_matrix(name, data, due.values.shape)
        except OutputError:
            return None
        if due.dtype == "u8":
            return grading.identical(got, due.values.astype(np.uint8, copy=False))
        values = due.values.astype(np.float32, copy=False)
        if finding.what != "W":
            return grading.exact(got, values)
        return grading.graded(got, values, lambda: parts_of(case, tensor), terms.grade).mismatch
    return None
