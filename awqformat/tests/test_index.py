"""Stage I: every rule on a small file, and the vectorised checks against a slow checker of one record at a time."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from awqformat import AwqError, safe_open, save_file
from awqformat.container.index import check_records
from awqformat.fields import RECORD_DTYPE
from awqformat.tests import damage, slow_index
from awqformat.tests.damage import (
    BYTE_11,
    DATA_OFF,
    DIMS,
    DTYPE,
    EXTENT,
    GROUP,
    LAYOUT,
    NAME_LEN,
    NAME_OFF,
    NDIM,
    SCALE,
    STRINGS_AT,
    ZERO,
    A,
    B,
    C,
    Edit,
)


def refusal(path: Path, data: bytes | bytearray) -> str:
    """Return the message with which these bytes are refused on opening."""
    with pytest.raises(AwqError) as caught:
        safe_open(damage.stored(path, data))
    return str(caught.value)


def dims(*values: int) -> bytes:
    """Return the dims field."""
    return struct.pack("<8I", *values, *[0] * (8 - len(values)))


ALPHABET = r"[A-Za-z0-9_][A-Za-z0-9._-]*"
GROUPING = "a multiple of 8 that divides in_features"

FAULTS: list[tuple[str, Sequence[Edit], str]] = [
    ("name_len 0", [(A + NAME_LEN, "<H", 0)], "E_NAME tensor 0: name_len, at byte 644, expected 1..255, got 0"),
    ("name_len 256", [(B + NAME_LEN, "<H", 256)], "E_NAME tensor 1: name_len, at byte 708, expected 1..255, got 256"),
    ("name past STRINGS", [(C + NAME_LEN, "<H", 2)], "E_NAME tensor 2: name_off, at byte 768, expected 2, got 2"),
    ("overlap", [(B + NAME_OFF, "<I", 0)], "E_NAME tensor 1: name_off, at byte 704, expected 1, got 0"),
    ("gap", [(B + NAME_OFF, "<I", 2)], "E_NAME tensor 1: name_off, at byte 704, expected 1, got 2"),
    ("name_off 2^32 - 1", [(A + NAME_OFF, "<I", 2**32 - 1)], "E_NAME tensor 0: name_off, at byte 640, expected 0"),
    *[
        (f"name {byte!r}", [(STRINGS_AT + 1, "", byte)],
         f"E_NAME tensor 1: name_off, at byte 704, expected {ALPHABET}, got ")
        for byte in (b"\0", b" ", b"/", b"\\", b"\n", b"\x1b", b".", b"-", b"\xe9", b"\xff", b"@", b"[", b"`", b"{")
    ],
    ("duplicate name", [(STRINGS_AT + 1, "", b"a")],
     "E_NAME_ORDER tensor 1: name_off, at byte 704, expected a name above the one before, got a"),
    ("descending names", [(STRINGS_AT + 1, "", b"Z")], "E_NAME_ORDER tensor 1: name_off, at byte 704"),
    ("ndim 9", [(A + NDIM, "B", 9)], "E_DIMS a: ndim, at byte 646, expected 0..8, got 9"),
    ("ndim 255", [(B + NDIM, "B", 255)], "E_DIMS b: ndim, at byte 710, expected 2..8, got 255"),
    ("quantised ndim 0", [(B + NDIM, "B", 0)], "E_DIMS b: ndim, at byte 710, expected 2..8, got 0"),
    ("quantised ndim 1", [(B + NDIM, "B", 1)], "E_DIMS b: ndim, at byte 710, expected 2..8, got 1"),
    ("dtype 0", [(A + DTYPE, "B", 0)], "E_ENUM a: dtype, at byte 647, expected 1..16, got 0"),
    ("dtype 17", [(B + DTYPE, "B", 17)], "E_ENUM b: dtype, at byte 711, expected 1..16, got 17"),
    ("dtype 255", [(A + DTYPE, "B", 255)], "E_ENUM a: dtype, at byte 647, expected 1..16, got 255"),
    ("scale_dtype 17", [(B + SCALE, "B", 17)], "E_ENUM b: scale_dtype, at byte 712, expected 0..16, got 17"),
    ("plain scale_dtype 255", [(A + SCALE, "B", 255)], "E_ENUM a: scale_dtype, at byte 648, expected 0..16, got 255"),
    ("zero_dtype 17", [(B + ZERO, "B", 17)], "E_ENUM b: zero_dtype, at byte 713, expected 0..16, got 17"),
    *[
        (f"scale_dtype {n}", [(B + SCALE, "B", n)],
         f"E_RECORD b: scale_dtype, at byte 712, expected F16 or BF16 or F32, got {n}")
        for n in (0, 3, 9, 13, 16)
    ],
    *[
        (f"zero_dtype {n}", [(B + ZERO, "B", n)], f"E_RECORD b: zero_dtype, at byte 713, expected NONE or U4, got {n}")
        for n in (2, 10, 15)
    ],
    ("plain with scale_dtype", [(A + SCALE, "B", 10)], "E_RECORD a: scale_dtype, at byte 648, expected NONE, got 10"),
    ("plain with zero_dtype", [(A + ZERO, "B", 16)], "E_RECORD a: zero_dtype, at byte 649, expected NONE, got 16"),
    ("plain with layout", [(A + LAYOUT, "B", 128)], "E_RECORD a: layout, at byte 650, expected 0, got 128"),
    ("plain with group_size", [(A + GROUP, "<I", 8)], "E_RECORD a: group_size, at byte 652, expected 0, got 8"),
    ("scalar of 16 codes", [(A + DTYPE, "B", 16)], "E_DIMS a: ndim, at byte 646, expected 2..8, got 1"),
    *[
        (f"layout {n}", [(B + LAYOUT, "B", n)], f"E_FEATURE b: layout, at byte 714, expected 0, got {n}")
        for n in (1, 127, 128, 255)
    ],
    ("byte 11", [(C + BYTE_11, "B", 1)], "E_RESERVED c: reserved, at byte 779, expected 0, got 1"),
    ("dim 0", [(A + DIMS, "<I", 0)], "E_DIMS a: dims, at byte 656, expected 1..2^32-1 within ndim, got [0, 0, 0, 0,"),
    ("inner dim 0", [(C + DIMS + 4, "<I", 0)],
     "E_DIMS c: dims, at byte 784, expected 1..2^32-1 within ndim, got [2, 0, 16"),
    ("dim beyond ndim", [(A + DIMS + 28, "<I", 1)],
     "E_RESERVED a: dims, at byte 656, expected 0 beyond ndim, got [3, 0, 0, 0, 0, 0, 0, 1]"),
    ("2^40 + 2^32 elements", [(A + NDIM, "B", 2), (A + DIMS, "", dims(257, 2**32 - 1))],
     "E_OVERFLOW a: dims, at byte 656, expected at most 2^40 elements, got [257, 4294967295, 0"),
    ("three dims for ndim 2", [(A + NDIM, "B", 2), (A + DIMS, "", dims(2**31, 2**31, 4))], "E_RESERVED a: dims"),
    ("product wraps to 0", [(A + NDIM, "B", 3), (A + DIMS, "", dims(2**31, 2**31, 4))], "E_OVERFLOW a: dims"),
    ("product 2^64 + 3 * 2^62", [(A + NDIM, "B", 3), (A + DIMS, "", dims(2**31, 2**31, 7))], "E_OVERFLOW a: dims"),
    ("product wraps to the true 3", [(A + NDIM, "B", 7), (A + DIMS, "", dims(3, *[641, 6700417, 2**32 - 1] * 2))],
     "E_OVERFLOW a: dims, at byte 656, expected at most 2^40 elements"),  # (2^64 - 1)^2 is 1 modulo 2^64
    ("8 dims of 2^32 - 1", [(B + NDIM, "B", 8), (B + DIMS, "", dims(*[2**32 - 1] * 8))], "E_OVERFLOW b: dims"),
    ("plain dim 2^31", [(A + DIMS, "<I", 2**31)], "E_SIZE a: extent_size, at byte 696, expected 8589934592, got 64"),
    ("N 2^32 - 1", [(B + DIMS, "<I", 2**32 - 1)], "E_SIZE b: extent_size, at byte 760, expected 85899345920, got 192"),
    ("K 2^32 - 1", [(B + DIMS + 4, "<I", 2**32 - 1)],
     "E_GROUP b: dims, at byte 720, expected in_features a multiple of 8"),
    ("K 20", [(B + DIMS + 4, "<I", 20)],
     "E_GROUP b: dims, at byte 720, expected in_features a multiple of 8, got [2, 20,"),
    *[
        (f"group_size {n}", [(B + GROUP, "<I", n)], f"E_GROUP b: group_size, at byte 716, expected {GROUPING}, got {n}")
        for n in (0, 1, 7, 12, 16, 32, 48, 2**32 - 1)
    ],
    *[
        (f"extent_size {n}", [(B + EXTENT, "<Q", n)], f"E_SIZE b: extent_size, at byte 760, expected 192, got {n}")
        for n in (0, 128, 256, 191, 2**64 - 1)
    ],
    *[
        (f"data_off {n}", [(B + DATA_OFF, "<Q", n)], message)
        for n, message in (
            (0, "E_LAYOUT b: data_off, at byte 752, expected 1024, got 0"),
            (960, "E_LAYOUT b: data_off, at byte 752, expected 1024, got 960"),
            (1025, "E_LAYOUT b: data_off, at byte 752, expected 1024, got 1025"),
            (1216, "E_LAYOUT a: data_off, at byte 688, expected 1024, got 1216"),
            (1408, "E_LAYOUT a: data_off, at byte 688, expected 1024, got 1216"),
            (2**64 - 64, "E_LAYOUT a: data_off, at byte 688, expected 1024, got 1216"),
        )
    ],
    ("extents exchanged", [(B + DATA_OFF, "<Q", 1280), (C + DATA_OFF, "<Q", 1024)],
     "E_LAYOUT a: data_off, at byte 688, expected 1152, got 1216"),
    ("META with a number", [(512, "", b'{"k":1  }')], "E_META META: text, at byte 517, expected '\"'"),
]  # fmt: skip


@pytest.mark.req("AWQ-CON-073")
@pytest.mark.parametrize(("edits", "message"), [fault[1:] for fault in FAULTS], ids=[fault[0] for fault in FAULTS])
def test_faults(edits: Sequence[Edit], message: str, tmp_path: Path) -> None:
    """One fault, all digests right: its own code, at its own byte, in one line."""
    line = refusal(tmp_path / "f", damage.damaged(*edits))
    assert line.startswith(message)
    assert line.isprintable()


@pytest.mark.parametrize(
    ("strings", "digest", "data", "message"),
    [
        (b"x", b"", b"", "E_NAME STRINGS: size, expected 0, got 1"),
        (b"", b"", bytes(64), "E_LAYOUT DATA: size, expected 384, got 448"),
        (b"", bytes(32), b"", "E_SIZE DIGEST: size, at byte 208, expected 0, got 32"),
    ],
)
def test_an_empty_index_with_something_behind_it(
    strings: bytes, digest: bytes, data: bytes, message: str, tmp_path: Path
) -> None:
    """Without tensors there are no names, no rows of DIGEST and no data."""
    file = damage.assembled((0x20, 1, strings), (0x30, 1, b""), (0x60, 1, digest), (0x100, 1, data))
    assert refusal(tmp_path / "f", file) == message


@pytest.mark.parametrize("rows", [0, 2])
def test_a_row_of_digest_too_few_or_too_many(rows: int, tmp_path: Path) -> None:
    """DIGEST has exactly the rows that the extents ask for."""
    record = struct.pack("<IHBBBBBBI8IQQ", 0, 1, 0, 2, *[0] * 5, *[0] * 8, 512 + 64 * rows // 2, 64)
    sections = [(0x20, 1, b"a"), (0x30, 1, record), (0x60, 1, bytes(32 * rows)), (0x100, 1, bytes(64))]
    line = refusal(tmp_path / "f", damage.assembled(*sections, tensors=1))
    assert line == f"E_SIZE DIGEST: size, at byte 208, expected 32, got {32 * rows}"


def test_names_that_only_look_alike_are_accepted(tmp_path: Path) -> None:
    """Case distinguishes names, and all characters of the alphabet are legal."""
    names = sorted(["A", "a", "_", "0", "a.b-c_d", "Z" * 255, "a" * 254, "a" * 255])
    save_file({name: np.zeros((), np.uint8) for name in names}, tmp_path / "f")
    with safe_open(tmp_path / "f") as file:
        assert file.keys() == names


AT = {
    "name_off": NAME_OFF, "name_len": NAME_LEN, "ndim": NDIM, "dtype": DTYPE, "scale_dtype": SCALE, "zero_dtype": ZERO,
    "layout": LAYOUT, "reserved": BYTE_11, "group_size": GROUP, "dims": DIMS, "extent_size": EXTENT,
}  # fmt: skip


def valid(number: int, shape: Sequence[int], dtype: int, group_size: int, scale: int, zero: int) -> dict[str, Any]:
    """Return a record in which everything is right but, perhaps, the size of the extent."""
    return {
        "name_off": 2 * number, "name_len": 2, "ndim": len(shape), "dtype": dtype, "scale_dtype": scale,
        "zero_dtype": zero, "layout": 0, "reserved": 0, "group_size": group_size,
        "dims": [*shape, *[0] * (8 - len(shape))],
    }  # fmt: skip


plain = st.tuples(st.lists(st.integers(1, 9), max_size=8), st.integers(1, 15), st.just(0), st.just(0), st.just(0))
quantised = st.builds(
    lambda lead, groups, size, scale, zero: ([*lead, groups * size], 16, size, scale, zero),
    st.lists(st.integers(1, 5), min_size=1, max_size=7),
    st.integers(1, 9),
    st.sampled_from([8, 16, 24, 128]),
    st.sampled_from([10, 11, 12]),
    st.sampled_from([0, 16]),
)
shapes = st.lists(plain | quantised, min_size=1, max_size=6)

bytes_ = st.sampled_from([0, 1, 2, 7, 8, 9, 10, 12, 15, 16, 17, 128, 255])
words = st.sampled_from([0, 1, 7, 8, 16, 24, 2**16, 2**20, 2**31, 2**32 - 8, 2**32 - 1]) | st.integers(0, 2**32 - 1)
mutations = st.one_of(
    st.tuples(st.sampled_from(["ndim", "dtype", "scale_dtype", "zero_dtype", "layout", "reserved"]), bytes_),
    st.tuples(st.sampled_from(["name_off", "group_size"]), words),
    st.tuples(st.just("name_len"), st.sampled_from([0, 1, 2, 3, 255, 256, 65535])),
    st.tuples(st.just("dims"), st.lists(words | st.integers(0, 64), min_size=8, max_size=8)),
    st.tuples(st.just("dims"), st.tuples(st.integers(0, 7), words | st.integers(0, 64))),
    st.tuples(st.just("extent_size"), st.sampled_from([0, 64, 128, 2**63, 2**64 - 64, 2**64 - 1])),
)


@settings(max_examples=1500)
@given(shapes, st.data(), st.sampled_from([64, 512, 4096]))
def test_all_records_at_once_and_one_by_one(
    shapes: list[tuple[list[int], int, int, int, int]], data: st.DataObject, alignment: int
) -> None:
    """Whatever is wrong with however many records, both checkers blame the same field of the same record."""
    records = [valid(i, *shape) for i, shape in enumerate(shapes)]
    for record in records:
        record["extent_size"] = slow_index.size(record, alignment)
    strings = bytearray(b"".join(b"n%d" % i for i in range(len(records))))
    for _ in range(data.draw(st.integers(0, 3))):
        record = data.draw(st.sampled_from(records))
        field, value = data.draw(mutations)
        if isinstance(value, tuple):
            record["dims"][value[0]] = value[1]
        else:
            record[field] = value
        if data.draw(st.booleans()) and not (slow_index.types(record) or slow_index.shape(record)):
            record["extent_size"] = slow_index.size(record, alignment)
    if data.draw(st.booleans()):
        strings[data.draw(st.integers(0, len(strings) - 1))] = data.draw(st.sampled_from(b"0Zaz_.-/\0\xff "))
    assert fast_check(records, bytes(strings), alignment) == slow_index.check(records, bytes(strings), alignment)


def fast_check(records: list[dict[str, Any]], strings: bytes, alignment: int) -> slow_index.Fault | None:
    """Return what the library says, in the form of the slow checker."""
    array = np.zeros(len(records), RECORD_DTYPE)
    for field in AT:
        array[field] = [record[field] for record in records]
    try:
        check_records(array, strings, alignment, index_at=1024)
    except AwqError as error:
        number, place = divmod((error.offset or 0) - 1024, 64)
        assert place == AT[error.field]
        return error.code, number, error.field
    return None
