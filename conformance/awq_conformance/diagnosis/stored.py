"""A tensor as its bytes lie in the file, and how they are to be read (spec: model, container)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import TYPE_CHECKING, Final

import numpy as np

from awq_conformance.diagnosis.weight import Array, Weight

if TYPE_CHECKING:
    from pathlib import Path

SCALE_BYTES: Final = {"F16": 2, "BF16": 2, "F32": 4}
_UNIT: Final = 64  # what the parts of an extent are aligned to


def up(value: int, unit: int = _UNIT) -> int:
    """Return the next multiple of ``unit``."""
    return -(-value // unit) * unit


@dataclass(frozen=True)
class Stored(Weight):
    """One quantised tensor of a valid file. ``at`` is where its extent starts, ``others`` are all extents by number.

    ``alignment`` is A, ``data_at`` where DATA starts; ``others`` holds (number, offset, bytes without padding, whether
    it is quantised).
    """

    data: bytes
    number: int
    shape: tuple[int, ...]
    group_size: int
    scale_dtype: str
    symmetric: bool
    at: int
    alignment: int
    data_at: int
    others: tuple[tuple[int, int, int, bool], ...]
    first_group_size: int

    @property
    def codes_size(self) -> int:
        """Return the bytes of the codes."""
        return self.rows * self.columns // 2

    @property
    def scales_size(self) -> int:
        """Return the bytes of the scales."""
        return self.rows * self.groups * SCALE_BYTES[self.scale_dtype]

    @property
    def zeros_at(self) -> int:
        """Return where the zero points start, from the start of the extent."""
        return up(up(self.codes_size) + self.scales_size)

    @property
    def zeros_width(self) -> int:
        """Return the bytes of a row of zero points."""
        return (self.groups + 1) // 2

    def bytes_at(self, at: int, size: int) -> Array:
        """Return bytes from ``at`` of the extent, zeros where the file ends."""
        start = max(self.at + at, 0)
        found = np.frombuffer(self.data[start : start + size], np.uint8)
        return np.concatenate([found, np.zeros(size - len(found), np.uint8)])

    def code_nibbles(self, at: int = 0) -> Array:
        """Return as many nibbles as there are codes, from byte ``at`` of the extent, low ones first."""
        return nibbles(self.bytes_at(at, self.codes_size))

    @cached_property
    def codes(self) -> Array:
        """Return q (R, K)."""
        return self.code_nibbles().reshape(self.rows, self.columns)

    @cached_property
    def zeros(self) -> Array:
        """Return z (R, K / G)."""
        if self.symmetric:
            return np.full((self.rows, self.groups), 8, np.int64)
        packed = self.bytes_at(self.zeros_at, self.rows * self.zeros_width)
        return nibbles(packed).reshape(self.rows, -1)[:, : self.groups]

    def scale_bytes(self, at: int | None = None, size: int | None = None) -> Array:
        """Return the bytes of the scales, or ``size`` bytes from another place in the extent."""
        return self.bytes_at(up(self.codes_size) if at is None else at, self.scales_size if size is None else size)

    @cached_property
    def scales(self) -> Array:
        """Return s (R, K / G), widened to f32."""
        return widen(self.scale_bytes(), self.scale_dtype).reshape(self.rows, self.groups)


def nibbles(packed: Array) -> Array:
    """Return two numbers for each byte, the low nibble first."""
    return np.stack([packed & 15, packed >> 4], axis=-1).reshape(-1).astype(np.int64)


def widen(raw: Array, dtype: str) -> Array:
    """Return the numbers that ``raw`` holds, as f32."""
    if dtype == "BF16":
        return (raw.view("<u2").astype(np.uint32) << 16).view(np.float32)
    with np.errstate(invalid="ignore"):
        return raw.view("<f2" if dtype == "F16" else "<f4").astype(np.float32)


def turned(values: Array, t: Stored, *, whole: bool = False) -> Array:
    """Return values per group (R, K / G) as if each matrix, or the ``whole`` of them, were stored as [K/G, N]."""
    rows = t.rows if whole else t.shape[-2]
    result: Array = values.reshape(-1, t.groups, rows).transpose(0, 2, 1).reshape(t.rows, t.groups)
    return result


def stored_in(path: Path) -> dict[int, Stored]:
    """Return the quantised tensors of a valid file by number."""
    import awqformat  # only here: what is judged must not depend on it

    data = path.read_bytes()
    with awqformat.safe_open(path, verify="none") as file:
        infos = [file.info(name) for name in file.keys()]  # noqa: SIM118
        alignment = file.preamble.alignment
    data_at = min((info.offset for info in infos), default=0)
    extents = []
    for info in infos:
        size = prod(info.shape) * info.dtype.bits // 8
        if info.quantized:
            groups = info.shape[-1] // info.group_size
            rows = prod(info.shape[:-1])
            scales = up(up(size) + rows * groups * SCALE_BYTES[info.scale_dtype.name])
            size = scales + (rows * ((groups + 1) // 2) if info.zero_dtype else 0)
        extents.append((info.number, info.offset, size, info.quantized))
    first = next((info.group_size for info in infos if info.quantized), 0)
    return {
        info.number: Stored(
            data,
            info.number,
            info.shape,
            info.group_size,
            info.scale_dtype.name,
            not info.zero_dtype,
            info.offset,
            alignment,
            data_at,
            tuple(extents),
            first,
        )
        for info in infos
        if info.quantized
    }
