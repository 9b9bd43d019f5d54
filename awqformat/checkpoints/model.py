"""A whole model whose weights are still where they are: layers and plain tensors, each read when asked for."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from awqformat import dtypes
from awqformat.dialects import Form
from awqformat.errors import AwqError
from awqformat.model import SYMMETRIC_ZERO, QuantizedTensor
from awqformat.schema import Dtype

Array = np.ndarray[Any, Any]

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
        blocks: reads the tensor, in the blocks of :func:`awqformat.checkpoints.blocks.row_blocks`; raises AwqError if
            it is not what it should be.
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
    blocks: Callable[[], Iterator[QuantizedTensor]]
    groups: Callable[[], list[QuantizedTensor]]
    form: Form | None = None

    def load(self) -> QuantizedTensor:
        """Read the whole tensor.

        Raises:
            AwqError: if it is not what it should be.
        """
        blocks = list(self.blocks())

        def joined(arrays: list[Array]) -> Array:
            return np.concatenate(arrays).reshape(*self.shape[:-1], -1)

        zeros = [block.packed_zero_points for block in blocks if block.packed_zero_points is not None]
        return QuantizedTensor(
            joined([block.packed_codes for block in blocks]),
            joined([block.scales for block in blocks]),
            joined(zeros) if zeros else None,
        )

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


class Digest:
    """The SHA-256 of what a weight says, which comes some rows at a time: shape, codes, zero points and scales.

    Two stored forms of the same weight have the same digest: zero points that are not stored are 8, and a scale is
    the F32 number that it is.
    """

    def __init__(self, shape: tuple[int, ...]) -> None:
        self._shape = shape
        self._parts = hashlib.sha256(), hashlib.sha256(), hashlib.sha256()

    def update(self, block: QuantizedTensor) -> None:
        """Take the next rows."""
        zeros = block.packed_zero_points
        if zeros is None:
            zeros = np.full((*block.scales.shape[:-1], (block.groups + 1) // 2), SYMMETRIC_ZERO * 0x11, np.uint8)
            if block.groups % 2:
                zeros[..., -1] = SYMMETRIC_ZERO
        arrays = block.packed_codes, zeros, block.scales.astype(dtypes.NUMPY[Dtype.F32])
        for part, array in zip(self._parts, arrays, strict=True):
            part.update(np.ascontiguousarray(array).data)

    def digest(self) -> bytes:
        """Return the digest of the rows that have come."""
        parts = [part.digest() for part in self._parts]
        return hashlib.sha256(b"".join([repr(self._shape).encode(), *parts])).digest()


def digest(item: Item) -> bytes:
    """Read an item and return the SHA-256 of what it says: a layer's :class:`Digest`, or that of plain bytes."""
    if isinstance(item, Plain):
        return hashlib.sha256(item.load()).digest()
    told = Digest(item.shape)
    for block in item.blocks():
        told.update(block)
    return told.digest()
