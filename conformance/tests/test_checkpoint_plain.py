"""Plain tensors of checkpoints are nobody's to ask for."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest

from awq_conformance.attempt import operations
from awq_conformance.cases import default_root, load

ADAPTER: Final = Path(__file__).parents[1] / "adapters" / "python_reader.py"
CASES: Final = load(default_root()).cases
VALID, MALFORMED = CASES["hf-gemm/block"], CASES["hf-gemm/scale-nan"]


@pytest.mark.req("AWQ-CNF-011")
def test_plain_is_not_asked_of_a_checkpoint() -> None:
    """Neither of a valid nor of a malformed one, not even if a case had bytes of plain tensors to compare."""
    ops = ("inspect", "plain", "unpack", "dequant")
    bytes_too = [replace(one, outputs={**one.outputs, "P": "x"}) for one in VALID.expect]
    assert operations(replace(VALID, expect=tuple(bytes_too)), ops) == ["dequant", "unpack", "inspect"]
    assert operations(MALFORMED, ops) == ["dequant", "inspect"]


@pytest.mark.req("AWQ-CNF-011")
def test_the_python_reader_has_no_plain_of_a_checkpoint(tmp_path: Path) -> None:
    """It says so, and writes nothing."""
    command = [sys.executable, str(ADAPTER), "plain", str(VALID.input), str(tmp_path)]
    assert subprocess.run(command, check=False).returncode == 69
    assert not list(tmp_path.iterdir())
