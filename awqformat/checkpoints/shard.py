"""One safetensors file: its header, checked in full, and the bytes of its tensors as they are."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any, Final

import numpy as np

from awqformat import dtypes
from awqformat.checkpoints.strict_json import Refused, parse_object
from awqformat.container.source import Source
from awqformat.errors import AwqError
from awqformat.schema import Dtype

HEADER_MAX: Final = 100_000_000
"""Bytes of a header that the safetensors library accepts."""

BITS: Final[dict[str, int]] = {
    **{dtype.name: dtype.bits for dtype in dtypes.NUMPY},
    "C64": 64,
    "F8_E8M0": 8,
    "F8_E4M3FNUZ": 8,
    "F8_E5M2FNUZ": 8,
    "F6_E2M3": 6,
    "F6_E3M2": 6,
    "F4": 4,
}
"""Element types of safetensors and their sizes in bits; those of .awq have the same names."""


@dataclass(frozen=True)
class Stored:
    """A tensor as it lies in a shard.

    Attributes:
        name, dtype, shape: as the header says; dtype is a key of :data:`BITS`.
        offset, size: where its bytes are in the file.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    shard: str
    source: Source
    offset: int
    size: int

    @property
    def awq_dtype(self) -> Dtype:
        """The element type of .awq of the same name.

        Raises:
            AwqError: E_ENUM if there is none.
        """
        if self.dtype not in Dtype.__members__:
            raise AwqError("E_ENUM", self.name, "dtype", expected="an element type of .awq", got=self.dtype)
        return Dtype[self.dtype]

    def bytes(self) -> memoryview:
        """Read the bytes of the tensor.

        Raises:
            AwqError: E_IO if they cannot be read, or not any more.
        """
        try:
            return self.source.read(self.offset, self.size)
        except AwqError as error:
            raise AwqError(error.code, self.shard, self.name, offset=error.offset,
                           expected=error.expected, got=error.got) from None  # fmt: skip

    def read(self) -> np.ndarray[Any, Any]:
        """Read the values of the tensor, read-only, in the dtype of numpy that holds them bit for bit.

        Raises:
            AwqError: as :meth:`bytes`; E_ENUM if numpy has no such dtype.
        """
        return np.frombuffer(self.bytes(), dtypes.NUMPY[self.awq_dtype]).reshape(self.shape)


def read_shard(name: str, source: Source) -> dict[str, Stored]:
    """Return the tensors of one file, in the order in which they lie in it.

    Raises:
        AwqError: E_SHARD unless the file is one whole safetensors file with nothing missing, left over or twice.
    """

    def fault(field: str, expected: object, got: object, offset: int | None = None) -> AwqError:
        return AwqError("E_SHARD", name, field, offset=offset, expected=expected, got=got)

    if source.size < 8:
        raise fault("size", "at least 8 bytes", source.size, 0)
    length = int.from_bytes(source.read(0, 8), "little")
    if bytes(source.read(0, 4)) == b"GGUF":
        raise AwqError(
            "E_DIALECT", name, "format", expected="safetensors", got="GGUF, which is recognised but not read"
        )
    if length > HEADER_MAX:
        raise fault("size of the header", f"at most {HEADER_MAX}: is this a safetensors file?", length, 0)
    if 8 + length > source.size:
        raise fault("size", f"at least {8 + length} bytes", source.size)
    try:
        header = parse_object(bytes(source.read(8, length)))
    except Refused as error:
        raise fault("header", "a JSON object", error, 8) from None
    metadata = header.pop("__metadata__", None)
    if metadata is not None and not (
        isinstance(metadata, dict) and all(isinstance(value, str) for value in metadata.values())
    ):
        raise fault("__metadata__", "an object of strings", metadata)
    room = source.size - 8 - length
    tensors = []
    for tensor, entry in header.items():
        dtype, shape, (begin, end) = _entry(tensor, entry, fault)
        bits = prod(shape) * BITS[dtype]
        if bits % 8 or end - begin != bits // 8:
            raise fault(f"{tensor!r} data_offsets", f"{bits / 8:g} bytes of {dtype} {list(shape)}", [begin, end])
        if end > room:
            raise fault("size", f"at least {8 + length + end} bytes, for {tensor!r}", source.size)
        tensors.append(Stored(tensor, dtype, shape, name, source, 8 + length + begin, end - begin))
    tensors.sort(key=lambda tensor: (tensor.offset, tensor.size))
    place = 8 + length
    for stored in tensors:
        if stored.offset != place:
            raise fault(f"{stored.name!r} data_offsets", f"a start at byte {place} of the file", stored.offset)
        place += stored.size
    if place != source.size:
        raise fault("size", f"{place} bytes", source.size)
    return {stored.name: stored for stored in tensors}


def _entry(tensor: str, entry: Any, fault: Any) -> tuple[str, tuple[int, ...], tuple[int, int]]:
    """Return dtype, shape and data_offsets of one tensor, each of the right kind."""
    if not isinstance(entry, dict) or entry.keys() != {"dtype", "shape", "data_offsets"}:
        raise fault(repr(tensor), "an object of dtype, shape and data_offsets", entry)
    dtype, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(dtype, str) or dtype not in BITS:
        raise fault(f"{tensor!r} dtype", "a dtype of safetensors", dtype)
    for field, values in (("shape", shape), ("data_offsets", offsets)):
        if not isinstance(values, list) or not all(type(value) is int and 0 <= value < 2**63 for value in values):
            raise fault(f"{tensor!r} {field}", "a list of numbers, none of them negative", values)
    if len(offsets) != 2 or offsets[0] > offsets[1]:
        raise fault(f"{tensor!r} data_offsets", "a begin and an end", offsets)
    return dtype, tuple(shape), (offsets[0], offsets[1])
