"""What a file can hold, as hypothesis strategies. Shapes are small, values are all that are legal."""

from __future__ import annotations

import string
from math import prod
from typing import Any, Final

import ml_dtypes
import numpy as np
from hypothesis import strategies as st

from awqformat import Contents, Dtype, QuantizedTensor

SCALES: Final[dict[Dtype, tuple[np.dtype[Any], np.dtype[Any], int]]] = {
    Dtype.F16: (np.dtype("<f2"), np.dtype("<u2"), 0x7C00),
    Dtype.BF16: (np.dtype(ml_dtypes.bfloat16), np.dtype("<u2"), 0x7F80),
    Dtype.F32: (np.dtype("<f4"), np.dtype("<u4"), 0x7F80_0000),
}
"""Scale dtype -> numpy dtype, its bits as an integer dtype, and the first illegal pattern (+Inf)."""

PLAIN: Final[dict[Dtype, np.dtype[Any]]] = {
    Dtype.BOOL: np.dtype("?"),
    Dtype.U8: np.dtype("<u1"),
    Dtype.I8: np.dtype("<i1"),
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
"""The fifteen element types of plain tensors."""

_FIRST: Final = string.ascii_letters + string.digits + "_"
_KNOWN: Final = (0x10, 0x20, 0x30, 0x40, 0x50, 0x60, 0x100)


def scale_bits(dtype: Dtype) -> st.SearchStrategy[int]:
    """Return every legal bit pattern: zero, subnormal, normal, up to the largest finite number."""
    end = SCALES[dtype][2]
    normal = {Dtype.F16: 1 << 10, Dtype.BF16: 1 << 7, Dtype.F32: 1 << 23}[dtype]
    return st.sampled_from([0, 1, normal - 1, normal, end - 1]) | st.integers(0, end - 1)


def illegal_scale_bits(dtype: Dtype) -> st.SearchStrategy[int]:
    """Return every other pattern: infinities, NaNs, -0 and negative numbers."""
    end, bits = SCALES[dtype][2], SCALES[dtype][1].itemsize * 8
    return st.sampled_from([end, end + 1, 1 << (bits - 1), (1 << bits) - 1]) | st.integers(end, (1 << bits) - 1)


@st.composite
def quantized_tensors(draw: st.DrawFn) -> QuantizedTensor:
    """Return tensors of 2 to 8 dimensions, of every scale dtype, symmetric or not, K/G odd or even."""
    n, groups, group_size = draw(st.integers(1, 3)), draw(st.integers(1, 5)), draw(st.sampled_from([8, 16, 24, 40]))
    rows = (*draw(st.lists(st.integers(1, 2), max_size=2)), *[1] * draw(st.integers(0, 4)), n)
    dtype = draw(st.sampled_from(list(SCALES)))
    count = prod(rows) * groups
    numpy, bits, _ = SCALES[dtype]
    scales = np.array(draw(st.lists(scale_bits(dtype), min_size=count, max_size=count)), bits).view(numpy)
    symmetric = draw(st.booleans())
    zeros = None if symmetric else draw(_nibbles((*rows, groups)))
    return QuantizedTensor.from_codes(
        draw(_nibbles((*rows, groups * group_size))), scales.reshape(*rows, groups), zeros
    )


@st.composite
def _nibbles(draw: st.DrawFn, shape: tuple[int, ...]) -> np.ndarray[Any, np.dtype[np.uint8]]:
    size = prod(shape)
    values = [byte & 15 for byte in draw(st.binary(min_size=size, max_size=size))]
    return np.array(values, np.uint8).reshape(shape)


@st.composite
def plain_tensors(draw: st.DrawFn) -> np.ndarray[Any, Any]:
    """Return arrays of 0 to 8 dimensions, of every element type, with any bytes whatever."""
    shape = draw(st.lists(st.integers(1, 3), max_size=3) | st.lists(st.integers(1, 2), max_size=8))
    dtype = draw(st.sampled_from(list(PLAIN.values())))
    size = prod(shape) * dtype.itemsize
    return np.frombuffer(draw(st.binary(min_size=size, max_size=size)), dtype).reshape(shape)


def names() -> st.SearchStrategy[str]:
    """Return legal names of 1 to 255 characters."""
    later = st.text(_FIRST + ".-", max_size=12) | st.sampled_from(["z" * 254, "." * 254])
    return st.builds(str.__add__, st.sampled_from(_FIRST), later)


def texts() -> st.SearchStrategy[str]:
    """Return any Unicode that UTF-8 can hold: all but surrogates."""
    return st.text(st.characters(exclude_categories=["Cs"]), max_size=12)


def metadata() -> st.SearchStrategy[dict[str, str]]:
    """Return what META can hold; empty means no META."""
    return st.dictionaries(texts(), texts(), max_size=4)


def sections() -> st.SearchStrategy[dict[int, bytes]]:
    """Return private sections and ones left to later versions, up to three."""
    kinds = st.sampled_from([0, 0x21, 0x101, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF]) | st.integers(0, 2**32 - 1)
    return st.dictionaries(kinds.filter(lambda kind: kind not in _KNOWN), st.binary(max_size=100), max_size=3)


def contents() -> st.SearchStrategy[Contents]:
    """Return everything a file can say; the order of the tensors is any order."""
    return st.builds(
        Contents,
        st.dictionaries(names(), quantized_tensors() | plain_tensors(), max_size=4),
        metadata(),
        st.sampled_from([6, 7, 9, 12]),
        st.sampled_from([0, 1, 7, 0xFFFF]),
        sections(),
    )
