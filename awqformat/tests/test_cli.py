"""The command, as a process: exit codes, one line on stderr, nothing half-written."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file as save_safetensors

from awqformat import load_file, safe_open, save_file
from awqformat.tests import damage

ROOT = Path(__file__).resolve().parents[2]
Result = subprocess.CompletedProcess[str]

WEIGHT = np.random.default_rng(0).standard_normal((16, 64)).astype(np.float32) / 16


def awqformat(*arguments: str | Path, cwd: Path) -> Result:
    """Run the command in ``cwd``."""
    environment = os.environ | {"PYTHONPATH": str(ROOT), "COLUMNS": "200"}
    command = [sys.executable, "-m", "awqformat", *map(str, arguments)]
    return subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, encoding="utf-8", errors="surrogateescape",
        check=False, timeout=60,
    )  # fmt: skip


def is_one_line(result: Result, status: int, message: str) -> bool:
    """Return whether a command failed as it should: status, nothing on stdout, one line on stderr."""
    text = result.stderr
    return (result.returncode, result.stdout, text.count("\n")) == (status, "", 1) and text.startswith(
        f"awqformat: {message}"
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with good and bad files."""
    damage.written(tmp_path / "good.awq")
    save_file({}, tmp_path / "none.awq")
    damage.stored(tmp_path / "damaged.awq", damage.damaged((damage.B_AT, "B", 0xFF), refresh=False))
    damage.stored(tmp_path / "cut.awq", damage.small()[:-1])
    damage.stored(tmp_path / "empty.awq", b"")
    sections = [(0x20, 1, b""), (0x30, 1, b""), (0x40, 1, bytes(128)), (0x50, 1, b""), (0x60, 1, b""), (0x100, 1, b"")]
    damage.stored(tmp_path / "encrypted.awq", damage.assembled(*sections, features=1))
    save_safetensors({"fc.weight": WEIGHT, "fc.bias": WEIGHT[0]}, tmp_path / "model.safetensors")
    save_safetensors({"fc.weight": WEIGHT}, tmp_path / "safetensors.awq")
    (tmp_path / "directory.awq").mkdir()
    os.mkfifo(tmp_path / "fifo.awq")
    return tmp_path


FAULTS = [
    ("damaged.awq", 65, "E_DIGEST b: chunk 0, at byte 1024, expected "),
    ("cut.awq", 65, "E_TRUNCATED header: file_size, at byte 24, expected 1407, got 1408"),
    ("empty.awq", 65, "E_TRUNCATED header: size, at byte 0, expected at least 64 bytes, got 0"),
    ("safetensors.awq", 65, "E_MAGIC header: magic, at byte 0, expected 894157510d0a1a0a, got "),
    ("missing.awq", 66, "E_FILE file: path, expected a readable regular file, got missing.awq: No such file"),
    ("directory.awq", 66, "E_FILE file: path, expected a readable regular file, got directory.awq: a directory"),
    ("fifo.awq", 66, "E_FILE file: path, expected a readable regular file, got fifo.awq: a FIFO"),
    ("encrypted.awq", 69, "UNSUPPORTED header: features, expected a plain file, got ENCRYPTED"),
]


def test_verify(folder: Path) -> None:
    """A good file is exit 0 and one line with its identity."""
    with safe_open(folder / "good.awq") as file:
        expected = f"ok good.awq (3 tensors, identity {file.identity})\n"
    result = awqformat("verify", "good.awq", cwd=folder)
    assert (result.returncode, result.stdout, result.stderr) == (0, expected, "")


@pytest.mark.parametrize(("name", "status", "message"), FAULTS)
def test_verify_bad_files(name: str, status: int, message: str, folder: Path) -> None:
    """65 malformed, 66 cannot be read, 69 unsupported, always with one line that says why."""
    assert is_one_line(awqformat("verify", name, cwd=folder), status, message)


@pytest.mark.parametrize(
    ("name", "status", "message"), [fault for fault in FAULTS if fault[0] in ("cut.awq", "fifo.awq")]
)
def test_info_of_bad_files(name: str, status: int, message: str, folder: Path) -> None:
    """What cannot be opened has no info."""
    assert is_one_line(awqformat("info", name, cwd=folder), status, message)


def test_info(folder: Path) -> None:
    """Header, sections, metadata and tensors, one line each; damaged data does not matter."""
    result = awqformat("info", "damaged.awq", cwd=folder)
    assert (result.returncode, result.stderr) == (0, "")
    lines = [" ".join(line.split()) for line in result.stdout.splitlines()]
    assert lines[1] == "version 1.0, 1408 bytes, extents aligned to 64"
    assert "section section 0x80000001 8 bytes at 960" in lines
    assert lines[-4:] == [
        "metadata k = v",
        "tensor a F32 3 64 bytes at 1216",
        "tensor b U4 2x24 G=8 F16 zero points 192 bytes at 1024",
        "tensor c U4 2x1x16 G=8 F32 symmetric 128 bytes at 1280",
    ]


def test_info_as_json(folder: Path) -> None:
    """The same facts as one JSON object."""
    facts = json.loads(awqformat("info", "--json", "good.awq", cwd=folder).stdout)
    assert (facts["minor"], facts["alignment"], facts["file_size"], facts["metadata"]) == (0, 64, 1408, {"k": "v"})
    assert facts["sections"][0] == {"name": "META", "offset": 512, "size": 9}
    assert facts["tensors"][2] == {
        "name": "c", "dtype": "U4", "shape": [2, 1, 16], "group_size": 8, "scale_dtype": "F32", "symmetric": True,
        "offset": 1280, "size": 128,
    }  # fmt: skip


def test_hostile_metadata_cannot_reach_the_terminal(tmp_path: Path) -> None:
    """Control characters of metadata are escaped, and long values cut."""
    save_file({}, tmp_path / "f", {"\x1b[31m": "a\nb\u202e" + "x" * 100})
    result = awqformat("info", "f", cwd=tmp_path)
    line = next(line for line in result.stdout.splitlines() if line.startswith("metadata"))
    assert line.isascii()
    assert line.isprintable()
    assert len(line) < 120


def test_quantize_and_compare(folder: Path) -> None:
    """A model becomes a file that verifies and is close to the model."""
    result = awqformat("quantize", "model.safetensors", "model.awq", "-g", "16", cwd=folder)
    assert (result.returncode, result.stdout) == (0, "wrote model.awq: 1 of 2 tensors quantised\n")
    assert (load_file(folder / "model.awq")["fc.bias"] == WEIGHT[0]).all()
    assert awqformat("verify", "model.awq", cwd=folder).returncode == 0
    result = awqformat("compare", "model.safetensors", "model.awq", cwd=folder)
    assert (result.returncode, result.stderr) == (0, "")
    first, last = result.stdout.splitlines()
    assert first.startswith("ok   fc.weight  cosine 0.99")
    assert last == "2 of 2 tensors within cosine >= 0.99, mse <= 0.001 (1 quantised layers)"


@pytest.mark.parametrize("options", [["--cosine", "0.99999"], ["--mse", "1e-9"]])
def test_compare_beyond_a_threshold(options: list[str], folder: Path) -> None:
    """A layer that is too far off is named, and the exit code is 1."""
    awqformat("quantize", "model.safetensors", "model.awq", "-g", "32", "--symmetric", cwd=folder)
    result = awqformat("compare", "model.safetensors", "model.awq", *options, cwd=folder)
    assert (result.returncode, result.stderr) == (1, "")
    assert result.stdout.startswith("FAIL fc.weight  cosine 0.9")


def test_compare_names_missing_and_extra_tensors(folder: Path) -> None:
    """A tensor the file lacks fails, one it has besides is a note."""
    save_file({"fc.bias": WEIGHT[0], "other": WEIGHT}, folder / "model.awq")
    result = awqformat("compare", "model.safetensors", "model.awq", cwd=folder)
    assert (result.returncode, result.stderr) == (1, "")
    assert result.stdout.splitlines()[:2] == ["FAIL fc.weight  missing", "note other      not in model.safetensors"]


def test_comparing_nothing_is_no_success(folder: Path) -> None:
    """A model without tensors proves nothing."""
    save_safetensors({}, folder / "empty.safetensors")
    assert awqformat("compare", "empty.safetensors", "none.awq", cwd=folder).returncode == 1


@pytest.mark.parametrize(
    ("original", "file", "status", "message"),
    [
        ("missing", "good.awq", 66, "E_FILE file: path, expected a readable regular file, got missing: No such file"),
        ("directory.awq", "good.awq", 65, "E_SHARD directory.awq: shards, expected a *.safetensors file, got none"),
        ("fifo.awq", "good.awq", 66, "E_FILE file: path, expected a readable regular file, got fifo.awq: a FIFO"),
        ("good.awq", "good.awq", 65, "E_SHARD good.awq: size of the header, at byte 0, expected at most 100000000"),
        ("empty.awq", "good.awq", 65, "E_SHARD empty.awq: size, at byte 0, expected at least 8 bytes, got 0"),
        ("model.safetensors", "missing.awq", 66, "E_FILE file: path"),
        ("model.safetensors", "model.safetensors", 65, "E_MAGIC header: magic"),
    ],
)
def test_compare_bad_files(original: str, file: str, status: int, message: str, folder: Path) -> None:
    """Whichever of the two files is bad, one line says so."""
    assert is_one_line(awqformat("compare", original, file, cwd=folder), status, message)


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["missing", "out.awq"], 66, "E_FILE"),
        (["good.awq", "out.awq"], 65, "E_SHARD good.awq: size of the header"),
        (["model.safetensors", "none/out.awq"], 73, "none/out.awq: No such file or directory"),
        (["model.safetensors", "directory.awq", "--force"], 73, "directory.awq: not a regular file"),
        (["model.safetensors", "fifo.awq", "--force"], 73, "fifo.awq: not a regular file"),
        (["model.safetensors", "", "--force"], 73, ".: not a regular file"),
        (["nan.safetensors", "out.awq", "-g", "8"], 65, "E_VALUE w: value, expected finite, got nan"),
        (["name.safetensors", "out.awq"], 65, "E_NAME tensor 0: name_off"),
        (["complex.safetensors", "out.awq"], 65, "E_ENUM w: dtype"),
    ],
)
def test_quantize_leaves_nothing_behind(arguments: list[str], status: int, message: str, folder: Path) -> None:
    """A source that is bad, or a target that cannot be, is one line and no file."""
    save_safetensors({"w": WEIGHT * np.float32("nan")}, folder / "nan.safetensors")
    save_safetensors({"a/b": WEIGHT}, folder / "name.safetensors")
    save_safetensors({"w": np.zeros(8, np.complex64)}, folder / "complex.safetensors")
    before = sorted(folder.rglob("*"))
    assert is_one_line(awqformat("quantize", *arguments, cwd=folder), status, message)
    assert sorted(folder.rglob("*")) == before


USAGE = [
    [],
    ["unknown"],
    ["verify"],
    ["verify", "a", "b"],
    ["quantize", "model.safetensors"],
    ["quantize", "model.safetensors", "good.awq"],
    ["quantize", "model.safetensors", "out.awq", "-g", "7"],
    ["quantize", "model.safetensors", "out.awq", "--group-size", "many"],
    ["quantize", "model.safetensors", "out.awq", "--scale-dtype", "F64"],
    ["compare", "model.safetensors", "good.awq", "--cosine", "high"],
]


@pytest.mark.parametrize("arguments", USAGE, ids=" ".join)
def test_wrong_usage(arguments: list[str], folder: Path) -> None:
    """A wrong command line is exit 2, explains itself, and writes nothing."""
    before = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    result = awqformat(*arguments, cwd=folder)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.startswith("Usage: awqformat")
    assert {path: path.stat().st_mtime_ns for path in folder.iterdir()} == before


def test_a_target_is_replaced_only_when_asked(folder: Path) -> None:
    """--force replaces an existing file."""
    result = awqformat("quantize", "model.safetensors", "good.awq", "-g", "64", "--force", cwd=folder)
    assert result.returncode == 0
    with safe_open(folder / "good.awq", verify="all") as file:
        assert file.keys() == ["fc.bias", "fc.weight"]
        assert file.metadata() == {"quantization.method": "round-to-nearest", "quantization.tool": "awqformat"}


@pytest.mark.parametrize("command", [[], ["verify"], ["info"], ["quantize"], ["compare"]], ids=" ".join)
def test_help(command: list[str], tmp_path: Path) -> None:
    """Every command explains itself, shortly."""
    result = awqformat(*command, "--help", cwd=tmp_path)
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.startswith("Usage: awqformat")


@pytest.mark.skipif(sys.platform == "darwin", reason="its file names are Unicode")
def test_names_that_are_not_text(folder: Path) -> None:
    """A file whose name is no UTF-8 is verified like any other."""
    (folder / "good.awq").rename(folder / "\udcff.awq")
    result = awqformat("verify", "\udcff.awq", cwd=folder)
    assert (result.returncode, result.stderr) == (0, "")
