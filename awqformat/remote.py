"""Files behind URLs, through fsspec: http, memory, and whatever else it has a driver for (spec: checkpoints)."""

from __future__ import annotations

import os
import re
import tempfile
from pathlib import Path
from typing import Any, Final

from awqformat.errors import AwqError

_URL: Final = re.compile(r"(?:[a-z][a-z0-9+.-]*::)*[a-z][a-z0-9+.-]*://")
_LOCAL: Final = ("file", "local")

# What drivers raise for a path that is not there, a server that does not answer, and an address that is none. The
# errors of aiohttp derive from OSError or carry their status; all others of it are named by module.
_FAILURES: Final = (OSError, ValueError, EOFError, NotImplementedError)


def is_url(path: str | os.PathLike[str]) -> bool:
    """Return whether a path names a scheme, such as https://host/folder, and is not simply a path."""
    return isinstance(path, str) and _URL.match(path) is not None


def local_path(path: str | os.PathLike[str]) -> str | os.PathLike[str] | None:
    """Return the path on this machine that ``path`` stands for, or None if it stands for something elsewhere."""
    if not is_url(path):
        return path
    scheme, _, rest = str(path).partition("://")
    return rest if scheme in _LOCAL else None


class Remote:
    """One place behind a URL: a file, or the folder of some.

    Raises:
        AwqError: UNSUPPORTED if there is no driver for the scheme.
    """

    def __init__(self, url: str) -> None:
        import fsspec  # half of what importing this library may cost

        self.url = url
        try:
            self.fs, self.path = fsspec.core.url_to_fs(url)
        except (ImportError, ValueError) as error:
            expected = "a scheme with a driver (for http: pip install 'awqformat[http]')"
            raise AwqError("UNSUPPORTED", "file", "scheme", expected=expected, got=f"{url}: {error}") from None

    def child(self, name: str) -> Remote:
        """Return the file ``name`` of the folder."""
        child = object.__new__(Remote)
        child.url, child.fs, child.path = f"{self.url.rstrip('/')}/{name}", self.fs, f"{self.path.rstrip('/')}/{name}"
        return child

    @property
    def listable(self) -> bool:
        """Whether the names in a folder can be known; over http a page of links is no list."""
        return "http" not in self.fs.protocol and "https" not in self.fs.protocol

    def call(self, operation: str, *arguments: Any, **options: Any) -> Any:
        """Call a method of the file system.

        Raises:
            FileNotFoundError: if the place does not exist.
            AwqError: E_FILE for any other failure.
        """
        try:
            return getattr(self.fs, operation)(*arguments, **options)
        except FileNotFoundError:
            raise
        except Exception as error:
            if isinstance(error, _FAILURES) or type(error).__module__.partition(".")[0] == "aiohttp":
                raise self.fault(error) from None
            raise

    def fault(self, error: object) -> AwqError:
        """Return the one error for a place that cannot be read, naming it."""
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        return AwqError("E_FILE", "file", "path", expected="a readable file", got=f"{self.url}: {reason}")

    def size(self) -> int | None:
        """Return the size of the file if parts of it can be read, else None.

        Raises:
            FileNotFoundError: if it does not exist.
            AwqError: E_FILE if it cannot be read.
        """
        about = self.call("info", self.path)
        if about.get("type") == "directory":
            raise self.fault("a directory")
        size = about.get("size")
        if size is None or about.get("partial") is False:
            return None
        if size > 1 and not self.listable:  # a server says that it can by doing it
            try:
                with self.fs.open(self.path, "rb", cache_type="none") as file:
                    file.seek(size - 1)
                    file.read(1)
            except (ValueError, NotImplementedError):
                return None
        return int(size)

    def read(self, offset: int, size: int) -> bytes:
        """Return the bytes at a place in the file, as many of ``size`` as there are."""
        data: bytes = self.call("cat_file", self.path, start=offset, end=offset + size)
        return data

    def download(self) -> Path:
        """Copy the file to a temporary one, which its opener removes.

        Raises:
            AwqError: E_FILE if it cannot be read.
            OSError: if there is no room for it.
        """
        descriptor, name = tempfile.mkstemp(prefix="awqformat-")
        os.close(descriptor)
        try:
            self.call("get_file", self.path, name)
        except BaseException:
            Path(name).unlink()
            raise
        return Path(name)
