"""Pseudo-random values from a text: SHAKE-256 of it, so that every machine and language can draw the same."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from math import prod
from typing import Any, Final, TypeVar

import ml_dtypes
import numpy as np

from awqformat import QuantizedTensor

Array = np.ndarray[Any, Any]
T = TypeVar("T")

_SCALE_DTYPES: Final[dict[str, tuple[str, Any]]] = {
    "F16": ("<u2", np.dtype("<f2")),
    "BF16": ("<u2", np.dtype(ml_dtypes.bfloat16)),
    "F32": ("<u4", np.dtype("<f4")),
}
ORDINARY: Final = {"F16": (0x1400, 0x2E00), "BF16": (0x3A80, 0x3DC0), "F32": (0x3A80_0000, 0x3DC0_0000)}
"""Bits of scales between about 2^-10 and 2^-3.5, every mantissa in between."""
WIDE: Final = {"F16": (0, 0x7C00), "BF16": (0x3280, 0x4680), "F32": (0x3280_0000, 0x4680_0000)}
"""Bits of scales as far as values stay finite in F32: every one of F16, between 2^-26 and 2^14 of the others."""


def random_bytes(seed: str, size: int) -> bytes:
    """Return the first ``size`` bytes of SHAKE-256 of ``seed``."""
    return hashlib.shake_256(seed.encode()).digest(size)


def chosen(seed: str, options: Sequence[T]) -> T:
    """Return one of ``options``."""
    return options[int.from_bytes(random_bytes(seed, 8), "little") % len(options)]


def nibbles(seed: str, shape: tuple[int, ...]) -> Array:
    """Return values 0..15 of ``shape``, one per byte drawn."""
    return (np.frombuffer(random_bytes(seed, prod(shape)), np.uint8) & 15).reshape(shape)


def scales(seed: str, shape: tuple[int, ...], dtype: str, bits: tuple[int, int]) -> Array:
    """Return scales whose bit patterns lie in ``bits`` (first, end), one per 8 bytes drawn."""
    unsigned, numpy = _SCALE_DTYPES[dtype]
    drawn = np.frombuffer(random_bytes(seed, 8 * prod(shape)), "<u8")
    first, end = bits
    chosen: Array = first + drawn % np.uint64(end - first)
    result: Array = chosen.astype(unsigned).view(numpy).reshape(shape)
    return result


def scales_of(bits: list[int], shape: tuple[int, ...], dtype: str) -> Array:
    """Return scales of ``shape`` that repeat the given bit patterns."""
    unsigned, numpy = _SCALE_DTYPES[dtype]
    return np.resize(np.array(bits, unsigned), shape).view(numpy)


def quantised(
    seed: str,
    shape: tuple[int, ...],
    group_size: int,
    *,
    dtype: str = "F16",
    bits: tuple[int, int] | None = None,
    symmetric: bool = False,
) -> QuantizedTensor:
    """Return a tensor with random codes, zero points and scales."""
    grouped = (*shape[:-1], shape[-1] // group_size)
    return QuantizedTensor.from_codes(
        nibbles(f"{seed}/q", shape),
        scales(f"{seed}/s", grouped, dtype, bits or ORDINARY[dtype]),
        None if symmetric else nibbles(f"{seed}/z", grouped),
    )


def plain(seed: str, shape: tuple[int, ...], dtype: Any) -> Array:
    """Return an array of random bytes of a numpy dtype; booleans are 0 and 1."""
    numpy = np.dtype(dtype)
    raw: Array = np.frombuffer(random_bytes(seed, prod(shape) * numpy.itemsize), np.uint8)
    if numpy == np.bool_:
        raw = raw & 1
    result: Array = raw.view(numpy).reshape(shape)
    return result
