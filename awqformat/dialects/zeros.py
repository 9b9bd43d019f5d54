"""Zero points that are stored as floating-point numbers, both ways (spec: layouts, "What can be converted")."""

from __future__ import annotations

from typing import Any

import numpy as np

from awqformat.dialects.table import Meaning
from awqformat.errors import AwqError

Array = np.ndarray[Any, Any]


def to_numbers(zeros: Array, scales: Array, meaning: Meaning) -> Array:
    """Return what is stored for zero points (N, groups), in the dtype of the scales.

    Raises:
        AwqError: E_LOSSY if a product overflows, or is of a scale 0, and so does not tell its zero point any more.
    """
    if meaning is Meaning.ITSELF:
        return zeros.astype(scales.dtype)
    if meaning is Meaning.EIGHT_MINUS:
        return (8 - zeros.astype(np.int8)).astype(scales.dtype)
    numbers = -_product(zeros, scales)
    lost = ~np.isfinite(numbers.astype(np.float64)) | ((scales == 0) & (zeros != 0))
    if lost.any():
        at = _first(lost)
        raise AwqError("E_LOSSY", "zeros", f"group {at}", expected="a product that tells its zero point",
                       got=f"z = {zeros[at]}, s = {scales[at]}")  # fmt: skip
    return numbers


def from_numbers(numbers: Array, scales: Array, meaning: Meaning) -> Array:
    """Return the zero points (N, groups) as uint8 that the stored numbers stand for.

    Of -(s * z) the one z is taken for which the exact product, rounded to the dtype, gives the number stored
    (AWQ-LAY-017).

    Raises:
        AwqError: E_LOSSY, with the first group, where no zero point 0..15 is stored so.
    """
    wide = numbers.astype(np.float64)
    with np.errstate(all="ignore"):
        if meaning is Meaning.ITSELF:
            guess = wide
        elif meaning is Meaning.EIGHT_MINUS:
            guess = 8 - wide
        else:
            guess = np.rint(-wide / scales.astype(np.float64))
        zeros = np.clip(np.nan_to_num(guess, nan=0.0), 0, 15).astype(np.uint8)
        found = -_product(zeros, scales) if meaning is Meaning.MINUS_PRODUCT else to_numbers(zeros, numbers, meaning)
        right = found == numbers  # the sign of zero is no difference, NaN is
    if meaning is Meaning.MINUS_PRODUCT:
        right &= scales != 0
    if not right.all():
        at = _first(~right)
        scale = f", s = {scales[at]}" if meaning is Meaning.MINUS_PRODUCT else ""
        raise AwqError("E_LOSSY", "zeros", f"group {at}", expected=f"{meaning.value} for an integer z in 0..15",
                       got=f"{numbers[at]}{scale}")  # fmt: skip
    return zeros


def _product(zeros: Array, scales: Array) -> Array:
    """Return s * z rounded once to the dtype of s: F64 holds the product of any scale and a z exactly."""
    with np.errstate(over="ignore"):
        exact = scales.astype(np.float64) * zeros
        if scales.dtype.itemsize == 2 and scales.dtype != np.float16:  # BF16: its products are exact in F32 as well
            exact = exact.astype(np.float32)
        rounded: Array = exact.astype(scales.dtype)
        return rounded


def _first(where: Array) -> tuple[int, ...]:
    return tuple(int(i) for i in np.unravel_index(int(np.argmax(where)), where.shape))
