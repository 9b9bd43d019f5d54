"""What each byte of a file is and which are to blame, over every file of the committed corpus and over broken ones."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from awq_conformance.cases import Case, Edit, default_root, load
from awq_conformance.compare import expected
from awq_conformance.reproduction import annotated
from awq_conformance.reproduction.anatomy import Anatomy
from awq_conformance.reproduction.extent import marks_of_element
from awq_conformance.reproduction.guilt import regions, undone
from awq_conformance.reproduction.hexdump import around, text
from awq_conformance.verdict import Finding, Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from awq_conformance.reproduction.region import Region

CORPUS = load(default_root())
REJECT = [case for case in CORPUS.kept if case.mutation is not None and not case.folder]
VALID = [case for case in CORPUS.kept if case.outcome == "accept" and not case.folder]
SMALL = CORPUS.cases["container/small"].input.read_bytes()


MOVED = {"container/sections-exchanged"}
"""Bytes change place, and are as right there as before: the offsets are wrong."""


def edits_of(case: Case) -> tuple[Edit, ...]:
    """Return the edits that a malformed case was made by."""
    assert case.mutation is not None
    return case.mutation.edits


@cache
def found_in(name: str) -> tuple[Region, ...]:
    """Return the regions of a malformed case."""
    case = CORPUS.cases[name]
    return regions(case.input.read_bytes(), edits_of(case))


def spans(edits: Sequence[Edit]) -> list[tuple[int, int]]:
    """Return where in the file what each edit wrote lies in the end; something that was cut off is at one byte."""
    found: list[tuple[int, int]] = []
    for edit in edits:
        moved = len(edit.new) - len(edit.old)
        found = [(a + moved, b + moved) if a > edit.offset else (a, b) for a, b in found]
        found.append((edit.offset, edit.offset + max(len(edit.new), 1)))
    return found


def meets(region: Region, span: tuple[int, int]) -> bool:
    """Return whether a region has a byte of a span; one of no bytes is at the byte that would follow."""
    return region.offset < span[1] and span[0] < region.offset + max(region.size, 1)


def covers_once(found: Sequence[Region], data: bytes) -> bool:
    """Return whether regions follow each other from the first byte to the last."""
    ends = [region.offset + region.size for region in found]
    return [region.offset for region in found] == [0, *ends][: len(found)] and [0, *ends][-1] == len(data)


@pytest.mark.parametrize("case", REJECT, ids=lambda case: str(case.id))
def test_a_fault_is_found_where_it_was_made(case: Case) -> None:
    """Every byte is in one region, and one that the mutation wrote is guilty; the first one, if nothing was moved."""
    edits, found = edits_of(case), found_in(case.id)
    assert covers_once(found, case.input.read_bytes())
    guilty = [region for region in found if region.guilty]
    assert any(meets(region, span) for region in guilty for span in spans(edits)), guilty
    in_place = all(len(edit.old) == len(edit.new) for edit in edits)
    if in_place and "encrypted" not in case.flags and case.id not in MOVED:
        first = next(i for i, (a, b) in enumerate(zip(edits[0].old, edits[0].new, strict=True)) if a != b)
        assert any(meets(region, (edits[0].offset + first, edits[0].offset + first + 1)) for region in guilty), guilty


def test_few_bytes_are_to_blame() -> None:
    """Of 300 faults most are one region, and few are more than two: what only follows from one is not guilty."""
    counts = [sum(region.guilty for region in found_in(case.id)) for case in REJECT]
    assert np.median(counts) == 1
    assert np.mean([count <= 2 for count in counts]) > 0.9
    assert sum(count > 8 for count in counts) <= 5


BLAMED = [
    ("container/group-size-7", ["INDEX 3 z.first.weight: group_size = 7, was 16"]),
    ("container/magic-crlf", ["magic = 89 41 57 51 0a 1a 0a 01, was 89 41 57 51 0d 0a 1a 0a"]),
    ("container/cut-last-byte", ["the end = the file ends here, short of 1 byte"]),
    ("container/name-slash", ['STRINGS: name of 3 = "z.f/rst.weight", was "z.first.weight"']),
    ("container/trailing-zip", ["beyond the end = 22 bytes, not in the valid file"]),
    ("container/padding-align", ["padding after DIGEST = 80, was 1 zero"]),
    ("container/hole", ["padding after STRINGS = 64 zeros, not in the valid file"]),
    ("container/meta-empty", ["table META: size = 0, was 53"]),
    ("container/sections-exchanged", ["table STRINGS: offset = 768 (0x300), was 512 (0x200)",
                                      "table INDEX: offset = 512 (0x200), was 576 (0x240)"]),
    ("container/encrypted-padding-tags", ["padding after TAGS = 01, was 1 zero"]),
    ("container/encrypted-feature-bit-1", ["header: features = 3, was 1 ENCRYPTED"]),
    ("model/scale-bf16-nan", ["DATA 0 weight: scales of row 1 = g 1: nan, was g 1: 0.0583496"]),
    ("model/odd-nibble-12", ["DATA 0 weight: zeros of row 12 = g 4 .. 5: 13 1, was g 4 .. 5: 13 0"]),
    ("model/codes-bit", ["DIGEST 3 z.first.weight: chunk 0 = 18359e862fd9..6bb77ac0f875, "
                         "does not match the bytes it covers",
                         "DATA 3 z.first.weight: codes of row 0 = k 0 .. 1: 15 12, was k 0 .. 1: 14 12"]),
]  # fmt: skip


@pytest.mark.parametrize(("name", "told"), BLAMED, ids=[name for name, _ in BLAMED])
def test_the_guilty_bytes_are_told_by_name_and_value(name: str, told: list[str]) -> None:
    """Field, value and what it was, for faults of each sort: bytes moved or gone, a nibble, a digest."""
    assert [f"{region.field} = {region.value}" for region in found_in(name) if region.guilty] == told


@pytest.mark.parametrize("case", VALID, ids=lambda case: str(case.id))
def test_nothing_of_a_valid_file_is_to_blame(case: Case) -> None:
    """Every byte has one name, none is unknown, every digest matches."""
    data = case.input.read_bytes()
    found = regions(data)
    assert covers_once(found, data)
    assert not [region for region in found if region.guilty or region.matches is False or region.field == "unknown"]


@settings(max_examples=30, deadline=None)
@given(st.integers(0, len(SMALL)), st.binary(max_size=8), st.integers(0, 200))
def test_a_file_may_be_as_broken_as_it_likes(offset: int, new: bytes, size: int) -> None:
    """Bytes overwritten, put in, taken out, anywhere: every byte is told once, and something is to blame."""
    edit = Edit(offset, SMALL[offset : offset + size], new)
    data = SMALL[:offset] + new + SMALL[offset + size :]
    assert undone(data, [edit]) == SMALL
    found = regions(data, [edit])
    assert covers_once(found, data)
    assert data == SMALL or any(region.guilty for region in found)
    shown = around(found, 24)
    assert covers_once(shown, data)
    assert sum(region.left_out or 1 for region in shown) == len(found)
    assert text(shown, data).count(">>") >= sum(region.guilty for region in shown)


ELEMENTS = ["model/experts-odd-groups", "model/odd-groups", "model/scales-bf16", "model/symmetric", "model/group-24"]


@pytest.mark.parametrize("name", ELEMENTS)
def test_an_element_is_made_of_the_bytes_that_are_marked(name: str) -> None:
    """Code, zero point and scale of each element of each tensor, read from the marked bytes, are the pinned ones."""
    case = CORPUS.cases[name]
    data = case.input.read_bytes()
    extents = {extent.number: extent for extent in Anatomy(data).extents()}
    for tensor in case.expect:
        if not tensor.quantised:
            continue
        q, z, s = (expected(case, tensor, what).values for what in "qzs")
        for index in np.ndindex(*tensor.shape):
            grouped = (*index[:-1], index[-1] // tensor.group_size)
            marks = {mark.note[0]: mark for mark in marks_of_element(extents[tensor.number], index, "W")}
            nibbles = {role: data[mark.offset] >> 4 * ("high" in mark.note) & 15 for role, mark in marks.items()}
            assert nibbles["q"] == q[index]
            assert nibbles.get("z", 8) == z[grouped]
            bits = int.from_bytes(data[marks["s"].offset :][: marks["s"].size], "little")
            dtype = {"F16": np.float16, "F32": np.float32}.get(tensor.scale_dtype)
            wide = np.array(bits << 16 if dtype is None else bits, f"u{4 if dtype is None else marks['s'].size}")
            assert wide.view(dtype or np.float32) == s[grouped]


def test_a_report_shows_what_a_wrong_value_is_made_of() -> None:
    """The bytes of code, zero point and scale of the element that the finding names, and what lies around them."""
    detail = "[0, 9] expected 1.0 (0x3f800000), got 2.0 (0x40000000) (1 of 9 wrong)"
    finding = Finding(Verdict.WRONG, "dequant", detail, 0, "W")
    found = annotated(CORPUS.cases["model/group-8"], finding)
    assert len(found) <= 24
    assert [region["field"] for region in found if region["guilty"]] == [
        "DATA 0 weight: codes of row 0", "DATA 0 weight: scales of row 0", "DATA 0 weight: zeros of row 0"
    ]  # fmt: skip
    assert "q[0, 9] is the high nibble" in next(region["value"] for region in found if region["guilty"])


@pytest.mark.parametrize("verdict", [Verdict.CRASH, Verdict.SHAPE, Verdict.OVER_REJECT])
def test_no_byte_of_a_valid_file_is_to_blame_for_a_crash(verdict: Verdict) -> None:
    """A report shows no bytes then."""
    assert annotated(CORPUS.cases["model/group-8"], Finding(verdict, "dequant", "[0, 9] of what", 0, "W")) == []
