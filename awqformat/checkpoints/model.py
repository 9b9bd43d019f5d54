"""A whole model whose weights are still where they are: layers and plain tensors, each read when asked for."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from awqformat import dtypes
from awqformat.dialects import Form
from awqformat.errors import AwqError
from awqformat.model import SYMMETRIC_ZERO, QuantizedTensor
from awqformat.schema import Dtype

_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,254}")


@dataclass(frozen=True)
class Plain:
    """A tensor that is not quantised.

    Attributes:
        name, shape: as stored.
        dtype: the name of an element type of safetensors; .awq has the same names.
        size: bytes.
        load: reads the bytes.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    size: int
    load: Callable[[], memoryview]


@dataclass(frozen=True)
class Layer:
    """A quantised weight.

    Attributes:
        name: its name in .awq: the prefix of its tensors in a directory, and ``weight``.
        shape: (N, K), or (E, N, K) for experts that are stored together.
        group_size, scale_dtype, symmetric: as of a QuantizedTensor.
        size: bytes as stored.
        load: reads the tensor; raises AwqError if it is not what it should be.
        groups: reads as little as tells its scales and zero points, of each expert if it has some; the codes are
            others (see :mod:`awqformat.checkpoints.groups`).
        form: what the dialect of its origin leaves open, None if that is not known.
    """

    name: str
    shape: tuple[int, ...]
    group_size: int
    scale_dtype: Dtype
    symmetric: bool
    size: int
    load: Callable[[], QuantizedTensor]
    groups: Callable[[], list[QuantizedTensor]]
    form: Form | None = None

    @property
    def prefix(self) -> str:
        """What the names of its tensors in a directory begin with, without the dot; may be empty.

        Raises:
            AwqError: E_NAME if its name does not say.
        """
        prefix, _, last = self.name.rpartition(".")
        if last != "weight":
            raise AwqError("E_NAME", self.name, "name", expected="a name that ends in .weight", got=self.name)
        return prefix


Item = Layer | Plain


@dataclass(frozen=True)
class Model:
    """All that is converted.

    Attributes:
        where: the path or URL it is read from.
        dialect: the dialect of its layers; None if it is an .awq file.
        origin: the dialect that it is in, or that it was imported from; None if that is not known.
        items: layers and plain tensors in the order in which they are stored.
        texts: the text of each configuration file by its name.
        metadata: entries of META that say other things.
    """

    where: str
    dialect: str | None
    origin: str | None
    items: tuple[Item, ...]
    texts: Mapping[str, str]
    metadata: Mapping[str, str] = field(default_factory=dict)

    @property
    def layers(self) -> list[Layer]:
        """The quantised layers."""
        return [item for item in self.items if isinstance(item, Layer)]

    @property
    def plain(self) -> list[Plain]:
        """The plain tensors."""
        return [item for item in self.items if isinstance(item, Plain)]

    @property
    def size(self) -> int:
        """Bytes of all items as stored."""
        return sum(item.size for item in self.items)


def named(prefix: str, role: str) -> str:
    """Return the name of a layer's tensor in a directory."""
    return f"{prefix}.{role}" if prefix else role


def check_name(name: str) -> None:
    """Refuse a name that an .awq file cannot hold.

    Raises:
        AwqError: E_NAME.
    """
    if not _NAME.fullmatch(name):
        raise AwqError("E_NAME", repr(name), "name", expected=f"{_NAME.pattern} of at most 255 bytes", got=repr(name))


def digest(value: QuantizedTensor | memoryview) -> bytes:
    """Return the SHA-256 of bytes, or of what a weight says: shape, groups, codes, zero points and scales.

    Two stored forms of the same weight have the same digest: zero points that are not stored are 8, and a scale is
    the F32 number that it is.
    """
    if not isinstance(value, QuantizedTensor):
        return hashlib.sha256(value).digest()
    zeros = value.packed_zero_points
    if zeros is None:
        zeros = np.full((*value.scales.shape[:-1], (value.groups + 1) // 2), SYMMETRIC_ZERO * 0x11, np.uint8)
        if value.groups % 2:
            zeros[..., -1] = SYMMETRIC_ZERO
    found = hashlib.sha256(repr((value.shape, value.group_size)).encode())
    for array in (value.packed_codes, zeros, value.scales.astype(dtypes.NUMPY[Dtype.F32])):
        found.update(np.ascontiguousarray(array).data)
    return found.digest()
