"""The bytes of one tensor: codes, scales and zero points by row, plain elements, and the padding between."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from awq_conformance.reproduction.region import Claim, Mark, Show, unknown
from awq_conformance.reproduction.runs import runs
from awqformat import dtypes
from awqformat.layouts import Linear
from awqformat.schema import Dtype, Limit, up

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_SHOWN: Final = 8  # bytes of codes, or elements, that are told one by one


@dataclass(frozen=True)
class Extent:
    """A tensor as its record has it, whatever it says."""

    number: int
    name: str
    record: dict[str, Any]

    def __str__(self) -> str:
        """Return number and name."""
        return f"{self.number} {self.name}".rstrip()

    @property
    def offset(self) -> int:
        """Return where it starts."""
        return int(self.record["data_off"])

    @property
    def size(self) -> int:
        """Return its bytes, padding included."""
        return int(self.record["extent_size"])

    @property
    def shape(self) -> tuple[int, ...]:
        """Return its dimensions."""
        return tuple(self.record["dims"][: min(self.record["ndim"], int(Limit.NDIM_MAX))])

    @property
    def dtype(self) -> Dtype | None:
        """Return its element type, None where there is no such type."""
        return Dtype(self.record["dtype"]) if self.record["dtype"] in Dtype._value2member_map_ else None

    @cached_property
    def layout(self) -> Linear | None:
        """Return the places of codes, scales and zero points; None where the record does not say them."""
        scale, zero, k = self.record["scale_dtype"], self.record["zero_dtype"], (self.shape or (0,))[-1]
        group = self.record["group_size"]
        sound = self.dtype is Dtype.U4 and scale in dtypes.SCALES and zero in (Dtype.NONE, Dtype.U4)
        if not sound or len(self.shape) < 2 or not group or not k or k % 2 or k % group:
            return None
        return Linear(prod(self.shape[:-1]), k, group, Dtype(scale), Dtype(zero))

    @property
    def summary(self) -> str:
        """Return type, dimensions and grouping."""
        dtype = self.dtype.name if self.dtype is not None else f"dtype {self.record['dtype']}"
        told = f"{dtype} [{', '.join(map(str, self.shape))}]"
        if self.layout is None:
            return told
        zeros = "zero points" if self.layout.zero_row else "no zero points"
        return f"{told}, groups of {self.layout.group_size}, {self.layout.scale_dtype.name} scales, {zeros}"

    def row(self, index: tuple[int, ...]) -> int:
        """Return the number of the row that [.., n, k] or [.., n, g] is in."""
        row = 0
        for i, dim in zip(index[:-1], self.shape[:-1], strict=True):
            row = row * dim + i
        return row


def claims_of_extent(extent: Extent, file_size: int, marks: Sequence[Mark]) -> Iterator[Claim]:
    """Yield what the bytes of an extent are, as far as the file goes."""
    layout, at = extent.layout, extent.offset
    name = f"DATA {extent}"
    if layout is None:
        element = None if extent.dtype in (None, Dtype.NONE, Dtype.U4) else extent.dtype
        if element is not None:
            values = min(prod(extent.shape) * element.bits // 8, extent.size)
            yield Claim(at, values, f"{name}: values", _values(element, "element"), element.bits // 8)
            yield Claim(at + values, extent.size - values, f"{name}: padding", unknown, 1)
        else:
            yield Claim(at, extent.size, name, unknown, 1)
        return
    width = layout.groups * layout.scale_dtype.bits // 8
    for part, start, row, unit, show in (
        ("codes", 0, layout.k // 2, 1, _nibbles("k")),
        ("scales", layout.scales_at, width, layout.scale_dtype.bits // 8, _values(layout.scale_dtype, "g")),
        ("zeros", layout.zeros_at, layout.zero_row, 1, _nibbles("g")),
    ):
        held = min(layout.rows, max(0, -(-(min(extent.size, file_size - at) - start) // row))) if row else 0
        for i, count in runs(held, row, at + start, marks):
            rows = f"row {i}" if count == 1 else f"rows {i} .. {i + count - 1}"
            yield Claim(at + start + i * row, row * count, f"{name}: {part} of {rows}", show, unit)
        end = start + layout.rows * row
        yield Claim(at + end, min(up(end, 64), extent.size) - end, f"{name}: padding after {part}", unknown, 1)
    yield Claim(at + layout.end, extent.size - layout.end, f"{name}: padding", unknown, 1)


def marks_of_element(extent: Extent, index: tuple[int, ...], what: str) -> list[Mark]:
    """Return the bytes that element [.., n, k] of W, or [.., n, g] of z or s, is made of; none where none are stored.

    For q the index is that of a code; for P it is the byte.
    """
    layout, at = extent.layout, extent.offset
    if what == "P":
        return [Mark(at + index[0], 1)]
    if layout is None:
        return []
    *lead, last = index
    row, g = extent.row(index), last // layout.group_size if what == "W" else last
    marks = []
    if what in ("W", "q"):
        marks.append(_mark_of_nibble("q", at + row * (layout.k // 2), (*lead, last)))
    if what in ("W", "z") and layout.zero_row:
        marks.append(_mark_of_nibble("z", at + layout.zeros_at + row * layout.zero_row, (*lead, g)))
    if what in ("W", "s"):
        width = layout.scale_dtype.bits // 8
        place = ", ".join(map(str, (*lead, g)))
        marks.append(Mark(at + layout.scales_at + (row * layout.groups + g) * width, width, f"s[{place}]"))
    return marks


def _mark_of_nibble(role: str, start_of_row: int, index: tuple[int, ...]) -> Mark:
    half = "high" if index[-1] % 2 else "low"
    return Mark(start_of_row + index[-1] // 2, 1, f"{role}[{', '.join(map(str, index))}] is the {half} nibble")


def _nibbles(letter: str) -> Show:
    def show(piece: bytes, start: int) -> str:
        values = [nibble for byte in piece[:_SHOWN] for nibble in (byte & 15, byte >> 4)]
        return _told(letter, 2 * start, 2 * len(piece), values)

    return show


def _values(dtype: Dtype, letter: str) -> Show:
    numpy = np.dtype(np.uint8) if dtype is Dtype.BOOL else dtypes.NUMPY[dtype]  # any byte may be there

    def show(piece: bytes, start: int) -> str:
        count = len(piece) // numpy.itemsize
        shown = np.frombuffer(piece, numpy, min(count, _SHOWN))
        with np.errstate(all="ignore"):
            return _told(letter, start // numpy.itemsize, count, list(map(str, shown)))

    return show


def _told(letter: str, first: int, count: int, shown: Sequence[object]) -> str:
    """Return elements with the place of the first and the last of them."""
    place = f"{letter} {first}" if count == 1 else f"{letter} {first} .. {first + count - 1}"
    return f"{place}: {' '.join(map(str, shown))}{' ..' * (count > len(shown))}"
