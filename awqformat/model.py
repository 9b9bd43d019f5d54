"""The logical model: a quantised weight is codes, zero points and scales (spec: model)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from awqformat import dtypes
from awqformat.errors import AwqError
from awqformat.layouts import Bytes, Linear, pack_nibbles, unpack_nibbles
from awqformat.schema import Dtype

SYMMETRIC_ZERO = 8
"""The zero point of every group of a tensor that stores none."""


@dataclass(frozen=True, eq=False)
class QuantizedTensor:
    """A weight W[.., n, k] = (q[.., n, k] - z[.., n, g]) * s[.., n, g], g = k // group_size.

    N = out_features, K = in_features; leading dimensions, if any, are experts. The arrays are as they lie
    in the file, so a tensor read from a mapped file copies nothing.

    Attributes:
        packed_codes: uint8 (.., N, K // 2), the code of element 2i in the low nibble.
        scales: float16, ml_dtypes.bfloat16 or float32 (.., N, K // group_size), finite, sign bit clear.
        packed_zero_points: uint8 (.., N, ceil(K / group_size / 2)), or None when symmetric (z = 8).
    """

    packed_codes: Bytes
    scales: np.ndarray[Any, Any]
    packed_zero_points: Bytes | None = None

    @classmethod
    def from_codes(
        cls, codes: npt.ArrayLike, scales: np.ndarray[Any, Any], zero_points: npt.ArrayLike | None = None
    ) -> QuantizedTensor:
        """Build a tensor from unpacked values.

        Args:
            codes: integers 0..15, shape (.., N, K).
            scales: float16, bfloat16 or float32, shape (.., N, K // group_size); the shape sets group_size.
            zero_points: integers 0..15, the shape of ``scales``, or None for a symmetric tensor.

        Raises:
            AwqError: E_VALUE for a value out of range, E_DIMS, E_GROUP or E_RECORD for shapes and dtypes
                that the format cannot hold.
        """
        q = _nibbles(codes, "codes")
        z = None if zero_points is None else _nibbles(zero_points, "zero_points")
        if q.ndim < 2 or 0 in q.shape:
            raise AwqError("E_DIMS", "codes", "shape", expected="(.., N, K), none of them 0", got=q.shape)
        if q.shape[-1] % 8:
            raise AwqError("E_GROUP", "codes", "in_features", expected="a multiple of 8", got=q.shape[-1])
        if z is not None and (z.shape != scales.shape or not z.ndim):
            raise AwqError("E_DIMS", "zero_points", "shape", expected=scales.shape, got=z.shape)
        tensor = cls(
            pack_nibbles(q),
            np.ascontiguousarray(scales),
            None if z is None else pack_nibbles(z),
        )
        tensor.check()
        return tensor

    @property
    def shape(self) -> tuple[int, ...]:
        """(.., N, K)."""
        return (*self.packed_codes.shape[:-1], self.packed_codes.shape[-1] * 2)

    @property
    def groups(self) -> int:
        """Groups along in_features: K // group_size."""
        return int(self.scales.shape[-1])

    @property
    def group_size(self) -> int:
        """Codes that share one scale."""
        return self.shape[-1] // self.groups

    @property
    def symmetric(self) -> bool:
        """Whether the zero point is 8 everywhere because none is stored."""
        return self.packed_zero_points is None

    @property
    def scale_dtype(self) -> Dtype:
        """F16, BF16 or F32."""
        return dtypes.from_numpy(self.scales.dtype)

    @property
    def codes(self) -> Bytes:
        """The codes q, uint8 0..15, shape (.., N, K), unpacked into a new array."""
        return unpack_nibbles(self.packed_codes, self.shape[-1])

    @property
    def zero_points(self) -> Bytes | None:
        """The zero points z, uint8 0..15, shape (.., N, K // group_size), or None when symmetric."""
        return None if self.packed_zero_points is None else unpack_nibbles(self.packed_zero_points, self.groups)

    @property
    def layout(self) -> Linear:
        """The places of the three segments in the tensor's extent."""
        *lead, k = self.shape
        zero_dtype = Dtype.NONE if self.symmetric else Dtype.U4
        return Linear(int(np.prod(lead, dtype=object)), k, self.group_size, self.scale_dtype, zero_dtype)

    def check(self) -> None:
        """Refuse what the format cannot hold.

        Raises:
            AwqError: E_DIMS, E_GROUP, E_RECORD, E_PADDING or E_VALUE, with the first offending value.
        """
        if self.packed_codes.ndim < 2 or 0 in self.packed_codes.shape:
            raise AwqError("E_DIMS", "codes", "packed shape", expected="(.., N, K // 2), none of them 0",
                           got=self.packed_codes.shape)  # fmt: skip
        if self.packed_codes.dtype != np.uint8:
            raise AwqError("E_RECORD", "codes", "packed dtype", expected="uint8", got=self.packed_codes.dtype)
        *lead, k = self.shape
        if self.scales.dtype not in [dtypes.NUMPY[dtype] for dtype in dtypes.SCALES]:
            raise AwqError("E_RECORD", "scales", "dtype", expected="F16, BF16 or F32", got=self.scales.dtype)
        if self.scales.ndim != len(lead) + 1 or list(self.scales.shape[:-1]) != lead:
            raise AwqError("E_DIMS", "scales", "shape", expected=(*lead, "K / group_size"), got=self.scales.shape)
        groups = self.groups
        if k % 8 or not groups or k % groups or (k // groups) % 8:
            raise AwqError(
                "E_GROUP", "scales", "group_size", expected="K and group_size multiples of 8", got=f"{k} / {groups}"
            )
        z = self.packed_zero_points
        if z is not None:
            if z.dtype != np.uint8:
                raise AwqError("E_RECORD", "zero_points", "packed dtype", expected="uint8", got=z.dtype)
            if z.shape != (*lead, (groups + 1) // 2):
                raise AwqError(
                    "E_DIMS", "zero_points", "packed shape", expected=(*lead, (groups + 1) // 2), got=z.shape
                )
            if groups % 2 and (z[..., -1] >> 4).any():
                raise AwqError("E_PADDING", "zero_points", "odd zero point", expected=0, got=(z[..., -1] >> 4).max())
        bad = np.flatnonzero(dtypes.scale_bits(self.scales) >= dtypes.INFINITY_BITS[self.scale_dtype])
        if bad.size:
            at = tuple(int(i) for i in np.unravel_index(bad[0], self.scales.shape))
            raise AwqError("E_VALUE", "scales", f"scale {at}", expected="finite, sign bit clear", got=self.scales[at])


def _nibbles(values: npt.ArrayLike, what: str) -> Bytes:
    array = np.asarray(values)
    if array.dtype.kind not in "iu":
        raise AwqError("E_VALUE", what, "dtype", expected="integers", got=array.dtype)
    bad = np.flatnonzero((array < 0) | (array > 15))
    if bad.size:
        at = tuple(int(i) for i in np.unravel_index(bad[0], array.shape))
        raise AwqError("E_VALUE", what, f"value {at}", expected="0..15", got=array[at])
    return array.astype(np.uint8)
