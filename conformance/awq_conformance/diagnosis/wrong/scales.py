"""Wrong ways of finding and reading scales."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np

from awq_conformance.diagnosis.stored import SCALE_BYTES, Array, Stored, rounded, turned, up, widen


def _reversed_bytes(t: Stored) -> Array:
    width = SCALE_BYTES[t.scale_dtype]
    raw = np.ascontiguousarray(t.scale_bytes().reshape(-1, width)[:, ::-1]).reshape(-1)
    return widen(raw, t.scale_dtype).reshape(t.rows, t.groups)


def _taken_for(stored: str, taken: str) -> Callable[[Stored], Array]:
    def scales(t: Stored) -> Array:
        if t.scale_dtype != stored:
            return t.scales
        return widen(t.scale_bytes(), taken)[: t.rows * t.groups].reshape(t.rows, t.groups)

    return scales


def _flushed(least: dict[str, float]) -> Callable[[Stored], Array]:
    return lambda t: np.where(t.scales < least.get(t.scale_dtype, 0.0), np.float32(0), t.scales)


def _behind_codes(t: Stored) -> Array:
    return np.nan_to_num(widen(t.scale_bytes(t.codes_size), t.scale_dtype)).reshape(t.rows, t.groups)


def _padded_to_8(t: Stored) -> Array:
    stride = up(t.groups, 8)
    raw = t.scale_bytes(None, t.rows * stride * SCALE_BYTES[t.scale_dtype])
    return np.nan_to_num(widen(raw, t.scale_dtype).reshape(t.rows, stride)[:, : t.groups])


def _behind_alignment(t: Stored) -> Array:
    raw = t.scale_bytes(up(t.codes_size, t.alignment))
    return np.nan_to_num(widen(raw, t.scale_dtype)).reshape(t.rows, t.groups)


_F16, _F32 = 2.0**-14, 2.0**-126
SCALES: Final[tuple[tuple[str, str, str, Callable[..., Any]], ...]] = (
    ("scales-transposed", "", "scales", lambda t: turned(t.scales, t)),
    ("scales-big-endian", "", "scales", _reversed_bytes),
    ("scales-bf16-as-f16", "", "scales", _taken_for("BF16", "F16")),
    ("scales-f16-as-bf16", "", "scales", _taken_for("F16", "BF16")),
    ("scales-misplaced", "an F32 scale is taken for two of F16", "scales", _taken_for("F32", "F16")),
    ("scales-misplaced", "an F32 scale is taken for two of BF16", "scales", _taken_for("F32", "BF16")),
    ("scales-rounded-f16", "", "scales", lambda t: rounded(t.scales, "f16")),
    ("scales-rounded-bf16", "", "scales", lambda t: rounded(t.scales, "bf16")),
    ("scales-subnormal-flushed", "those of F16", "scales", _flushed({"F16": _F16})),
    ("scales-subnormal-flushed", "those of BF16 and F32", "scales", _flushed({"BF16": _F32, "F32": _F32})),
    ("scales-subnormal-flushed", "", "scales", _flushed({"F16": _F16, "BF16": _F32, "F32": _F32})),
    ("scales-misplaced", "every row has those of the first one", "scales", lambda t: t.scales[:1].repeat(t.rows, 0)),
    ("scales-misplaced", "they are read right behind the codes, without the padding", "scales", _behind_codes),
    ("scales-misplaced", "rows are believed to be padded to 8 of them", "scales", _padded_to_8),
    ("padding-as-data", "scales are read from a multiple of A behind the codes", "scales", _behind_alignment),
)
