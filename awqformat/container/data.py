"""Stage D: digests, padding and scales of one extent (spec: container, "Order of checks")."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np

from awqformat import dtypes
from awqformat.errors import AwqError
from awqformat.layouts import Bytes, Linear
from awqformat.model import QuantizedTensor
from awqformat.schema import DIGEST_CHUNK, Dtype


@dataclass(frozen=True)
class TensorInfo:
    """What the index says of one tensor.

    Attributes:
        name: the tensor's name.
        number: its place in the index.
        dtype: element type; U4 means quantised.
        shape: dimensions, row-major; (.., N, K) when quantised.
        scale_dtype, zero_dtype, group_size: NONE, NONE and 0 when plain.
        offset, size: the extent in the file, in bytes, padding included.
    """

    name: str
    number: int
    dtype: Dtype
    shape: tuple[int, ...]
    scale_dtype: Dtype
    zero_dtype: Dtype
    group_size: int
    offset: int
    size: int

    @classmethod
    def from_record(cls, record: Any, number: int, name: str) -> TensorInfo:
        """Return what a valid ``record`` of the index says."""
        return cls(
            name,
            number,
            Dtype(int(record["dtype"])),
            tuple(int(dim) for dim in record["dims"][: record["ndim"]]),
            Dtype(int(record["scale_dtype"])),
            Dtype(int(record["zero_dtype"])),
            int(record["group_size"]),
            int(record["data_off"]),
            int(record["extent_size"]),
        )

    @property
    def quantized(self) -> bool:
        """Whether the tensor is codes, scales and zero points rather than plain values."""
        return self.dtype is Dtype.U4

    @property
    def layout(self) -> Linear:
        """The places of the segments of a quantised tensor."""
        rows = 1
        for dim in self.shape[:-1]:
            rows *= dim
        return Linear(rows, self.shape[-1], self.group_size, self.scale_dtype, self.zero_dtype)

    @property
    def bulk(self) -> int:
        """Bytes of codes or of plain values, with which the extent begins; any of them is as good as another."""
        return self.layout.codes_size if self.quantized else self.plain_size

    @property
    def plain_size(self) -> int:
        """Bytes of a plain tensor's values, without padding."""
        elements = 1
        for dim in self.shape:
            elements *= dim
        return elements * self.dtype.bits // 8


def check_extent(info: TensorInfo, extent: memoryview, digests: memoryview) -> None:
    """Verify one extent against its rows of DIGEST, then its padding, then its scales.

    Raises:
        AwqError: E_DIGEST, E_PADDING or E_VALUE, in that order.
    """
    for number, start in enumerate(range(0, info.size, DIGEST_CHUNK)):
        check_chunk(info, number, extent[start : start + DIGEST_CHUNK], digests)
    check_rest(info, extent[info.bulk :])


def check_chunk(info: TensorInfo, number: int, chunk: memoryview, digests: memoryview) -> None:
    """Verify one chunk of an extent against its row of DIGEST.

    Raises:
        AwqError: E_DIGEST.
    """
    digest = hashlib.sha256(chunk).digest()
    row = bytes(digests[32 * number : 32 * number + 32])
    if digest != row:
        raise AwqError("E_DIGEST", info.name, f"chunk {number}", offset=info.offset + number * DIGEST_CHUNK,
                       expected=digest.hex(), got=row.hex())  # fmt: skip


def check_rest(info: TensorInfo, rest: memoryview) -> None:
    """Verify what follows the codes or plain values of an extent: padding, then scales.

    Raises:
        AwqError: E_PADDING or E_VALUE, in that order.
    """
    data = np.frombuffer(rest, np.uint8)
    if not info.quantized:
        _check_zero(info, data, info.bulk, info.size, "padding")
        return
    layout, begin = info.layout, info.bulk
    _check_zero(info, data, begin, layout.scales_at, "padding after codes")
    _check_zero(info, data, layout.scales_end, layout.zeros_at, "padding after scales")
    if layout.zero_row and layout.groups % 2:
        high = data[layout.zeros_at - begin : layout.end - begin].reshape(layout.rows, -1)[:, -1] >> 4
        for row in np.flatnonzero(high)[:1]:
            at = info.offset + layout.zeros_at + int(row + 1) * layout.zero_row - 1
            raise AwqError("E_PADDING", info.name, "odd zero point", offset=at, expected=0, got=high[row])
    _check_zero(info, data, layout.end, info.size, "padding")
    width = info.scale_dtype.bits // 8
    bits = data[layout.scales_at - begin : layout.scales_end - begin].view(f"<u{width}")
    for i in np.flatnonzero(bits >= dtypes.INFINITY_BITS[info.scale_dtype])[:1]:
        at = info.offset + layout.scales_at + int(i) * width
        raise AwqError("E_VALUE", info.name, f"scale {i}", offset=at,
                       expected="finite, sign bit clear", got=f"{bits[i]:#0{2 + 2 * width}x}")  # fmt: skip


def _check_zero(info: TensorInfo, data: Bytes, start: int, end: int, field: str) -> None:
    """Refuse anything but zeros from ``start`` to ``end`` of an extent; ``data`` begins behind its bulk."""
    padding = data[start - info.bulk : end - info.bulk]
    for i in np.flatnonzero(padding)[:1]:
        raise AwqError("E_PADDING", info.name, field, offset=info.offset + start + int(i), expected=0, got=padding[i])


def quantized_tensor(info: TensorInfo, extent: memoryview) -> QuantizedTensor:
    """Return the segments of a quantised tensor as arrays that look into ``extent``."""
    layout, data = info.layout, np.frombuffer(extent, np.uint8)
    *lead, k = info.shape
    codes = data[: layout.codes_size].reshape(*lead, k // 2)
    scales = data[layout.scales_at : layout.scales_end].view(dtypes.NUMPY[info.scale_dtype])
    zeros = data[layout.zeros_at : layout.end].reshape(*lead, -1) if layout.zero_row else None
    return QuantizedTensor(codes, scales.reshape(*lead, layout.groups), zeros)


def plain_tensor(info: TensorInfo, extent: memoryview) -> np.ndarray[Any, Any]:
    """Return a plain tensor as an array that looks into ``extent``."""
    data = np.frombuffer(extent, np.uint8)[: info.plain_size]
    return data.view(dtypes.NUMPY[info.dtype]).reshape(info.shape)
