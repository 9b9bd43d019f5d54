"""Files too large to commit: at the limits of the format, and one step past them, on both readers."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import awqformat
from awqformat.schema import HEADER, SECTION, TAIL, UNIT, Limit, SectionType, up

LOADER = Path(sys.executable).parent / "awq-loader"
MIB = 1 << 20


def cpp(path: Path, out: Path) -> str:
    """Return the code the C++ loader gives a file, or "accept"."""
    out.mkdir(exist_ok=True)
    status = subprocess.run([LOADER, "inspect", path, out], capture_output=True, check=False).returncode
    assert status in (0, 65)
    return "accept" if status == 0 else (out / "reject.txt").read_text(encoding="utf-8").splitlines()[0]


def python(path: Path) -> str:
    """Return the code the Python reader gives a file, or "accept"."""
    try:
        with awqformat.safe_open(path, verify="all"):
            return "accept"
    except awqformat.AwqError as error:
        return error.code


def front(path: Path, sizes: dict[int, int], tensor_count: int = 0) -> None:
    """Write header, table and tail around sections of zeros, which a sparse file holds for nothing.

    That is enough for every rule up to the limits, which a reader must apply before it touches a section.
    """
    table, end = b"", UNIT * (len(sizes) + 2)
    places: dict[int, int] = {}
    for kind in sorted(sizes, key=lambda kind: (kind == SectionType.DATA, kind)):
        places[kind] = up(end, UNIT)
        end = places[kind] + sizes[kind]
    for kind in sorted(sizes):
        known = kind in SectionType._value2member_map_ and kind != SectionType.META
        table += SECTION.build(
            {"type": kind, "flags": int(known), "offset": places[kind], "size": sizes[kind], "digest": bytes(32)}
        )
    header = HEADER.build(
        {"tensor_count": tensor_count, "section_count": len(sizes), "align_log2": 6, "file_size": end}
    )
    with path.open("wb") as file:
        file.write(header + table + TAIL.build({"root": hashlib.sha256(header + table).digest()}))
        file.truncate(end)


EMPTY: dict[int, int] = {
    SectionType.STRINGS: 0,
    SectionType.INDEX: 0,
    SectionType.DIGEST: 0,
    SectionType.DATA: 0,
}
OVER: dict[str, tuple[dict[int, int], int]] = {
    "META": ({SectionType.META: Limit.META_MAX + 1}, 0),
    "STRINGS": ({SectionType.STRINGS: Limit.STRINGS_MAX + 1}, 0),
    "private": ({0x8000_0000: Limit.UNKNOWN_MAX + 1}, 0),
    "unknown and private together": ({0x1: 40 * MIB, 0xFFFF_FFFF: 24 * MIB + 1}, 0),
    "META and private together": ({SectionType.META: 5, 0x8000_0000: Limit.UNKNOWN_MAX - 4}, 0),
    "tensor_count": ({SectionType.INDEX: UNIT * (Limit.TENSORS_MAX + 1)}, Limit.TENSORS_MAX + 1),
}


@pytest.mark.req("AWQ-CON-036", "AWQ-CON-038", "AWQ-CON-039", "AWQ-CON-040")
@pytest.mark.parametrize("what", OVER)
def test_one_step_past_a_limit_is_refused(what: str, tmp_path: Path) -> None:
    """A section or a count over its limit is E_LIMIT in both readers, before any of it is read."""
    sizes, count = OVER[what]
    path = tmp_path / "over.awq"
    front(path, EMPTY | sizes, count)
    assert (python(path), cpp(path, tmp_path / "out")) == ("E_LIMIT", "E_LIMIT")


@pytest.mark.req("AWQ-CON-038", "AWQ-CON-040")
def test_the_largest_sections_are_accepted(tmp_path: Path) -> None:
    """META of 1 MiB and private sections that fill the common limit pass both readers."""
    meta = {"k": "v" * (Limit.META_MAX - len('{"k":""}'))}
    sections = {0x8000_0000: bytes(Limit.UNKNOWN_MAX - Limit.META_MAX)}
    path = tmp_path / "largest.awq"
    awqformat.write(awqformat.Contents({}, meta, sections=sections), path)
    assert (python(path), cpp(path, tmp_path / "out")) == ("accept", "accept")
    with pytest.raises(awqformat.AwqError, match="E_LIMIT"):
        awqformat.write(awqformat.Contents({}, meta, sections={0x8000_0000: sections[0x8000_0000] + b"\0"}), path)


@pytest.mark.req("AWQ-CON-069")
def test_each_chunk_of_a_large_tensor_is_verified(tmp_path: Path) -> None:
    """An extent of three digest chunks is accepted, and one bit wrong in any of them is E_DIGEST at that chunk."""
    path = tmp_path / "chunks.awq"
    weight = awqformat.quantize(np.linspace(-1, 1, 2048 * 2176, dtype=np.float32).reshape(2048, 2176), 64)
    awqformat.save_file({"first": np.zeros(3, np.uint8), "weight": weight}, path)
    assert (python(path), cpp(path, tmp_path / "out")) == ("accept", "accept")
    with awqformat.safe_open(path) as file:
        info = file.info("weight")
    assert 2 * MIB < info.size < 3 * MIB
    good = path.read_bytes()
    for chunk in range(3):
        for at in (info.offset + chunk * MIB, min(info.offset + (chunk + 1) * MIB, info.offset + info.size) - 1):
            bad = bytearray(good)
            bad[at] ^= 0x10
            path.write_bytes(bad)
            with pytest.raises(awqformat.AwqError, match=f"E_DIGEST weight: chunk {chunk}"):
                awqformat.safe_open(path, verify="all")
            assert cpp(path, tmp_path / "out") == "E_DIGEST"


@pytest.mark.req("AWQ-CON-036")
def test_a_million_tensors(tmp_path: Path) -> None:
    """2^20 tensors, the most there can be, are written and read by both readers."""
    path = tmp_path / "million.awq"
    value = np.zeros(1, np.uint8)
    awqformat.save_file({f"{i:05x}": value for i in range(Limit.TENSORS_MAX)}, path)
    with awqformat.safe_open(path) as file:
        assert len(file) == Limit.TENSORS_MAX
        assert file.get_tensor("fffff").tolist() == [0]
    assert cpp(path, tmp_path / "out") == "accept"
