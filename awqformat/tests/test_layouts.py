"""Nibbles, and where the segments of an extent lie."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from awqformat import Dtype
from awqformat.layouts import Linear, pack_nibbles, unpack_nibbles


@pytest.mark.parametrize(
    ("values", "packed"),
    [([0, 1, 2, 3], "1032"), ([15, 0], "0f"), ([1, 2, 3], "2103"), ([15], "0f"), ([[1, 2, 3], [4, 5, 6]], "21035406")],
)
def test_even_elements_are_low_nibbles(values: list[int], packed: str) -> None:
    """Element 2i is the low nibble of byte i of its row; an odd row ends in a zero nibble."""
    assert pack_nibbles(np.array(values, np.uint8)).tobytes().hex() == packed


@given(npst.arrays(np.uint8, npst.array_shapes(max_dims=4, max_side=9), elements=st.integers(0, 15)))
def test_unpacking_undoes_packing(values: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> None:
    """Packing loses nothing, whatever the shape."""
    assert (unpack_nibbles(pack_nibbles(values), values.shape[-1]) == values).all()


@given(npst.arrays(np.uint8, npst.array_shapes(max_dims=3, max_side=9)))
def test_packing_undoes_unpacking(packed: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> None:
    """Every byte is two nibbles and nothing else."""
    assert (pack_nibbles(unpack_nibbles(packed, 2 * packed.shape[-1])) == packed).all()


@pytest.mark.parametrize(
    ("layout", "places"),  # codes_size, scales_at, scales_end, zeros_at, end
    [
        (Linear(2, 24, 8, Dtype.F16, Dtype.U4), (24, 64, 76, 128, 132)),
        (Linear(2, 24, 8, Dtype.F16, Dtype.NONE), (24, 64, 76, 128, 76)),
        (Linear(1, 128, 128, Dtype.F32, Dtype.U4), (64, 64, 68, 128, 129)),
        (Linear(64, 64, 8, Dtype.BF16, Dtype.U4), (2048, 2048, 3072, 3072, 3328)),
        (Linear(4096, 4096, 128, Dtype.F16, Dtype.U4), (2**23, 2**23, 2**23 + 2**18, 2**23 + 2**18, 8716288)),
        (Linear(2**32 - 1, 256, 256, Dtype.F32, Dtype.U4), (549755813760, 549755813760, 566935682940, 566935682944,
                                                          571230650239)),
    ],
)  # fmt: skip
def test_segments(layout: Linear, places: tuple[int, ...]) -> None:
    """Every segment starts at the next multiple of 64, and its size follows from rows, K and G."""
    assert (layout.codes_size, layout.scales_at, layout.scales_end, layout.zeros_at, layout.end) == places
