"""A disk that fills up while a run goes on: nobody's fault who is judged, and nothing that was told is lost."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.conftest import Zoo


@contextmanager
def disk(place: Path, size: str) -> Iterator[Path]:
    """A file system of its own, of so many bytes."""
    place.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "none", place], capture_output=True, check=False
    )
    if done.returncode != 0:
        pytest.skip("only root may mount a small file system")
    try:
        yield place
    finally:
        subprocess.run(["umount", place], check=True)


def run(zoo: Zoo, breed: str, *options: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run the command."""
    command = [sys.executable, "-m", "awq_conformance", "run", "--corpus", str(zoo.root), *options]
    return subprocess.run(
        [*command, "--", *zoo.command(breed)], env={**os.environ, **env}, capture_output=True, text=True, check=False
    )


def test_a_full_folder_for_calls_is_inconclusive(zoo: Zoo, tmp_path: Path) -> None:
    """A loader that could not write is not blamed for it."""
    with disk(tmp_path / "small", "3m") as small:
        done = run(zoo, "disk-full", TMPDIR=str(small))
        assert [*small.iterdir()] == []
    assert (done.returncode, done.stderr.count("Traceback")) == (3, 0)
    assert "INCONCLUSIVE the runner could not go on: [Errno 28] No space left on device" in done.stdout


def test_a_full_folder_for_reports_keeps_what_was_judged(zoo: Zoo, tmp_path: Path) -> None:
    """What fits of the journal is kept, and the run can be resumed once there is room."""
    with disk(tmp_path / "small", "256k") as small:
        ballast = small / "ballast"
        ballast.write_bytes(bytes(250_000))
        done = run(zoo, "right", "--report", str(small), "-j", "1")
        assert (done.returncode, "Traceback" in done.stderr) == (3, False)
        assert "No space left on device" in done.stdout + done.stderr
        kept = (small / "journal.jsonl").read_bytes()
        ballast.unlink()
        whole = [json.loads(line) for line in kept.splitlines(keepends=True) if line.endswith(b"\n")]
        again = run(zoo, "right", "--report", str(small), "--resume")
        assert again.returncode == 0
        record = json.loads((small / "report.json").read_bytes())
    assert {line["id"] for line in whole[1:]} <= {result["id"] for result in record["results"]}
    assert record["incomplete"] == ""
