"""What a file claims: the most that a reader would ask memory for if it trusted a single number of it."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod

from awq_conformance.making.editor import Editor
from awqformat.schema import MAGIC, UNIT, Dtype, Limit, SectionType


def claimed(data: bytes) -> int:
    """Return the largest size in bytes that any number of ``data`` claims, 0 for what is not our format at all."""
    return max(_claims(data)) if data.startswith(MAGIC) else 0


def _claims(data: bytes) -> Iterator[int]:
    # Where the file was cut, what is missing reads as 0.
    file = Editor(data)
    header = file.header()
    sections, tensors = file.get(header, "section_count"), file.get(header, "tensor_count")
    yield from (file.get(header, "file_size"), UNIT * sections, UNIT * tensors)
    for i in range(sections if sections <= Limit.SECTIONS_MAX else 0):
        entry = file.entry(i)
        size = file.get(entry, "size")
        yield size
        if file.get(entry, "type") == SectionType.INDEX:
            start = file.get(entry, "offset")
            for at in range(start, min(start + min(UNIT * tensors, size), len(data)), UNIT):
                yield file.get(("record", at), "extent_size")
                yield _size(file, ("record", at))


def _size(file: Editor, record: tuple[str, int]) -> int:
    """Return the size of a tensor's elements by its dtype and its dimensions, as whole numbers that never wrap."""
    dims = (file.get(record, "dims", i) for i in range(min(file.get(record, "ndim"), int(Limit.NDIM_MAX))))
    bits = {int(dtype): dtype.bits for dtype in Dtype}
    return prod(dims) * bits.get(file.get(record, "dtype"), 0) // 8
