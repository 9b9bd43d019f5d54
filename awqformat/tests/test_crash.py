"""A writer that dies leaves nothing under the final name, whenever it dies."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import awqformat

# Forks a writer for every call it makes on its file and kills it there; prints the number of calls.
KILLER = """
import os, signal, sys
from pathlib import Path
import numpy as np
import awqformat

target, old = Path(sys.argv[1]), Path(sys.argv[1]).read_bytes()
tensors = {"a": np.arange(40, dtype=np.float32), "b": awqformat.quantize(np.eye(16, 64, dtype=np.float32), 16)}

class Dying:
    def __init__(self, file, calls):
        self.file, self.calls = file, calls
    def __getattr__(self, name):
        value = getattr(self.file, name)
        if not callable(value):
            return value
        def call(*args):
            self.calls -= 1
            if not self.calls:
                self.file.flush()
                os.kill(os.getpid(), signal.SIGKILL)
            return value(*args)
        return call
    def __enter__(self):
        return self
    def __exit__(self, *error):
        self.file.close()

opened = Path.open
calls = 0
while True:
    calls += 1
    child = os.fork()
    if not child:
        Path.open = lambda path, mode: Dying(opened(path, mode), calls)
        awqformat.save_file(tensors, target, {"new": "file"})
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    if os.WIFEXITED(status):
        break
    assert target.read_bytes() == old, calls
print(calls - 1)
"""


@pytest.mark.req("AWQ-CON-084")
def test_killed_at_every_call(tmp_path: Path) -> None:
    """Killed at any call on its file the writer leaves the old file as it was, and a retry succeeds."""
    target = tmp_path / "model.awq"
    awqformat.save_file({"old": np.zeros(3, np.uint8)}, target)
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", KILLER, str(target)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) >= 20
    with awqformat.safe_open(target, verify="all") as file:
        assert file.metadata() == {"new": "file"}


@pytest.mark.req("AWQ-CON-085")
def test_an_old_mapping_survives_replacement(tmp_path: Path) -> None:
    """Arrays of a mapped file keep their values while the file is replaced under them."""
    target = tmp_path / "model.awq"
    awqformat.save_file({"w": np.full(5000, 7, np.uint16)}, target)
    with awqformat.safe_open(target) as file:
        before = file.get_tensor("w")
        awqformat.save_file({"w": np.full(5000, 9, np.uint16)}, target)
        assert (before == 7).all()
        assert (file.get_tensor("w") == 7).all()
    assert (awqformat.load_file(target)["w"] == 9).all()
