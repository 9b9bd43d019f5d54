"""Bytes of one regular file, mapped or read on demand, or of one behind a URL (spec: container, "Opening")."""

from __future__ import annotations

import mmap
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Final, Literal

from awqformat.buffers import buffer
from awqformat.errors import AwqError
from awqformat.remote import Remote, local_path

Mode = Literal["mmap", "pread"]

_PART: Final = 1 << 18


class Source:
    """A regular file, open for reading; nothing is known of its content.

    ``mmap`` maps the file: slices copy nothing, but the process dies of SIGBUS if somebody truncates it.
    ``pread`` copies what is read and reports such a file as E_IO.

    Raises:
        AwqError: E_FILE if the path is missing, unreadable or not a regular file, without blocking on a FIFO.
    """

    def __init__(self, path: str | os.PathLike[str], mode: Mode = "mmap") -> None:
        if mode not in ("mmap", "pread"):
            raise ValueError(f"mode is 'mmap' or 'pread', not {mode!r}")
        self.path = os.fspath(path)
        self._fd = -1
        self._map: memoryview | None = None
        try:
            self._fd = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            status = os.fstat(self._fd)
        except (OSError, ValueError) as error:  # ValueError: a path with a NUL byte
            self.close()
            reason = getattr(error, "strerror", None) or str(error)
            raise AwqError("E_FILE", "file", "path", expected="a readable regular file",
                           got=f"{os.fsdecode(self.path)}: {reason}") from None  # fmt: skip
        try:
            if not stat.S_ISREG(status.st_mode):
                kind = stat.filemode(status.st_mode)[0]
                names = {"d": "a directory", "p": "a FIFO", "c": "a device", "b": "a device", "s": "a socket"}
                raise AwqError("E_FILE", "file", "path", expected="a readable regular file",
                               got=f"{os.fsdecode(self.path)}: {names.get(kind, kind)}")  # fmt: skip
            self.size = status.st_size
            if mode == "mmap" and self.size:
                self._map = memoryview(mmap.mmap(self._fd, self.size, access=mmap.ACCESS_READ))
        except BaseException as error:
            self.close()
            if isinstance(error, (OSError, ValueError)):  # mmap: the file shrank, or cannot be mapped
                raise AwqError("E_IO", "file", "mmap", got=str(error)) from None
            raise

    def read(self, offset: int, size: int) -> memoryview:
        """Return exactly ``size`` bytes at ``offset``; both must lie inside the file.

        Raises:
            AwqError: E_IO if the file has become shorter since it was opened, or cannot be read.
        """
        if self._map is not None:
            return self._map[offset : offset + size]
        data, have = buffer(size), 0
        while have < size:
            try:
                read = os.preadv(self._fd, [data[have:]], offset + have)
            except OSError as error:
                raise AwqError("E_IO", "file", "read", offset=offset + have, got=error.strerror) from None
            if not read:
                raise AwqError("E_IO", "file", "read", offset=offset, expected=f"{size} bytes", got=f"{have} bytes")
            have += read
        return data.toreadonly()

    def parts(self, offset: int, size: int) -> Iterator[memoryview]:
        """Yield the same bytes as :meth:`read` in pieces, so that none of them is large."""
        for start in range(offset, offset + size, _PART):
            yield self.read(start, min(_PART, offset + size - start))

    @property
    def mapped(self) -> bool:
        """Whether two reads of the same place return the same memory."""
        return self._map is not None

    def close(self) -> None:
        """Close the descriptor. A mapping lives on until the last array that looks into it is gone."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
        self._map = None

    def __enter__(self) -> Source:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class RemoteSource(Source):
    """A file behind a URL: each read is a request for that range.

    Where the other side serves whole files only, the file is copied to a temporary one first.

    Raises:
        AwqError: E_FILE if it cannot be read, UNSUPPORTED if there is no driver for the scheme.
    """

    def __init__(self, remote: Remote) -> None:
        self._remote: Remote | None = None
        try:
            size = remote.size()
        except FileNotFoundError as error:
            raise remote.fault(error.__cause__ or "No such file or directory") from None
        if size is None:
            copy = remote.download()
            try:
                super().__init__(copy, "pread")
            finally:
                Path(copy).unlink()  # what is open stays readable
        else:
            self._fd, self._map, self.size = -1, None, size
            self._remote = remote
        self.path = remote.url

    def read(self, offset: int, size: int) -> memoryview:
        """Return exactly ``size`` bytes at ``offset``, as :meth:`Source.read`."""
        if self._remote is None:
            return super().read(offset, size)
        data = b""
        if size:
            try:
                data = self._remote.read(offset, size)
            except (AwqError, FileNotFoundError) as error:
                got = error.got if isinstance(error, AwqError) else error
                raise AwqError("E_IO", "file", "read", offset=offset, got=got) from None
        if len(data) != size:
            raise AwqError("E_IO", "file", "read", offset=offset, expected=f"{size} bytes", got=f"{len(data)} bytes")
        return memoryview(data)


def open_source(path: str | os.PathLike[str], mode: Mode = "mmap") -> Source:
    """Open a path or a URL; ``mode`` is about files of this machine."""
    local = local_path(path)
    return RemoteSource(Remote(str(path))) if local is None else Source(local, mode)
