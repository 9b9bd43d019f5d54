"""The parts of an .awq file that a loader needs to find its tensors, read from bytes (spec: container).

Only for files that have been validated; and, for loaders that skip digests, the same file with right ones.
"""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass
from math import prod
from typing import Final

UNIT: Final = 64
CHUNK: Final = 1 << 20
META, STRINGS, INDEX, DIGEST, DATA = 0x10, 0x20, 0x30, 0x60, 0x100
U4: Final = 16
SCALE_BYTES: Final = {0: 0, 10: 2, 11: 2, 12: 4}
F16, BF16, F32 = 10, 11, 12
_BITS: Final = (0, 8, 8, 8, 16, 16, 32, 32, 64, 64, 16, 16, 32, 64, 8, 8, 4)


def up(value: int, unit: int = UNIT) -> int:
    """Return the next multiple of ``unit``."""
    return -(-value // unit) * unit


@dataclass(frozen=True)
class Section:
    """One entry of the section table; ``at`` is where the entry itself stands."""

    at: int
    kind: int
    offset: int
    size: int


@dataclass(frozen=True)
class Record:
    """One record of the index. ``shape`` is [.., N, K] for a quantised tensor; ``at`` is where its extent starts."""

    number: int
    name: str
    shape: tuple[int, ...]
    dtype: int
    scale_dtype: int
    zero_dtype: int
    group_size: int
    at: int
    extent_size: int

    @property
    def quantised(self) -> bool:
        """Return whether the tensor has codes."""
        return self.dtype == U4

    @property
    def columns(self) -> int:
        """Return K."""
        return self.shape[-1]

    @property
    def rows(self) -> int:
        """Return R, the product of all dimensions but the last."""
        return prod(self.shape[:-1])

    @property
    def groups(self) -> int:
        """Return K / G."""
        return self.columns // self.group_size

    @property
    def symmetric(self) -> bool:
        """Return whether no zero points are stored."""
        return self.zero_dtype == 0

    @property
    def plain_size(self) -> int:
        """Return the bytes of a plain tensor, without padding."""
        return prod(self.shape) * _BITS[self.dtype] // 8

    @property
    def scales_at(self) -> int:
        """Return where the scales start, from the start of the extent."""
        return up(self.rows * self.columns // 2)

    @property
    def zeros_at(self) -> int:
        """Return where the zero points start, from the start of the extent."""
        return up(self.scales_at + self.rows * self.groups * SCALE_BYTES[self.scale_dtype])


def sections(data: bytes) -> dict[int, Section]:
    """Return the section table by type."""
    count = int.from_bytes(data[20:22], "little")
    found = {}
    for at in range(UNIT, UNIT * (count + 1), UNIT):
        kind, _, offset, size = struct.unpack_from("<IIQQ", data, at)
        found[kind] = Section(at, kind, offset, size)
    return found


def alignment(data: bytes) -> int:
    """Return A."""
    return 1 << data[22]


def records(data: bytes) -> list[Record]:
    """Return the index in its order."""
    table = sections(data)
    strings, index = table[STRINGS].offset, table[INDEX]
    found = []
    for number in range(index.size // UNIT):
        name_off, name_len, ndim, dtype, scale, zero, _, _, group, *dims, at, size = struct.unpack_from(
            "<IHBBBBBBI8IQQ", data, index.offset + UNIT * number
        )
        name = data[strings + name_off : strings + name_off + name_len].decode("ascii")
        found.append(Record(number, name, tuple(dims[:ndim]), dtype, scale, zero, group, at, size))
    return found


def with_right_chunks(data: bytes, first_chunk: int = 0, first_tensor: int = 0) -> bytes:
    """Return the file with right digests of chunks, from a chunk of each tensor and from a tensor on.

    Raises ValueError where an extent is not in the file.
    """
    fixed = bytearray(data)
    row = sections(data)[DIGEST].offset
    for record in records(data):
        if record.at + record.extent_size > len(data):
            raise ValueError("an extent ends behind the file")
        for chunk, start in enumerate(range(0, record.extent_size, CHUNK)):
            if chunk >= first_chunk and record.number >= first_tensor:
                end = record.at + min(start + CHUNK, record.extent_size)
                fixed[row : row + 32] = hashlib.sha256(data[record.at + start : end]).digest()
            row += 32
    return with_right_sections(bytes(fixed))


def with_right_sections(data: bytes) -> bytes:
    """Return the file with right digests of sections, and of header and table."""
    fixed = bytearray(data)
    for section in sections(data).values():
        if section.kind != DATA and section.offset + section.size <= len(data):
            body = data[section.offset : section.offset + section.size]
            fixed[section.at + 32 : section.at + 64] = hashlib.sha256(body).digest()
    return with_right_root(bytes(fixed))


def with_right_root(data: bytes) -> bytes:
    """Return the file with the right digest of header and table."""
    fixed = bytearray(data)
    root = UNIT * (int.from_bytes(data[20:22], "little") + 1)
    fixed[root : root + 32] = hashlib.sha256(data[:root]).digest()
    return bytes(fixed[: len(data)])
