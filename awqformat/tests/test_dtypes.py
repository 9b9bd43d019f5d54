"""Element types as numpy dtypes."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest

from awqformat import AwqError, Dtype, dtypes
from awqformat.tests.strategies import PLAIN, SCALES


@pytest.mark.parametrize("dtype", PLAIN, ids=lambda dtype: dtype.name)
def test_both_ways(dtype: Dtype) -> None:
    """Every element type has the numpy dtype that holds it bit for bit, and that dtype leads back."""
    assert dtypes.NUMPY[dtype] == PLAIN[dtype]
    assert dtypes.from_numpy(PLAIN[dtype]) is dtype
    assert 8 * PLAIN[dtype].itemsize == dtype.bits


def test_no_element_type_is_left_out() -> None:
    """All dtypes but NONE and U4 have a numpy dtype."""
    assert dtypes.NUMPY.keys() == set(Dtype) - {Dtype.NONE, Dtype.U4}


@pytest.mark.parametrize(
    ("numpy", "dtype"), [(">f4", Dtype.F32), (">u2", Dtype.U16), ("=i8", Dtype.I64), ("|b1", Dtype.BOOL)]
)
def test_byte_order_does_not_matter(numpy: str, dtype: Dtype) -> None:
    """A big-endian array is of the same element type."""
    assert dtypes.from_numpy(np.dtype(numpy)) is dtype


@pytest.mark.parametrize(
    "numpy",
    ["c8", "f16", "S4", "O", "M8[s]", "i4,f4", ml_dtypes.float8_e4m3, ml_dtypes.float8_e5m2fnuz, ml_dtypes.int4],
)
def test_others_are_refused(numpy: Any) -> None:
    """What the format has no element type for is refused, near relatives included."""
    with pytest.raises(AwqError, match=r"^E_ENUM tensor: dtype, expected an element type of the format, got "):
        dtypes.from_numpy(np.dtype(numpy))


@pytest.mark.parametrize("dtype", SCALES, ids=lambda dtype: dtype.name)
def test_legal_scales_are_the_patterns_below_infinity(dtype: Dtype) -> None:
    """The bound is the pattern of +Inf, and scale_bits shows it."""
    infinity = np.array([np.inf, -np.inf]).astype(SCALES[dtype][0])
    bits = dtypes.scale_bits(infinity).tolist()
    assert bits[0] == dtypes.INFINITY_BITS[dtype] < bits[1]
