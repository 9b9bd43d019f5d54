"""Models that are not quantised yet, as the input of quantisation and of comparison (spec: checkpoints)."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np

from awqformat.checkpoints.directory import Directory
from awqformat.checkpoints.shard import Stored, read_shard
from awqformat.container.contents import Deferred, Tensor
from awqformat.container.source import open_source
from awqformat.errors import AwqError
from awqformat.quantize import quantize
from awqformat.remote import local_path
from awqformat.schema import Dtype

NOT_LINEAR: Final = ("*embed*", "*norm*", "*lm_head*")
"""Names of matrices that are kept as they are unless asked for: lookups, norms and the output head."""

_FLOATS: Final = ("F16", "BF16", "F32", "F64")


class Checkpoint(Mapping[str, np.ndarray[Any, Any]]):
    """The tensors of a model by name, sorted, each read when asked for, in the dtype that holds it bit for bit."""

    def __init__(self, tensors: Mapping[str, Stored]) -> None:
        self._tensors = dict(sorted(tensors.items()))

    def __getitem__(self, name: str) -> np.ndarray[Any, Any]:
        return self._tensors[name].read()

    def __contains__(self, name: object) -> bool:
        return name in self._tensors  # without reading the tensor, as Mapping would

    def __iter__(self) -> Iterator[str]:
        return iter(self._tensors)

    def __len__(self) -> int:
        return len(self._tensors)

    def shape(self, name: str) -> tuple[int, ...]:
        """Return the shape of a tensor without reading it."""
        return self._tensors[name].shape

    def dtype(self, name: str) -> Dtype:
        """Return the element type of a tensor without reading it.

        Raises:
            AwqError: E_ENUM if .awq has none for it.
        """
        return self._tensors[name].awq_dtype

    def is_float(self, name: str) -> bool:
        """Return whether a tensor holds floating-point numbers of 16 bits or more."""
        return self._tensors[name].dtype in _FLOATS


@contextmanager
def open_checkpoint(path: str | os.PathLike[str]) -> Iterator[Checkpoint]:
    """Open a model: a safetensors file, or a directory of one or several, here or behind a URL.

    Raises:
        AwqError: E_FILE if it cannot be opened, E_SHARD if it is not what it should be.
    """
    local = local_path(path)
    if not str(path).endswith(".safetensors") if local is None else Path(local).is_dir():
        with Directory(path) as directory:
            yield Checkpoint(directory.tensors)
    else:
        with open_source(path, "pread") as source:  # mapped pages would count as memory of this process
            yield Checkpoint(read_shard(os.fsdecode(path), source))


def linear_layers(checkpoint: Checkpoint, exclude: Sequence[str] = NOT_LINEAR) -> list[str]:
    """Return the names of the float matrices (N, K) that no pattern of ``exclude`` matches."""
    return [
        name
        for name in checkpoint
        if len(checkpoint.shape(name)) == 2
        and checkpoint.is_float(name)
        and not any(fnmatchcase(name.lower(), pattern.lower()) for pattern in exclude)
    ]


def quantize_checkpoint(
    checkpoint: Checkpoint,
    group_size: int,
    *,
    symmetric: bool = False,
    scale_dtype: Dtype = Dtype.F16,
    exclude: Sequence[str] = NOT_LINEAR,
) -> dict[str, Deferred]:
    """Quantise every linear layer whose in_features the group size divides; keep all else as it is.

    Args:
        checkpoint: the model; it stays open until the tensors have been made.
        group_size: codes per scale, a multiple of 8; -1 means one group per row.
        symmetric, scale_dtype: as in :func:`awqformat.quantize`.
        exclude: patterns of names that are never quantised; case does not matter.

    Returns:
        name -> tensor, ready for :func:`awqformat.save_file`, which has each read and quantised in its turn; then
        an AwqError as of :func:`awqformat.quantize` can come of it, naming the layer.

    Raises:
        AwqError: E_GROUP if the group size is illegal.
    """
    if group_size != -1 and (group_size < 8 or group_size % 8):
        raise AwqError("E_GROUP", "group_size", "value", expected="a multiple of 8, or -1", got=group_size)

    def quantized(name: str) -> Tensor:
        try:
            return quantize(checkpoint[name], group_size, symmetric=symmetric, scale_dtype=scale_dtype)
        except AwqError as error:
            raise AwqError(error.code, name, error.field, expected=error.expected, got=error.got) from None

    zero_dtype = Dtype.NONE if symmetric else Dtype.U4
    layers = {name for name in linear_layers(checkpoint, exclude) if _fits(checkpoint.shape(name)[-1], group_size)}
    tensors: dict[str, Deferred] = {}
    for name in checkpoint:
        shape = checkpoint.shape(name)
        if name in layers:
            size = shape[-1] if group_size == -1 else group_size
            tensors[name] = Deferred(partial(quantized, name), Dtype.U4, shape, scale_dtype, zero_dtype, size)
        else:
            tensors[name] = Deferred(partial(checkpoint.__getitem__, name), checkpoint.dtype(name), shape)
    return tensors


def _fits(k: int, group_size: int) -> bool:
    return k > 0 and k % (8 if group_size == -1 else group_size) == 0
