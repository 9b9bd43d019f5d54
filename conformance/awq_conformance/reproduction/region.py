"""Bytes with a name: what an annotated file is made of, and how names are laid over the bytes."""

from __future__ import annotations

import hashlib
from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

Show = Callable[[bytes, int], str]
"""Returns the value of some bytes of a claim, given where in the claim they start."""

UNKNOWN: Final = "unknown"
_SHORT: Final = 16  # bytes that are told one by one


@dataclass(frozen=True)
class Region:
    """Bytes of a file, from ``offset`` on: the field they are, its value as text, whether the fault is in them.

    ``matches`` tells of a digest whether it is that of the bytes it covers, where they are there. ``left_out`` is the
    number of regions that this one stands for, where it is none itself.
    """

    offset: int
    size: int
    field: str
    value: str
    guilty: bool = False
    matches: bool | None = None
    left_out: int = 0


@dataclass(frozen=True)
class Claim:
    """What a file says that some bytes of it are.

    ``unit`` is the number of bytes that a part of it has to be a multiple of, 0 where it has no parts. A digest
    ``covers`` (offset, size) of the file.
    """

    offset: int
    size: int
    field: str
    show: Show
    unit: int = 0
    covers: tuple[int, int] | None = None


@dataclass(frozen=True)
class Mark:
    """Bytes that the fault is in; ``note`` is added to their value."""

    offset: int
    size: int
    note: str = ""

    def touches(self, start: int, stop: int) -> bool:
        """Return whether a byte of [start, stop) is marked; a mark of size 0 is at the byte that follows it."""
        return self.offset < stop and start < self.offset + max(self.size, 1)


def unknown(piece: bytes, _start: int) -> str:
    """Return what can be said of bytes that nothing is known of."""
    if not any(piece):
        return f"{len(piece)} zero{'s' * (len(piece) > 1)}"
    return piece.hex(" ") if len(piece) <= _SHORT else f"{len(piece)} bytes"


def lay(data: bytes, claims: Iterable[Claim], marks: Sequence[Mark]) -> Iterator[Region]:
    """Yield regions that cover ``data`` from front to back; of claims to the same bytes the first one holds."""
    pieces: list[tuple[int, int, Claim]] = []  # start, stop; disjoint and ascending
    for claim in claims:
        for start, stop in list(_free(pieces, claim.offset, min(claim.offset + claim.size, len(data)))):
            pieces.insert(bisect_left(pieces, (start,)), (start, stop, claim))
    rest = Claim(0, len(data), UNKNOWN, unknown, 1)
    for start, stop in list(_free(pieces, 0, len(data))):
        pieces.insert(bisect_left(pieces, (start,)), (start, stop, rest))
    marks = sorted(marks, key=lambda mark: mark.offset)
    for start, stop, claim in pieces:
        touching = [mark for mark in marks if mark.touches(start, stop)]
        for low, high in _divided(start, stop, claim, touching):
            yield _region(data, low, high, claim, [mark for mark in touching if mark.touches(low, high)])


def _free(pieces: Sequence[tuple[int, int, Claim]], start: int, stop: int) -> Iterator[tuple[int, int]]:
    """Yield what no piece has of [start, stop)."""
    at = max(0, bisect_left(pieces, (start,)) - 1)
    for low, high, _ in pieces[at:]:
        if low >= stop:
            break
        if low > start:
            yield start, low
        start = max(start, high)
    if start < stop:
        yield start, stop


def _divided(start: int, stop: int, claim: Claim, marks: Sequence[Mark]) -> Iterator[tuple[int, int]]:
    """Yield the parts of a piece, so that what is marked stands apart; neighbouring marks share a part."""
    if not claim.unit:
        yield start, stop
        return
    at = start
    for mark in marks:
        low = claim.offset + (mark.offset - claim.offset) // claim.unit * claim.unit
        high = claim.offset - (claim.offset - mark.offset - max(mark.size, 1)) // claim.unit * claim.unit
        low, high = max(low, at), min(high, stop)
        if low > at:
            yield at, low
        if high > low:
            yield low, high
        at = max(at, high)
    if at < stop:
        yield at, stop


def _region(data: bytes, start: int, stop: int, claim: Claim, marks: Sequence[Mark]) -> Region:
    piece = data[start:stop]
    if not claim.unit and stop - start < claim.size:
        value = f"{stop - start} of its {claim.size} bytes"
    else:
        value = claim.show(piece, start - claim.offset)
    matches = None
    if claim.covers is not None:
        low, size = claim.covers
        if low + size > len(data):
            value += ", covers bytes that are not there"
        else:
            matches = hashlib.sha256(data[low : low + size]).digest() == piece
            value += ", matches" if matches else ", does not match the bytes it covers"
    notes = dict.fromkeys(mark.note for mark in marks if mark.note)
    return Region(start, stop - start, claim.field, "; ".join((value, *notes)), bool(marks), matches)
