"""Measuring a loader with the tracer files: for each element, which code, zero point and scale it was made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from awq_conformance.grade import widen

if TYPE_CHECKING:
    from awq_conformance.diagnosis.observed import Observed

Array = NDArray[Any]

_DIGITS: Final[dict[str, tuple[int, Callable[[Array], Array]]]] = {
    "codes": (3, lambda w: w),  # W = q
    "zeros": (2, lambda w: 15 - w),  # W = 15 - z
    "scales": (2, lambda w: w - 1),  # W = s, which is a digit and 1
}
_ROLE: Final = {"codes": "code", "zeros": "zero point", "scales": "scale"}


@dataclass(frozen=True)
class Map:
    """Where each element's code, zero point or scale came from: ``source`` [R, K] are indices into the stored ones.

    ``due`` are the right ones; ``offset`` is what was added to each value on the way.
    """

    part: str
    source: Array
    due: Array
    offset: int
    sources: int

    @property
    def moved(self) -> int:
        """Return how many elements have another source than they should."""
        return int((self.source != self.due).sum())

    @property
    def same_row(self) -> bool:
        """Return whether every source is in the right row."""
        per_row = self.sources // len(self.source)
        return bool((self.source // per_row == self.due // per_row).all())

    @property
    def first(self) -> tuple[int, int]:
        """Return the first element whose source is wrong."""
        row, column = np.unravel_index(int(np.argmax(self.source != self.due)), self.source.shape)
        return int(row), int(column)

    def __str__(self) -> str:
        """Return the map in words: how much moved, the first place, and the order where it repeats."""
        role, per_row = _ROLE[self.part], self.sources // len(self.source)
        lines = []
        if self.moved:
            n, k = self.first
            here = divmod(int(self.source[n, k]), per_row)
            there = divmod(int(self.due[n, k]), per_row)
            lines.append(f"{self.moved} of {self.source.size} elements have another {role} than theirs")
            lines.append(
                f"element [{n}, {k}] has the {role} [{here[0]}, {here[1]}], it is to have [{there[0]}, {there[1]}]"
            )
            order = self._order() if self.part == "codes" else ""
            if order:
                lines.append(order)
        if self.offset:
            lines.append(f"{self.offset:+d} is added to each {role}")
        return "\n".join(lines)

    def _order(self) -> str:
        """Return the order in which codes are read, where it repeats along K or along N."""
        per_row = self.sources // len(self.source)
        rows, columns = np.divmod(self.source, per_row)
        if (order := _repeated(self.source.reshape(-1))) is not None:
            return f"along K {order}"
        if (rows == rows[:, :1]).all() and (columns == np.arange(per_row)).all():
            order = _repeated(rows[:, 0])
            return f"along N {order}" if order is not None else ""
        return ""


def _repeated(stream: Array) -> str | None:
    """Return the order in words that repeats every 2, 4, 8, 16 or 32 elements of a stream, None where none does."""
    for period in (2, 4, 8, 16, 32):
        if len(stream) % period:
            continue
        blocks = stream.reshape(-1, period)
        inside = blocks - np.arange(len(blocks))[:, None] * period
        if (inside == inside[0]).all() and sorted(inside[0].tolist()) == list(range(period)):
            order = " ".join(map(str, inside[0].tolist()))
            return f"codes are read in the order {order} of every {period}"
    return None


def measure(observed: Mapping[str, Observed]) -> dict[str, Map]:
    """Return the maps of codes, zeros and scales as far as they can be read off; ``observed`` is by part and digit."""
    maps = {}
    for part, (digits, undo) in _DIGITS.items():
        seen = [observed.get(f"{part}-{digit}") for digit in range(digits)]
        if any(one is None or one.actual.values.shape != one.due.values.shape for one in seen):
            continue
        wide = [undo(widen(one.actual)) for one in seen if one is not None]
        found = _read(part, wide, [undo(widen(one.due)) for one in seen if one is not None])
        if found is not None:
            maps[part] = found
    return maps


def _read(part: str, actual: list[Array], right: list[Array]) -> Map | None:
    """Put the digits together; None where they are no digits, whatever is added to them."""
    if not all(np.isfinite(digit).all() and (digit == np.rint(digit)).all() for digit in actual):
        return None
    due = _number(right)
    sources = int(due.max()) + 1
    candidates = []
    for offset in dict.fromkeys((0, int(actual[0].min()), 1, -1, 8, -8)):
        digits = [digit - offset for digit in actual]
        if all(((digit >= 0) & (digit <= 15)).all() for digit in digits):
            source = _number(digits)
            if source.max() < sources:
                candidates.append(Map(part, source, due, offset, sources))
    return min(candidates, key=lambda found: found.moved, default=None)


def _number(digits: list[Array]) -> Array:
    number = np.zeros(digits[0].shape, np.int64)
    for place, digit in enumerate(digits):
        number += digit.astype(np.int64) << 4 * place
    return number
