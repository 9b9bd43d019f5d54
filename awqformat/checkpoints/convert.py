"""Conversion between checkpoint directories and .awq files: planned, streamed, read back (spec: checkpoints)."""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Final

from awqformat.checkpoints import awqfile, places
from awqformat.checkpoints.directory import Directory
from awqformat.checkpoints.exporting import Export, plan_export
from awqformat.checkpoints.importing import directory_model
from awqformat.checkpoints.losses import Losses
from awqformat.checkpoints.model import Layer, Model, digest
from awqformat.checkpoints.places import MisuseError, Place
from awqformat.checkpoints.shards import SHARD_SIZE, write_parts
from awqformat.container.contents import Deferred
from awqformat.container.reader import safe_open
from awqformat.container.source import open_source
from awqformat.container.writer import save_file
from awqformat.errors import AwqError
from awqformat.pipeline import in_order
from awqformat.remote import local_path

Progress = Callable[[str, str, int], None]
"""Called with the step ("checking", "converting", "verifying"), a tensor's name, and the bytes done with it."""

_NOT_COPIED: Final = (".safetensors", ".index.json", ".bin", ".pt", ".pth", ".ckpt", ".gguf", ".onnx", ".npz", ".awq",
                      ".h5", ".msgpack", ".tflite", ".ot", ".mlmodel")  # fmt: skip
"""Endings of files that hold weights; every other file of a directory goes along into the next one."""


class Conversion:
    """One conversion, planned: whatever names, types, sizes and configuration rule out has been refused.

    Use it in a ``with`` statement; :meth:`run` does it.

    Attributes:
        model: what is converted; nothing but headers and texts has been read of it.
        dialect: the dialect of the target, None if it is an .awq file.
        size: bytes of the files with tensors that will be written.
        copied: names of other files that go along.
        losses: what is allowed to be lost, and has been.
    """

    def __init__(
        self,
        source: Place,
        target: Place,
        *,
        to: str | None = None,
        dialect: str | None = None,
        group_size: int | None = None,
        allow: Collection[str] = (),
        shard_size: int = SHARD_SIZE,
        force: bool = False,
    ) -> None:
        """Plan.

        Args:
            source: a checkpoint directory or an .awq file, a path or URL.
            target: what is made: an .awq file, whose name ends so, or a directory.
            to: the dialect of a directory; None for the one that an .awq file was imported from.
            dialect: the dialect of a source directory, where it does not tell itself.
            group_size: its group size, where it does not tell itself.
            allow: losses that may be suffered.
            shard_size: bytes of tensors in one file of a directory.
            force: whether an existing target is replaced.

        Raises:
            MisuseError: if source, target and dialects do not go together.
            AwqError: if source or target cannot be what they should be.
            OSError: if the target cannot be looked at.
        """
        self.losses = Losses(allow)
        self._target = target
        self._open = ExitStack()
        self._export: Export | None = None
        self.copied: list[str] = []
        self._tensors: dict[str, Deferred] = {}
        self._checked = False
        places.check_target(source, target, force=force)
        _check_direction(source, target, to)
        try:
            self.model = self._opened(source, dialect, group_size)
            self.dialect = self._target_dialect(to)
            if self.dialect is None:
                self.copied = []  # a file has no room for them
                self._tensors = awqfile.deferred(self.model)
                self._metadata = awqfile.entries(self.model)
                self.size = awqfile.file_size(self._tensors, self._metadata)
                self.files = {Path(str(target)).name: self.size}
            else:
                self._export = plan_export(self.model, self.dialect, shard_size=shard_size)
                self.size = self._export.size
                self.files = {shard.name: shard.size for shard in self._export.shards}
        except BaseException:
            self.close()
            raise

    def _opened(self, source: Place, dialect: str | None, group_size: int | None) -> Model:
        self._directory: Directory | None = None
        if places.is_directory(source):
            self._directory = self._open.enter_context(Directory(source))
            self.copied = [name for name in self._directory.others
                           if not name.startswith(".") and not name.endswith(_NOT_COPIED)]  # fmt: skip
            return directory_model(self._directory, self.losses, dialect=dialect, group_size=group_size)
        if dialect is not None or group_size is not None:
            raise MisuseError("--from and --group-size are about a directory; an .awq file tells itself")
        return awqfile.awq_model(self._open.enter_context(safe_open(source, mode="pread")), str(source))

    def _target_dialect(self, to: str | None) -> str | None:
        if to is not None or self.model.dialect is not None:
            return to
        if self.model.origin is None:
            raise MisuseError("--to has to name a dialect: the file does not say which one it was imported from")
        return self.model.origin

    def check(self, *, workers: int = 1, progress: Progress | None = None) -> None:
        """Read scales and zero points, and refuse what they rule out; nothing is written before that.

        Raises:
            AwqError: as :meth:`run`.
        """
        if self._checked:
            return
        export = self._export

        def checked(layer: Layer) -> Layer:
            if export is not None:
                export.check(layer, self.losses)
            else:
                layer.groups()
            return layer

        wanted = [layer for layer in self.model.layers
                  if self.model.dialect is not None or (export is not None and not export.keeps(layer))]  # fmt: skip
        for layer in in_order(checked, wanted, workers):
            if progress is not None:
                progress("checking", layer.name, layer.size)
        self._checked = True

    def run(self, *, workers: int = 1, progress: Progress | None = None) -> None:
        """Write the target, read it back, compare, and only then give it its name.

        Args:
            workers: threads; each holds one layer in the layout of a directory, and some of its rows in another.
            progress: told of every tensor that is done: checked, if it is a layer, converted, and verified.

        Raises:
            AwqError: if a tensor of the source is not what it should be, or would lose what is not allowed.
            OSError: if the file system refuses.
        """
        self.check(workers=workers, progress=progress)

        def told(step: str, name: str, size: int) -> None:
            if progress is not None:
                progress(step, name, size)

        sizes = {item.name: item.size for item in self.model.items}
        if self._export is None:
            with places.new_file(self._target) as path:
                save_file(
                    self._tensors,
                    path,
                    self._metadata,
                    workers=workers,
                    progress=lambda name: told("converting", name, sizes[name]),
                    review=lambda path: _review(path, workers, lambda name: told("verifying", name, sizes[name])),
                )
            return
        with places.new_directory(self._target) as folder:
            digests = self._export.write(folder, self.losses, workers=workers,
                                         progress=lambda item: told("converting", item.name, item.size))  # fmt: skip
            if self._directory is not None:
                for name in self.copied:
                    write_parts(folder / name, self._directory.parts(name))
            _compare(folder, self._export, digests, workers, lambda name: told("verifying", name, sizes[name]))

    def facts(self) -> dict[str, Any]:
        """Return the plan as plain data."""
        return {
            "source": self.model.where,
            "target": str(self._target),
            "from": self.model.dialect or "awq",
            "to": self.dialect or "awq",
            "bytes_read": self.model.size,
            "bytes_written": self.size,
            "files": self.files,
            "copied": self.copied,
            "layers": [
                {
                    "name": layer.name,
                    "shape": list(layer.shape),
                    "group_size": layer.group_size,
                    "scale_dtype": layer.scale_dtype.name,
                    "symmetric": layer.symmetric,
                }
                for layer in self.model.layers
            ],
            "plain": [{"name": item.name, "shape": list(item.shape), "dtype": item.dtype} for item in self.model.plain],
        }

    def close(self) -> None:
        """Close the source."""
        self._open.close()

    def __enter__(self) -> Conversion:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _check_direction(source: Place, target: Place, to: str | None) -> None:
    """Refuse what is no conversion, and a target whose name says something else than the command."""
    if not places.is_directory(source):
        _check_foreign(source)
    if to is not None and places.is_file_name(target):
        raise MisuseError(f"--to {to} makes a directory, but {target} is named as an .awq file")
    if places.is_directory(source):
        if to is None and not places.is_file_name(target):
            raise MisuseError(
                f"{target} is no name of an .awq file, and no --to says which dialect a directory is to have"
            )
    elif places.is_file_name(target):
        raise MisuseError("an .awq file to an .awq file is no conversion; copy it")


def _check_foreign(source: Place) -> None:
    """Refuse, by name, a file that is no .awq file but something known."""
    local = local_path(source)
    if local is None:
        return
    with open_source(local, "pread") as opened:
        start = bytes(opened.read(0, min(4, opened.size)))
    if start == b"GGUF":
        got = "GGUF, which is recognised but not read"
        raise AwqError("E_DIALECT", str(source), "format", expected="a checkpoint directory or an .awq file", got=got)
    if str(source).endswith((".safetensors", ".json")):
        raise MisuseError(f"{source} is a file of a checkpoint; name the directory that it is in")


def _review(path: Path, workers: int, step: Callable[[str], None]) -> None:
    """Read a finished file back: its digests were made of the very values, so bytes that fit them are these values."""
    with safe_open(path, verify="none", mode="pread") as file:
        file.verify(lambda info: step(info.name), workers)


def _compare(
    folder: Path, export: Export, digests: dict[str, bytes], workers: int, step: Callable[[str], None]
) -> None:
    """Read a finished directory back as anybody would, and compare q, z and s of each layer, and all other bytes."""
    with Directory(folder) as directory:
        back = directory_model(directory, Losses(), dialect=export.dialect.name)
        found = {item.name: item for item in back.items}
        if found.keys() != digests.keys():
            difference = ", ".join(sorted(found.keys() ^ digests.keys()))
            raise AwqError("E_SHARD", "target", "names", expected="those of the source", got=difference)
        for item, same in in_order(lambda item: (item, digest(item) == digests[item.name]), back.items, workers):
            if not same:
                what = "codes, zero points and scales" if isinstance(item, Layer) else "bytes"
                raise AwqError(
                    "E_SHARD", item.name, "read back", expected=f"the {what} that were written", got="others"
                )
            step(item.name)
