"""Round-to-nearest group quantisation of a float matrix (spec: model, "Quantising")."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from awqformat import dtypes
from awqformat.errors import AwqError
from awqformat.layouts import Bytes
from awqformat.model import SYMMETRIC_ZERO, QuantizedTensor
from awqformat.schema import Dtype

_BLOCK = 1 << 20  # weights worked on at a time, in float64


def quantize(
    weights: np.ndarray[Any, Any], group_size: int, *, symmetric: bool = False, scale_dtype: Dtype = Dtype.F16
) -> QuantizedTensor:
    """Quantise to 4 bits with one scale, and unless symmetric one zero point, per group along in_features.

    Scales are rounded up to ``scale_dtype``, so that 15 steps (7 when symmetric, on either side of zero)
    always span the group; then every weight w obeys |w - (q - z) * s| <= s / 2. That is exact for weights of up to
    32 bits, and true but for the rounding of float64 arithmetic itself for float64.

    Args:
        weights: finite floats, shape (.., N, K).
        group_size: a multiple of 8 that divides K; -1 means K.
        symmetric: store no zero points; codes 1..15 around 8.
        scale_dtype: F16, BF16 or F32.

    Raises:
        AwqError: E_VALUE for a NaN, an infinity, or a range that ``scale_dtype`` or float32 cannot span; E_DIMS,
            E_GROUP or E_RECORD for what the format cannot hold.
    """
    if weights.ndim < 2 or 0 in weights.shape:
        raise AwqError("E_DIMS", "weights", "shape", expected="(.., N, K), none of them 0", got=weights.shape)
    k = weights.shape[-1]
    size = k if group_size == -1 else group_size
    if k % 8 or size <= 0 or size % 8 or k % size:
        raise AwqError("E_GROUP", "weights", "group_size", expected=f"a multiple of 8 dividing K = {k}", got=group_size)
    if scale_dtype not in dtypes.SCALES:
        raise AwqError("E_RECORD", "weights", "scale_dtype", expected="F16, BF16 or F32", got=scale_dtype.name)
    groups = weights.reshape(-1, size)
    codes = np.empty(groups.shape, np.uint8)
    zero_points = np.empty(len(groups), np.uint8)
    scales = np.empty(len(groups), dtypes.NUMPY[scale_dtype])
    step = max(1, _BLOCK // size)
    for start in range(0, len(groups), step):
        block = slice(start, start + step)
        codes[block], zero_points[block], scales[block] = _quantize(
            groups[block].astype(np.float64), scale_dtype, symmetric=symmetric
        )
    shape = (*weights.shape[:-1], k // size)
    return QuantizedTensor.from_codes(
        codes.reshape(weights.shape),
        scales.reshape(shape),
        None if symmetric else zero_points.reshape(shape),
    )


def _quantize(
    w: npt.NDArray[np.float64], scale_dtype: Dtype, *, symmetric: bool
) -> tuple[Bytes, Bytes, np.ndarray[Any, Any]]:
    """Return codes (rows, G), zero points (rows,) and scales (rows,) of groups w (rows, G)."""
    if not np.isfinite(w).all():
        raise AwqError("E_VALUE", "weights", "value", expected="finite", got=w[~np.isfinite(w)][0])
    if symmetric:
        steps = np.abs(w).max(axis=1) / 7
        low = np.zeros(len(w))
    else:
        low = np.minimum(w.min(axis=1), 0)  # zero is always representable, as padding and pruning need
        steps = np.abs(np.maximum(w.max(axis=1), 0) / 15 - low / 15)  # abs: -0 is not a legal scale
    scales = _round_up(steps, scale_dtype)
    s = scales.astype(np.float64)
    divisor = np.where(s == 0, 1, s)  # a group of zeros has scale 0: any code is exact
    reach = np.rint(np.abs(w).max(axis=1) / divisor) * s
    if (reach > np.finfo(np.float32).max).any():
        raise AwqError("E_VALUE", "weights", "value", expected="products within float32", got=f"{reach.max():.9g}")
    z = np.full(len(w), SYMMETRIC_ZERO) if symmetric else np.clip(np.rint(-low / divisor), 0, 15)
    q = np.clip(np.rint(w / divisor[:, None]) + z[:, None], 0, 15)
    return q.astype(np.uint8), z.astype(np.uint8), scales


def _round_up(steps: npt.NDArray[np.float64], scale_dtype: Dtype) -> np.ndarray[Any, Any]:
    """Return the smallest scales of ``scale_dtype`` that are not below ``steps``."""
    with np.errstate(over="ignore"):
        scales = steps.astype(dtypes.NUMPY[scale_dtype])
    bits = dtypes.scale_bits(scales)
    bits += scales.astype(np.float64) < steps
    if (bits >= dtypes.INFINITY_BITS[scale_dtype]).any():
        raise AwqError("E_VALUE", "weights", "scale", expected=f"a range that {scale_dtype.name} can span",
                       got=f"a step of {steps.max():.6g}")  # fmt: skip
    return scales
