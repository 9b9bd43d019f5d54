"""The exact grade: every element equals the f32 result, or its rounding to the output's dtype (spec: model).

Nothing here reads a file or knows the format; the only inputs are two matrices.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from awq_conformance.outputs import DTYPES, Matrix

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Mismatch:
    """The first wrong element in row-major order, as text, and how many there are.

    ``nonfinite`` tells that the element is NaN or infinite where a finite value is due; such an element is named
    before any other, wherever it lies.
    """

    index: tuple[int, ...]
    expected: str
    got: str
    wrong: int
    total: int
    nonfinite: bool = False

    def __str__(self) -> str:
        """Return one line: place, expected, got, extent of the damage."""
        place = ", ".join(str(i) for i in self.index)
        return f"[{place}] expected {self.expected}, got {self.got} ({self.wrong} of {self.total} wrong)"


def exact(actual: Matrix, expected: NDArray[np.float32]) -> Mismatch | None:
    """Compare a float matrix with the f32 result; the sign of zero is ignored.

    Values are compared as bits, so that no rule of floating-point comparison can hide a difference.
    """
    if np.isnan(expected).any():
        raise ValueError("NaN is never a result")  # would equal a NaN by its bits
    due = round_to(expected, actual.dtype)
    due_bits, got_bits = _bits(due), _bits(actual)
    wrong = due_bits != got_bits
    if not wrong.any():
        return None
    nonfinite = wrong & _is_special(got_bits, actual.dtype) & ~_is_special(due_bits, actual.dtype)
    return _first(wrong, nonfinite, due, actual)


def identical(actual: Matrix, expected: NDArray[np.uint8]) -> Mismatch | None:
    """Compare codes or zero points, u8 with u8."""
    wrong = actual.values != expected
    return _first(wrong, np.zeros_like(wrong), Matrix(expected, "u8"), actual) if wrong.any() else None


def round_to(values: NDArray[np.float32], dtype: str) -> Matrix:
    """Round f32 to ``dtype``, to nearest even; overflow gives infinity, subnormals are kept. NaN is not handled."""
    if dtype == "bf16":
        bits = np.ascontiguousarray(values).view(np.uint32)
        # Add just under half of the last kept bit, or exactly half when that bit is odd; a carry out of the
        # significand is the next exponent, and past the largest finite value it is infinity.
        return Matrix(((bits + (0x7FFF + ((bits >> 16) & 1))) >> 16).astype(np.uint16), dtype)
    with np.errstate(over="ignore", under="ignore"):
        return Matrix(values.astype(DTYPES[dtype]), dtype)


def _bits(matrix: Matrix) -> NDArray[Any]:
    """Return the elements as unsigned integers, -0 as +0."""
    width = matrix.values.dtype.itemsize
    bits: NDArray[Any] = np.ascontiguousarray(matrix.values).view(f"<u{width}")
    return np.where(bits == 1 << (8 * width - 1), bits.dtype.type(0), bits)


_INFINITY = {"f16": 0x7C00, "bf16": 0x7F80, "f32": 0x7F80_0000, "f64": 0x7FF0_0000_0000_0000}


def _is_special(bits: NDArray[Any], dtype: str) -> NDArray[np.bool_]:
    infinity = bits.dtype.type(_INFINITY[dtype])
    special: NDArray[np.bool_] = (bits & infinity) == infinity
    return special


def _first(wrong: NDArray[np.bool_], nonfinite: NDArray[np.bool_], due: Matrix, got: Matrix) -> Mismatch:
    is_nonfinite = bool(nonfinite.any())
    flat = int(np.argmax(nonfinite if is_nonfinite else wrong))
    index = tuple(int(i) for i in np.unravel_index(flat, wrong.shape))
    return Mismatch(index, _show(due, index), _show(got, index), int(np.count_nonzero(wrong)), wrong.size, is_nonfinite)


def _show(matrix: Matrix, index: tuple[int, ...]) -> str:
    """Return one element as its shortest decimal and its bits."""
    value = matrix.values[index]
    if matrix.dtype == "u8":
        return str(value)
    bits = value.view(f"<u{value.dtype.itemsize}")
    if matrix.dtype == "bf16":
        value = (np.uint32(bits) << np.uint32(16)).view(np.float32)
    elif matrix.dtype == "f16":
        value = np.float32(value)  # prints all its digits
    return f"{value!s} (0x{int(bits):0{2 * matrix.values.dtype.itemsize}x})"
