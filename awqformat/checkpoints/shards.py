"""Writing safetensors files: sizes first, then one pass over the tensors (spec: checkpoints)."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import IO, Final

from awqformat.checkpoints.directory import INDEX, SINGLE
from awqformat.checkpoints.shard import BITS, HEADER_MAX
from awqformat.container.sink import write_at
from awqformat.errors import AwqError

SHARD_SIZE: Final = 5_000_000_000
"""Bytes of tensors in one file, unless told otherwise: what transformers takes."""


@dataclass(frozen=True)
class Spec:
    """A tensor of a file to be written: name, dtype (a key of BITS) and shape."""

    name: str
    dtype: str
    shape: tuple[int, ...]

    @property
    def size(self) -> int:
        """Bytes of its values."""
        return prod(self.shape) * BITS[self.dtype] // 8


@dataclass(frozen=True)
class Shard:
    """One file to be written.

    Attributes:
        name: its name in the directory.
        header: everything before the data.
        places: tensor name -> offset from the start of the file, and size.
    """

    name: str
    header: bytes
    places: Mapping[str, tuple[int, int]]

    @property
    def size(self) -> int:
        """Bytes of the whole file."""
        return max((offset + size for offset, size in self.places.values()), default=len(self.header))


def plan_shards(
    items: Sequence[Sequence[Spec]], limit: int = SHARD_SIZE, framework: str = "pt"
) -> tuple[list[Shard], str | None]:
    """Share tensors out to files, and return the files and the text of the index, None if there is only one file.

    Args:
        items: the tensors, those together that must be in one file.
        limit: bytes of tensors in a file, unless one item alone has more.
        framework: what the metadata of the files names as ``format``; transformers insists on ``pt``.

    Raises:
        AwqError: E_SHARD if a header would be larger than readers accept.
    """
    shared: list[list[Spec]] = [[]]
    room = limit
    for item in items:
        size = sum(spec.size for spec in item)
        if size > room and shared[-1]:
            shared.append([])
            room = limit
        shared[-1].extend(item)
        room -= size
    names = [SINGLE]
    if len(shared) > 1:
        names = [f"model-{i:05}-of-{len(shared):05}.safetensors" for i in range(1, len(shared) + 1)]
    shards = [_shard(name, specs, framework) for name, specs in zip(names, shared, strict=True)]
    if len(shards) == 1:
        return shards, None
    weight_map = {name: shard.name for shard in shards for name in shard.places}
    total = sum(size for shard in shards for _, size in shard.places.values())
    index = {"metadata": {"total_size": total}, "weight_map": dict(sorted(weight_map.items()))}
    return shards, json.dumps(index, indent=2) + "\n"


def _shard(name: str, specs: Iterable[Spec], framework: str) -> Shard:
    """Lay the tensors of one file out, the widest elements first, so that each is aligned to its own."""
    entries: dict[str, object] = {"__metadata__": {"format": framework}}
    sizes: dict[str, tuple[int, int]] = {}
    end = 0
    for spec in sorted(specs, key=lambda spec: -BITS[spec.dtype]):
        sizes[spec.name] = end, spec.size
        end += spec.size
        entries[spec.name] = {"dtype": spec.dtype, "shape": spec.shape, "data_offsets": [end - spec.size, end]}
    text = json.dumps(entries, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    if len(text) > HEADER_MAX:
        raise AwqError("E_SHARD", name, "size of the header", expected=f"at most {HEADER_MAX}", got=len(text))
    header = len(text).to_bytes(8, "little") + text
    return Shard(name, header, {tensor: (len(header) + begin, size) for tensor, (begin, size) in sizes.items()})


class ShardWriter:
    """Writes tensors into planned files as they come; the files are whole once every tensor has come."""

    def __init__(self, folder: Path, shards: Sequence[Shard], index: str | None) -> None:
        self._folder = folder
        self._index = index
        self._shards = {tensor: shard for shard in shards for tensor in shard.places}
        self._file: IO[bytes] | None = None
        for shard in shards:  # a file without tensors is a header
            with (folder / shard.name).open("xb") as file:
                file.write(shard.header)
                file.truncate(shard.size)

    def write(self, tensor: str, data: memoryview | bytes) -> None:
        """Write the bytes of one tensor to its place.

        Raises:
            AwqError: E_SIZE if it has another size than was planned.
            OSError: if the file system refuses.
        """
        shard = self._shards[tensor]
        offset, size = shard.places[tensor]
        if len(data) != size:
            raise AwqError("E_SIZE", tensor, "bytes", expected=size, got=len(data))
        write_at(self._opened(self._folder / shard.name).fileno(), data, offset)

    def _opened(self, path: Path) -> IO[bytes]:
        if self._file is None or self._file.name != str(path):
            self.close()
            self._file = path.open("r+b")
        return self._file

    def close(self) -> None:
        """Flush the open file to the disk and close it."""
        if self._file is not None:
            os.fsync(self._file.fileno())
            self._file.close()
            self._file = None

    def finish(self) -> None:
        """Write the index, if there is one, and close."""
        self.close()
        if self._index is not None:
            write_text(self._folder / INDEX, self._index)

    def __enter__(self) -> ShardWriter:
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


def write_text(path: Path, text: str) -> None:
    """Write a new file and flush it to the disk."""
    write_parts(path, [text.encode()])


def write_parts(path: Path, parts: Iterable[bytes | memoryview]) -> None:
    """Write a new file of bytes as they come and flush it to the disk."""
    with path.open("xb") as file:
        for part in parts:
            file.write(part)
        file.flush()
        os.fsync(file.fileno())
