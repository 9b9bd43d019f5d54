"""Valid files whose numbers tell where they come from: what a wrong loader makes of them shows what it reads.

In each only one of codes, zero points and scales varies, and holds a digit of its own index; the others are the same
everywhere, so that no mistake with them can blur the picture. Digits go from 0 to 15 and scales from 1 to 16: every
dtype of an output holds them exactly.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Final

import numpy as np
from numpy.typing import NDArray

from awq_conformance.making.valid.accept import VALUES, Accept, one
from awqformat import Contents, QuantizedTensor

ROWS: Final = 24
COLUMNS: Final = 80
GROUP_SIZE: Final = 16
"""Five groups in a row, so that a row of zero points ends with an unused nibble; no two of these numbers are equal."""

_CODES: Final = (ROWS, COLUMNS)
_GROUPS: Final = (ROWS, COLUMNS // GROUP_SIZE)


def _digit(shape: tuple[int, ...], digit: int) -> NDArray[np.uint8]:
    """Return for each element one hexadecimal digit of its index in row-major order, the least first."""
    digits: NDArray[np.int64] = np.arange(prod(shape)).reshape(shape) >> 4 * digit & 15
    return digits.astype(np.uint8)


def _file(codes: NDArray[np.uint8] | int, zeros: NDArray[np.uint8] | int, scales: NDArray[np.uint8] | int) -> Contents:
    return one(
        QuantizedTensor.from_codes(
            np.broadcast_to(np.uint8(codes), _CODES).copy(),
            np.broadcast_to(np.asarray(scales, np.float16), _GROUPS).copy(),
            np.broadcast_to(np.uint8(zeros), _GROUPS).copy(),
        )
    )


def _tracer(what: str, digit: int, make: Callable[[], Contents], told: str) -> Accept:
    return Accept(
        f"tracer/{what}-{digit}",
        f"each {told} is digit {digit} of its own index",
        lambda _: make(),
        req=VALUES,
        comment=f"24 x 80, group size 16. W shows the digits; read wrong, it shows where each {told} came from.",
    )


CASES: Final = (
    *(_tracer("codes", d, lambda d=d: _file(_digit(_CODES, d), 0, 1), "code") for d in range(3)),  # type: ignore[misc]
    *(_tracer("zeros", d, lambda d=d: _file(15, _digit(_GROUPS, d), 1), "zero point") for d in range(2)),  # type: ignore[misc]
    *(_tracer("scales", d, lambda d=d: _file(1, 0, _digit(_GROUPS, d) + 1), "scale") for d in range(2)),  # type: ignore[misc]
)
