"""Element types of the format as numpy dtypes, both ways (spec: container, "Element types")."""

from __future__ import annotations

from typing import Any, Final

import ml_dtypes
import numpy as np

from awqformat.errors import AwqError
from awqformat.schema import Dtype

NUMPY: Final[dict[Dtype, np.dtype[Any]]] = {
    Dtype.BOOL: np.dtype(np.bool_),
    Dtype.U8: np.dtype("u1"),
    Dtype.I8: np.dtype("i1"),
    Dtype.U16: np.dtype("<u2"),
    Dtype.I16: np.dtype("<i2"),
    Dtype.U32: np.dtype("<u4"),
    Dtype.I32: np.dtype("<i4"),
    Dtype.U64: np.dtype("<u8"),
    Dtype.I64: np.dtype("<i8"),
    Dtype.F16: np.dtype("<f2"),
    Dtype.BF16: np.dtype(ml_dtypes.bfloat16),
    Dtype.F32: np.dtype("<f4"),
    Dtype.F64: np.dtype("<f8"),
    Dtype.F8_E4M3: np.dtype(ml_dtypes.float8_e4m3fn),
    Dtype.F8_E5M2: np.dtype(ml_dtypes.float8_e5m2),
}
"""The numpy dtype that holds each element type bit for bit; U4 has none."""

SCALES: Final = (Dtype.F16, Dtype.BF16, Dtype.F32)
"""What a scale, and a dequantised weight, can be."""

_DTYPES: Final = {numpy: dtype for dtype, numpy in NUMPY.items()}


def from_numpy(dtype: np.dtype[Any]) -> Dtype:
    """Return the element type that stores ``dtype``; byte order does not matter.

    Raises:
        AwqError: E_ENUM if the format has no such element type.
    """
    found = _DTYPES.get(dtype.newbyteorder("<") if dtype.byteorder == ">" else dtype)
    if found is None:
        raise AwqError("E_ENUM", "tensor", "dtype", expected="an element type of the format", got=dtype)
    return found


def scale_bits(scales: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return the bit patterns of ``scales`` (F16, BF16 or F32) as unsigned integers of the same shape."""
    return scales.view("<u2" if scales.dtype.itemsize == 2 else "<u4")


INFINITY_BITS: Final = {Dtype.F16: 0x7C00, Dtype.BF16: 0x7F80, Dtype.F32: 0x7F80_0000}
"""A scale is legal exactly when its bits, read as an unsigned integer, are below these."""
