"""Valid files whose numbers tell where they come from: what a wrong loader makes of them shows what it reads.

In each only one of codes, zero points and scales varies, and holds a digit of its own index; the others are the same
everywhere, so that no mistake with them can blur the picture. Digits go from 0 to 15 and scales from 1 to 16: every
dtype of an output holds them exactly.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from typing import Final

import numpy as np
from numpy.typing import NDArray

from awq_conformance.making.valid.accept import VALUES, Accept, one
from awqformat import QuantizedTensor

ROWS: Final = 24
COLUMNS: Final = 80
GROUP_SIZE: Final = 16
"""Five groups in a row, so that a row of zero points ends with an unused nibble; no two of these numbers are equal."""


@dataclass(frozen=True)
class Tracer:
    """A weight whose ``what`` (code, zero point or scale) show one digit of their own indices."""

    name: str
    what: str
    tensor: QuantizedTensor

    @property
    def title(self) -> str:
        """Return what it holds, in one line."""
        return f"each {self.what} is digit {self.name[-1]} of its own index"

    @property
    def comment(self) -> str:
        """Return what it shows."""
        n, k = self.tensor.shape
        shape = f"{n} x {k}, group size {self.tensor.group_size}"
        return f"{shape}. W shows the digits; read wrong, it shows where each {self.what} came from."


def tracers(rows: int, columns: int, group_size: int) -> Iterator[Tracer]:
    """Yield the tracers of a shape whose codes three digits can number, and whose groups two."""
    codes, groups = (rows, columns), (rows, columns // group_size)
    for digit in range(3):
        yield Tracer(f"codes-{digit}", "code", _tensor(codes, groups, _digit(codes, digit), 0, 1))
    for digit in range(2):
        yield Tracer(f"zeros-{digit}", "zero point", _tensor(codes, groups, 15, _digit(groups, digit), 1))
    for digit in range(2):
        yield Tracer(f"scales-{digit}", "scale", _tensor(codes, groups, 1, 0, _digit(groups, digit) + 1))


def _digit(shape: tuple[int, int], digit: int) -> NDArray[np.uint8]:
    """Return for each element one hexadecimal digit of its index in row-major order, the least first."""
    digits: NDArray[np.int64] = np.arange(prod(shape)).reshape(shape) >> 4 * digit & 15
    return digits.astype(np.uint8)


def _tensor(
    codes: tuple[int, int],
    groups: tuple[int, int],
    q: NDArray[np.uint8] | int,
    z: NDArray[np.uint8] | int,
    s: NDArray[np.uint8] | int,
) -> QuantizedTensor:
    return QuantizedTensor.from_codes(
        np.broadcast_to(np.uint8(q), codes).copy(),
        np.broadcast_to(np.asarray(s, np.float16), groups).copy(),
        np.broadcast_to(np.uint8(z), groups).copy(),
    )


def _accept(tracer: Tracer) -> Accept:
    contents = one(tracer.tensor)
    return Accept(f"tracer/{tracer.name}", tracer.title, lambda _: contents, req=VALUES, comment=tracer.comment)


CASES: Final = tuple(map(_accept, tracers(ROWS, COLUMNS, GROUP_SIZE)))
