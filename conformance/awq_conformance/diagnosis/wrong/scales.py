"""Wrong ways of finding and reading scales."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np

from awq_conformance.diagnosis.stored import SCALE_BYTES, Stored, turned, up, widen
from awq_conformance.diagnosis.weight import Array


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


def _behind_codes(t: Stored) -> Array:
    return np.nan_to_num(widen(t.scale_bytes(t.codes_size), t.scale_dtype)).reshape(t.rows, t.groups)


def _padded_to_8(t: Stored) -> Array:
    stride = up(t.groups, 8)
    raw = t.scale_bytes(None, t.rows * stride * SCALE_BYTES[t.scale_dtype])
    return np.nan_to_num(widen(raw, t.scale_dtype).reshape(t.rows, stride)[:, : t.groups])


def _behind_alignment(t: Stored) -> Array:
    raw = t.scale_bytes(up(t.codes_size, t.alignment))
    return np.nan_to_num(widen(raw, t.scale_dtype)).reshape(t.rows, t.groups)


SCALES: Final[tuple[tuple[str, str, str, Callable[..., Any]], ...]] = (
    ("scales-transposed", "as [K/G, N]; .awq stores [N, K/G]", "scales", lambda t: turned(t.scales, t)),
    ("scales-transposed", "as [K/G, N], N over all experts", "scales", lambda t: turned(t.scales, t, whole=True)),
    ("scales-big-endian", "", "scales", _reversed_bytes),
    ("scales-bf16-as-f16", "", "scales", _taken_for("BF16", "F16")),
    ("scales-f16-as-bf16", "", "scales", _taken_for("F16", "BF16")),
    ("scales-misplaced", "an F32 scale is taken for two of F16", "scales", _taken_for("F32", "F16")),
    ("scales-misplaced", "an F32 scale is taken for two of BF16", "scales", _taken_for("F32", "BF16")),
    ("scales-misplaced", "they are read right behind the codes, without the padding", "scales", _behind_codes),
    ("scales-misplaced", "rows are believed to be padded to 8 of them", "scales", _padded_to_8),
    ("padding-as-data", "scales are read from a multiple of A behind the codes", "scales", _behind_alignment),
)
