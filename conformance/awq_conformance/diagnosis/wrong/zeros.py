"""Wrong ways of finding and reading zero points."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np

from awq_conformance.diagnosis.stored import Array, Stored, nibbles, signed, turned


def _of_stored(does: Callable[[Array], Array]) -> Callable[[Stored], Array]:
    return lambda t: t.zeros if t.symmetric else does(t.zeros)


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


def _dragged(zeros: Array) -> Array:
    """Return zero points (R, K / G) of which the odd ones have dragged their sign along."""
    dragged: Array = zeros.copy()
    dragged[:, 1::2] = signed(zeros[:, 1::2])
    return dragged


def _borrowed(t: Stored) -> Array:
    if t.symmetric:
        return t.zeros
    packed = t.bytes_at(t.zeros_at, t.rows * t.zeros_width).reshape(t.rows, -1)
    words = np.ascontiguousarray(np.pad(packed, ((0, 0), (0, -packed.shape[1] % 4)))).view("<u4") - np.uint32(
        0x11111111
    )
    less = nibbles(np.ascontiguousarray(words).view(np.uint8)).reshape(t.rows, -1)[:, : t.groups]
    return less + 1 & 15


def _constant(value: int, *, symmetric: bool | None) -> Callable[[Stored], Array]:
    """Return zero points that are all ``value``, in symmetric tensors, in the others, or (None) in all."""
    return lambda t: np.full_like(t.zeros, value) if symmetric in (None, t.symmetric) else t.zeros


ZEROS: Final[tuple[tuple[str, str, str, Callable[..., Any]], ...]] = (
    ("zeros-swapped", "", "zeros", _swapped_zeros),
    ("zeros-unpadded", "", "zeros", _stream_of_zeros),
    ("zeros-unpadded", "a row has K/G/2 bytes, rounded down", "zeros", _narrow_rows_of_zeros),
    ("zeros-transposed", "", "zeros", lambda t: t.zeros if t.symmetric else turned(t.zeros, t)),
    ("zeros-plus-one", "", "zeros", _of_stored(lambda z: z + 1)),
    ("zeros-plus-one", "and the sum is masked", "zeros", _of_stored(lambda z: z + 1 & 15)),
    ("zeros-plus-one", "to 8 as well, where none are stored", "zeros", lambda t: t.zeros + 1),
    ("zeros-minus-one", "", "zeros", _of_stored(lambda z: z - 1)),
    ("zeros-minus-one", "and the difference is masked", "zeros", _of_stored(lambda z: z - 1 & 15)),
    ("zeros-minus-one", "from 8 as well, where none are stored", "zeros", lambda t: t.zeros - 1),
    ("zeros-altered", "1 is taken from whole words, so that a 0 borrows from its neighbour", "zeros", _borrowed),
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
)
