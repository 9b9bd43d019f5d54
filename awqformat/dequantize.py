"""The fast exact dequantiser in numpy (spec: model, "Numerics")."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from awqformat import dtypes
from awqformat.errors import AwqError
from awqformat.layouts import unpack_nibbles
from awqformat.model import SYMMETRIC_ZERO, QuantizedTensor

_BLOCK = 1 << 18  # weights worked on at a time: two f32 copies of a block stay in a second-level cache


def dequantize(
    tensor: QuantizedTensor, dtype: npt.DTypeLike = np.float32, out: np.ndarray[Any, Any] | None = None
) -> np.ndarray[Any, Any]:
    """Return W = (q - z) * s, shape (.., N, K), exact to the last bit.

    The product is taken in float32, where it is exact for float16 and bfloat16 scales and rounded once for
    float32 scales; a narrower ``dtype`` is that value rounded to nearest even. Overflow gives Inf.

    Args:
        tensor: the quantised weight.
        dtype: float32, float16 or ml_dtypes.bfloat16.
        out: a writable C-contiguous array of that dtype and shape to write into, instead of a new one.

    Raises:
        AwqError: E_ENUM for another dtype, E_DIMS for an ``out`` that does not fit.
    """
    target = np.dtype(dtype)
    if target not in [dtypes.NUMPY[kind] for kind in dtypes.SCALES]:
        raise AwqError("E_ENUM", "tensor", "dtype", expected="F32, F16 or BF16", got=target)
    if out is None:
        out = np.empty(tensor.shape, target)
    elif out.shape != tensor.shape or out.dtype != target or not out.flags.carray:
        got = f"{out.dtype} {out.shape}, strides {out.strides}, writable {out.flags.writeable}"
        expected = f"writable, C-contiguous {target} {tensor.shape}"
        raise AwqError("E_DIMS", "out", "array", expected=expected, got=got)
    k, groups = tensor.shape[-1], tensor.groups
    weights = out.reshape(-1, groups, tensor.group_size)
    codes = tensor.packed_codes.reshape(-1, k // 2)
    scales = tensor.scales.reshape(-1, groups, 1)
    zeros = tensor.packed_zero_points
    packed = None if zeros is None else zeros.reshape(-1, zeros.shape[-1])
    step = max(1, _BLOCK // k)
    for start in range(0, len(codes), step):
        rows = slice(start, start + step)
        q = unpack_nibbles(codes[rows], k).view(np.int8).reshape(-1, groups, tensor.group_size)
        z: Any = SYMMETRIC_ZERO
        if packed is not None:
            z = unpack_nibbles(packed[rows], groups).view(np.int8)[..., None]
        product = np.subtract(q, z, dtype=np.int8).astype(np.float32)
        with np.errstate(over="ignore"):  # Inf is the right answer, here and where a narrower dtype overflows
            np.multiply(product, scales[rows].astype(np.float32), out=product)
            weights[rows] = product.astype(target, copy=False)
    return out
