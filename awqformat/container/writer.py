"""Writing a file: one pass over the data, all or nothing (spec: container, "Writing")."""

from __future__ import annotations

import errno
import hashlib
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from awqformat import dtypes
from awqformat.container import index, meta
from awqformat.container.contents import Contents, Tensor
from awqformat.container.data import TensorInfo
from awqformat.container.physical import OPTIONAL, check_physical
from awqformat.container.source import Source
from awqformat.errors import AwqError
from awqformat.fields import RECORD_DTYPE
from awqformat.model import QuantizedTensor
from awqformat.schema import (
    DIGEST_CHUNK,
    HEADER,
    SECTION,
    TAIL,
    UNIT,
    Dtype,
    Limit,
    SectionFlag,
    SectionType,
    up,
)


def save_file(
    tensors: Mapping[str, Tensor],
    path: str | os.PathLike[str],
    metadata: Mapping[str, str] | None = None,
    *,
    align_log2: int = 6,
) -> None:
    """Write tensors to one file; on any failure nothing is left under ``path`` that was not there before.

    Args:
        tensors: name -> QuantizedTensor, or an array to be stored as it is. Their order is the order of the
            data in the file: the order of use is best for streaming.
        path: the file to write or to replace.
        metadata: entries of META.
        align_log2: 6..12; extents are aligned to 1 << align_log2 bytes. 9 suits NPUs, 12 direct I/O.

    Raises:
        AwqError: for whatever a reader would refuse.
        OSError: if the file system refuses.
    """
    write(Contents(dict(tensors), dict(metadata or {}), align_log2), path)


def write(contents: Contents, path: str | os.PathLike[str]) -> None:
    """Write ``contents`` in canonical form; otherwise as :func:`save_file`."""
    plan = _plan(contents)
    with _replacing(Path(path)) as file:
        digest = _write_data(file, plan)
        _write_front(file, plan, digest)
        file.flush()
        # The reader's own rules are the last word on what may be written.
        with Source(file.name) as source:
            check_physical(source)


@dataclass(frozen=True)
class _Plan:
    """All sizes and places, known before a byte of data is written."""

    contents: Contents
    bodies: dict[int, bytes | None]  # section type -> bytes; None for DIGEST and DATA, which come last
    sizes: dict[int, int]
    offsets: dict[int, int]
    infos: list[TensorInfo]  # in index order

    @property
    def file_size(self) -> int:
        return self.offsets[SectionType.DATA] + self.sizes[SectionType.DATA]


def _plan(contents: Contents) -> _Plan:
    """Derive every size and offset, and refuse what stage I refuses."""
    if not Limit.ALIGN_LOG2_MIN <= contents.align_log2 <= Limit.ALIGN_LOG2_MAX:
        raise AwqError("E_ALIGN", "header", "align_log2", expected="6..12", got=contents.align_log2)
    if not 0 <= contents.minor <= 0xFFFF:
        raise AwqError("E_LIMIT", "header", "minor", expected="0..65535", got=contents.minor)
    names = sorted(contents.tensors, key=_encoded)
    strings = b"".join(_encoded(name) for name in names)
    records = np.zeros(len(names), RECORD_DTYPE)
    for record, name in zip(records, names, strict=True):
        _fill(record, name, contents.tensors[name])
    records["name_off"] = np.cumsum(records["name_len"], dtype=np.uint64) - records["name_len"]
    alignment = 1 << contents.align_log2
    records["extent_size"] = index.extent_sizes(records, alignment)
    index.check_records(records, strings, alignment, index_at=None)

    bodies: dict[int, bytes | None] = {SectionType.STRINGS: strings, SectionType.INDEX: b""}
    if contents.metadata:
        bodies[SectionType.META] = meta.encode(contents.metadata)
    bodies[SectionType.DIGEST] = bodies[SectionType.DATA] = None
    for kind, body in contents.sections.items():
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
    by_place = [numbers[name] for name in contents.tensors]
    extents = records["extent_size"][by_place]
    records["data_off"][by_place] = offsets[SectionType.DATA] + np.cumsum(extents, dtype=np.uint64) - extents
    bodies[SectionType.INDEX] = records.tobytes()
    infos = [TensorInfo.from_record(records[i], i, name) for i, name in enumerate(names)]
    return _Plan(contents, bodies, sizes, offsets, infos)


def _encoded(name: str) -> bytes:
    try:
        return name.encode("ascii")
    except UnicodeEncodeError:
        raise AwqError("E_NAME", repr(name), "name", expected="[A-Za-z0-9_][A-Za-z0-9._-]*", got=repr(name)) from None


def _fill(record: Any, name: str, tensor: Tensor) -> None:
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
        else:
            dtype = dtypes.from_numpy(tensor.dtype)
    except AwqError as error:
        raise AwqError(error.code, name, f"{error.where} {error.field}",
                       expected=error.expected, got=error.got) from None  # fmt: skip
    record["dtype"] = dtype
    if isinstance(tensor, QuantizedTensor):
        record["scale_dtype"] = tensor.scale_dtype
        record["zero_dtype"] = Dtype.NONE if tensor.symmetric else Dtype.U4
        record["group_size"] = tensor.group_size


def _write_data(file: IO[bytes], plan: _Plan) -> bytes:
    """Write DATA from front to back and return DIGEST."""
    rows: dict[str, bytes] = {}
    by_name = {info.name: info for info in plan.infos}
    file.seek(plan.offsets[SectionType.DATA])
    for name, tensor in plan.contents.tensors.items():
        digests, chunk, room = [], hashlib.sha256(), DIGEST_CHUNK
        for buffer in _extent(by_name[name], tensor):
            file.write(buffer)
            while len(buffer) >= room:
                chunk.update(buffer[:room])
                digests.append(chunk.digest())
                buffer, chunk, room = buffer[room:], hashlib.sha256(), DIGEST_CHUNK
            chunk.update(buffer)
            room -= len(buffer)
        if room < DIGEST_CHUNK:
            digests.append(chunk.digest())
        rows[name] = b"".join(digests)
    return b"".join(rows[info.name] for info in plan.infos)


def _extent(info: TensorInfo, tensor: Tensor) -> Iterator[memoryview]:
    """Yield the bytes of one extent, padding included."""
    if isinstance(tensor, QuantizedTensor):
        layout = info.layout
        places = [(tensor.packed_codes, 0), (tensor.scales, layout.scales_at)]
        if tensor.packed_zero_points is not None:
            places.append((tensor.packed_zero_points, layout.zeros_at))
    else:
        places = [(tensor.astype(dtypes.NUMPY[info.dtype], copy=False), 0)]
    end = 0
    for array, place in places:
        yield memoryview(bytes(place - end))
        stored = np.ascontiguousarray(array).reshape(-1).view(np.uint8).data
        yield stored
        end = place + len(stored)
    yield memoryview(bytes(info.size - end))


def _write_front(file: IO[bytes], plan: _Plan, digest: bytes) -> None:
    """Write everything before DATA; what is not written between sections stays zero."""
    plan.bodies[SectionType.DIGEST] = digest
    table = b""
    for kind, body in plan.bodies.items():
        if body is not None:
            file.seek(plan.offsets[kind])
            file.write(body)
        critical = kind in SectionType._value2member_map_ and kind not in OPTIONAL
        table += SECTION.build(
            {
                "type": kind,
                "flags": int(SectionFlag.CRITICAL) if critical else 0,
                "offset": plan.offsets[kind],
                "size": plan.sizes[kind],
                "digest": bytes(32) if body is None else hashlib.sha256(body).digest(),
            }
        )
    header = HEADER.build(
        {
            "minor": plan.contents.minor,
            "tensor_count": len(plan.infos),
            "section_count": len(plan.bodies),
            "align_log2": plan.contents.align_log2,
            "file_size": plan.file_size,
        }
    )
    file.truncate(plan.file_size)  # an empty DATA still has its alignment in front of it
    file.seek(0)
    file.write(header + table + TAIL.build({"root": hashlib.sha256(header + table).digest()}))


@contextmanager
def _replacing(path: Path) -> Iterator[IO[bytes]]:
    """Open a temporary file that takes the place of ``path`` when, and only when, the block succeeds."""
    if path.exists() and not path.is_file():
        raise OSError(errno.EINVAL, "not a regular file", str(path))  # a rename would replace a device or a FIFO
    temporary = path.parent / f".{secrets.token_hex(16)}.tmp"
    try:
        with temporary.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException as error:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.errno is not None:  # blame the path the caller named
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)  # the new name survives a power cut too
    finally:
        os.close(directory)
