"""The oracle against literal numbers and against correctly rounded hardware."""

from __future__ import annotations

from fractions import Fraction
from math import prod
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from awqformat import QuantizedTensor, reference, safe_open, save_file
from awqformat.reference import FORMATS
from awqformat.tests import strategies

# (scale dtype, scale, q, z, dtype, expected); each worked out by hand from the definition of the formats.
WEIGHTS = [
    ("F16", 0x2001, 15, 3, "F16", 0x2E02),  # the expanded form gives 2E01
    ("F16", 0x2001, 3, 3, "F16", 0x0000),  # the expanded form gives 8080
    ("F16", 0x000B, 15, 0, "F16", 0x00A5),  # a subnormal scale, as all-zero groups have
    ("F16", 0x0001, 7, 8, "F16", 0x8001),
    ("F16", 0x3C00, 11, 8, "F32", 0x40400000),  # 3 * 1
    ("F16", 0x3C00, 0, 15, "BF16", 0xC170),  # -15 * 1
    ("F16", 0x3C01, 3, 0, "F16", 0x4202),  # 3 + 3/1024 in steps of 2/1024: a tie, down to even
    ("F16", 0x3C03, 3, 0, "F16", 0x4204),  # 3 + 9/1024: a tie, down to even
    ("F16", 0x3C05, 3, 0, "F16", 0x4208),  # 3 + 15/1024: a tie, up to even
    ("F16", 0x6C43, 15, 0, "F16", 0x7BFE),  # 65460
    ("F16", 0x6C44, 15, 0, "F16", 0x7C00),  # 65520: halfway past the largest number, to infinity
    ("F16", 0x7BFF, 0, 15, "F16", 0xFC00),
    ("F16", 0x7BFF, 15, 0, "F32", 0x496FE200),  # 982560, exact
    ("F16", 0x0000, 15, 0, "F32", 0x00000000),
    ("BF16", 0x3F81, 3, 0, "BF16", 0x4042),  # 3 + 3/128 in steps of 2/128: a tie, up to even
    ("BF16", 0x3F83, 3, 0, "BF16", 0x4044),  # 3 + 9/128: a tie, down to even
    ("BF16", 0x0001, 15, 0, "F32", 0x000F0000),  # subnormal in F32 as well
    ("BF16", 0x0001, 15, 0, "F16", 0x0000),
    ("BF16", 0x7F7F, 10, 8, "F32", 0x7F800000),  # beyond F32
    ("BF16", 0x7F7F, 8, 10, "F16", 0xFC00),
    ("F32", 0x3DCCCCCD, 0, 7, "F32", 0xBF333333),  # the product is rounded
    ("F32", 0x3F800001, 3, 0, "F32", 0x40400002),  # 3 + 3/2^23 in steps of 2/2^23: a tie, up to even
    ("F32", 0x3F800003, 3, 0, "F32", 0x40400004),  # 3 + 9/2^23: a tie, down to even
    ("F32", 0x3EAB1556, 3, 0, "F16", 0x3C02),  # twice rounded, first to F32; in one step it would be 3C03
    ("F32", 0x00000001, 15, 0, "F32", 0x0000000F),
    ("F32", 0x7F7FFFFF, 6, 8, "F32", 0xFF800000),
    ("F32", 0x7F7FFFFF, 9, 8, "F32", 0x7F7FFFFF),
]  # fmt: skip

VALUES = [
    ("F16", 0x0000, Fraction(0)), ("F16", 0x0001, Fraction(1, 2**24)), ("F16", 0x03FF, Fraction(1023, 2**24)),
    ("F16", 0x0400, Fraction(1, 2**14)), ("F16", 0x3C00, Fraction(1)), ("F16", 0x7BFF, Fraction(65504)),
    ("BF16", 0x0001, Fraction(1, 2**133)), ("BF16", 0x3FC0, Fraction(3, 2)), ("BF16", 0x7F7F, Fraction(255 * 2**120)),
    ("F32", 0x00000001, Fraction(1, 2**149)), ("F32", 0x3F800001, 1 + Fraction(1, 2**23)),
    ("F32", 0x7F7FFFFF, Fraction((2**24 - 1) * 2**104)),
]  # fmt: skip


@pytest.mark.parametrize(("scale_dtype", "scale", "q", "z", "dtype", "expected"), WEIGHTS)
def test_weights(scale_dtype: str, scale: int, q: int, z: int, dtype: str, expected: int) -> None:
    """One weight is its exact product, rounded to F32 and then to the output."""
    assert reference.weight(q - z, scale, scale_dtype, dtype) == expected


@pytest.mark.parametrize(("dtype", "bits", "value"), VALUES)
def test_values_of_patterns(dtype: str, bits: int, value: Fraction) -> None:
    """A pattern stands for one exact value, and that value for the pattern."""
    assert reference.decode(bits, FORMATS[dtype]) == value
    assert reference.encode(value, FORMATS[dtype]) == bits


@pytest.mark.parametrize("dtype", ["F16", "BF16"])
def test_all_patterns_of_16_bits_survive(dtype: str) -> None:
    """Encoding is the inverse of decoding on every non-negative finite number of 16 bits."""
    binary = FORMATS[dtype]
    assert all(reference.encode(reference.decode(bits, binary), binary) == bits for bits in range(binary.infinity))


@pytest.mark.parametrize(("dtype", "bits"), [("F16", 0x7C00), ("BF16", 0x7FC0), ("F32", 0x80000000), ("F16", -1)])
def test_other_patterns_are_refused(dtype: str, bits: int) -> None:
    """Infinities, NaNs and anything with a sign are no scale."""
    with pytest.raises(ValueError, match="not a finite non-negative value"):
        reference.decode(bits, FORMATS[dtype])


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_rounding_to_f16_is_that_of_numpy(value: float) -> None:
    """F32 to F16 rounds as numpy does, signs, subnormals and overflow included."""
    with np.errstate(over="ignore"):
        expected = int(np.float16(value).view(np.uint16))
    assert _unsigned_zero(reference.encode(Fraction(value), FORMATS["F16"]), 16) == _unsigned_zero(expected, 16)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_rounding_to_f32_is_that_of_numpy(value: float) -> None:
    """F64 to F32 rounds as numpy does, signs, subnormals and overflow included."""
    with np.errstate(over="ignore"):
        expected = int(np.float32(value).view(np.uint32))
    assert _unsigned_zero(reference.encode(Fraction(value), FORMATS["F32"]), 32) == _unsigned_zero(expected, 32)


@given(st.integers(0, 0x7BFE), st.sampled_from([Fraction(1, 4), Fraction(1, 2), Fraction(3, 4)]))
def test_rounding_between_neighbours(bits: int, part: Fraction) -> None:
    """Between two neighbours the nearer one wins, and halfway the even one."""
    low, high = (reference.decode(b, FORMATS["F16"]) for b in (bits, bits + 1))
    expected = bits + (part > Fraction(1, 2) or (part == Fraction(1, 2) and bits % 2))
    assert reference.encode(low + part * (high - low), FORMATS["F16"]) == expected


def test_a_matrix_takes_scale_and_zero_point_of_each_group() -> None:
    """Group g = k // G of row n has its own scale and zero point; without zero points they are 8."""
    codes = [[0] * 8 + [15] * 8, list(range(16))]
    ones_and_twos = [[0x3F800000, 0x40000000]] * 2
    result = reference.dequantize(codes, [[0, 15], [8, 0]], ones_and_twos, "F32")
    expected = np.array([[0.0] * 16, [*range(-8, 0), *range(16, 32, 2)]], np.float32)
    assert (np.array(result, np.uint32).view(np.float32) == expected).all()
    symmetric = reference.dequantize(codes, None, ones_and_twos, "F32")
    assert np.array(symmetric, np.uint32).view(np.float32)[0].tolist() == [-8.0] * 8 + [14.0] * 8


def test_an_extent_is_read_nibble_by_nibble() -> None:
    """Two rows of three groups of eight, with zero points, from the bytes as they are stored."""
    codes, zeros = bytes.fromhex("1032547698badcfe10325476 0ff00ff00ff00ff00ff00ff0"), bytes.fromhex("2103 8f09")
    scales = bytes.fromhex("003c00400042 003800340030")
    extent = codes.ljust(64, b"\0") + scales.ljust(64, b"\0") + zeros.ljust(64, b"\0")
    values = list(reference.read(extent, 2, 24, 8, "F16", symmetric=False))
    assert [q for q, _, _ in values] == [*range(16), *range(8), *[15, 0, 0, 15] * 6]
    assert [z for _, z, _ in values[::8]] == [1, 2, 3, 15, 8, 9]
    assert [s for _, _, s in values[::8]] == [0x3C00, 0x4000, 0x4200, 0x3800, 0x3400, 0x3000]
    assert {z for _, z, _ in reference.read(extent, 2, 24, 8, "F16", symmetric=True)} == {8}


@given(tensor=strategies.quantized_tensors())
def test_extents_of_the_writer_are_read(tensor: QuantizedTensor, scratch: Path) -> None:
    """The oracle finds every code, zero point and scale where the writer put them."""
    save_file({"w": tensor}, scratch)
    with safe_open(scratch) as file:
        info = file.info("w")
    extent = scratch.read_bytes()[info.offset : info.offset + info.size]
    *lead, k = tensor.shape
    values = reference.read(
        extent, prod(lead), k, tensor.group_size, tensor.scale_dtype.name, symmetric=tensor.symmetric
    )
    q, z, s = zip(*values, strict=True)
    bits = tensor.scales.view(strategies.SCALES[tensor.scale_dtype][1])
    zeros = np.full(bits.shape, 8) if tensor.zero_points is None else tensor.zero_points
    assert list(q) == tensor.codes.reshape(-1).tolist()
    assert list(z) == np.repeat(zeros, tensor.group_size).tolist()
    assert list(s) == np.repeat(bits, tensor.group_size).tolist()


def _unsigned_zero(bits: int, width: int) -> int:
    return 0 if bits == 1 << (width - 1) else bits
