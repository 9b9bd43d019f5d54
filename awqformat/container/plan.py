"""Every size and place of a file, before a byte of it is written (spec: container, "Writing")."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from awqformat import dtypes
from awqformat.container import index, meta
from awqformat.container.contents import Deferred, Tensor
from awqformat.container.data import TensorInfo
from awqformat.errors import AwqError
from awqformat.fields import RECORD_DTYPE
from awqformat.model import QuantizedTensor
from awqformat.schema import UNIT, Dtype, Limit, SectionType, up


@dataclass(frozen=True)
class Plan:
    """All sizes and places, known before a byte of data is written."""

    align_log2: int
    minor: int
    bodies: dict[int, bytes | None]  # section type -> bytes; None for DIGEST and DATA, which come last
    sizes: dict[int, int]
    offsets: dict[int, int]
    infos: list[TensorInfo]  # in index order

    @property
    def file_size(self) -> int:
        """Size of the whole file in bytes."""
        return self.offsets[SectionType.DATA] + self.sizes[SectionType.DATA]


def plan_file(
    tensors: Mapping[str, Tensor | Deferred],
    metadata: Mapping[str, str],
    align_log2: int = 6,
    minor: int = 0,
    sections: Mapping[int, bytes] | None = None,
) -> Plan:
    """Derive every size and offset of a file of these contents (see :class:`awqformat.Contents`).

    Raises:
        AwqError: for what stage I of a reader would refuse.
    """
    if not Limit.ALIGN_LOG2_MIN <= align_log2 <= Limit.ALIGN_LOG2_MAX:
        raise AwqError("E_ALIGN", "header", "align_log2", expected="6..12", got=align_log2)
    if not 0 <= minor <= 0xFFFF:
        raise AwqError("E_LIMIT", "header", "minor", expected="0..65535", got=minor)
    names = sorted(tensors, key=_encoded)
    strings = b"".join(_encoded(name) for name in names)
    records = np.zeros(len(names), RECORD_DTYPE)
    for record, name in zip(records, names, strict=True):
        _fill(record, name, tensors[name])
    records["name_off"] = np.cumsum(records["name_len"], dtype=np.uint64) - records["name_len"]
    alignment = 1 << align_log2
    records["extent_size"] = index.extent_sizes(records, alignment)
    index.check_records(records, strings, alignment, index_at=None)

    bodies: dict[int, bytes | None] = {SectionType.STRINGS: strings, SectionType.INDEX: b""}
    if metadata:
        bodies[SectionType.META] = meta.encode(metadata)
    bodies[SectionType.DIGEST] = bodies[SectionType.DATA] = None
    for kind, body in (sections or {}).items():
        if kind in SectionType._value2member_map_ or not 0 <= kind < 2**32:
            raise AwqError("E_SECTION", f"section {kind:#x}", "type", expected="an unknown or private type", got=kind)
        bodies[kind] = body
    bodies = dict(sorted(bodies.items()))
    sizes = {kind: len(body or b"") for kind, body in bodies.items()}
    sizes[SectionType.INDEX] = records.nbytes
    sizes[SectionType.DIGEST] = 32 * int(index.digest_rows(records).sum())
    sizes[SectionType.DATA] = int(records["extent_size"].sum(dtype=np.uint64))

    offsets: dict[int, int] = {}
    end = UNIT * (len(bodies) + 2)
    for kind in sorted(bodies, key=lambda kind: kind == SectionType.DATA):
        offsets[kind] = up(end, alignment if kind == SectionType.DATA else UNIT)
        end = offsets[kind] + sizes[kind]
    numbers = {name: i for i, name in enumerate(names)}
    by_place = [numbers[name] for name in tensors]
    extents = records["extent_size"][by_place]
    records["data_off"][by_place] = offsets[SectionType.DATA] + np.cumsum(extents, dtype=np.uint64) - extents
    bodies[SectionType.INDEX] = records.tobytes()
    infos = [TensorInfo.from_record(records[i], i, name) for i, name in enumerate(names)]
    return Plan(align_log2, minor, bodies, sizes, offsets, infos)


def _encoded(name: str) -> bytes:
    try:
        return name.encode("ascii")
    except UnicodeEncodeError:
        raise AwqError("E_NAME", repr(name), "name", expected="[A-Za-z0-9_][A-Za-z0-9._-]*", got=repr(name)) from None


def _fill(record: Any, name: str, tensor: Tensor | Deferred) -> None:
    """Fill one index record, but for the offsets and the size of the extent."""
    shape, encoded = tensor.shape, _encoded(name)
    if len(encoded) > Limit.NAME_MAX:
        raise AwqError("E_NAME", name, "name", expected=f"1..{int(Limit.NAME_MAX)} bytes", got=len(encoded))
    if len(shape) > Limit.NDIM_MAX:
        raise AwqError("E_DIMS", name, "ndim", expected=f"at most {int(Limit.NDIM_MAX)}", got=len(shape))
    if any(not 1 <= dim < 2**32 for dim in shape):
        raise AwqError("E_DIMS", name, "dims", expected="1..2^32-1", got=shape)
    record["name_len"] = len(encoded)
    record["ndim"] = len(shape)
    record["dims"][: len(shape)] = shape
    try:
        if isinstance(tensor, QuantizedTensor):
            tensor.check()
            dtype = Dtype.U4
        elif isinstance(tensor, Deferred):
            dtype = tensor.dtype
        else:
            dtype = dtypes.from_numpy(tensor.dtype)
    except AwqError as error:
        raise AwqError(error.code, name, f"{error.where} {error.field}",
                       expected=error.expected, got=error.got) from None  # fmt: skip
    record["dtype"] = dtype
    if isinstance(tensor, Deferred):
        size = tensor.group_size
        if dtype is Dtype.U4 and (size <= 0 or not shape or shape[-1] % size):
            raise AwqError("E_GROUP", name, "group_size", expected=f"a divisor of K in {shape}", got=size)
        record["scale_dtype"] = tensor.scale_dtype
        record["zero_dtype"] = tensor.zero_dtype
        record["group_size"] = tensor.group_size
    elif isinstance(tensor, QuantizedTensor):
        record["scale_dtype"] = tensor.scale_dtype
        record["zero_dtype"] = Dtype.NONE if tensor.symmetric else Dtype.U4
        record["group_size"] = tensor.group_size
