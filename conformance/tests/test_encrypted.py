"""Encrypted files in profile core: what stage P must find in them before a loader says that it has no encryption."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import awqformat
from awq_conformance.cases import Case, default_root, load
from awq_conformance.making.editor import Editor
from awq_conformance.making.faults.encrypted import encrypt

ROOT = default_root()
CASES = load(ROOT).cases
ENCRYPTED = [case for case in CASES.values() if "encrypted" in case.flags]
LOADER = Path(sys.executable).parent / "awq-loader"


@pytest.mark.req("AWQ-CON-043")
@pytest.mark.parametrize("twin", sorted({str(case.twin) for case in ENCRYPTED}))
def test_without_the_fault_both_readers_answer_unsupported(twin: str, tmp_path: Path) -> None:
    """So it is the fault that they reject, and nothing else that stage P looks at."""
    editor = Editor(CASES[twin].input.read_bytes())
    encrypt(editor)
    path, out = tmp_path / "encrypted.awq", tmp_path / "out"
    path.write_bytes(editor.data)
    with pytest.raises(awqformat.AwqError) as caught:
        awqformat.safe_open(path, verify="all")
    assert caught.value.code == "UNSUPPORTED"
    out.mkdir()
    done = subprocess.run([LOADER, "dequant", path, out], capture_output=True, check=False)
    assert done.returncode == 69
    assert {file.name for file in out.iterdir()} <= {"reject.txt"}


def test_each_kind_of_check_of_stage_p_has_an_encrypted_file() -> None:
    """The last checks of the stage among them: digests of sections and the padding behind each."""
    assert len(ENCRYPTED) > 20
    rules = {case.req[0] for case in ENCRYPTED}
    assert {f"AWQ-CON-{n:03d}" for n in (16, 17, 18, 19, 20, 27, 28, 29, 31, 32, 33, 35, 41, 42)} == rules
    assert all(case.outcome == "reject" and "AWQ-CON-043" in case.req for case in ENCRYPTED)


@pytest.mark.parametrize("case", ENCRYPTED, ids=lambda case: case.id)
def test_an_encrypted_file_says_so(case: Case) -> None:
    """CRYPT or TAGS is in the table, and ENCRYPTED set but where that is the fault."""
    editor = Editor(case.input.read_bytes())
    kinds = {editor.get(editor.entry(i), "type") for i in range(editor.get(editor.header(), "section_count"))}
    assert kinds & {0x40, 0x50}
    assert editor.get(editor.header(), "features") & 1 == (case.id != "container/encrypted-cleared")
