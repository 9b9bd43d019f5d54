"""Numbers taken two at a time lie where they lie one by one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from awqformat.dialects import DIALECTS
from awqformat.dialects.packing import Packing, along_rows
from awqformat.layouts import pack_nibbles

GEMM = DIALECTS["gemm"].packing
PACKINGS = {
    **{name: dialect.packing for name, dialect in DIALECTS.items()},
    "zeros of ct-pack": Packing("<i4", (8, 1), tuple(range(8))),
    "codes less one": replace(GEMM, bias=15),
    "gemv less one": replace(DIALECTS["gemv"].packing, bias=15),
    "gemv two's complement": replace(DIALECTS["gemv"].packing, bias=8),
    "gemv interleaved": replace(DIALECTS["gemv"].packing, order=GEMM.order),
    "eights in halves": replace(GEMM, word="<i2"),
    "wide words": Packing("<i8", along_rows(16), tuple(range(16))),
}


@pytest.mark.parametrize("shape", [(64, 64), (128, 192), (21, 64), (64, 40), (8, 8), (1, 2)])
@pytest.mark.parametrize("name", PACKINGS)
def test_pairs_are_the_numbers(name: str, shape: tuple[int, int]) -> None:
    """Of every layout, whether the last tiles are full or not: pairs are read and written as the numbers are."""
    packing = PACKINGS[name]
    random = np.random.default_rng(0)
    stored = random.integers(0, 256, (*packing.shape(*shape), np.dtype(packing.word).itemsize), np.uint8)
    words = stored.view(packing.word)[..., 0]
    numbers = packing.unpack(words, *shape)
    pairs = packing.unpack_pairs(words, *shape)
    assert (pairs.dtype, pairs.shape) == (np.uint8, (shape[0], shape[1] // 2))
    assert (pairs == pack_nibbles(numbers)).all()
    again, expected = packing.pack_pairs(pairs), packing.pack(numbers)
    assert (again.dtype, again.shape) == (expected.dtype, expected.shape)
    assert (again == expected).all()


@pytest.mark.parametrize("name", PACKINGS)
def test_what_is_returned_is_new(name: str) -> None:
    """Whoever changes words or pairs changes nothing else."""
    packing = PACKINGS[name]
    words = np.zeros(packing.shape(64, 64), packing.word)
    pairs = packing.unpack_pairs(words, 64, 64)
    assert not np.shares_memory(words, pairs)
    assert not np.shares_memory(packing.pack_pairs(pairs), pairs)
    part = packing.unpack_pairs(np.asfortranarray(words), 64, 64)
    assert (part == pairs).all()
