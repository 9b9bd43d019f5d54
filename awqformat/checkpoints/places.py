"""Where a conversion reads and writes, and which pairs of places make no sense (spec: checkpoints)."""

from __future__ import annotations

import errno
import os
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from awqformat.container.replacing import replacing_directory
from awqformat.errors import AwqError
from awqformat.remote import Remote, local_path

Place = str | os.PathLike[str]


class MisuseError(ValueError):
    """A command that cannot mean what it says; nothing has been read or written."""


def is_file_name(place: Place) -> bool:
    """Return whether a place is named as an .awq file is."""
    return os.fspath(place).lower().endswith(".awq")


def is_directory(place: Place) -> bool:
    """Return whether a source is a directory; behind a URL the name tells."""
    local = local_path(place)
    return not is_file_name(place) if local is None else Path(local).is_dir()


def check_target(source: Place, target: Place, *, force: bool) -> None:
    """Refuse a target that exists already, or that has to do with the source.

    Raises:
        MisuseError: saying why.
        AwqError: UNSUPPORTED if its URL has no driver.
        OSError: if it cannot be looked at.
    """
    local = local_path(target)
    if local is None:
        _check_remote(target, force=force)
        if str(source).rstrip("/") == str(target).rstrip("/"):
            raise MisuseError(f"{target} is the source")
        return
    path = Path(local)
    origin = local_path(source)
    if origin is not None:
        here, there = Path(origin).resolve(), path.resolve()
        if here == there or (path.exists() and Path(origin).exists() and path.samefile(origin)):
            raise MisuseError(f"{target} is the source")
        if here in there.parents:
            raise MisuseError(f"{target} is inside the source")
        if there in here.parents:
            raise MisuseError(f"the source is inside {target}")
    if not path.exists():
        return
    if not force:
        raise MisuseError(f"{target} exists; --force replaces it")
    if path.is_dir() and not is_file_name(target):
        names = [entry.name for entry in path.iterdir()]
        if names and not any(name.endswith(".safetensors") for name in names):
            raise MisuseError(f"{target} holds no checkpoint, and is not replaced")


def _check_remote(target: Place, *, force: bool) -> None:
    remote = Remote(str(target))
    if not remote.listable:
        raise OSError(errno.EROFS, "nothing can be written over http", str(target))
    with suppress(AwqError):  # what cannot even be asked for fails when it is written
        if remote.call("exists", remote.path) and not force:
            raise MisuseError(f"{target} exists; --force replaces it")


@contextmanager
def new_directory(target: Place) -> Iterator[Path]:
    """Yield a directory of this machine that becomes ``target`` when, and only when, the block succeeds."""
    local = local_path(target)
    if local is not None:
        with replacing_directory(Path(local)) as folder:
            yield folder
        return
    with tempfile.TemporaryDirectory(prefix="awqformat-") as name:
        folder = Path(name) / "checkpoint"
        folder.mkdir()
        yield folder
        upload(folder, str(target))


@contextmanager
def new_file(target: Place) -> Iterator[Path]:
    """Yield a path of this machine, not there yet, that becomes ``target`` when the block succeeds."""
    local = local_path(target)
    if local is not None:
        yield Path(local)
        return
    with tempfile.TemporaryDirectory(prefix="awqformat-") as name:
        path = Path(name) / "model.awq"
        yield path
        upload(path, str(target))


def upload(path: Path, url: str) -> None:
    """Bring a file or directory to a URL: under another name first, so that the name never stands for half of it.

    Raises:
        OSError: if the other side refuses.
    """
    target = Remote(url)
    parent, _, name = target.path.rstrip("/").rpartition("/")
    temporary = f"{parent}/.{name}.{secrets.token_hex(8)}.tmp"
    fs = target.fs
    try:
        if path.is_dir():
            fs.makedirs(temporary, exist_ok=True)
            for file in sorted(path.iterdir()):
                fs.put_file(str(file), f"{temporary}/{file.name}")
        else:
            if parent:
                fs.makedirs(parent, exist_ok=True)
            fs.put_file(str(path), temporary)
        if fs.exists(target.path):
            fs.rm(target.path, recursive=True)
        fs.mv(temporary, target.path, recursive=path.is_dir())
    except BaseException as error:
        with suppress(Exception):
            fs.rm(temporary, recursive=True)
        if not isinstance(error, Exception):
            raise
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise OSError(getattr(error, "errno", None) or errno.EIO, reason, url) from None
