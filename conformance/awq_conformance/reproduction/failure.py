"""A failure that can be seen again with one call: which element is wrong, and where in the output it lies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from awq_conformance import grade as grading
from awq_conformance.adapter import bounds_of
from awq_conformance.compare import expected, parts_of
from awq_conformance.judge import judge, judge_repetition
from awq_conformance.outputs import parse_name, read_matrix
from awq_conformance.serving import ServeAbandonedError
from awq_conformance.verdict import OutputError, Verdict

if TYPE_CHECKING:
    from awq_conformance.adapter import Caller, Observation
    from awq_conformance.cases import Case, Tensor
    from awq_conformance.grade import Mismatch
    from awq_conformance.judge import Terms
    from awq_conformance.outputs import Matrix
    from awq_conformance.verdict import Finding


@dataclass(frozen=True)
class Element:
    """The first wrong element of an output, and its bytes: ``size`` of them at ``offset`` of the file ``name``."""

    mismatch: Mismatch
    name: str
    offset: int
    size: int


@dataclass(frozen=True)
class Failure:
    """What a loader did with a case and what was found wrong; ``element`` is the first wrong one, if any is."""

    case: Case
    seen: Observation
    finding: Finding
    element: Element | None = None

    @property
    def tensor(self) -> Tensor | None:
        """Return the tensor that is wrong, None where the failure has none."""
        return next((t for t in self.case.expect if t.number == self.finding.tensor), None)


def seen_again(case: Case, like: Finding, caller: Caller, terms: Terms) -> Failure | None:
    """Call the loader once more on ``case``; return what it does if that is the failure ``like``.

    Alike are failures of one verdict in one operation, in outputs of one kind.
    """
    bounds = bounds_of(case, terms.limits[caller.mode].timeout)
    try:
        seen = caller.call(like.op, str(case.input), bounds)
        finding = judge(case, seen, terms, skippable=False)
        if like.verdict is Verdict.NONDETERMINISTIC and not finding.failed:
            finding = judge_repetition(seen, caller.call(like.op, str(case.input), bounds)) or finding
    except ServeAbandonedError:
        return None
    if (finding.verdict, finding.what) != (like.verdict, like.what):
        return None
    return Failure(case, seen, finding, _element(case, seen, finding, terms))


def _element(case: Case, seen: Observation, finding: Finding, terms: Terms) -> Element | None:
    """Return the first wrong element of the output that is wrong, None where it is not a matter of elements."""
    tensor = next((t for t in case.expect if t.number == finding.tensor), None)
    if finding.verdict not in (Verdict.WRONG, Verdict.NONFINITE) or tensor is None:
        return None
    for filename, data in seen.files.items():
        name = parse_name(filename)
        if name is None or (name.number, name.what) != (tensor.number, finding.what):
            continue
        due = expected(case, tensor, finding.what)
        try:
            got = read_matrix(name, data, due.values.shape)
        except OutputError:
            return None
        mismatch = _mismatch(case, tensor, finding.what, got, due, terms)
        if mismatch is None:
            return None
        start = len(data) - got.values.nbytes  # of element 0 in every dimension, in whatever order the rest lies
        within = sum(i * stride for i, stride in zip(mismatch.index, got.values.strides, strict=True))
        return Element(mismatch, filename, start + within, got.values.itemsize)
    return None


def _mismatch(case: Case, tensor: Tensor, what: str, got: Matrix, due: Matrix, terms: Terms) -> Mismatch | None:
    if due.dtype == "u8":
        return grading.identical(got, due.values.astype(np.uint8, copy=False))
    values = due.values.astype(np.float32, copy=False)
    if what == "W":
        return grading.graded(got, values, lambda: parts_of(case, tensor), terms.grade).mismatch
    return grading.exact(got, values)
