"""Wrong things made of codes, zero points and scales, wherever they were read from."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np

from awq_conformance.diagnosis.weight import Array, Weight, rounded, signed

_F16, _F32 = 2.0**-14, 2.0**-126


def _of_stored(does: Callable[[Array], Array]) -> Callable[[Weight], Array]:
    return lambda t: t.zeros if t.symmetric else does(t.zeros)


def _as_kn(w: Array, t: Weight) -> Array:
    result: Array = w.reshape(-1, *t.shape[-2:]).transpose(0, 2, 1).reshape(t.rows, t.columns)
    return result


def _as_kn_if_square(w: Array, t: Weight) -> Array:
    return _as_kn(w, t) if t.shape[-1] == t.shape[-2] else w


def _dragged(zeros: Array) -> Array:
    """Return zero points (R, K / G) of which the odd ones have dragged their sign along."""
    dragged: Array = zeros.copy()
    dragged[:, 1::2] = signed(zeros[:, 1::2])
    return dragged


def _constant(value: int, *, symmetric: bool | None) -> Callable[[Weight], Array]:
    """Return zero points that are all ``value``, in symmetric tensors, in the others, or (None) in all."""
    return lambda t: np.full_like(t.zeros, value) if symmetric in (None, t.symmetric) else t.zeros


def _flushed(least: dict[str, float]) -> Callable[[Weight], Array]:
    return lambda t: np.where(t.scales < least.get(t.scale_dtype, 0.0), np.float32(0), t.scales)


NUMBERS: Final[tuple[tuple[str, str, str, Callable[..., Any]], ...]] = (
    ("codes-transposed", "", "arrange", _as_kn),
    ("codes-transposed", "where N is equal to K", "arrange", _as_kn_if_square),
    ("codes-signed", "", "codes", lambda t: signed(t.codes)),
    ("zeros-plus-one", "", "zeros", _of_stored(lambda z: z + 1)),
    ("zeros-plus-one", "and the sum is masked", "zeros", _of_stored(lambda z: z + 1 & 15)),
    ("zeros-plus-one", "to 8 as well, where none are stored", "zeros", lambda t: t.zeros + 1),
    ("zeros-minus-one", "", "zeros", _of_stored(lambda z: z - 1)),
    ("zeros-minus-one", "and the difference is masked", "zeros", _of_stored(lambda z: z - 1 & 15)),
    ("zeros-minus-one", "from 8 as well, where none are stored", "zeros", lambda t: t.zeros - 1),
    ("zeros-assumed-8", "", "zeros", _constant(8, symmetric=None)),
    ("zeros-ignored", "", "zeros", _constant(0, symmetric=None)),
    ("zeros-ignored", "where they are stored", "zeros", _constant(0, symmetric=False)),
    ("symmetric-zero-0", "", "zeros", _constant(0, symmetric=True)),
    ("symmetric-zero-0", "7 is used", "zeros", _constant(7, symmetric=True)),
    ("zeros-added", "", "zeros", _of_stored(lambda z: -z)),
    ("zeros-added", "where none are stored, too", "zeros", lambda t: -t.zeros),
    ("zeros-signed", "", "zeros", _of_stored(signed)),
    ("zeros-signed", "in the high nibble of each byte", "zeros", _of_stored(_dragged)),
    ("zeros-misplaced", "every row has those of the first one", "zeros", lambda t: t.zeros[:1].repeat(t.rows, 0)),
    ("codes-offset", "8 is taken from each", "codes", lambda t: t.codes - 8),
    ("codes-offset", "8 is added to each, and the sum masked", "codes", lambda t: t.codes ^ 8),
    ("codes-offset", "1 is added to each", "codes", lambda t: t.codes + 1),
    ("codes-offset", "1 is taken from each", "codes", lambda t: t.codes - 1),
    ("scales-rounded-f16", "", "scales", lambda t: rounded(t.scales, "f16")),
    ("scales-rounded-bf16", "", "scales", lambda t: rounded(t.scales, "bf16")),
    ("scales-subnormal-flushed", "those of F16", "scales", _flushed({"F16": _F16})),
    ("scales-subnormal-flushed", "those of BF16 and F32", "scales", _flushed({"BF16": _F32, "F32": _F32})),
    ("scales-subnormal-flushed", "", "scales", _flushed({"F16": _F16, "BF16": _F32, "F32": _F32})),
    ("scales-misplaced", "every row has those of the first one", "scales", lambda t: t.scales[:1].repeat(t.rows, 0)),
)
