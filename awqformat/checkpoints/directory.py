"""A checkpoint directory: shards, index, texts of the configuration (spec: checkpoints, "What a directory holds")."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack
from types import TracebackType
from typing import Final

from awqformat.checkpoints.folder import Folder, open_folder
from awqformat.checkpoints.shard import Stored, read_shard
from awqformat.checkpoints.strict_json import Refused, parse_object
from awqformat.container.source import Source
from awqformat.errors import AwqError

CONFIG_FILES: Final = ("config.json", "quant_config.json", "quantize_config.json")
"""Where a configuration can be, in the order in which they are looked at."""

INDEX: Final = "model.safetensors.index.json"
SINGLE: Final = "model.safetensors"

_FOREIGN: Final = {".gguf": "GGUF", ".onnx": "ONNX", ".bin": "PyTorch pickle", ".pt": "PyTorch pickle",
                   ".pth": "PyTorch pickle", ".ckpt": "PyTorch pickle", ".npz": "NumPy archive"}  # fmt: skip


class Directory:
    """An open checkpoint directory; nothing but headers and texts has been read.

    Attributes:
        where: the path or URL.
        tensors: name -> tensor, in the order of the shards' names and of the places in each.
        texts: the text of each configuration file that exists, by its name.
        shards: the names of the safetensors files.
        others: names of the other files, as far as they can be listed.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        folder = open_folder(path)
        self.where = folder.where
        self._open = ExitStack()
        try:
            names = folder.names()
            index, mapped = _index(folder, names)
            self.shards = [_single_name(folder, names)] if mapped is None else sorted(set(mapped.values()))
            self.tensors: dict[str, Stored] = {}
            for shard in self.shards:
                source = self._open.enter_context(_opened(folder, shard, index, names))
                self._add(read_shard(shard, source))
            if mapped is not None:
                _compare(index, mapped, self.tensors)
            self.texts = {name: text for name in CONFIG_FILES if (text := folder.text(name)) is not None}
            known = {*self.shards, *self.texts, index}
            self.others = [name for name in names or [] if name not in known]
            self._folder = folder
        except BaseException:
            self._open.close()
            raise

    def _add(self, tensors: dict[str, Stored]) -> None:
        for name, stored in tensors.items():
            if name in self.tensors:
                got = f"{self.tensors[name].shard} and {stored.shard}"
                raise AwqError("E_SHARD", repr(name), "place", expected="one shard that holds it", got=got)
            self.tensors[name] = stored

    @property
    def size(self) -> int:
        """Bytes of all tensors."""
        return sum(stored.size for stored in self.tensors.values())

    def parts(self, name: str) -> Iterator[memoryview]:
        """Yield the bytes of one of the other files, a few at a time.

        Raises:
            AwqError: E_FILE or E_IO if they cannot be read.
        """
        with self._folder.open(name) as source:
            yield from source.parts(0, source.size)

    def close(self) -> None:
        """Close all shards."""
        self._open.close()

    def __enter__(self) -> Directory:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _index(folder: Folder, names: list[str] | None) -> tuple[str, dict[str, str] | None]:
    """Return the name of the index and what it maps, or None; where names cannot be listed it is the usual one."""
    found = [INDEX] if names is None else [name for name in names if name.endswith(".safetensors.index.json")]
    if len(found) > 1:
        raise AwqError("E_SHARD", folder.where, "index", expected="at most one", got=", ".join(found))
    try:
        text = folder.text(found[0]) if found else None
    except AwqError as error:
        code = "E_SHARD" if error.code == "E_CONFIG" else error.code
        raise AwqError(code, error.where, error.field, offset=error.offset, expected=error.expected,
                       got=error.got) from None  # fmt: skip
    return (INDEX, None) if text is None else (found[0], _weight_map(found[0], text))


def _single_name(folder: Folder, names: list[str] | None) -> str:
    """Return the name of the only safetensors file of a directory without an index."""
    if names is None:
        return SINGLE
    found = [name for name in names if name.endswith(".safetensors") and not name.startswith(".")]
    if len(found) == 1:
        return found[0]
    if found:
        got = f"{', '.join(found[:4])}{', ..' if len(found) > 4 else ''} and no index"
        raise AwqError("E_SHARD", folder.where, "shards", expected="one file, or an index that names them", got=got)
    foreign = sorted({kind for name in names for ending, kind in _FOREIGN.items() if name.endswith(ending)})
    if foreign:
        got = f"{', '.join(foreign)}, which is recognised but not read"
        raise AwqError("E_DIALECT", folder.where, "format", expected="safetensors", got=got)
    raise AwqError("E_SHARD", folder.where, "shards", expected="a *.safetensors file", got="none")


def _weight_map(index: str, text: str) -> dict[str, str]:
    """Return tensor name -> file name, every file name one of the directory itself."""
    try:
        weight_map = parse_object(text).get("weight_map")
    except Refused as error:
        raise AwqError("E_SHARD", index, "text", expected="a JSON object", got=error) from None
    if not isinstance(weight_map, dict) or not weight_map:
        raise AwqError("E_SHARD", index, "weight_map", expected="an object of names", got=weight_map)
    for tensor, file in weight_map.items():
        if not isinstance(file, str) or not _inside(file):
            raise AwqError("E_SHARD", index, f"weight_map {tensor!r}",
                           expected="the name of a *.safetensors file beside the index", got=repr(file))  # fmt: skip
    return weight_map


def _inside(name: str) -> bool:
    return name.endswith(".safetensors") and not name.startswith(".") and not any(c in name for c in "/\\:?#%\0")


def _opened(folder: Folder, shard: str, index: str, names: list[str] | None) -> Source:
    if names is not None and shard not in names:
        raise AwqError("E_SHARD", index, "weight_map", expected="files that exist", got=f"{shard}, which is missing")
    return folder.open(shard)


def _compare(index: str, mapped: dict[str, str], tensors: dict[str, Stored]) -> None:
    """Refuse an index that does not say exactly which tensors the shards hold, and where."""
    for name, stored in tensors.items():
        if name not in mapped:
            raise AwqError("E_SHARD", stored.shard, repr(name), expected=f"a tensor that {index} names", got="another")
    for name, shard in mapped.items():
        if name not in tensors:
            raise AwqError("E_SHARD", index, f"weight_map {name!r}", expected=f"a tensor of {shard}", got="none")
        if tensors[name].shard != shard:
            got = tensors[name].shard
            raise AwqError("E_SHARD", index, f"weight_map {name!r}", expected=f"its shard, {got}", got=shard)
