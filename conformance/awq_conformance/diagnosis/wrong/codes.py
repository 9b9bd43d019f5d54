"""Wrong ways of finding and reading codes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

import numpy as np

from awq_conformance.diagnosis.stored import Stored, nibbles, up
from awq_conformance.diagnosis.weight import Array, signed


def _permuted(order: tuple[int, ...]) -> Callable[[Stored], Array]:
    def codes(t: Stored) -> Array:
        stream = t.code_nibbles()
        whole = len(stream) // len(order) * len(order)
        words = stream[:whole].reshape(-1, len(order))[:, order].reshape(-1)
        return np.concatenate([words, stream[whole:]]).reshape(t.rows, t.columns)

    return codes


def _halves(size: Callable[[Stored], int]) -> Callable[[Stored], Array]:
    def codes(t: Stored) -> Array:
        block = size(t) // 2
        packed = t.bytes_at(0, t.codes_size)
        whole = len(packed) // block * block
        blocks = packed[:whole].reshape(-1, block)
        halves = np.concatenate([blocks & 15, blocks >> 4], axis=1).reshape(-1).astype(np.int64)
        return np.concatenate([halves, nibbles(packed[whole:])]).reshape(t.rows, t.columns)

    return codes


def _late(count: int) -> Callable[[Stored], Array]:
    return lambda t: t.code_nibbles(count).reshape(t.rows, t.columns)


def _dragged(t: Stored) -> Array:
    low, high = t.codes[:, 0::2], signed(t.codes[:, 1::2])
    return np.stack([low, high], axis=-1).reshape(t.rows, t.columns)


def _columns_first(t: Stored) -> Array:
    stream = t.code_nibbles().reshape(-1, t.columns, t.shape[-2])
    result: Array = stream.transpose(0, 2, 1).reshape(t.rows, t.columns)
    return result


def _from_start(t: Stored) -> Array:
    return replace(t, at=t.at + t.data_at).code_nibbles().reshape(t.rows, t.columns)


def _row_stride(stride: Callable[[Stored], int]) -> Callable[[Stored], Array]:
    def codes(t: Stored) -> Array:
        width = t.columns // 2
        packed = t.bytes_at(0, t.rows * max(stride(t), width))
        rows = [packed[r * stride(t) : r * stride(t) + width] for r in range(t.rows)]
        return nibbles(np.stack(rows)).reshape(t.rows, t.columns)

    return codes


CODES: Final[tuple[tuple[str, str, str, Callable[..., Any]], ...]] = (
    ("codes-swapped", "", "codes", _permuted((1, 0))),
    ("codes-awq-order", "", "codes", _permuted((0, 4, 1, 5, 2, 6, 3, 7))),
    ("codes-awq-inverse", "", "codes", _permuted((0, 2, 4, 6, 1, 3, 5, 7))),
    ("codes-big-endian", "words of 32 bits", "codes", _permuted((6, 7, 4, 5, 2, 3, 0, 1))),
    ("codes-big-endian", "words of 32 bits, from their other end", "codes", _permuted((7, 6, 5, 4, 3, 2, 1, 0))),
    ("codes-big-endian", "words of 16 bits", "codes", _permuted((2, 3, 0, 1))),
    ("codes-big-endian", "words of 16 bits, from their other end", "codes", _permuted((3, 2, 1, 0))),
    ("codes-halves", "a block is a group", "codes", _halves(lambda t: t.group_size)),
    ("codes-halves", "a block is 32 codes", "codes", _halves(lambda _: 32)),
    ("codes-halves", "a block is a row", "codes", _halves(lambda t: t.columns)),
    ("codes-halves", "a block is 8 codes", "codes", _halves(lambda _: 8)),
    ("codes-halves", "a block is the matrix", "codes", _halves(lambda t: t.rows * t.columns)),
    ("codes-column-major", "", "codes", _columns_first),
    *(
        (
            "codes-shifted",
            f"{abs(count)} bytes {'behind' if count > 0 else 'before'} their start",
            "codes",
            _late(count),
        )
        for count in (1, -1, 2, -2, 4, -4, 8, -8, 16, 32, 64, -64)
    ),
    ("codes-signed", "in the high nibble of each byte", "codes", _dragged),
    ("codes-misplaced", "rows start at multiples of 16 bytes", "codes", _row_stride(lambda t: up(t.columns // 2, 16))),
    ("codes-misplaced", "data_off is counted from the start of DATA", "codes", _from_start),
    ("codes-misplaced", "the step from row to row is K bytes", "codes", _row_stride(lambda t: t.columns)),
)
