"""awqformat convert as a process: what it prints, and its exit codes."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from awqformat import safe_open, save_file
from awqformat.tests.checkpoint import AWQ, CONFIGS, directory, layer, tensors_in, weight

ROOT = Path(__file__).resolve().parents[2]
Result = subprocess.CompletedProcess[str]
ENVIRONMENT = os.environ | {"PYTHONPATH": str(ROOT), "COLUMNS": "200"}


def convert(*arguments: str, cwd: Path) -> Result:
    """Run the command in ``cwd``."""
    command = [sys.executable, "-m", "awqformat", "convert", *arguments]
    return subprocess.run(command, cwd=cwd, env=ENVIRONMENT, capture_output=True, text=True, check=False, timeout=60)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with a directory of gemm, one whose padding is not zero, and a file."""
    directory(
        tmp_path / "gemm", layer("gemm", weight(), "a") | {"norm.weight": np.zeros(8)}, config=AWQ, tokenizer="[]"
    )
    padded = layer("gemv", weight())
    padded["fc.scales"][0, 20] = 1
    directory(tmp_path / "padded", padded, config=CONFIGS["gemv"])
    directory(tmp_path / "bare", layer("gemm", weight()))
    save_file({"fc.weight": weight()}, tmp_path / "m.awq")
    return tmp_path


def test_there_and_back(folder: Path) -> None:
    """Two commands bring a directory to a file and back; each says what it did."""
    result = convert("gemm", "new.awq", cwd=folder)
    assert (result.returncode, result.stderr) == (0, "")
    size = (folder / "new.awq").stat().st_size
    assert result.stdout.splitlines() == [
        f"wrote new.awq: 1 layers from gemm to awq, 1 other tensors, {size} bytes",
        "read back and compared: every code, zero point and scale, and every other byte, is what it was",
    ]
    result = convert("new.awq", "back", cwd=folder)
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.startswith("wrote back: 1 layers from awq to gemm, 1 other tensors, ")
    assert tensors_in(folder / "back") == tensors_in(folder / "gemm")


def test_a_dry_run_writes_nothing(folder: Path) -> None:
    """It prints files, layers and tensors, one line each."""
    before = sorted(folder.rglob("*"))
    result = convert("gemm", "t", "--to", "gptq", "--dry-run", cwd=folder)
    assert (result.returncode, result.stderr) == (0, "")
    assert sorted(folder.rglob("*")) == before
    lines = [" ".join(line.split()) for line in result.stdout.splitlines()]
    assert lines[0].startswith("would write t: 1 layers from gemm to gptq, 1 other tensors, ")
    assert lines[1].startswith("file model.safetensors ")
    assert "layer a.weight 64x128 G=32 F16 zero points" in lines
    assert "tensor norm.weight F64 8" in lines
    assert lines[-1] == "copy tokenizer.json"


@pytest.mark.parametrize("dry", [[], ["--dry-run"]])
def test_json(dry: list[str], folder: Path) -> None:
    """One object says the same."""
    result = convert("gemm", "new.awq", "--json", *dry, cwd=folder)
    facts = json.loads(result.stdout)
    assert (facts["from"], facts["to"], facts["written"], facts["lost"]) == ("gemm", "awq", not dry, {})
    assert [item["name"] for item in facts["layers"]] == ["a.weight"]
    assert (folder / "new.awq").exists() == (not dry)


def test_what_is_lost_is_said(folder: Path) -> None:
    """A loss that was allowed is named with the layers that suffered it."""
    result = convert("padded", "new.awq", "--allow-lossy", "padding", cwd=folder)
    assert result.returncode == 0
    assert result.stdout.splitlines()[1:] == [
        "lost    padding: nibbles or columns beyond the weight that are not zero become zero, in 1 layers, such as fc",
        "read back and compared: every code, zero point and scale, and every other byte, is what it was but for what "
        "was lost",
    ]
    facts = json.loads(convert("padded", "all.awq", "--allow-lossy", "all", "--json", cwd=folder).stdout)
    assert facts["lost"] == {"padding": ["fc"]}


FAILURES: list[tuple[list[str], int, str]] = [
    (
        ["none", "new.awq"],
        66,
        "E_FILE file: path, expected a readable regular file, got none: No such file or directory",
    ),
    (["none", "t", "--to", "gemm"], 66, "E_FILE file: path, expected a readable regular file, got none: No such file"),
    (["http://127.0.0.1:9/x", "new.awq"], 66, "E_FILE file: path, expected a readable file, got http://127.0.0.1:9/x"),
    (["unknown://x/y", "new.awq"], 69, "UNSUPPORTED file: scheme, expected a scheme with a driver"),
    (
        ["padded", "new.awq"],
        65,
        "E_LOSSY fc: padding, expected --allow-lossy padding, got nibbles or columns beyond the",
    ),
    (
        ["bare", "new.awq"],
        65,
        "E_CONFIG bare: configuration, expected a quantisation in config.json, quant_config.json,",
    ),
    (
        ["bare", "new.awq", "--from", "gemm"],
        65,
        "E_CONFIG the command line: group_size, expected a group size, or --gr",
    ),
    (
        ["m.awq", "t", "--to", "marlin"],
        65,
        "E_LOSSY fc: marlin zero points, expected 8 everywhere, for none are stored",
    ),
    (["gemm", "none/new.awq"], 73, "none/new.awq: No such file or directory"),
    (["gemm", "none/t", "--to", "gemm"], 73, "none/t: No such file or directory"),
    (["gemm", "gemm/config.json/new.awq"], 2, ""),
    (["gemm", "m.awq/t", "--to", "gptq"], 73, "m.awq/t: Not a directory"),
    (["gemm", "http://127.0.0.1:9/x.awq"], 73, "http://127.0.0.1:9/x.awq: nothing can be written over http"),
]


@pytest.mark.parametrize(("arguments", "status", "message"), FAILURES, ids=lambda value: " ".join(value) if isinstance(
    value, list) else None)  # fmt: skip
def test_failures(arguments: list[str], status: int, message: str, folder: Path) -> None:
    """Each is one line, with its exit code, and leaves nothing behind."""
    before = sorted(folder.rglob("*"))
    result = convert(*arguments, cwd=folder)
    assert (result.returncode, result.stdout) == (status, "")
    if status != 2:
        assert result.stderr.startswith(f"awqformat: {message}")
        assert result.stderr.count("\n") == 1
    assert sorted(folder.rglob("*")) == before


USAGE = [
    ["gemm"],
    ["gemm", "t"],
    ["gemm", "t.awq", "--to", "gemm"],
    ["gemm", "m.awq"],
    ["gemm", "gemm", "--to", "gemm", "--force"],
    ["gemm", "gemm/t", "--to", "gemm"],
    ["m.awq", "t.awq"],
    ["m.awq", "t"],
    ["gemm", "t", "--to", "gguf"],
    ["gemm", "t.awq", "--from", "matmulnbits"],
    ["gemm", "t.awq", "--group-size", "7"],
    ["gemm", "t.awq", "--workers", "0"],
    ["gemm", "t", "--to", "gemm", "--shard-size", "0"],
    ["gemm", "t", "--to", "gemm", "--shard-size", "many"],
    ["gemm", "t.awq", "--allow-lossy", "codes"],
]


@pytest.mark.parametrize("arguments", USAGE, ids=" ".join)
def test_wrong_usage(arguments: list[str], folder: Path) -> None:
    """What cannot be meant is exit 2, says why, and writes nothing."""
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    result = convert(*arguments, cwd=folder)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.startswith("Usage: ")
    assert "Error: " in result.stderr
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before


@pytest.mark.parametrize(("size", "files"), [("4KB", 2), ("1gb", 1), ("3000", 2)])
def test_shard_sizes(size: str, files: int, folder: Path) -> None:
    """Sizes are bytes, thousands, millions or billions of them."""
    assert convert("gemm", "t", "--to", "gemm", "--shard-size", size, cwd=folder).returncode == 0
    assert len(list((folder / "t").glob("*.safetensors"))) == files


def test_options_that_decide(folder: Path) -> None:
    """What a directory does not tell, options may; --force replaces; --workers takes a number."""
    options = ["--from", "gemm", "--group-size", "32", "--force", "--workers", "1"]
    assert convert("bare", "m.awq", *options, cwd=folder).returncode == 0
    with safe_open(folder / "m.awq", verify="all") as file:
        assert file.metadata()["checkpoint.dialect"] == "gemm"


def test_a_bar_on_a_terminal(folder: Path) -> None:
    """Where stderr is a terminal, the step and the tensor it is at are shown there, and gone at the end."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "awqformat", "convert", "gemm", "new.awq"]
    environment = ENVIRONMENT | {"TERM": "xterm-256color", "FORCE_COLOR": "1"}
    process = subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=theirs)
    os.close(theirs)
    shown = b""
    try:
        while data := os.read(ours, 4096):
            shown += data
    except OSError:  # the other side is closed
        pass
    os.close(ours)
    assert process.communicate(timeout=60)[0].startswith(b"wrote new.awq: ")
    assert process.returncode == 0
    for word in (b"checking", b"converting", b"verifying", b"norm.weight"):
        assert word in shown
