"""One wrong bit, as a user would meet it: through the commands of both readers."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from awq_conformance.cases import default_root

GOOD = (default_root() / "container/small.awq").read_bytes()
BIN = Path(sys.executable).parent
SAMPLES = range(5, 8 * len(GOOD), 8 * len(GOOD) // 24)


@pytest.mark.parametrize("bit", SAMPLES)
def test_a_wrong_bit_is_refused_by_both_commands(bit: int, tmp_path: Path) -> None:
    """Both commands exit 65, with the same code on one line; every bit is flipped by the readers' own tests."""
    data = bytearray(GOOD)
    data[bit // 8] ^= 1 << bit % 8
    path = tmp_path / "flipped.awq"
    path.write_bytes(data)
    (tmp_path / "out").mkdir()
    lines = []
    for command in ([f"{BIN}/awqformat", "verify", path], [f"{BIN}/awq-loader", "inspect", path, tmp_path / "out"]):
        done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False)
        assert done.returncode == 65
        assert done.stderr.count("\n") == 1
        lines.append(done.stderr.split()[1])
    assert lines[0] == lines[1]
