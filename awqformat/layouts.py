"""Where the values of a quantised tensor lie inside its extent (spec: container, "Quantised tensors")."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from awqformat.schema import UNIT, Dtype, up

Bytes = np.ndarray[Any, np.dtype[np.uint8]]


@dataclass(frozen=True)
class Linear:
    """Layout 0: codes, scales, zero points, each row-major, each segment at a multiple of 64.

    Offsets and sizes are in bytes from the start of the extent and never stored in the file: they follow
    from ``rows`` (the product of all dimensions but the last), ``k`` (in_features) and ``group_size``.
    """

    rows: int
    k: int
    group_size: int
    scale_dtype: Dtype
    zero_dtype: Dtype

    @property
    def groups(self) -> int:
        """Scales per row."""
        return self.k // self.group_size

    @property
    def codes_size(self) -> int:
        """Bytes of the codes, which start at 0."""
        return self.rows * self.k // 2

    @property
    def scales_at(self) -> int:
        """Start of the scales."""
        return up(self.codes_size, UNIT)

    @property
    def scales_end(self) -> int:
        """End of the scales."""
        return self.scales_at + self.rows * self.groups * self.scale_dtype.bits // 8

    @property
    def zeros_at(self) -> int:
        """Start of the zero points; of the padding after the scales when there are none."""
        return up(self.scales_end, UNIT)

    @property
    def zero_row(self) -> int:
        """Bytes of the zero points of one row; 0 when symmetric."""
        return 0 if self.zero_dtype is Dtype.NONE else (self.groups + 1) // 2

    @property
    def end(self) -> int:
        """End of the last segment, before the padding to the alignment of the file."""
        return self.zeros_at + self.rows * self.zero_row if self.zero_row else self.scales_end


def pack_nibbles(values: Bytes) -> Bytes:
    """Pack values 0..15 of shape (.., n) into bytes of shape (.., ceil(n / 2)), element 2i in the low nibble.

    A last odd element leaves the high nibble of its byte zero.
    """
    *lead, n = values.shape
    packed = np.zeros((*lead, (n + 1) // 2), np.uint8)
    packed[...] = values[..., 0::2]
    packed[..., : n // 2] |= values[..., 1::2] << 4
    return packed


def unpack_nibbles(packed: Bytes, n: int) -> Bytes:
    """Return the first ``n`` nibbles of each row of ``packed`` (.., ceil(n / 2)) as bytes of shape (.., n)."""
    values = np.empty((*packed.shape[:-1], n), np.uint8)
    np.bitwise_and(packed, 0x0F, out=values[..., 0::2])
    np.right_shift(packed[..., : n // 2], 4, out=values[..., 1::2])
    return values
