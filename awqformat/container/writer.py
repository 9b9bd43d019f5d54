"""Writing a file: one pass over the data, all or nothing (spec: container, "Writing")."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO

import numpy as np

from awqformat import dtypes
from awqformat.container.contents import Contents, Deferred, Tensor
from awqformat.container.data import TensorInfo
from awqformat.container.physical import OPTIONAL, check_physical
from awqformat.container.plan import Plan, plan_file
from awqformat.container.replacing import replacing
from awqformat.container.source import Source
from awqformat.errors import AwqError
from awqformat.model import QuantizedTensor
from awqformat.pipeline import in_order
from awqformat.schema import DIGEST_CHUNK, HEADER, SECTION, TAIL, Dtype, SectionFlag, SectionType


def save_file(
    tensors: Mapping[str, Tensor | Deferred],
    path: str | os.PathLike[str],
    metadata: Mapping[str, str] | None = None,
    *,
    align_log2: int = 6,
    workers: int = 1,
    progress: Callable[[str], None] | None = None,
    review: Callable[[Path], None] | None = None,
) -> None:
    """Write tensors to one file; on any failure nothing is left under ``path`` that was not there before.

    Args:
        tensors: name -> QuantizedTensor, or an array to be stored as it is, or a Deferred that makes one of them
            when its turn comes. Their order is the order of the data in the file: the order of use is best for
            streaming.
        path: the file to write or to replace.
        metadata: entries of META.
        align_log2: 6..12; extents are aligned to 1 << align_log2 bytes. 9 suits NPUs, 12 direct I/O.
        workers: threads that make deferred tensors and digests, and the most tensors that are held for it at a time.
        progress: called with each tensor's name when it has been written.
        review: called with the finished file under its temporary name; what it raises is a failure.

    Raises:
        AwqError: for whatever a reader would refuse.
        OSError: if the file system refuses.
    """
    _write(plan_file(tensors, metadata or {}, align_log2), tensors, path, workers, progress, review)


def write(contents: Contents, path: str | os.PathLike[str]) -> None:
    """Write ``contents`` in canonical form; otherwise as :func:`save_file`."""
    plan = plan_file(contents.tensors, contents.metadata, contents.align_log2, contents.minor, contents.sections)
    _write(plan, contents.tensors, path)


def _write(
    plan: Plan,
    tensors: Mapping[str, Tensor | Deferred],
    path: str | os.PathLike[str],
    workers: int = 1,
    progress: Callable[[str], None] | None = None,
    review: Callable[[Path], None] | None = None,
) -> None:
    with replacing(Path(path)) as file:
        digest = _write_data(file, plan, tensors, workers, progress)
        _write_front(file, plan, digest)
        file.flush()
        # The reader's own rules are the last word on what may be written.
        with Source(file.name) as source:
            check_physical(source)
        if review is not None:
            review(Path(file.name))


def _write_data(
    file: IO[bytes],
    plan: Plan,
    tensors: Mapping[str, Tensor | Deferred],
    workers: int,
    progress: Callable[[str], None] | None,
) -> bytes:
    """Write DATA from front to back and return DIGEST."""
    by_name = {info.name: info for info in plan.infos}
    rows: dict[str, bytes] = {}

    def prepare(name: str) -> tuple[str, list[memoryview], bytes]:
        buffers = list(_extent(by_name[name], tensors[name]))
        return name, buffers, _digests(buffers)

    file.seek(plan.offsets[SectionType.DATA])
    for name, buffers, rows[name] in in_order(prepare, tensors, workers):
        for buffer in buffers:
            file.write(buffer)
        buffers.clear()  # the next tensor is made before this loop lets go of this one
        if progress is not None:
            progress(name)
    return b"".join(rows[info.name] for info in plan.infos)


def _digests(buffers: list[memoryview]) -> bytes:
    """Return the rows of DIGEST for one extent."""
    digests, chunk, room = [], hashlib.sha256(), DIGEST_CHUNK
    for buffer in buffers:
        while len(buffer) >= room:
            chunk.update(buffer[:room])
            digests.append(chunk.digest())
            buffer, chunk, room = buffer[room:], hashlib.sha256(), DIGEST_CHUNK
        chunk.update(buffer)
        room -= len(buffer)
    if room < DIGEST_CHUNK:
        digests.append(chunk.digest())
    return b"".join(digests)


def _extent(info: TensorInfo, tensor: Tensor | Deferred) -> Iterator[memoryview]:
    """Yield the bytes of one extent, padding included."""
    if isinstance(tensor, Deferred):
        tensor = _loaded(info, tensor)
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


def _loaded(info: TensorInfo, deferred: Deferred) -> Tensor:
    """Return the values of a deferred tensor, if they are of the kind that it was announced to be."""
    tensor = deferred.load()
    if isinstance(tensor, QuantizedTensor):
        try:
            tensor.check()
        except AwqError as error:
            raise AwqError(error.code, info.name, f"{error.where} {error.field}",
                           expected=error.expected, got=error.got) from None  # fmt: skip
        zero_dtype = Dtype.NONE if tensor.symmetric else Dtype.U4
        got = (Dtype.U4, tensor.shape, tensor.scale_dtype, zero_dtype, tensor.group_size)
    else:
        got = (dtypes.from_numpy(tensor.dtype), tensor.shape, Dtype.NONE, Dtype.NONE, 0)
    expected = (info.dtype, info.shape, info.scale_dtype, info.zero_dtype, info.group_size)
    if got != expected:
        raise AwqError("E_RECORD", info.name, "deferred tensor", expected=expected, got=got)
    return tensor


def _write_front(file: IO[bytes], plan: Plan, digest: bytes) -> None:
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
            "minor": plan.minor,
            "tensor_count": len(plan.infos),
            "section_count": len(plan.bodies),
            "align_log2": plan.align_log2,
            "file_size": plan.file_size,
        }
    )
    file.truncate(plan.file_size)  # an empty DATA still has its alignment in front of it
    file.seek(0)
    file.write(header + table + TAIL.build({"root": hashlib.sha256(header + table).digest()}))
