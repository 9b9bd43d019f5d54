"""How close an output comes: exact, bounded, functional, or none of these (spec: conformance, "Grades").

Nothing here reads a file or knows the format; the only inputs are matrices.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from awq_conformance.outputs import DTYPES, Matrix
from awq_conformance.verdict import Grade

if TYPE_CHECKING:
    from collections.abc import Callable

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


@dataclass(frozen=True)
class Parts:
    """What the right value of each element is made of: codes, zero points and scales, each [.., N, K] as float64.

    ``scale_dtype`` is F16, BF16 or F32; whether z * s is rounded to it matters to the bound.
    """

    q: NDArray[np.float64]
    z: NDArray[np.float64]
    s: NDArray[np.float64]
    scale_dtype: str

    @property
    def weights(self) -> NDArray[np.float64]:
        """Return (q - z) * s as real numbers: a product has at most 28 bits, so that none is rounded."""
        return (self.q - self.z) * self.s


@dataclass(frozen=True)
class Graded:
    """The grade of one output, its first element below the grade that was asked for, and which elements are below."""

    grade: Grade
    mismatch: Mismatch | None
    below: NDArray[np.bool_] | None = field(default=None, repr=False, compare=False)


def graded(actual: Matrix, expected: NDArray[np.float32], parts_of: Callable[[], Parts], asked: Grade) -> Graded:
    """Grade a W against the f32 result; ``parts_of`` is called only where it is not exact."""
    wrong, nonfinite, due = differing(actual, expected)
    if not wrong.any():
        return Graded(Grade.EXACT, None)
    parts = parts_of()
    beyond = wrong & ~within_bound(actual, due, parts)
    grade = Grade.BOUNDED
    if beyond.any():
        grade = Grade.FUNCTIONAL if functional(actual, due, parts) else Grade.FAIL
    if grade <= asked:
        return Graded(grade, None)
    below = wrong if asked is Grade.EXACT else beyond
    return Graded(grade, _first(below, nonfinite, due, actual), below)


def exact(actual: Matrix, expected: NDArray[np.float32]) -> Mismatch | None:
    """Compare a float matrix with the f32 result, or its rounding to the output's dtype; +0 and -0 are equal."""
    wrong, nonfinite, due = differing(actual, expected)
    return _first(wrong, nonfinite, due, actual) if wrong.any() else None


def differing(actual: Matrix, expected: NDArray[np.float32]) -> tuple[NDArray[np.bool_], NDArray[np.bool_], Matrix]:
    """Return which elements are not the right value, which are NaN or infinite out of place, and what is right.

    Values are compared as bits, so that no rule of floating-point comparison can hide a difference.
    """
    if np.isnan(expected).any():
        raise ValueError("NaN is never a result")  # would equal a NaN by its bits
    due = round_to(expected, actual.dtype)
    due_bits, got_bits = bits_of(due), bits_of(actual)
    wrong = due_bits != got_bits
    return wrong, wrong & _is_special(got_bits, actual.dtype) & ~_is_special(due_bits, actual.dtype), due


def within_bound(actual: Matrix, due: Matrix, parts: Parts) -> NDArray[np.bool_]:
    """Return which elements are finite, as they should be, and within the bound of the expanded form q*s - z*s."""
    y, right = widen(actual), widen(due)
    finite = np.isfinite(y) & np.isfinite(right)
    w, zs = parts.weights, parts.z * parts.s
    y = np.where(finite, y, w)
    dtype = "f32" if actual.dtype == "f64" else actual.dtype
    u = np.where(zs == 0, 0.0, np.maximum(ulp(zs, parts.scale_dtype.lower()), ulp(zs, dtype)))
    last = ulp(np.maximum(np.abs(w), np.abs(y)), dtype)
    error, bound = np.abs(y - w), (u + last) / 2
    within: NDArray[np.bool_] = finite & (error <= bound)
    # Error and bound are each rounded once, by 2^-53 of themselves: what is decided by a hair is decided in fractions.
    for i in zip(*np.nonzero(finite & (np.abs(error - bound) <= bound * 2.0**-50)), strict=True):
        within[i] = 2 * abs(Fraction(y[i]) - Fraction(w[i])) <= Fraction(u[i]) + Fraction(last[i])
    return within


def functional(actual: Matrix, due: Matrix, parts: Parts) -> bool:
    """Return whether NaN and infinities are where they should be, and the relative Frobenius error is at most 2^-8."""
    y, right = widen(actual), widen(due)
    finite = np.isfinite(right)
    if not np.array_equal(y[~finite], right[~finite]) or not np.isfinite(y[finite]).all():
        return False
    y, w = y[finite], parts.weights[finite]
    with np.errstate(over="ignore", under="ignore"):  # an f64 output may be anything: infinity is beyond the limit
        error, limit = float(np.square(y - w).sum()), 2.0**-16 * float(np.square(w).sum())
    # Squares and sums are rounded, by less than 2^-50 of the sum for each element; squares of y alone may vanish.
    if abs(error - limit) > limit * 2.0**-50 * (y.size + 1):
        return error <= limit
    pairs = [(Fraction(a), Fraction(b)) for a, b in zip(y.tolist(), w.tolist(), strict=True)]
    return sum((a - b) ** 2 for a, b in pairs) * 2**16 <= sum(b**2 for _, b in pairs)


_EMIN_M: Final = {"f16": (-14, 10), "bf16": (-126, 7), "f32": (-126, 23)}


def ulp(values: NDArray[np.float64], dtype: str) -> NDArray[np.float64]:
    """Return the distance of neighbouring numbers of ``dtype`` at each value."""
    emin, m = _EMIN_M[dtype]
    distance: NDArray[np.float64] = np.ldexp(1.0, np.maximum(np.frexp(values)[1] - 1, emin) - m)
    return distance


def widen(matrix: Matrix) -> NDArray[np.float64]:
    """Return the values of a float matrix as float64."""
    values = matrix.values
    if matrix.dtype == "bf16":
        values = (values.astype(np.uint32) << np.uint32(16)).view(np.float32)
    with np.errstate(invalid="ignore"):  # a signalling NaN becomes a quiet one
        wide: NDArray[np.float64] = values.astype(np.float64)
    return wide


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


def bits_of(matrix: Matrix) -> NDArray[Any]:
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
    nonfinite = nonfinite & wrong
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
