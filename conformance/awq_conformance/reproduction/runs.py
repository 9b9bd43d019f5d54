"""Many things of one size, one after the other: which of them are looked at one by one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from awq_conformance.reproduction.region import Mark

SINGLE_MAX: Final = 2048  # things of a kind that are named one by one


def runs(count: int, size: int, offset: int, marks: Sequence[Mark]) -> Iterator[tuple[int, int]]:
    """Yield (first, how many) for ``count`` things of ``size`` bytes from ``offset`` on.

    Few are taken one by one; of many only those that are marked and their neighbours, the first and the last.
    """
    if count <= SINGLE_MAX:
        yield from ((i, 1) for i in range(count))
        return
    single = {0, count - 1}
    for mark in marks:
        first, last = (at // size for at in (mark.offset - offset, mark.offset + max(mark.size, 1) - 1 - offset))
        if first < count and last >= 0:
            single.update(range(max(first - 1, 0), min(first + 2, count)))
            single.update(range(max(last - 1, 0), min(last + 2, count)))
    at = 0
    for i in sorted(single):
        if i > at:
            yield at, i - at
        yield i, 1
        at = i + 1
