"""Which bytes of a file a failure is about: those that were made wrong, or those a wrong element is made of."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from awq_conformance.reproduction.hexdump import around, records, regions
from awq_conformance.verdict import Verdict

if TYPE_CHECKING:
    from awq_conformance.judge import CaseResult
    from awq_conformance.reproduction.failure import Failure
    from awq_conformance.reproduction.region import Mark, Region

_PLACE: Final = re.compile(r"\[(\d+(?:, \d+)*)\] expected ")


def annotated(result: CaseResult) -> list[dict[str, Any]]:
    """Return the input of a failed case as JSON values: at most about 80 regions, the guilty ones among them.

    Empty where no byte is to blame. Raises OSError when the file is not there any more.
    """
    case, finding = result.case, result.finding
    data = case.input.read_bytes()
    if case.mutation is not None:
        return records(around(regions(data, case.mutation.edits)), data)
    place = _PLACE.match(finding.detail)
    if finding.verdict not in (Verdict.WRONG, Verdict.NONFINITE) or finding.tensor is None or place is None:
        return []
    index = tuple(map(int, place[1].split(", ")))
    return records(around(regions(data, marks=_marks(data, finding.tensor, index, finding.what))), data)


def regions_of(failure: Failure, data: bytes) -> tuple[Region, ...]:
    """Return the regions of ``data``, the input of ``failure``, with the guilty ones marked."""
    case, finding, mismatch = failure.case, failure.finding, failure.mismatch
    if case.mutation is not None:
        return regions(data, case.mutation.edits)
    if finding.tensor is None or mismatch is None:
        return regions(data)
    return regions(data, marks=_marks(data, finding.tensor, mismatch.index, finding.what))


def _marks(data: bytes, tensor: int, index: tuple[int, ...], what: str) -> list[Mark]:
    from awq_conformance.reproduction.anatomy import Anatomy  # only here: they need awqformat
    from awq_conformance.reproduction.extent import marks_of_element

    extent = next((extent for extent in Anatomy(data).extents() if extent.number == tensor), None)
    return [] if extent is None else marks_of_element(extent, index, what)
