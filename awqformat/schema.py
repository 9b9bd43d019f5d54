"""The AWQ binary file, major version 1, declared once (spec: container).

Every structure is 64 bytes or a multiple, little-endian, unsigned. Everything else that states the
layout (numpy dtypes, the C header, the tables of the spec) is derived from these declarations.

    0            HEADER 64 | SECTION 64 * section_count | TAIL 64
    64 * (n+2)   [META] STRINGS INDEX [CRYPT TAGS] DIGEST [private] DATA

The declarations say where bytes are, never whether they are legal: the rules live in
:mod:`awqformat.container`, in the order the spec gives them.
"""

from __future__ import annotations

from enum import IntEnum, IntFlag
from typing import Final

from construct import Array, Bytes, Default, Enum, Int8ul, Int16ul, Int32ul, Int64ul, Struct

MAGIC: Final = b"\x89AWQ\r\n\x1a\n"
MAJOR: Final = 1
HASH_SHA256: Final = 1
UNIT: Final = 64  # size of every fixed structure, and the alignment of sections and segments
DIGEST_CHUNK: Final = 1 << 20  # bytes of an extent covered by one row of DIGEST
FIRST_PRIVATE: Final = 0x8000_0000  # section types from here on belong to nobody


class Feature(IntFlag):
    """Bits of ``features``: what a reader must understand before it reads on."""

    ENCRYPTED = 1


class SectionFlag(IntFlag):
    """Bits of a section's ``flags``."""

    CRITICAL = 1


class SectionType(IntEnum):
    """Section types of major version 1, ascending as in the table."""

    META = 0x10
    STRINGS = 0x20
    INDEX = 0x30
    CRYPT = 0x40
    TAGS = 0x50
    DIGEST = 0x60
    DATA = 0x100


class Dtype(IntEnum):
    """Element types; the list is closed."""

    NONE = 0
    BOOL = 1
    U8 = 2
    I8 = 3
    U16 = 4
    I16 = 5
    U32 = 6
    I32 = 7
    U64 = 8
    I64 = 9
    F16 = 10
    BF16 = 11
    F32 = 12
    F64 = 13
    F8_E4M3 = 14
    F8_E5M2 = 15
    U4 = 16

    @property
    def bits(self) -> int:
        """Size of one element in bits; 0 for NONE."""
        return _BITS[self]


_BITS: Final = (0, 8, 8, 8, 16, 16, 32, 32, 64, 64, 16, 16, 32, 64, 8, 8, 4)


class Layout(IntEnum):
    """Storage layouts of quantised tensors; 1..127 are reserved, 128..255 private."""

    LINEAR = 0


class Limit(IntEnum):
    """Bounds of major version 1, each inclusive."""

    SECTIONS_MIN = 4
    SECTIONS_MAX = 16
    TENSORS_MAX = 1 << 20
    NAME_MAX = 255
    NDIM_MAX = 8
    ELEMENTS_MAX = 1 << 40
    FILE_MAX = 1 << 48
    META_MAX = 1 << 20
    STRINGS_MAX = 64 << 20
    UNKNOWN_MAX = 64 << 20  # META and all sections without a name here, together
    ALIGN_LOG2_MIN = 6
    ALIGN_LOG2_MAX = 12


HEADER: Final = Struct(
    "magic" / Default(Bytes(8), MAGIC) * "`89 41 57 51 0D 0A 1A 0A`",
    "major" / Default(Int16ul, MAJOR) * "major version, 1",
    "minor" / Default(Int16ul, 0) * "minor version, information only",
    "features" / Default(Int32ul, 0) * "bit 0 ENCRYPTED; no other bit is defined",
    "tensor_count" / Int32ul * "number of index records",
    "section_count" / Int16ul * "number of section entries, n",
    "align_log2" / Int8ul * "A = 1 << align_log2 aligns DATA and every extent",
    "hash_alg" / Default(Int8ul, HASH_SHA256) * "1 = SHA-256",
    "file_size" / Int64ul * "size of the whole file in bytes",
    "file_id" / Default(Bytes(16), bytes(16)) * "zero unless ENCRYPTED",
    "reserved" / Default(Bytes(16), bytes(16)) * "zero",
)

SECTION: Final = Struct(
    "type" / Enum(Int32ul, SectionType) * "what the section is",
    "flags" / Int32ul * "bit 0 CRITICAL; no other bit is defined",
    "offset" / Int64ul * "from the start of the file, a multiple of 64",
    "size" / Int64ul * "in bytes, without padding",
    "reserved" / Default(Int64ul, 0) * "zero",
    "digest" / Bytes(32) * "SHA-256 of the section's bytes; zero for DATA",
)

TAIL: Final = Struct(
    "root" / Bytes(32) * "SHA-256 of header and section table",
    "mac" / Default(Bytes(32), bytes(32)) * "zero unless ENCRYPTED",
)

RECORD: Final = Struct(
    "name_off" / Int32ul * "offset of the name in STRINGS",
    "name_len" / Int16ul * "length of the name in bytes, 1..255",
    "ndim" / Int8ul * "number of dimensions",
    "dtype" / Enum(Int8ul, Dtype) * "element type; U4 means quantised, any other plain",
    "scale_dtype" / Enum(Int8ul, Dtype) * "F16, BF16 or F32 when quantised, else NONE",
    "zero_dtype" / Enum(Int8ul, Dtype) * "U4, or NONE when symmetric or plain",
    "layout" / Enum(Int8ul, Layout) * "0 linear",
    "reserved" / Default(Int8ul, 0) * "zero",
    "group_size" / Int32ul * "codes per scale along in_features; 0 when plain",
    "dims" / Array(8, Int32ul) * "row-major shape; unused entries are 0",
    "data_off" / Int64ul * "start of the extent, from the start of the file",
    "extent_size" / Int64ul * "size of the extent in bytes, padding included",
)

STRUCTURES: Final = {"header": HEADER, "section": SECTION, "tail": TAIL, "record": RECORD}


def up(value: int, alignment: int) -> int:
    """Return the next multiple of ``alignment`` (a power of two) that is not below ``value``."""
    return (value + alignment - 1) & -alignment
