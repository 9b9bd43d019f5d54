"""The checkpoint directories of the corpus: one fault a case, and read by the library as they are meant."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest

import awqformat
from awq_conformance.attempt import operations
from awq_conformance.cases import Case, default_root, load
from awqformat.errors import CHECKPOINT_CODES, CODES
from tests.folders import files_of, hold_what_is_expected, read, repaired

ADAPTER: Final = Path(__file__).parents[1] / "adapters" / "python_reader.py"
CASES: Final = {case.id: case for case in load(default_root()).cases.values() if case.folder}
ACCEPT: Final = [case for case in CASES.values() if case.outcome == "accept"]
REJECT: Final = [case for case in CASES.values() if case.outcome == "reject"]


@pytest.mark.req("AWQ-CNF-036")
@pytest.mark.parametrize("case", REJECT, ids=lambda case: str(case.id))
def test_undoing_the_edit_gives_the_twin(case: Case) -> None:
    """A reject case differs from its valid twin by one edit of one file and by nothing else."""
    assert case.twin is not None
    assert repaired(case) == files_of(CASES[case.twin])


@pytest.mark.req("AWQ-CNF-011")
def test_plain_is_not_asked_of_a_checkpoint() -> None:
    """Neither of a valid nor of a malformed one, not even if a case had bytes of plain tensors to compare."""
    ops = ("inspect", "plain", "unpack", "dequant")
    bytes_too = [replace(one, outputs={**one.outputs, "P": "x"}) for one in ACCEPT[0].expect]
    assert operations(replace(ACCEPT[0], expect=tuple(bytes_too)), ops) == ["dequant", "unpack", "inspect"]
    assert operations(REJECT[0], ops) == ["dequant", "inspect"]


@pytest.mark.req("AWQ-CNF-011")
def test_the_python_reader_has_no_plain_of_a_checkpoint(tmp_path: Path) -> None:
    """It says so, and writes nothing."""
    command = [sys.executable, str(ADAPTER), "plain", str(ACCEPT[0].input), str(tmp_path)]
    assert subprocess.run(command, check=False).returncode == 69
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("case", REJECT, ids=lambda case: str(case.id))
def test_the_library_refuses_with_the_stated_code(case: Case) -> None:
    """On one line, with a code of the lists."""
    with pytest.raises(awqformat.AwqError) as caught:
        read(case)
    assert (caught.value.code,) == case.codes, str(caught.value)
    assert caught.value.code in CODES | CHECKPOINT_CODES
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("case", ACCEPT, ids=lambda case: str(case.id))
def test_the_library_reads_the_expected_values(case: Case) -> None:
    """Codes, zero points, scales and weights, bit for bit; the expected ones come from the oracle."""
    hold_what_is_expected(case, read(case))


def test_every_profile_has_its_share_of_malformed_directories() -> None:
    """At least a third of the cases of each are to be refused."""
    for profile in {case.profile for case in CASES.values()}:
        outcomes = [case.outcome for case in CASES.values() if case.profile == profile]
        assert 3 * outcomes.count("reject") >= len(outcomes), profile
