"""The folder that a checkpoint is in, on this machine or behind a URL."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final, Protocol

from awqformat.container.source import RemoteSource, Source
from awqformat.errors import AwqError
from awqformat.remote import Remote, local_path

_TEXT_MAX: Final = 1 << 28  # an index of a million tensors has about 100 MB


class Folder(Protocol):
    """Files by name; a name has no separator in it."""

    where: str

    def names(self) -> list[str] | None:
        """Return the names of all files, sorted, or None if they cannot be listed."""

    def text(self, name: str) -> str | None:
        """Return the text of a file, or None if there is no such file.

        Raises:
            AwqError: E_FILE if it cannot be read, E_CONFIG if it is no UTF-8.
        """

    def open(self, name: str) -> Source:
        """Open a file for reads at any place.

        Raises:
            AwqError: E_FILE if it is missing or cannot be read.
        """


def open_folder(path: str | os.PathLike[str]) -> Folder:
    """Return the folder at a path or URL.

    Raises:
        AwqError: E_FILE if it is on this machine and no directory, UNSUPPORTED if its URL has no driver.
    """
    local = local_path(path)
    if local is None:
        return _RemoteFolder(Remote(str(path)))
    return _LocalFolder(Path(local))


class _LocalFolder:
    """A directory of this machine."""

    def __init__(self, path: Path) -> None:
        self.where = str(path)
        self._path = path
        try:
            self._names = sorted(entry.name for entry in os.scandir(path) if not entry.is_dir())
        except (OSError, ValueError) as error:
            got = f"{path}: {getattr(error, 'strerror', None) or error}"
            raise AwqError("E_FILE", "file", "path", expected="a readable directory", got=got) from None

    def names(self) -> list[str]:
        return self._names

    def text(self, name: str) -> str | None:
        if name not in self._names:
            return None
        with self.open(name) as source:
            return _decoded(name, source)

    def open(self, name: str) -> Source:
        return Source(self._path / name, "pread")  # mapped pages would count as memory of this process


class _RemoteFolder:
    """A folder behind a URL."""

    def __init__(self, remote: Remote) -> None:
        self.where = remote.url
        self._remote = remote

    def names(self) -> list[str] | None:
        if not self._remote.listable:
            return None
        try:
            entries = self._remote.call("ls", self._remote.path, detail=True)
        except FileNotFoundError:
            raise self._remote.fault("No such file or directory") from None
        return sorted(entry["name"].rsplit("/", 1)[-1] for entry in entries if entry["type"] == "file")

    def text(self, name: str) -> str | None:
        child = self._remote.child(name)
        try:
            data: bytes = child.call("cat_file", child.path)
        except FileNotFoundError:
            return None
        return _utf8(name, data)

    def open(self, name: str) -> Source:
        return RemoteSource(self._remote.child(name))


def _decoded(name: str, source: Source) -> str:
    if source.size > _TEXT_MAX:
        raise AwqError("E_CONFIG", name, "size", expected=f"at most {_TEXT_MAX} bytes", got=source.size)
    return _utf8(name, bytes(source.read(0, source.size)))


def _utf8(name: str, data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise AwqError("E_CONFIG", name, "text", offset=error.start, expected="UTF-8", got=error.reason) from None
