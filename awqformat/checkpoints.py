"""Models in safetensors files, as the input of quantisation and of comparison (spec: checkpoints)."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from fnmatch import fnmatchcase
from typing import Any, Final

import numpy as np
from safetensors import SafetensorError, safe_open

from awqformat.container.contents import Tensor
from awqformat.container.source import Source
from awqformat.errors import AwqError
from awqformat.quantize import quantize
from awqformat.schema import Dtype

NOT_LINEAR: Final = ("*embed*", "*norm*", "*lm_head*")
"""Names of matrices that are kept as they are unless asked for: lookups, norms and the output head."""

_FLOATS: Final = ("F16", "BF16", "F32", "F64")


class Checkpoint(Mapping[str, np.ndarray[Any, Any]]):
    """The tensors of one safetensors file, read when asked for."""

    def __init__(self, handle: Any) -> None:
        self._handle = handle
        self._names: dict[str, None] = dict.fromkeys(sorted(handle.keys()))

    def __getitem__(self, name: str) -> np.ndarray[Any, Any]:
        if name not in self._names:
            raise KeyError(name)
        try:
            tensor: np.ndarray[Any, Any] = self._handle.get_tensor(name)
        except (AttributeError, SafetensorError):  # a dtype that safetensors does not give to numpy
            got = self._handle.get_slice(name).get_dtype()
            raise AwqError("E_ENUM", name, "dtype", expected="a dtype that numpy has", got=got) from None
        return tensor

    def __contains__(self, name: object) -> bool:
        return name in self._names  # without reading the tensor, as Mapping would

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def shape(self, name: str) -> tuple[int, ...]:
        """Return the shape of a tensor without reading it."""
        return tuple(self._handle.get_slice(name).get_shape())

    def is_float(self, name: str) -> bool:
        """Return whether a tensor holds floating-point numbers of 16 bits or more."""
        return self._handle.get_slice(name).get_dtype() in _FLOATS


@contextmanager
def open_checkpoint(path: str | os.PathLike[str]) -> Iterator[Checkpoint]:
    """Open a safetensors file.

    Raises:
        AwqError: E_FILE if it cannot be opened, E_MAGIC if it is not a safetensors file.
    """
    with Source(path, "pread") as source:  # refuses all but regular files, and does not block on a FIFO
        try:
            handle = safe_open(os.fspath(path), framework="np")
        except OSError as error:
            raise AwqError("E_FILE", "file", "path", expected="a safetensors file", got=error) from None
        except SafetensorError as error:
            got = f"{os.fsdecode(source.path)}: {error}"
            raise AwqError("E_MAGIC", "file", "content", expected="a safetensors file", got=got) from None
    with handle:
        yield Checkpoint(handle)


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
    progress: Callable[[str], None] = lambda _: None,
) -> dict[str, Tensor]:
    """Quantise every linear layer whose in_features the group size divides; keep all else as it is.

    Args:
        checkpoint: the model.
        group_size: codes per scale, a multiple of 8; -1 means one group per row.
        symmetric, scale_dtype: as in :func:`awqformat.quantize`.
        exclude: patterns of names that are never quantised; case does not matter.
        progress: called with each tensor's name when it is done.

    Returns:
        name -> tensor, ready for :func:`awqformat.save_file`.

    Raises:
        AwqError: as :func:`awqformat.quantize`, naming the layer; E_GROUP if the group size is illegal.
    """
    if group_size != -1 and (group_size < 8 or group_size % 8):
        raise AwqError("E_GROUP", "group_size", "value", expected="a multiple of 8, or -1", got=group_size)
    layers = {name for name in linear_layers(checkpoint, exclude) if _fits(checkpoint.shape(name)[-1], group_size)}
    tensors: dict[str, Tensor] = {}
    for name in checkpoint:
        tensor = checkpoint[name]
        if name in layers:
            try:
                tensors[name] = quantize(tensor, group_size, symmetric=symmetric, scale_dtype=scale_dtype)
            except AwqError as error:
                raise AwqError(error.code, name, error.field, expected=error.expected, got=error.got) from None
        else:
            tensors[name] = tensor
        progress(name)
    return tensors


def _fits(k: int, group_size: int) -> bool:
    return k % (8 if group_size == -1 else group_size) == 0
