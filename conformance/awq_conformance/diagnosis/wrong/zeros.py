"""Wrong ways of finding and reading zero points."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np

from awq_conformance.diagnosis.stored import Stored, nibbles, turned
from awq_conformance.diagnosis.weight import Array


def _swapped_zeros(t: Stored) -> Array:
    if t.symmetric:
        return t.zeros
    packed = t.bytes_at(t.zeros_at, t.rows * t.zeros_width)
    return nibbles(packed >> 4 | packed << 4).reshape(t.rows, -1)[:, : t.groups]


def _stream_of_zeros(t: Stored) -> Array:
    if t.symmetric:
        return t.zeros
    count = t.rows * t.groups
    return nibbles(t.bytes_at(t.zeros_at, (count + 1) // 2))[:count].reshape(t.rows, t.groups)


def _narrow_rows_of_zeros(t: Stored) -> Array:
    if t.symmetric:
        return t.zeros
    stride = t.groups // 2
    packed = t.bytes_at(t.zeros_at, t.rows * stride + t.zeros_width)
    rows = np.stack([packed[r * stride : r * stride + t.zeros_width] for r in range(t.rows)])
    return nibbles(rows).reshape(t.rows, -1)[:, : t.groups]


def _borrowed(t: Stored) -> Array:
    if t.symmetric:
        return t.zeros
    packed = t.bytes_at(t.zeros_at, t.rows * t.zeros_width).reshape(t.rows, -1)
    words = np.ascontiguousarray(np.pad(packed, ((0, 0), (0, -packed.shape[1] % 4)))).view("<u4") - np.uint32(
        0x11111111
    )
    less = nibbles(np.ascontiguousarray(words).view(np.uint8)).reshape(t.rows, -1)[:, : t.groups]
    return less + 1 & 15


ZEROS: Final[tuple[tuple[str, str, str, Callable[..., Any]], ...]] = (
    ("zeros-swapped", "", "zeros", _swapped_zeros),
    ("zeros-unpadded", "", "zeros", _stream_of_zeros),
    ("zeros-unpadded", "a row has K/G/2 bytes, rounded down", "zeros", _narrow_rows_of_zeros),
    (
        "zeros-transposed",
        "as [K/G, N]; .awq stores [N, K/G]",
        "zeros",
        lambda t: t.zeros if t.symmetric else turned(t.zeros, t),
    ),
    (
        "zeros-transposed",
        "as [K/G, N], N over all experts",
        "zeros",
        lambda t: t.zeros if t.symmetric else turned(t.zeros, t, whole=True),
    ),
    ("zeros-altered", "1 is taken from whole words, so that a 0 borrows from its neighbour", "zeros", _borrowed),
)
