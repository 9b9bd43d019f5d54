"""Stage P: every rule, on the bytes of a small file with one fault."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path

import pytest

from awqformat import AwqError, safe_open
from awqformat.container.source import Mode
from awqformat.tests import damage
from awqformat.tests.damage import (
    DATA,
    DIGEST,
    END,
    FLAGS,
    INDEX,
    MAC,
    META,
    OFFSET,
    PRIVATE,
    RESERVED,
    SHA,
    SIZE,
    STRINGS,
    TAIL,
    TYPE,
    Edit,
)


def refusal(path: Path, data: bytes | bytearray, mode: Mode = "mmap") -> str:
    """Return the message with which these bytes are refused."""
    with pytest.raises(AwqError) as caught:
        safe_open(damage.stored(path, data), mode=mode)
    return str(caught.value)


# What is wrong, where and how the bytes differ, and the start of the message.
FAULTS: list[tuple[str, Sequence[Edit], str]] = [
    *[(f"magic byte {i}", [(i, "B", 0xFE)], "E_MAGIC header: magic, at byte 0") for i in range(8)],
    ("major 0", [(8, "<H", 0)], "E_VERSION header: major, at byte 8, expected 1, got 0"),
    ("major 2", [(8, "<H", 2)], "E_VERSION header: major, at byte 8, expected 1, got 2"),
    ("major swapped", [(8, ">H", 1)], "E_VERSION header: major, at byte 8, expected 1, got 256"),
    *[
        (f"section_count {n}", [(20, "<H", n)], f"E_LIMIT header: section_count, at byte 20, expected 4..16, got {n}")
        for n in (0, 3, 17, 65535)
    ],
    *[
        (f"hash_alg {n}", [(23, "B", n)], f"E_FEATURE header: hash_alg, at byte 23, expected 1, got {n}")
        for n in (0, 2, 255)
    ],
    ("file_size 0", [(24, "<Q", 0)], "E_TRAILING header: file_size, at byte 24, expected 1408, got 0"),
    ("file_size - 1", [(24, "<Q", END - 1)], "E_TRAILING header: file_size, at byte 24, expected 1408, got 1407"),
    ("file_size + 1", [(24, "<Q", END + 1)], "E_TRUNCATED header: file_size, at byte 24, expected 1408, got 1409"),
    ("file_size 2^63", [(24, "<Q", 2**63)], "E_TRUNCATED header: file_size, at byte 24"),
    ("file_size 2^64 - 1", [(24, "<Q", 2**64 - 1)], "E_TRUNCATED header: file_size, at byte 24"),
    *[
        (f"feature bit {i}", [(12, "<I", 1 << i)],
         f"E_FEATURE header: features, at byte 12, expected bit 0 at most, got {1 << i:#x}")
        for i in range(1, 32)
    ],
    *[
        (f"align_log2 {n}", [(22, "B", n)], f"E_ALIGN header: align_log2, at byte 22, expected 6..12, got {n}")
        for n in (0, 5, 13, 31, 64, 255)
    ],
    *[
        (f"header byte {i}", [(i, "B", 1)], f"E_RESERVED header: reserved, at byte {i}, expected 0, got 1")
        for i in range(48, 64)
    ],
    *[
        (f"file_id byte {i}", [(i, "B", 1)], f"E_RESERVED header: file_id, at byte {i}, expected 0, got 1")
        for i in (32, 47)
    ],
    *[(f"mac byte {i}", [(MAC + i, "B", 1)], f"E_RESERVED tail: mac, at byte {MAC + i}, expected 0") for i in (0, 31)],
    ("types equal", [(META + TYPE, "<I", 0x20)], "E_SECTION STRINGS: type, at byte 128, expected above 0x20, got 0x20"),
    ("types descending", [(META + TYPE, "<I", 0x31)], "E_SECTION STRINGS: type, at byte 128, expected above 0x31"),
    ("private critical", [(PRIVATE + FLAGS, "<I", 1)],
     "E_FEATURE section 0x80000001: flags, at byte 388, expected a non-critical private section, got CRITICAL"),
    ("unknown critical", [(PRIVATE + TYPE, "<I", 0x101), (PRIVATE + FLAGS, "<I", 1)],
     "E_FEATURE section 0x101: flags, at byte 388, expected a non-critical unknown section, got CRITICAL"),
    ("flag bit 1", [(INDEX + FLAGS, "<I", 3)], "E_RESERVED INDEX: flags, at byte 196, expected bit 0 at most, got 0x3"),
    ("flag bit 31", [(META + FLAGS, "<I", 1 << 31)], "E_RESERVED META: flags, at byte 68"),
    ("private flag bit 1", [(PRIVATE + FLAGS, "<I", 2)], "E_RESERVED section 0x80000001: flags, at byte 388"),
    ("META critical", [(META + FLAGS, "<I", 1)], "E_SECTION META: flags, at byte 68, expected 0, got 1"),
    *[
        (f"{name} not critical", [(entry + FLAGS, "<I", 0)],
         f"E_SECTION {name}: flags, at byte {entry + 4}, expected 1, got 0")
        for name, entry in (("STRINGS", STRINGS), ("INDEX", INDEX), ("DIGEST", DIGEST), ("DATA", DATA))
    ],
    ("no STRINGS", [(STRINGS + TYPE, "<I", 0x21), (STRINGS + FLAGS, "<I", 0)],
     "E_SECTION STRINGS: presence, expected present, got absent"),
    ("CRYPT without ENCRYPTED", [(PRIVATE + TYPE, "<I", 0x101), (DIGEST + TYPE, "<I", 0x40)],
     "E_SECTION DIGEST: presence, expected present, got absent"),
    ("ENCRYPTED without CRYPT", [(12, "<I", 1)], "E_SECTION CRYPT: presence, expected present, got absent"),
    *[
        (f"reserved of entry {entry}", [(entry + RESERVED, "<Q", 1 << 63)],
         f"at byte {entry + 24}, expected 0, got 922")
        for entry in (META, STRINGS, INDEX, DIGEST, DATA, PRIVATE)
    ],
    ("digest of DATA", [(DATA + SHA + 31, "B", 1)], "E_RESERVED DATA: digest, at byte 352, expected zero, got 00"),
    *[
        (f"offset of {name} {delta:+}", [(entry + OFFSET, "<Q", place + delta)],
         f"E_LAYOUT {name}: offset, at byte {entry + 8}, expected {place}, got {place + delta}")
        for name, entry, place in (("META", META, 512), ("STRINGS", STRINGS, 576), ("INDEX", INDEX, 640),
                                   ("DIGEST", DIGEST, 832), ("DATA", DATA, 1024), ("section 0x80000001", PRIVATE, 960))
        for delta in (-64, 64, 1, -512)
    ],
    ("STRINGS far away", [(STRINGS + OFFSET, "<Q", 2**64 - 64)], "E_LAYOUT STRINGS: offset, at byte 136, expected 576"),
    ("DATA of 1 byte more", [(DATA + SIZE, "<Q", 385)],
     "E_BOUNDS DATA: size, at byte 336, expected at most 384, got 385"),
    ("DATA that wraps", [(DATA + SIZE, "<Q", 2**64 - 1024)], "E_BOUNDS DATA: size, at byte 336"),
    ("META of 2^64 - 1 bytes", [(META + SIZE, "<Q", 2**64 - 1)],
     "E_BOUNDS META: size, at byte 80, expected at most 896"),
    ("META up to the end", [(META + SIZE, "<Q", 896)], "E_LAYOUT STRINGS: offset, at byte 136, expected 1408, got 576"),
    ("DATA of 1 byte less", [(DATA + SIZE, "<Q", 383)], "E_TRAILING DATA: end, at byte 1407, expected 1408, got 1407"),
    ("DATA of no bytes", [(DATA + SIZE, "<Q", 0)], "E_TRAILING DATA: end, at byte 1024, expected 1408, got 1024"),
    ("tensor_count - 1", [(16, "<I", 2)], "E_COUNT INDEX: size, at byte 208, expected 128, got 192"),
    ("tensor_count + 1", [(16, "<I", 4)], "E_COUNT INDEX: size, at byte 208, expected 256, got 192"),
    ("tensor_count 2^32 - 1", [(16, "<I", 2**32 - 1)],
     "E_COUNT INDEX: size, at byte 208, expected 274877906880, got 192"),
    ("empty META", [(META + SIZE, "<Q", 0), (STRINGS + OFFSET, "<Q", 512)],
     "E_LAYOUT INDEX: offset, at byte 200, expected 576, got 640"),
    *[
        (f"padding byte {at}", [(at, "B", 7)], f"E_PADDING {name}: padding, at byte {at}, expected 0, got 7")
        for name, at in (("META", 521), ("META", 575), ("STRINGS", 579),
                         ("section 0x80000001", 968), ("section 0x80000001", 1023))
    ],
]  # fmt: skip


@pytest.mark.parametrize(("edits", "message"), [fault[1:] for fault in FAULTS], ids=[fault[0] for fault in FAULTS])
def test_faults(edits: Sequence[Edit], message: str, tmp_path: Path) -> None:
    """One fault, all digests right: its own code, at its own byte, in one line."""
    line = refusal(tmp_path / "f", damage.damaged(*edits))
    assert message in line
    assert line.isprintable()


@pytest.mark.parametrize("mode", ["mmap", "pread"])
@pytest.mark.parametrize("size", [0, 1, 63])
def test_shorter_than_a_header(size: int, mode: Mode, tmp_path: Path) -> None:
    """Fewer than 64 bytes are E_TRUNCATED, whatever they are."""
    line = refusal(tmp_path / "f", damage.small()[:size], mode)
    assert line == f"E_TRUNCATED header: size, at byte {size}, expected at least 64 bytes, got {size}"


@pytest.mark.parametrize("size", [64, 65, 127, 447, 449, 511])
def test_shorter_than_its_table(size: int, tmp_path: Path) -> None:
    """A file that ends before its table and tail do is E_TRUNCATED."""
    line = refusal(tmp_path / "f", damage.small()[:size])
    assert line == f"E_TRUNCATED table: size, at byte {size}, expected at least 512 bytes, got {size}"


@pytest.mark.parametrize("size", [512, 513, 576, 639, 832, 1023, 1024, 1407])
def test_shorter_than_it_says(size: int, tmp_path: Path) -> None:
    """A file cut anywhere after its tail is E_TRUNCATED."""
    line = refusal(tmp_path / "f", damage.small()[:size])
    assert line == f"E_TRUNCATED header: file_size, at byte 24, expected {size}, got 1408"


@pytest.mark.parametrize("more", [b"\0", bytes(4096), b"PK\5\6" + bytes(18), bytes(damage.small())])
def test_longer_than_it_says(more: bytes, tmp_path: Path) -> None:
    """Anything after the end is E_TRAILING: zeros, an archive, a second file."""
    line = refusal(tmp_path / "f", damage.small() + more)
    assert line == f"E_TRAILING header: file_size, at byte 24, expected {END + len(more)}, got {END}"


@pytest.mark.parametrize(
    "start",
    [b"GGUF\3\0\0\0", b"PK\3\4", b"\x80\4\x95", b"\x40\0\0\0\0\0\0\0{", b"\xef\xbb\xbf\x89AWQ", b"\x89AWQ\n\x1a\n"],
    ids=["gguf", "zip", "pickle", "safetensors", "byte order mark", "line ends converted"],
)
def test_other_files_under_our_name(start: bytes, tmp_path: Path) -> None:
    """Other formats, and ours after a text transfer, are E_MAGIC."""
    line = refusal(tmp_path / "f", start.ljust(256, b" "))
    assert line.startswith("E_MAGIC header: magic, at byte 0, expected 894157510d0a1a0a, got ")


@pytest.mark.parametrize("at", [10, 16, 32, 48, 64, 96, 128, 447, TAIL, TAIL + 31])
def test_a_stale_root(at: int, tmp_path: Path) -> None:
    """A changed byte of header, table or root that no earlier rule sees is E_DIGEST."""
    data = damage.small()
    data[at] ^= 1
    line = refusal(tmp_path / "f", data)
    assert line.startswith("E_DIGEST tail: root, at byte 448, expected ")


@pytest.mark.parametrize(
    ("name", "entry", "at"),
    [("META", META, 514), ("STRINGS", STRINGS, 576), ("INDEX", INDEX, 831), ("DIGEST", DIGEST, 900),
     ("section 0x80000001", PRIVATE, 960)],
)  # fmt: skip
def test_a_stale_section(name: str, entry: int, at: int, tmp_path: Path) -> None:
    """A changed byte of a section, or of its digest under a right root, is E_DIGEST."""
    message = f"E_DIGEST {name}: digest, at byte {entry + SHA}, expected "
    assert refusal(tmp_path / "f", damage.damaged((at, "B", 0xEE), refresh=False)).startswith(message)
    data = damage.small()
    data[entry + SHA] ^= 1
    struct.pack_into("32s", data, TAIL, damage.sha256(data[:TAIL]))
    assert refusal(tmp_path / "f", data).startswith(message)


STRINGS_0, INDEX_0, DIGEST_0, DATA_0 = (0x20, 1, b""), (0x30, 1, b""), (0x60, 1, b""), (0x100, 1, b"")
REQUIRED = (STRINGS_0, INDEX_0, DIGEST_0, DATA_0)


@pytest.mark.parametrize(
    ("sections", "features", "tensors", "message"),
    [
        (((0, 0, b""), INDEX_0, DIGEST_0, DATA_0), 0, 0, "E_SECTION STRINGS: presence, expected present, got absent"),
        ((STRINGS_0, (0x31, 0, b""), DIGEST_0, DATA_0), 0, 0, "E_SECTION INDEX: presence"),
        ((STRINGS_0, INDEX_0, (0x61, 0, b""), DATA_0), 0, 0, "E_SECTION DIGEST: presence"),
        ((STRINGS_0, INDEX_0, DIGEST_0, (0x101, 0, b"")), 0, 0, "E_SECTION DATA: presence"),
        ((STRINGS_0, INDEX_0, (0x40, 1, bytes(128)), DIGEST_0, DATA_0), 1, 0, "E_SECTION TAGS: presence"),
        ((STRINGS_0, INDEX_0, (0x50, 1, b""), DIGEST_0, DATA_0), 1, 0, "E_SECTION CRYPT: presence"),
        ((STRINGS_0, INDEX_0, (0x40, 1, bytes(128)), DIGEST_0, DATA_0), 0, 0,
         "E_SECTION CRYPT: type, at byte 192, expected absent without ENCRYPTED, got present"),
        ((STRINGS_0, INDEX_0, (0x50, 1, b""), DIGEST_0, DATA_0), 0, 0, "E_SECTION TAGS: type, at byte 192"),
        (((0x10, 0, b""), *REQUIRED), 0, 0, "E_LIMIT META: size, at byte 80, expected 1..1048576, got 0"),
        (((0x10, 0, 2**20 + 1), *REQUIRED), 0, 0, "E_LIMIT META: size, at byte 80, expected 1..1048576, got 1048577"),
        (((0x20, 1, 2**26 + 1), INDEX_0, DIGEST_0, DATA_0), 0, 0,
         "E_LIMIT STRINGS: size, at byte 80, expected at most 67108864, got 67108865"),
        ((*REQUIRED, (0x101, 0, 2**25), (2**31, 0, 2**25 + 1)), 0, 0,
         "E_LIMIT section 0x80000000: size, at byte 400, expected at most 67108864 together, got 67108865"),
        (((0x10, 0, 2), *REQUIRED, (0x101, 0, 2**26 - 1)), 0, 0, "E_LIMIT section 0x101: size, at byte 400"),
        ((STRINGS_0, (0x30, 1, 64 * (2**20 + 1)), DIGEST_0, DATA_0), 0, 2**20 + 1,
         "E_LIMIT header: tensor_count, at byte 16, expected at most 1048576, got 1048577"),
    ],
)  # fmt: skip
def test_faults_of_the_whole_table(
    sections: tuple[tuple[int, int, bytes | int], ...], features: int, tensors: int, message: str, tmp_path: Path
) -> None:
    """Sections that are missing, forbidden, empty or too large."""
    data = damage.assembled(*sections, features=features, tensors=tensors)
    assert refusal(tmp_path / "f", data).startswith(message)


@pytest.mark.req("AWQ-CON-087")
@pytest.mark.parametrize(
    "sections",
    [
        ((0, 0, b"zero"), *REQUIRED),
        (*REQUIRED, (0x101, 0, b"later"), (2**31, 0, b""), (2**32 - 1, 0, b"private")),
        (*REQUIRED, *((2**31 + i, 0, bytes([i])) for i in range(12))),
        ((0x10, 0, b'{"":""}'), (0x20, 1, b""), (0x2F, 0, bytes(64)), INDEX_0, DIGEST_0, DATA_0),
    ],
)
def test_foreign_sections_are_accepted(sections: tuple[tuple[int, int, bytes], ...], tmp_path: Path) -> None:
    """Sections of unknown type that are not critical are checked and otherwise ignored."""
    path = damage.stored(tmp_path / "f", damage.assembled(*sections))
    with safe_open(path, verify="all") as file:
        assert [section.type for section in file.preamble.sections] == [kind for kind, _, _ in sections]


@pytest.mark.req("AWQ-CON-086")
@pytest.mark.parametrize(
    ("sections", "message"),
    [
        (((0x10, 0, 2**20), *REQUIRED), "E_META META: text, at byte 448"),
        (((0x20, 1, 2**26), INDEX_0, DIGEST_0, DATA_0), "E_NAME STRINGS: size, expected 0, got 67108864"),
    ],
)
def test_limits_are_inclusive(sections: tuple[tuple[int, int, bytes | int], ...], message: str, tmp_path: Path) -> None:
    """A section of exactly the greatest size passes stage P; here its zeros mean nothing in stage I."""
    assert refusal(tmp_path / "f", damage.assembled(*sections)).startswith(message)


def test_foreign_sections_of_64_mib_are_accepted(tmp_path: Path) -> None:
    """The limit for sections without a meaning is inclusive."""
    data = damage.assembled(*REQUIRED, (2**31, 0, bytes(2**26)))
    safe_open(damage.stored(tmp_path / "f", data)).close()


@pytest.mark.parametrize("minor", [1, 0xFFFF])
def test_every_minor_is_accepted(minor: int, tmp_path: Path) -> None:
    """The minor version is information."""
    with safe_open(damage.stored(tmp_path / "f", damage.damaged((10, "<H", minor)))) as file:
        assert file.preamble.minor == minor


def test_padding_after_a_large_alignment(tmp_path: Path) -> None:
    """Without tensors DATA is empty and still aligned, and the padding before it is checked."""
    data = damage.assembled(*REQUIRED, align_log2=12)
    assert len(data) == 4096
    safe_open(damage.stored(tmp_path / "f", data)).close()
    data[4095] = 1
    assert refusal(tmp_path / "f", data) == "E_PADDING DIGEST: padding, at byte 4095, expected 0, got 1"


@pytest.mark.parametrize("at", [64, 128, 192, 256, 320, 384])
@pytest.mark.parametrize("value", [0, 0xFFFF_FFFF_FFFF_FFFF])
def test_an_entry_of_nothing_but_ones_or_zeros(at: int, value: int, tmp_path: Path) -> None:
    """A table with a wiped entry is refused, whatever the first rule to see it is."""
    assert refusal(tmp_path / "f", damage.damaged(*((at + i, "<Q", value) for i in range(0, 64, 8)))).startswith("E_")
