"""The slow exact oracle: what every weight is, by integers and fractions alone (spec: model).

It shares no code with the readers and dequantisers it judges, and takes nothing from a floating-point unit:
a scale is decoded to a fraction, multiplied, and rounded to nearest even by comparing integers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from functools import lru_cache
from typing import Final, NamedTuple


class Binary(NamedTuple):
    """An IEEE 754 interchange format: sign, then ``exponent`` bits, then ``fraction`` bits."""

    exponent: int
    fraction: int

    @property
    def lowest(self) -> int:
        """Exponent of the smallest normal number, and of the subnormals."""
        return 2 - (1 << self.exponent - 1)

    @property
    def infinity(self) -> int:
        """Bits of +Inf."""
        return ((1 << self.exponent) - 1) << self.fraction


FORMATS: Final = {"F16": Binary(5, 10), "BF16": Binary(8, 7), "F32": Binary(8, 23)}


def _power(exponent: int) -> Fraction:
    """Return 2 to the power of ``exponent``."""
    return Fraction(1 << exponent) if exponent >= 0 else Fraction(1, 1 << -exponent)


def decode(bits: int, binary: Binary) -> Fraction:
    """Return the exact value of a finite bit pattern with a clear sign bit."""
    if not 0 <= bits < binary.infinity:
        raise ValueError(f"not a finite non-negative value: {bits:#x}")
    biased, fraction = divmod(bits, 1 << binary.fraction)
    significand = fraction + (1 << binary.fraction if biased else 0)
    return significand * _power(max(biased, 1) - 1 + binary.lowest - binary.fraction)


def encode(value: Fraction, binary: Binary) -> int:
    """Return the bits of ``value`` rounded to nearest, ties to even; overflow gives Inf; zero is +0."""
    if not value:
        return 0
    magnitude = abs(value)
    exponent = magnitude.numerator.bit_length() - magnitude.denominator.bit_length()
    exponent -= magnitude < _power(exponent)  # now 2^exponent <= magnitude < 2^(exponent + 1)
    exponent = max(exponent, binary.lowest)
    whole, rest = divmod(magnitude / _power(exponent - binary.fraction), 1)
    whole += rest > Fraction(1, 2) or (rest == Fraction(1, 2) and whole % 2)
    # The hidden bit of a normal number carries into the exponent field, and so does a rounding overflow.
    bits = min(((exponent - binary.lowest) << binary.fraction) + int(whole), binary.infinity)
    return bits | (1 << (binary.exponent + binary.fraction) if value < 0 else 0)


@lru_cache(maxsize=1 << 16)
def weight(difference: int, scale: int, scale_dtype: str, dtype: str) -> int:
    """Return the bits of one weight: (q - z) * s rounded to F32, then to ``dtype``.

    Args:
        difference: q - z, in -15..15.
        scale: bits of the scale s, in ``scale_dtype``.
        scale_dtype, dtype: keys of FORMATS.
    """
    product = encode(difference * decode(scale, FORMATS[scale_dtype]), FORMATS["F32"])
    sign, size = product & 0x8000_0000, product & 0x7FFF_FFFF
    target = FORMATS[dtype]
    if size == FORMATS["F32"].infinity:
        return target.infinity | (1 << (target.exponent + target.fraction) if sign else 0)
    value = decode(size, FORMATS["F32"])
    return encode(-value if sign else value, target)


def dequantize(
    codes: Sequence[Sequence[int]],
    zero_points: Sequence[Sequence[int]] | None,
    scales: Sequence[Sequence[int]],
    scale_dtype: str,
    dtype: str = "F32",
) -> list[list[int]]:
    """Return the bits of W (R, K) from codes (R, K), zero points (R, K/G) or None, bits of scales (R, K/G)."""
    result = []
    for n, row in enumerate(codes):
        group_size = len(row) // len(scales[n])
        result.append([
            weight(q - (8 if zero_points is None else zero_points[n][k // group_size]),
                   scales[n][k // group_size], scale_dtype, dtype)
            for k, q in enumerate(row)
        ])  # fmt: skip
    return result


def read(
    extent: bytes, rows: int, k: int, group_size: int, scale_dtype: str, *, symmetric: bool
) -> Iterator[tuple[int, int, int]]:
    """Yield (q, z, bits of s) of every element, row by row, from the stored bytes of an extent."""
    groups, width = k // group_size, {"F16": 2, "BF16": 2, "F32": 4}[scale_dtype]
    scales_at = -(-(rows * k // 2) // 64) * 64
    zeros_at = -(-(scales_at + rows * groups * width) // 64) * 64
    for n in range(rows):
        for i in range(k):
            g = i // group_size
            q = extent[(n * k + i) // 2] >> 4 * (i % 2) & 15
            z = 8 if symmetric else extent[zeros_at + n * ((groups + 1) // 2) + g // 2] >> 4 * (g % 2) & 15
            at = scales_at + (n * groups + g) * width
            yield q, z, int.from_bytes(extent[at : at + width], "little")
