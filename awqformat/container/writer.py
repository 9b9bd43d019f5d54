"""Writing a file: one pass over the data, all or nothing (spec: container, "Writing")."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np

from awqformat import dtypes
from awqformat.container.contents import Contents, Deferred, Tensor
from awqformat.container.data import TensorInfo
from awqformat.container.physical import OPTIONAL, check_physical
from awqformat.container.plan import Plan, plan_file
from awqformat.container.replacing import replacing
from awqformat.container.sink import write_at
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
        workers: threads that make deferred tensors, digest and write them, each holding one tensor or block of rows.
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

    def written(name: str) -> tuple[str, bytes]:
        info, digests = by_name[name], _Digests()
        at = info.offset
        for buffer in _extent(info, tensors[name]):
            digests.update(buffer)
            write_at(file.fileno(), buffer, at)
            at += len(buffer)
        return name, digests.rows()

    for name, rows[name] in in_order(written, tensors, workers):
        if progress is not None:
            progress(name)
    return b"".join(rows[info.name] for info in plan.infos)


class _Digests:
    """The rows of DIGEST for one extent, whose bytes come in order."""

    def __init__(self) -> None:
        self._rows: list[bytes] = []
        self._chunk, self._room = hashlib.sha256(), DIGEST_CHUNK

    def update(self, buffer: memoryview) -> None:
        while len(buffer) >= self._room:
            self._chunk.update(buffer[: self._room])
            buffer = buffer[self._room :]
            self._rows.append(self._chunk.digest())
            self._chunk, self._room = hashlib.sha256(), DIGEST_CHUNK
        self._chunk.update(buffer)
        self._room -= len(buffer)

    def rows(self) -> bytes:
        last = [self._chunk.digest()] if self._room < DIGEST_CHUNK else []
        return b"".join(self._rows + last)


def _extent(info: TensorInfo, tensor: Tensor | Deferred) -> Iterator[memoryview]:
    """Yield the bytes of one extent, padding included."""
    made = _loaded(info, tensor) if isinstance(tensor, Deferred) else tensor
    if isinstance(made, np.ndarray):
        yield _bytes(made.astype(dtypes.NUMPY[info.dtype], copy=False))
        yield memoryview(bytes(info.size - info.plain_size))
        return
    layout = info.layout
    scales: list[memoryview] = []
    zeros: list[memoryview] = []
    for block in [made] if isinstance(made, QuantizedTensor) else made:
        yield _bytes(block.packed_codes)
        scales.append(_bytes(block.scales))
        if block.packed_zero_points is not None:
            zeros.append(_bytes(block.packed_zero_points))
    yield memoryview(bytes(layout.scales_at - layout.codes_size))
    yield from scales
    yield memoryview(bytes(layout.zeros_at - layout.scales_end))
    yield from zeros
    yield memoryview(bytes(info.size - (layout.end if zeros else layout.zeros_at)))


def _bytes(array: np.ndarray[Any, Any]) -> memoryview:
    return np.ascontiguousarray(array).reshape(-1).view(np.uint8).data


def _loaded(info: TensorInfo, deferred: Deferred) -> Tensor | Iterator[QuantizedTensor]:
    """Return the values of a deferred tensor, if they are of the kind that it was announced to be."""
    made = deferred.load()
    if isinstance(made, QuantizedTensor):
        _check(info, made, info.shape)
    elif isinstance(made, np.ndarray):
        _agree(info, (dtypes.from_numpy(made.dtype), made.shape, Dtype.NONE, Dtype.NONE, 0), info.shape)
    else:
        return _checked(info, made)
    return made


def _checked(info: TensorInfo, blocks: Iterator[QuantizedTensor]) -> Iterator[QuantizedTensor]:
    """Yield blocks of rows, each of the kind that was announced, and neither more nor fewer rows than were."""
    left = info.layout.rows
    for block in blocks:
        rows = min(len(block.scales), left)
        _check(info, block, (rows, info.shape[-1]))
        left -= rows
        yield block
    if left:
        raise AwqError("E_RECORD", info.name, "deferred rows", expected=info.layout.rows, got=info.layout.rows - left)


def _check(info: TensorInfo, tensor: QuantizedTensor, shape: tuple[int, ...]) -> None:
    """Refuse a quantised tensor that is illegal, or none of the shape and kind that was announced."""
    try:
        tensor.check()
    except AwqError as error:
        raise AwqError(error.code, info.name, f"{error.where} {error.field}",
                       expected=error.expected, got=error.got) from None  # fmt: skip
    zero_dtype = Dtype.NONE if tensor.symmetric else Dtype.U4
    _agree(info, (Dtype.U4, tensor.shape, tensor.scale_dtype, zero_dtype, tensor.group_size), shape)


def _agree(info: TensorInfo, got: tuple[object, ...], shape: tuple[int, ...]) -> None:
    expected = (info.dtype, shape, info.scale_dtype, info.zero_dtype, info.group_size)
    if got != expected:
        raise AwqError("E_RECORD", info.name, "deferred tensor", expected=expected, got=got)


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
