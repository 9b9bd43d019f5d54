"""What can stand behind a path, and reading it."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from awqformat import AwqError, safe_open
from awqformat.container.source import Mode, Source
from awqformat.tests import damage

modes = pytest.mark.parametrize("mode", ["mmap", "pread"])


def refusal(path: str | bytes | Path, mode: Mode = "mmap") -> str:
    """Return the message with which ``path`` is refused."""
    with pytest.raises(AwqError) as caught:
        safe_open(path, mode=mode)  # type: ignore[arg-type]  # bytes work, as for open()
    return str(caught.value)


def is_file_error(message: str, reason: str) -> bool:
    """Return whether a message is E_FILE for this reason."""
    return message.startswith("E_FILE file: path, expected a readable regular file, got ") and message.endswith(reason)


@pytest.mark.req("AWQ-CON-009")
@modes
def test_missing(mode: Mode, tmp_path: Path) -> None:
    """A path that leads nowhere is E_FILE and is named."""
    message = refusal(tmp_path / "none", mode)
    assert is_file_error(message, f"{tmp_path}/none: No such file or directory")
    assert is_file_error(refusal(os.fsencode(tmp_path / "none")), "/none: No such file or directory")


@pytest.mark.req("AWQ-CON-009")
@modes
def test_directory(mode: Mode, tmp_path: Path) -> None:
    """A directory is E_FILE."""
    assert is_file_error(refusal(tmp_path, mode), ": a directory")


@pytest.mark.req("AWQ-CON-077")
@modes
def test_fifo(mode: Mode, tmp_path: Path) -> None:
    """A FIFO nobody writes to is E_FILE at once."""
    os.mkfifo(tmp_path / "fifo")
    assert is_file_error(refusal(tmp_path / "fifo", mode), ": a FIFO")


@pytest.mark.req("AWQ-CON-077")
@modes
def test_device(mode: Mode) -> None:
    """A device is E_FILE, one that never ends included."""
    assert is_file_error(refusal("/dev/null", mode), "/dev/null: a device")
    assert is_file_error(refusal("/dev/zero", mode), "/dev/zero: a device")


def test_socket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A socket is E_FILE."""
    monkeypatch.chdir(tmp_path)  # the path of a socket must be short
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket")
        assert refusal("socket").startswith("E_FILE file: path")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_unreadable(tmp_path: Path) -> None:
    """A file without read permission is E_FILE."""
    damage.stored(tmp_path / "f", b"").chmod(0)
    assert is_file_error(refusal(tmp_path / "f"), ": Permission denied")


def test_a_path_without_permission_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The reason of the system is passed on."""

    def refuse(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)
    assert is_file_error(refusal(tmp_path / "f"), "/f: Permission denied")


@pytest.mark.parametrize(
    ("path", "reason"), [("a\0b", r"a\x00b: embedded null byte"), ("a\nb", r"a\nb: No such file or directory")]
)
def test_strange_paths(path: str, reason: str) -> None:
    """A path no system accepts is E_FILE, and no character of it breaks the line."""
    assert is_file_error(refusal(path), reason)


@pytest.mark.req("AWQ-CON-009")
@modes
def test_symbolic_links(mode: Mode, tmp_path: Path) -> None:
    """Links are followed; one that leads nowhere or to itself is E_FILE."""
    damage.written(tmp_path / "f")
    for link, target in (("good", "f"), ("dangling", "none"), ("loop", "loop")):
        (tmp_path / link).symlink_to(target)
    safe_open(tmp_path / "good", mode=mode).close()
    assert is_file_error(refusal(tmp_path / "dangling", mode), ": No such file or directory")
    assert refusal(tmp_path / "loop", mode).startswith("E_FILE")


@modes
def test_empty_file(mode: Mode, tmp_path: Path) -> None:
    """A file of no bytes is readable, and too short."""
    path = damage.stored(tmp_path / "f", b"")
    assert refusal(path, mode) == "E_TRUNCATED header: size, at byte 0, expected at least 64 bytes, got 0"


@modes
def test_reads_what_is_there(mode: Mode, tmp_path: Path) -> None:
    """Any range is read whole, at once or in parts."""
    data = bytes(range(256)) * 4096
    with Source(damage.stored(tmp_path / "f", data), mode) as source:
        assert (source.size, source.mapped) == (len(data), mode == "mmap")
        assert bytes(source.read(1000, 5000)) == data[1000:6000]
        assert b"".join(source.parts(7, len(data) - 9)) == data[7:-2]
        assert list(source.parts(5, 0)) == []


def test_large_reads(tmp_path: Path) -> None:
    """What is read is read-only and lives on when the file is closed, however large it is."""
    data = os.urandom(5 << 20)
    with Source(damage.stored(tmp_path / "f", data), "pread") as source:
        parts = [source.read(1, size) for size in (0, 10, len(data) - 1)]
    assert [bytes(part) for part in parts] == [b"", data[1:11], data[1:]]
    assert all(part.readonly for part in parts)


def test_short_reads_are_joined(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A system that reads less than asked for is asked again."""
    preadv = os.preadv
    monkeypatch.setattr(os, "preadv", lambda fd, buffers, at: preadv(fd, [buffers[0][:3]], at))
    with Source(damage.stored(tmp_path / "f", b"0123456789"), "pread") as source:
        assert bytes(source.read(1, 8)) == b"12345678"


@pytest.mark.req("AWQ-CON-078")
def test_a_failing_read_is_an_io_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault of the disk is E_IO with the system's reason."""

    def fail(*_: object) -> int:
        raise OSError(5, "Input/output error")

    with Source(damage.stored(tmp_path / "f", b"0123456789"), "pread") as source:
        monkeypatch.setattr(os, "preadv", fail)
        with pytest.raises(AwqError, match=r"^E_IO file: read, at byte 4, got Input/output error$"):
            source.read(4, 2)


def test_a_failing_map_is_an_io_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that cannot be mapped is E_IO, and its descriptor is closed."""

    def fail(*_: object, **__: object) -> None:
        raise OSError(12, "Cannot allocate memory")

    path = damage.written(tmp_path / "f")
    monkeypatch.setattr("mmap.mmap", fail)
    before = len(list(Path("/dev/fd").iterdir()))
    assert refusal(path).startswith("E_IO file: mmap, got ")
    assert len(list(Path("/dev/fd").iterdir())) == before
