"""The mutator reaches deep, the two readers agree on what it makes, and a disagreement is not missed."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from random import Random

import pytest

from awq_conformance.making.editor import Editor
from awqformat.container.source import Mode
from awqformat.schema import SectionType
from tools.fuzz.differential import compare, fault, main, mutant, seeds
from tools.fuzz.mutate import Repair, mutate, repair
from tools.fuzz.outcome import ACCEPT, Loader, Outcome, python_reader

FILES = seeds()
LOADER = shutil.which("awq-loader", path=str(Path(sys.executable).parent)) or shutil.which("awq-loader")


@pytest.mark.skipif(LOADER is None, reason="awq-loader is not installed")
def test_the_readers_agree() -> None:
    """3,000 mutants: the same verdict and code from both, most codes reached, many accepted and written back."""
    tally = compare(FILES, Loader(str(LOADER)), "test", 3000)
    assert tally.findings == []
    assert tally.runs == 3000
    assert len(tally.codes()) >= 20
    assert tally.accepted > 500


def test_mutants_are_reproducible() -> None:
    """The same seed gives the same bytes, another seed others; a mutant needs none of those before it."""
    first = [mutant(FILES, "x", i) for i in range(50)]
    assert [mutant(FILES, "x", i) for i in reversed(range(50))] == first[::-1]
    assert [mutant(FILES, "y", i) for i in range(50)] != first


def test_mutants_of_mutants() -> None:
    """Whatever was made of a file can be mutated on; nothing but bytes comes out, of no size beyond reason."""
    random = Random(1)
    for data in FILES[:20]:
        for _ in range(40):
            data = mutate(data, random)
            assert len(data) < 1 << 20


def test_repaired_mutants_have_right_digests(tmp_path: Path) -> None:
    """After a full repair no reader finds a digest at fault, whatever else is wrong."""
    path = tmp_path / "mutant.awq"
    for i in range(400):
        editor = Editor(mutant(FILES, "repaired", i)[0])
        repair(editor)
        path.write_bytes(editor.data)
        assert python_reader(path, "mmap").verdict != "E_DIGEST"


@pytest.mark.parametrize("depth", Repair)
def test_repair_stops_where_it_is_told(depth: Repair, tmp_path: Path) -> None:
    """A repair leaves right digests alone; wrong ones are made right from the root down to the depth asked for."""
    path = tmp_path / "repaired.awq"
    for data in FILES:
        right = Editor(data)
        repair(right, depth)
        assert bytes(right.data) == data
    two_tensors = next(data for data in FILES if Editor(data).get(("header", 0), "tensor_count") == 2)
    table, digest = Editor(two_tensors).tail()[1], Editor(two_tensors).offset(SectionType.DIGEST)
    for made_right, at in ((Repair.ROOT, table), (Repair.SECTIONS, table - 2 * 64 + 32), (Repair.ROWS, digest)):
        editor = Editor(two_tensors)
        editor.flip(at)
        repair(editor, depth)
        path.write_bytes(editor.data)
        assert python_reader(path, "mmap").verdict == (ACCEPT if depth >= made_right else "E_DIGEST")


@pytest.mark.parametrize("verdict", [ACCEPT, "E_VALUE", "exit 139"])
def test_a_reader_that_is_wrong_is_found(verdict: str, tmp_path: Path) -> None:
    """A reader with one answer for everything, or none, disagrees soon; seed, number and file are named."""

    def wrong(_path: Path, _mode: Mode) -> Outcome:
        return Outcome(verdict)

    tally = compare(FILES, wrong, "wrong", 100, save=tmp_path)
    first = tally.findings[0]
    assert first.startswith("seed wrong mutant ")
    number, kept = int(first.split()[3]), Path(first.rpartition(" ")[2])
    assert kept.parent == tmp_path
    assert kept.read_bytes() == mutant(FILES, "wrong", number)[0]


def test_other_values_are_found() -> None:
    """Two readers that accept the same file and read different weights out of it do not agree."""

    def wrong(path: Path, mode: Mode) -> Outcome:
        outcome = python_reader(path, mode)
        values = None if outcome.values is None else dict.fromkeys(outcome.values, b"other")
        return Outcome(outcome.verdict, values)

    findings = compare(FILES, wrong, "values", 100).findings
    assert [line.partition(": ")[2] for line in findings] == ["accepted by both with different values"]


@pytest.mark.parametrize(
    ("python", "core", "agree"),
    [
        (ACCEPT, ACCEPT, True),
        ("E_MAGIC", "E_MAGIC", True),
        (ACCEPT, "E_MAGIC", False),
        ("E_NAME", "E_SIZE", False),
        ("IndexError: 1", "IndexError: 1", False),
        (ACCEPT, "exit 1", False),
    ],
)
def test_fault(python: str, core: str, agree: bool) -> None:  # a column of the table
    """Verdicts agree if they are equal and among those a reader may give."""
    assert (fault(python, core) is None) == agree


def test_command(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """The command prints its figures and exits 0 where the readers agree."""
    if LOADER is None:
        pytest.skip("awq-loader is not installed")
    assert main(["--runs", "20", "--save", str(tmp_path / "none")]) == 0
    assert capsys.readouterr().out.startswith("20 mutants in ")
    assert not (tmp_path / "none").exists()
