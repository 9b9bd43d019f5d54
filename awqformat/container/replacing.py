"""Files and directories that appear whole or not at all (spec: container, "Writing")."""

from __future__ import annotations

import errno
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO


@contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """Open a temporary file that takes the place of ``path`` when, and only when, the block succeeds.

    Raises:
        OSError: if the file system refuses; it blames ``path``, not the temporary file.
    """
    if path.exists() and not path.is_file():
        raise OSError(errno.EINVAL, "not a regular file", str(path))  # a rename would replace a device or a FIFO
    temporary = _temporary(path)
    try:
        with temporary.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException as error:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        _blame(path, temporary, error)
        raise
    _sync(path.parent)


@contextmanager
def replacing_directory(path: Path) -> Iterator[Path]:
    """Make a temporary directory that takes the place of ``path`` when, and only when, the block succeeds.

    A directory that is there already is moved out of the way first, put back if the last step fails, and then
    removed. The block writes files into the new directory and flushes each to the disk.

    Raises:
        OSError: as :func:`replacing`.
    """
    if path.exists() and not path.is_dir():
        raise OSError(errno.ENOTDIR, "not a directory", str(path))
    temporary, old = _temporary(path), _temporary(path)
    try:
        temporary.mkdir()
        yield temporary
        _sync(temporary)
        if path.exists():
            path.rename(old)
        try:
            temporary.rename(path)
        except BaseException:
            if old.exists():
                old.rename(path)
            raise
    except BaseException as error:
        shutil.rmtree(temporary, ignore_errors=True)
        _blame(path, temporary, error)
        raise
    shutil.rmtree(old, ignore_errors=True)
    _sync(path.parent)


def _temporary(path: Path) -> Path:
    return path.parent / f".{secrets.token_hex(16)}.tmp"


def _blame(path: Path, temporary: Path, error: BaseException) -> None:
    """Raise an OSError that names ``path`` if ``error`` is one that names the temporary file, or no file at all."""
    if isinstance(error, OSError) and error.errno is not None:
        named = error.filename
        if named is None or isinstance(named, int) or os.fsdecode(named).startswith(str(temporary)):
            raise OSError(error.errno, error.strerror, str(path)) from error


def _sync(directory: Path) -> None:
    """Have the names in ``directory`` survive a power cut too."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
