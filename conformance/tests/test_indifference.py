"""What must not move a reader: META, the minor version, sections it does not know."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import awqformat
from awq_conformance.making.valid import small_model
from awqformat import Contents

LOADER = Path(sys.executable).parent / "awq-loader"
TENSORS = small_model("indifference").tensors
OTHERS = {
    "no META": Contents(TENSORS),
    "META that contradicts": Contents(TENSORS, {"quantization.method": "gptq", "model.config": "{", "group_size": "7"}),
    "minor 1": Contents(TENSORS, minor=1),
    "minor 65535": Contents(TENSORS, minor=65535),
    "a private section": Contents(TENSORS, sections={0x8000_0000: b'{"group_size": 8}'}),
    "unknown sections": Contents(TENSORS, sections={0x1: b"", 0x11: bytes(100), 0x101: b"\xff"}),
}


def python(path: Path) -> dict[str, bytes]:
    """Return the values of every tensor as the Python reader gives them."""
    with awqformat.safe_open(path, verify="all") as file:
        return {name: np.ascontiguousarray(file.get_tensor(name)).tobytes() for name in file.keys()}  # noqa: SIM118


def cpp(path: Path, out: Path) -> dict[str, bytes]:
    """Return every file the C++ loader writes for its tensors."""
    for op in ("dequant", "plain"):
        (out / op).mkdir(parents=True)
        subprocess.run([LOADER, op, path, out / op], capture_output=True, check=True)
    return {file.name: file.read_bytes() for file in out.glob("*/*")}


@pytest.mark.req("AWQ-CON-001", "AWQ-CON-086", "AWQ-CON-087")
@pytest.mark.parametrize("name", OTHERS)
def test_tensors_are_the_same(name: str, tmp_path: Path) -> None:
    """Both readers take the same tensors out of a file, whatever else it says."""
    usual, other = tmp_path / "usual.awq", tmp_path / "other.awq"
    awqformat.write(Contents(TENSORS, {"model.name": "small"}), usual)
    awqformat.write(OTHERS[name], other)
    assert usual.read_bytes() != other.read_bytes()
    assert python(other) == python(usual)
    assert cpp(other, tmp_path / "a") == cpp(usual, tmp_path / "b")
