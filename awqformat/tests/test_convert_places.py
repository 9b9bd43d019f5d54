"""Sources and targets behind URLs, and conversions that are stopped halfway."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pytest

from awqformat import AwqError, load_file, safe_open
from awqformat.checkpoints import shards
from awqformat.checkpoints.convert import Conversion
from awqformat.checkpoints.directory import Directory
from awqformat.checkpoints.places import MisuseError
from awqformat.checkpoints.shard import Stored
from awqformat.tests.checkpoint import AWQ, directory, layer, tensors_in, weight
from awqformat.tests.serving import serving

ROOT = Path(__file__).resolve().parents[2]
SHARDS = ({**layer("gemm", weight(), "a"), "norm.weight": np.arange(8.0)}, layer("gemm", weight(seed=1), "b"))


def run(source: Any, target: Any, to: str | None = None, **options: Any) -> None:
    """Convert with two workers."""
    with Conversion(source, target, to=to, **options) as conversion:
        conversion.run(workers=2)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Return a directory of two shards."""
    return directory(tmp_path / "site" / "source", *SHARDS, config=AWQ, tokenizer="[1]")


@pytest.fixture
def memory() -> str:
    """Return the URL of a place in the memory of this process that nothing else uses."""
    return f"memory://{secrets.token_hex(8)}"


@pytest.fixture
def scratch_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return where temporary files go, which is empty at first."""
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    return tmp_path / "tmp"


@pytest.mark.parametrize("ranges", [True, False])
def test_from_http(ranges: bool, source: Path, tmp_path: Path, scratch_folder: Path) -> None:
    """A directory or a file on a web server is converted, with ranges and without, and no copy is left."""
    run(source, tmp_path / "site" / "m.awq")
    with serving(tmp_path / "site", ranges=ranges) as (url, seen):
        run(f"{url}/source", tmp_path / "there.awq")
        assert any("bytes=" in line for line in seen)
        assert [line for line in seen if ".safetensors " in line and line.endswith("whole")] == (
            [] if ranges else [f"/source/model-0000{i}-of-00002.safetensors whole" for i in (1, 2)]
        )
        run(f"{url}/m.awq", tmp_path / "back", "gemm")
    assert (tmp_path / "there.awq").read_bytes() == (tmp_path / "site" / "m.awq").read_bytes()
    assert tensors_in(tmp_path / "back") == tensors_in(source)
    assert list(scratch_folder.iterdir()) == []


def test_to_and_from_memory(source: Path, memory: str, tmp_path: Path, scratch_folder: Path) -> None:
    """Files and directories in memory are written, replaced when asked for, and read."""
    run(source, f"{memory}/m.awq")
    with safe_open(f"{memory}/m.awq", verify="all") as file:
        assert file.keys() == ["a.weight", "b.weight", "norm.weight"]
    run(f"{memory}/m.awq", f"{memory}/gptq", "gptq", shard_size=5000)
    with Directory(f"{memory}/gptq") as opened:
        assert len(opened.shards) == 3
    run(f"{memory}/gptq", tmp_path / "back", "gemm")
    assert tensors_in(tmp_path / "back") == tensors_in(source)
    for target, to in ((f"{memory}/m.awq", None), (f"{memory}/gptq", "gemm")):
        with pytest.raises(MisuseError, match="exists; --force replaces it"):
            Conversion(source, target, to=to)
    run(source, f"{memory}/gptq", "gemv", force=True)
    with Directory(f"{memory}/gptq") as opened:
        assert opened.shards == ["model.safetensors"]
        assert opened.others == ["tokenizer.json"]
    assert [path for path in fsspec.filesystem("memory").ls(memory) if "tmp" in path["name"]] == []
    assert list(scratch_folder.iterdir()) == []


def test_a_failure_leaves_nothing_in_memory(
    source: Path, memory: str, scratch_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the other side fails in the middle, neither the target nor a part of it is there."""
    fs = fsspec.filesystem("memory")
    put, calls = fs.put_file, 0

    def failing(*arguments: Any, **options: Any) -> None:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise OSError(28, "No space left on device")
        put(*arguments, **options)

    monkeypatch.setattr(type(fs), "put_file", staticmethod(failing))
    with pytest.raises(OSError, match="No space left"):
        run(source, f"{memory}/t", "gptq")
    assert calls == 2
    assert not fs.exists(f"{memory}/t")
    assert fs.find(memory) == []
    assert list(scratch_folder.iterdir()) == []


def test_a_place_that_nothing_can_be_written_to(source: Path) -> None:
    """A web server takes no files."""
    with pytest.raises(OSError, match=r"nothing can be written over http: 'http://127.0.0.1:9/m.awq'"):
        Conversion(source, "http://127.0.0.1:9/m.awq")
    with pytest.raises(AwqError, match=r"^UNSUPPORTED file: scheme"):
        Conversion(source, "unknown://x/m.awq")


def test_a_url_is_the_source_too(memory: str, source: Path) -> None:
    """A target that is the source is refused behind URLs as well."""
    run(source, f"{memory}/d", "gemm")
    with pytest.raises(MisuseError, match="is the source"):
        Conversion(f"{memory}/d", f"{memory}/d/", to="gptq", force=True)


@pytest.mark.req("AWQ-CHK-028")
@pytest.mark.parametrize("target", ["m.awq", "t"])
@pytest.mark.parametrize("old", [False, True])
def test_a_failure_midway_leaves_what_was_there(
    target: str,
    old: bool,
    source: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """When a tensor cannot be read any more, the target is as it was before, and nothing lies beside it."""
    place, to = tmp_path / target, None if target.endswith("awq") else "gptq"
    if old:
        run(source, place, to)
    before = sorted((path, path.read_bytes()) for path in tmp_path.rglob("*") if path.is_file())

    original = Stored.bytes

    def broken(self: Stored) -> memoryview:
        if self.name == "b.qweight":
            raise AwqError("E_IO", self.shard, self.name, got="Input/output error")
        return original(self)

    monkeypatch.setattr(Stored, "bytes", broken)
    with pytest.raises(AwqError, match="E_IO"):
        run(source, place, to, force=old)
    assert sorted((path, path.read_bytes()) for path in tmp_path.rglob("*") if path.is_file()) == before
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


@pytest.mark.req("AWQ-CHK-028")
def test_an_interrupt_between_files(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C while a directory is written removes what there is of it."""

    def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(shards.ShardWriter, "finish", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(source, tmp_path / "t", "gptq")
    assert [path.name for path in tmp_path.iterdir()] == ["site"]


def command(*arguments: str | Path, **options: Any) -> subprocess.Popen[str]:
    """Start the command in a process of its own."""
    environment = os.environ | {"PYTHONPATH": str(ROOT), "COLUMNS": "200"}
    return subprocess.Popen(
        [sys.executable, "-m", "awqformat", *map(str, arguments)],
        env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options,
    )  # fmt: skip


@pytest.mark.req("AWQ-CHK-028")
@pytest.mark.parametrize("to", [[], ["--to", "gptq"]])
@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGKILL, -signal.SIGKILL)])
def test_stopped_from_outside(to: list[str], number: signal.Signals, status: int, source: Path, tmp_path: Path) -> None:
    """Ctrl-C in the middle is one line and exit 130, and leaves nothing; nor does SIGKILL leave a target."""
    asked, answer = threading.Event(), threading.Event()
    target = tmp_path / ("t" if to else "m.awq")
    with serving(source.parent, until=(asked, answer, "bytes=")) as (url, _):
        process = command("convert", f"{url}/source", target, *to)
        try:
            assert asked.wait(60)
            process.send_signal(number)
            if number == signal.SIGKILL:
                process.wait(60)
        finally:
            answer.set()
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (status, "")
    assert not target.exists()
    if number == signal.SIGINT:
        assert err == "awqformat: interrupted\n"
        assert [path.name for path in tmp_path.iterdir()] == ["site"]


FULL = """
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))
from awqformat.cli import main
main(sys.argv[1:])
"""


@pytest.mark.req("AWQ-CHK-028")
@pytest.mark.parametrize("target", ["m.awq", "t"])
def test_a_full_disk(target: str, source: Path, tmp_path: Path) -> None:
    """When the disk fills up, one line names the target, the exit status is 73, and nothing is left."""
    to = [] if target.endswith("awq") else ["--to", "gptq"]
    result = subprocess.run(
        [sys.executable, "-c", FULL, "convert", str(source), str(tmp_path / target), *to],
        env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert (result.returncode, result.stdout) == (73, "")
    assert result.stderr == f"awqformat: {tmp_path / target}: File too large\n"
    assert [path.name for path in tmp_path.iterdir()] == ["site"]


def test_what_was_converted_loads(source: Path, tmp_path: Path) -> None:
    """A converted file is one like any other."""
    run(source, tmp_path / "m.awq")
    assert (load_file(tmp_path / "m.awq")["norm.weight"] == np.arange(8.0)).all()
