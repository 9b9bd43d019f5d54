"""The project's own loaders, certified by the runner on the whole core corpus."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

BIN = str(Path(sys.executable).parent)


@pytest.mark.parametrize("options", [["--dtype", "f16"], ["--dtype", "bf16"], ["--mode", "pread"]], ids=" ".join)
def test_the_cpp_loader_is_conformant(options: list[str]) -> None:
    """The C++ loader is exact in every dtype it writes and in both ways of reading (make certify does f32, mmap)."""
    command = [f"{BIN}/awq-conformance", "run", "--", f"{BIN}/awq-loader", *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("profile", ["hf-gemm", "hf-gemv", "hf-gemv-fast", "gptq", "ct-pack"])
def test_the_python_reader_of_checkpoints_is_conformant(profile: str) -> None:
    """On the corpus, a fresh checkpoint and a holdout; one process for all of them, as starting Python is slow."""
    adapter = Path(__file__).parents[1] / "adapters" / "python_reader.py"
    command = [
        f"{BIN}/awq-conformance",
        "run",
        "--profile",
        profile,
        "--mode",
        "serve",
        "--holdout",
        "7",
        "--",
        sys.executable,
        str(adapter),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert f"{profile}: CONFORMANT at grade exact" in done.stdout
