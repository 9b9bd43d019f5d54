"""The layout of the fixed structures, stated a second time, as literal numbers."""

from __future__ import annotations

from enum import IntEnum

import pytest

from awqformat import schema
from awqformat.fields import walk

OFFSETS = {
    "header": [
        ("magic", 0, 8), ("major", 8, 2), ("minor", 10, 2), ("features", 12, 4), ("tensor_count", 16, 4),
        ("section_count", 20, 2), ("align_log2", 22, 1), ("hash_alg", 23, 1), ("file_size", 24, 8),
        ("file_id", 32, 16), ("reserved", 48, 16),
    ],
    "section": [
        ("type", 0, 4), ("flags", 4, 4), ("offset", 8, 8), ("size", 16, 8), ("reserved", 24, 8), ("digest", 32, 32),
    ],
    "tail": [("root", 0, 32), ("mac", 32, 32)],
    "record": [
        ("name_off", 0, 4), ("name_len", 4, 2), ("ndim", 6, 1), ("dtype", 7, 1), ("scale_dtype", 8, 1),
        ("zero_dtype", 9, 1), ("layout", 10, 1), ("reserved", 11, 1), ("group_size", 12, 4), ("dims", 16, 32),
        ("data_off", 48, 8), ("extent_size", 56, 8),
    ],
}  # fmt: skip

MEMBERS: dict[type[IntEnum], dict[str, int]] = {
    schema.SectionType: {
        "META": 0x10, "STRINGS": 0x20, "INDEX": 0x30, "CRYPT": 0x40, "TAGS": 0x50, "DIGEST": 0x60, "DATA": 0x100,
    },
    schema.Dtype: {
        "NONE": 0, "BOOL": 1, "U8": 2, "I8": 3, "U16": 4, "I16": 5, "U32": 6, "I32": 7, "U64": 8, "I64": 9,
        "F16": 10, "BF16": 11, "F32": 12, "F64": 13, "F8_E4M3": 14, "F8_E5M2": 15, "U4": 16,
    },
    schema.Layout: {"LINEAR": 0},
    schema.Limit: {
        "SECTIONS_MIN": 4, "SECTIONS_MAX": 16, "TENSORS_MAX": 2**20, "NAME_MAX": 255, "NDIM_MAX": 8,
        "ELEMENTS_MAX": 2**40, "FILE_MAX": 2**48, "META_MAX": 2**20, "STRINGS_MAX": 2**26, "UNKNOWN_MAX": 2**26,
        "ALIGN_LOG2_MIN": 6, "ALIGN_LOG2_MAX": 12,
    },
}  # fmt: skip

BITS = {"NONE": 0, "BOOL": 8, "U8": 8, "I8": 8, "U16": 16, "I16": 16, "U32": 32, "I32": 32, "U64": 64, "I64": 64,
        "F16": 16, "BF16": 16, "F32": 32, "F64": 64, "F8_E4M3": 8, "F8_E5M2": 8, "U4": 4}  # fmt: skip


@pytest.mark.parametrize("name", OFFSETS)
def test_fields_lie_where_the_format_says(name: str) -> None:
    """Every structure has 64 bytes and every field its offset and size, without gaps."""
    structure = schema.STRUCTURES[name]
    assert [(field.name, field.offset, field.size) for field in walk(structure)] == OFFSETS[name]
    assert structure.sizeof() == 64


def test_no_structure_is_left_out() -> None:
    """The table above covers all structures."""
    assert schema.STRUCTURES.keys() == OFFSETS.keys()


@pytest.mark.parametrize("enum", MEMBERS, ids=lambda enum: enum.__name__)
def test_numbers_are_those_of_the_format(enum: type[IntEnum]) -> None:
    """Section types, dtypes, layouts and limits have their numbers, and there are no others."""
    assert {name: member.value for name, member in enum.__members__.items()} == MEMBERS[enum]


def test_constants_are_those_of_the_format() -> None:
    """Magic, flags and sizes are those of the format."""
    assert schema.MAGIC.hex(" ") == "89 41 57 51 0d 0a 1a 0a"
    assert (schema.MAJOR, schema.HASH_SHA256, schema.UNIT) == (1, 1, 64)
    assert (schema.DIGEST_CHUNK, schema.FIRST_PRIVATE) == (1048576, 0x80000000)
    assert (schema.Feature.ENCRYPTED, schema.SectionFlag.CRITICAL) == (1, 1)


def test_element_sizes() -> None:
    """Every dtype knows the size of its elements in bits."""
    assert {dtype.name: dtype.bits for dtype in schema.Dtype} == BITS


@pytest.mark.parametrize(
    ("value", "alignment", "expected"),
    [(0, 64, 0), (1, 64, 64), (64, 64, 64), (65, 64, 128), (2**64 - 1, 64, 2**64), (1, 4096, 4096)],
)
def test_up_rounds_to_the_next_multiple(value: int, alignment: int, expected: int) -> None:
    """The next multiple of an alignment is never below the value, and never wraps."""
    assert schema.up(value, alignment) == expected
