"""Wrong ways of computing and rounding W."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np

from awq_conformance.diagnosis.weight import Array, Weight, narrow, product, rounded
from awq_conformance.outputs import Matrix


def _expanded(dtype: str, *, fused: bool = False) -> Callable[..., Array]:
    numpy = {"f16": np.float16, "f32": np.float32}[dtype]

    def values(q: Array, z: Array, s: Array, _t: Weight) -> Array:
        s = s.astype(numpy)
        c = z.astype(numpy) * s
        if fused:
            return (q * s.astype(np.float64) - c.astype(np.float64)).astype(np.float32)
        return (q.astype(numpy) * s - c).astype(np.float32)

    return values


def _expanded_bf16(q: Array, z: Array, s: Array, _t: Weight) -> Array:
    return rounded(rounded(q.astype(np.float32) * s, "bf16") - rounded(z.astype(np.float32) * s, "bf16"), "bf16")


_F16, _F32 = 2.0**-14, 2.0**-126  # the smallest normal numbers


def _cut(weights: Array, dtype: str) -> Matrix:
    """Return W cut off, not rounded."""
    w = weights.astype(np.float32)
    if dtype == "bf16":
        return Matrix((np.ascontiguousarray(w).view(np.uint32) >> 16).astype(np.uint16), dtype)
    if dtype != "f16":
        return narrow(w, dtype)
    near = w.astype(np.float16)
    beyond = np.abs(near.astype(np.float32)) > np.abs(w)
    return Matrix(np.where(beyond, np.nextafter(near, np.float16(0)), near), dtype)


def _cut_below_infinity(weights: Array, dtype: str) -> Matrix:
    """Return W cut off, but infinite where its exponent is beyond that of ``dtype``."""
    cut = _cut(weights, dtype)
    if dtype != "f16":
        return cut
    beyond = np.abs(weights) >= 2.0**16
    return Matrix(np.where(beyond, np.copysign(np.float16(np.inf), cut.values), cut.values), dtype)


def _half_up(weights: Array, dtype: str) -> Matrix:
    """Return W rounded to nearest, ties away from zero."""
    w = weights.astype(np.float32)
    if dtype == "bf16":
        return Matrix(((np.ascontiguousarray(w).view(np.uint32) + 0x8000) >> 16).astype(np.uint16), dtype)
    if dtype != "f16":
        return narrow(w, dtype)
    down = _cut(w, dtype).values
    away = np.nextafter(down, np.copysign(np.float16(np.inf), w.astype(np.float16)))
    middle = (down.astype(np.float64) + away.astype(np.float64)) / 2
    return Matrix(np.where(np.isfinite(middle) & (middle == w) & (down != w), away, w.astype(np.float16)), dtype)


def _half_up_when_subnormal(weights: Array, dtype: str) -> Matrix:
    """Return W rounded to nearest, ties away from zero only where it is below the smallest normal F16."""
    if dtype != "f16":
        return narrow(weights, dtype)
    up, even = _half_up(weights, dtype).values, narrow(weights, dtype).values
    return Matrix(np.where(np.abs(weights) < _F16, up, even), dtype)


_LARGEST: Final = {"f16": 65504.0, "bf16": 3.3895313892515355e38, "f32": 3.4028234663852886e38}


def _saturated(weights: Array, dtype: str) -> Matrix:
    largest = np.float32(_LARGEST["f32" if dtype == "f64" else dtype])
    return narrow(np.clip(weights.astype(np.float32), -largest, largest), dtype)


def _flushed_results(weights: Array, dtype: str) -> Matrix:
    near = rounded(weights.astype(np.float32), dtype) if dtype in ("f16", "bf16") else weights.astype(np.float32)
    return narrow(np.where(np.abs(near) < (_F16 if dtype == "f16" else _F32), np.float32(0), near), dtype)


ARITHMETIC: Final[tuple[tuple[str, str, str, Callable[..., Any]], ...]] = (
    ("arithmetic-expanded", "each step in F32", "values", _expanded("f32")),
    ("arithmetic-expanded", "each step in F16", "values", _expanded("f16")),
    ("arithmetic-expanded", "each step in BF16", "values", _expanded_bf16),
    ("arithmetic-expanded", "z*s is rounded to F32, the rest fused", "values", _expanded("f32", fused=True)),
    ("arithmetic-expanded", "z*s is rounded to F16, the rest fused", "values", _expanded("f16", fused=True)),
    ("arithmetic-rounded-f16", "", "values", lambda q, z, s, t: rounded(product(q, z, s, t), "f16")),
    ("arithmetic-rounded-bf16", "", "values", lambda q, z, s, t: rounded(product(q, z, s, t), "bf16")),
    ("rounding-truncates", "", "narrow", _cut),
    ("rounding-truncates", "and infinity from 2^16 on", "narrow", _cut_below_infinity),
    ("rounding-half-up", "", "narrow", _half_up),
    ("rounding-half-up", "where the result is subnormal", "narrow", _half_up_when_subnormal),
    ("overflow-saturates", "", "narrow", _saturated),
    ("results-subnormal-flushed", "", "narrow", _flushed_results),
)
