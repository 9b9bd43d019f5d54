"""The exact grade: bits decide, NaN never passes, rounding is to nearest even at every boundary."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from awq_conformance.grade import exact, identical, round_to
from awq_conformance.outputs import Matrix

INF = np.float32(np.inf)
NAN = np.float32(np.nan)


def matrix(values: Any, dtype: str = "f32") -> Matrix:
    """Return an output; bf16 is given as bits."""
    numpy_dtype = {"f16": np.float16, "bf16": np.uint16, "f32": np.float32, "f64": np.float64}[dtype]
    return Matrix(np.atleast_2d(np.array(values, numpy_dtype)), dtype)


def f32(*values: Any) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Return an expected row."""
    return np.atleast_2d(np.array(values, np.float32))


@pytest.mark.req("AWQ-MOD-009", "AWQ-MOD-010", "AWQ-MOD-012")
@pytest.mark.parametrize(
    ("got", "due"),
    [
        (matrix([1.5, -2]), f32(1.5, -2)),
        (matrix([0.0, -0.0]), f32(-0.0, 0.0)),
        (matrix([INF, -INF]), f32(INF, -INF)),
        (matrix([1e-45, 3.4028235e38]), f32(1e-45, 3.4028235e38)),
        (matrix([INF, -INF, 65504], "f16"), f32(65520, -1e30, 65519)),
        (matrix([0x7F80, 0x3F80, 0x8000], "bf16"), f32(3.4028235e38, 1.00390625, 0)),
        (matrix([0.1], "f32"), f32(0.1)),
        (matrix([float(np.float32(0.1))], "f64"), f32(0.1)),
    ],
)
def test_equal_values_pass(got: Matrix, due: np.ndarray[Any, np.dtype[np.float32]]) -> None:
    """The f32 result or its rounding passes, whatever the sign of zero; overflow of a narrow output is infinity."""
    assert exact(got, due) is None


WRONG = [
    (matrix([1, np.nextafter(f32(2)[0, 0], INF)]), f32(1, 2), "[0, 1] expected 2.0 (0x40000000), got 2.0000002", False),
    (matrix([NAN, 2]), f32(1, 2), "[0, 0] expected 1.0 (0x3f800000), got nan", True),
    (matrix([NAN] * 4), f32(1, 2, 3, 4), "(4 of 4 wrong)", True),
    (matrix([7, 2, INF]), f32(1, 2, 3), "[0, 2] expected 3.0 (0x40400000), got inf (0x7f800000) (2 of 3 wrong)", True),
    (matrix([NAN]), f32(INF), "expected inf", False),
    (matrix([-INF]), f32(INF), "expected inf (0x7f800000), got -inf", False),
    (matrix([3.4e38]), f32(INF), "expected inf", False),
    (matrix([0.0]), f32(1e-45), "expected 1e-45 (0x00000001), got 0.0", False),
    (matrix([65504], "f16"), f32(65520), "expected inf (0x7c00), got 65504.0 (0x7bff)", False),
    (matrix([INF], "f16"), f32(65519), "expected 65504.0 (0x7bff), got inf", True),
    (matrix([0x3F81], "bf16"), f32(1), "expected 1.0 (0x3f80), got 1.0078125 (0x3f81)", False),
    (matrix([0x7FC0], "bf16"), f32(1), "got nan (0x7fc0)", True),
    (matrix([0.1], "f64"), f32(0.1), "expected 0.10000000149011612", False),
]


@pytest.mark.req("AWQ-CNF-030", "AWQ-MOD-009", "AWQ-MOD-010")
@pytest.mark.parametrize(("got", "due", "told", "nonfinite"), WRONG)
def test_one_wrong_bit_fails(
    got: Matrix,
    due: np.ndarray[Any, np.dtype[np.float32]],
    told: str,
    nonfinite: bool,
) -> None:
    """The first wrong element is told, a non-finite one before any other, and how many there are."""
    mismatch = exact(got, due)
    assert mismatch is not None
    assert told in str(mismatch)
    assert mismatch.nonfinite is nonfinite


def test_an_expectation_of_nan_is_refused() -> None:
    """A broken corpus must not let NaN equal NaN."""
    with pytest.raises(ValueError, match="NaN is never a result"):
        exact(matrix([NAN]), f32(NAN))


def test_codes_are_compared_element_by_element() -> None:
    """The place of the first wrong code is told in every dimension."""
    due = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    got = due.copy()
    got[1, 2, 3] = got[1, 0, 2] = 99
    assert identical(Matrix(due, "u8"), due) is None
    assert str(identical(Matrix(got, "u8"), due)) == "[1, 0, 2] expected 14, got 99 (2 of 24 wrong)"


def f16_values() -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return the value of every finite f16 pattern from +0 up, and 2^16 in the place of infinity, in exact f64."""
    bits = np.arange(0x7C01)
    exponent, fraction = np.maximum(bits >> 10, 1), (bits & 0x3FF) + 0x400 * (bits >> 10 > 0)
    values: np.ndarray[Any, np.dtype[np.float64]] = np.ldexp(fraction.astype(np.float64), exponent - 25)
    return values


@pytest.mark.parametrize("sign", [1, -1])
def test_f16_rounds_to_nearest_even_at_every_boundary(sign: int) -> None:
    """Each f16, each midpoint of two neighbours and the f32 on both sides of it, overflow included."""
    values = f16_values()
    low = np.arange(0x7C00, dtype=np.uint16)
    middle = ((values[:-1] + values[1:]) / 2).astype(np.float32)
    assert (middle.astype(np.float64) * 2 == values[:-1] + values[1:]).all()  # the midpoints are exact in f32
    for given, due in (
        (values[:-1].astype(np.float32), low),
        (np.nextafter(middle, np.float32(0)), low),
        (middle, low + (low & 1)),
        (np.nextafter(middle, INF), low + 1),
    ):
        got = round_to(np.float32(sign) * given, "f16").values.view(np.uint16)
        assert (got == due + (0x8000 if sign < 0 else 0)).all()


def test_bf16_rounds_to_nearest_even_at_every_boundary() -> None:
    """Each finite bf16 pattern of both signs with everything that can be cut off: just over, half, just under."""
    high = np.array([p for p in range(1 << 16) if p & 0x7F80 != 0x7F80], np.uint32)
    for cut, due in ((0, high), (1, high), (0x7FFF, high), (0x8000, high + (high & 1)), (0x8001, high + 1)):
        given = ((high << 16) + np.uint32(cut)).view(np.float32)
        assert (round_to(given, "bf16").values == due).all()


def test_infinity_survives_rounding() -> None:
    """Infinity stays infinity of its sign in every dtype."""
    for dtype, positive, negative in (("f16", 0x7C00, 0xFC00), ("bf16", 0x7F80, 0xFF80)):
        bits = round_to(f32(INF, -INF), dtype).values.view(np.uint16)
        assert bits.tolist() == [[positive, negative]]
