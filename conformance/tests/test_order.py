"""Two faults in one file: the check that comes first in the specification is the one that is reported."""

from __future__ import annotations

import subprocess
import sys
from itertools import combinations
from pathlib import Path

import pytest

import awqformat
from awq_conformance.making import faults
from awq_conformance.making.editor import Editor
from awq_conformance.making.faults import Fault
from awq_conformance.making.faults.fault import SMALL, WEIGHT
from awqformat.schema import UNIT, SectionType

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures"
LOADER = Path(sys.executable).parent / "awq-loader"
TWIN = (FIXTURES / f"{SMALL}.awq").read_bytes()
LOOPS = ((26, 27), (32, 33))
"""First and last number of the checks that are made one after the other for each entry of the table."""
REPAIRED = (49, 50)  # a quantised tensor of rank 1 is no fault any more once its dtype is another


def number(fault: Fault) -> int:
    """Return the place of a fault's check in the order of the chapter."""
    return int(fault.rule.removeprefix("AWQ-CON-"))


def edits(fault: Fault) -> list[tuple[int, bytes, bytes]]:
    """Return what a fault changes in the twin: offset, old and new bytes."""
    editor = Editor(TWIN)
    fault.edit(editor)
    return editor.edits


def both(first: Fault, second: Fault) -> bytes:
    """Return the twin with two faults and right digests."""
    editor = Editor(TWIN)
    for at, _, new in (*edits(first), *edits(second)):
        editor.put(at, new)
    editor.refresh()
    return bytes(editor.data)


def touched(fault: Fault) -> set[int]:
    """Return the offsets of the bytes a fault changes; all of them if it moves any."""
    changes = edits(fault)
    if any(len(old) != len(new) for _, old, new in changes):
        return set(range(len(TWIN)))
    return {at + i for at, old, _ in changes for i in range(len(old))}


def pairs() -> list[tuple[Fault, Fault]]:
    """Return one fault of each check with one of each later check, where both faults fit into one file.

    They lie in the header, the table and one record of the index. In a loop over entries the earlier entry would
    come first, whatever its fault, so no two of one such loop are taken.
    """
    twin = Editor(TWIN)
    index = twin.offset(SectionType.INDEX) + UNIT * WEIGHT
    places = {*range(twin.tail()[1]), *range(index, index + UNIT)}
    # A fault in a record has INDEX's digest computed anew: a fault of that digest would be gone.
    entry = twin.section(SectionType.INDEX)[1]
    places -= {*range(entry + UNIT - 32, entry + UNIT)}
    one_each = {
        number(fault): fault
        for fault in faults.CASES
        if fault.twin == SMALL and fault.refresh and touched(fault) <= places
    }
    return [
        (first, second)
        for (i, first), (j, second) in combinations(sorted(one_each.items()), 2)
        if (i, j) != REPAIRED
        and not touched(first) & touched(second)
        and not any(start <= i and j <= end for start, end in LOOPS)
    ]


PAIRS = pairs()


def test_there_are_enough_pairs() -> None:
    """Most checks of header, table and records are in a pair."""
    checks = {number(fault) for pair in PAIRS for fault in pair}
    assert len(checks) > 30


@pytest.mark.req("AWQ-CON-004")
def test_python_reports_the_first_check_that_fails(tmp_path: Path) -> None:
    """Of two faults the Python reader reports the one that the specification checks first."""
    path = tmp_path / "two.awq"
    wrong = []
    for first, second in PAIRS:
        path.write_bytes(both(first, second))
        with pytest.raises(awqformat.AwqError) as caught:
            awqformat.safe_open(path)
        if caught.value.code != first.code:
            wrong.append((first.id, second.id, first.code, str(caught.value)))
    assert wrong == []


@pytest.mark.req("AWQ-CON-004")
def test_cpp_reports_the_first_check_that_fails(tmp_path: Path) -> None:
    """Of two faults the C++ loader reports the one that the specification checks first."""
    path, out = tmp_path / "two.awq", tmp_path / "out"
    out.mkdir()
    wrong = []
    for first, second in PAIRS:
        path.write_bytes(both(first, second))
        subprocess.run([LOADER, "inspect", path, out], capture_output=True, check=False)
        code = (out / "reject.txt").read_text(encoding="utf-8").splitlines()[0]
        if code != first.code:
            wrong.append((first.id, second.id, first.code, code))
    assert wrong == []
