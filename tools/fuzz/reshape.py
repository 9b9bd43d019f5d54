"""Files taken apart into tensors and sections, changed, and laid out anew.

What comes out agrees with itself in every place and size, so that only the change can be at fault, if anything is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from random import Random
from typing import Any, Final

import numpy as np

from awq_conformance.making.editor import Body, Editor
from awqformat import AwqError, TensorInfo
from awqformat.container.index import check_records, check_tiling, digest_rows, extent_sizes, parse_records
from awqformat.fields import RECORD_DTYPE
from awqformat.schema import Dtype, Feature, SectionType

_TEXT: Final = (
    b"{", b"}", b'"', b',"b":""', b',"a":"c"', b'"\xf0\x90\x80\x80":"",', b'"\xef\xbf\xbd":"",', b":1", b":null",
    b"[]", b"{}", b" ", b"\n", b"\\u0000", b"\\u001f", b"\\u000a", b"\\u000B", b"\\u0041", b"\\n", b"\\b", b"\\/",
    b"\\\\", b'\\"', b"\\ud83d", b"\\", b"\xc3\xa9", b"\xe2\x80\xa8", b"\xed\xa0\x80", b"\xc0\x80",
    b"\xf4\x90\x80\x80", b"\xef\xbb\xbf", b"\xff", b"\x7f", b"\x1f", b"\0", b"NaN", b"Infinity", b"1e999",
)  # fmt: skip
_NAMES: Final = (b"", b".", b"-", b"_", b"0", b"a", b"Z", b"~", b"/", b"\0", b"\xc3\xa9", b" ", b"a" * 250)
_TYPES: Final = (0, 1, 0x11, 0x21, 0x40, 0x50, 0x61, 0x101, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF)
_SCALES: Final = (Dtype.F16, Dtype.BF16, Dtype.F32)
# Sign, infinity, NaN, the least and the largest subnormal and finite numbers, by width of the scale in bytes.
_BITS: Final = {
    2: (0, 1, 0x3FF, 0x400, 0x3C00, 0x7BFF, 0x7C00, 0x7C01, 0x7E00, 0x7F7F, 0x7F80, 0x7F81, 0x7FFF, 0x8000, 0xFFFF),
    4: (0, 1, 0x7FFFFF, 0x800000, 0x3F800000, 0x7F7FFFFF, 0x7F800000, 0x7F800001, 0x7FC00000, 0x80000000, 0xFFFFFFFF),
}


@dataclass(frozen=True)
class _Tensor:
    """One tensor; its record's name_off, name_len and data_off are of the file that it was taken from."""

    name: bytes
    record: Any  # a row of RECORD_DTYPE
    extent: bytes


@dataclass
class _Parts:
    """A file taken apart: ``tensors`` in index order, ``sections`` without what follows from the tensors."""

    tensors: list[_Tensor]
    sections: dict[int, Body]
    align_log2: int
    features: int = 0


def reshape(data: bytes, random: Random) -> bytes | None:
    """Return a file with one to three changes of its parts, digests not made right; None if ``data`` is not sound."""
    editor = Editor(data)
    try:
        parts = _take_apart(editor)
    except (AwqError, KeyError, IndexError, ValueError):  # made of a file that was broken before
        return None
    for _ in range(random.choice((1, 1, 2, 3))):
        random.choice(_CHANGES)(parts, random)
    if random.random() < 0.05:
        _enlarge(parts, random)
    before = editor.offset(SectionType.DATA)
    editor.set(editor.header(), "align_log2", parts.align_log2)
    editor.set(editor.header(), "features", parts.features)
    editor.set(editor.header(), "tensor_count", len(parts.tensors))
    editor.rebuild(lambda bodies: _put_together(parts, bodies, before))
    return bytes(editor.data)


def _take_apart(editor: Editor) -> _Parts:
    header = editor.header()
    align_log2, count = editor.get(header, "align_log2"), editor.get(header, "section_count")
    if not 6 <= align_log2 <= 12 or count > 16:
        raise ValueError("the header does not say how the file is laid out")
    bodies: dict[int, Body] = {}
    for place in map(editor.entry, range(count)):
        start, size = editor.get(place, "offset"), editor.get(place, "size")
        body = bytes(editor.data[start : start + size])
        bodies[editor.get(place, "type")] = Body(editor.get(place, "flags"), body)
        if len(body) != size:
            raise ValueError("a section lies outside the file")
    if len(bodies) != count or SectionType.DIGEST not in bodies:
        raise ValueError("a section is missing or doubled")
    strings, records = bodies[SectionType.STRINGS].data, parse_records(bodies[SectionType.INDEX].data)
    names = check_records(records, strings, 1 << align_log2, None)
    data_at, data_end = editor.offset(SectionType.DATA), editor.end(SectionType.DATA)
    check_tiling(records, names, len(strings), data_at, data_end, editor.offset(SectionType.INDEX))
    tensors = []
    for record, name in zip(records.copy(), names, strict=True):
        start, size = int(record["data_off"]), int(record["extent_size"])
        tensors.append(_Tensor(name.encode("ascii"), record, bytes(editor.data[start : start + size])))
    return _Parts(tensors, bodies, align_log2, editor.get(header, "features"))


def _put_together(parts: _Parts, bodies: dict[int, Body], data_at: int) -> None:
    """Fill in all that follows from the tensors; the extents keep the order of their data_off."""
    records = np.array([tensor.record for tensor in parts.tensors], RECORD_DTYPE)
    sizes = np.array([len(tensor.extent) for tensor in parts.tensors], np.uint64)
    lengths = np.array([len(tensor.name) for tensor in parts.tensors], np.uint64)
    order = np.argsort(records["data_off"], kind="stable")
    records["name_len"], records["name_off"] = lengths, np.cumsum(lengths) - lengths
    records["extent_size"] = sizes
    records["data_off"][order] = data_at + np.cumsum(sizes[order]) - sizes[order]
    derived = {
        SectionType.STRINGS: b"".join(tensor.name for tensor in parts.tensors),
        SectionType.INDEX: records.tobytes(),
        SectionType.DIGEST: bytes(32 * int(digest_rows(records).sum())),
        SectionType.DATA: b"".join(parts.tensors[i].extent for i in order),
    }
    bodies.clear()
    bodies.update(parts.sections)
    for kind, data in derived.items():
        bodies[kind] = replace(bodies[kind], data=data, digest=bytes(32))


# Changes


def _edit(data: bytes, random: Random, pieces: tuple[bytes, ...]) -> bytes:
    """Return ``data`` with a piece put in or over something, or with bytes left out."""
    at = random.randrange(len(data) + 1)
    return data[:at] + random.choice((b"", *pieces)) + data[at + random.choice((0, 0, 1, 1, 2, 5)) :]


def _meta(parts: _Parts, random: Random) -> None:
    old = parts.sections.get(SectionType.META, Body(0, b'{"a":"b","model.name":"x"}'))
    parts.sections[SectionType.META] = replace(old, data=_edit(old.data, random, _TEXT))


def _section(parts: _Parts, random: Random) -> None:
    """Add, change or remove a section that does not follow from the tensors."""
    own = [kind for kind in parts.sections if kind not in (0x20, 0x30, 0x60, 0x100)]
    if own and random.random() < 0.4:
        del parts.sections[random.choice(own)]
    elif len(parts.sections) < 16:
        kind = random.choice(_TYPES)
        flags = int(kind in (SectionType.CRYPT, SectionType.TAGS)) ^ (random.random() < 0.05)
        parts.sections[kind] = Body(flags, random.randbytes(random.choice((0, 1, 63, 64, 65, 128))))


def _encrypt(parts: _Parts, random: Random) -> None:
    """Claim encryption, which a reader may not support; CRYPT says nothing sensible."""
    parts.features ^= Feature.ENCRYPTED
    for kind in (SectionType.CRYPT, SectionType.TAGS):
        parts.sections[kind] = Body(1, random.randbytes(128))


def _rename(parts: _Parts, random: Random) -> None:
    i = random.randrange(len(parts.tensors) or 1)
    for tensor in parts.tensors[i : i + 1]:
        parts.tensors[i] = replace(tensor, name=_edit(tensor.name, random, _NAMES))
    if random.random() < 0.7:
        parts.tensors.sort(key=lambda tensor: tensor.name)


def _drop(parts: _Parts, random: Random) -> None:
    if parts.tensors:
        del parts.tensors[random.randrange(len(parts.tensors))]


def _double(parts: _Parts, random: Random) -> None:
    """Add a tensor of a new name, shape and place."""
    if parts.tensors:
        old = random.choice(parts.tensors)
        parts.tensors.append(replace(old, name=old.name + b"%d" % random.randrange(10), record=old.record.copy()))
    else:
        parts.tensors.append(_Tensor(b"w", np.zeros((), RECORD_DTYPE), b""))
    _shape(parts, random, len(parts.tensors) - 1)
    parts.tensors.sort(key=lambda tensor: tensor.name)


def _reorder(parts: _Parts, random: Random) -> None:
    """Exchange the places of two extents."""
    if len(parts.tensors) > 1:
        a, b = (tensor.record for tensor in random.sample(parts.tensors, 2))
        a["data_off"], b["data_off"] = int(b["data_off"]), int(a["data_off"])


def _align(parts: _Parts, random: Random) -> None:
    parts.align_log2 = random.choice((6, 6, 7, 8, 9, 12))
    for i in range(len(parts.tensors)):
        parts.tensors[i] = _sized(parts.tensors[i], parts.align_log2)


def _sized(tensor: _Tensor, align_log2: int) -> _Tensor:
    """Return the tensor with an extent of the derived size."""
    size = int(extent_sizes(tensor.record.reshape(1), 1 << align_log2)[0])
    return replace(tensor, extent=tensor.extent[:size].ljust(size, b"\0"))


def _shape(parts: _Parts, random: Random, i: int | None = None) -> None:
    """Give a tensor another legal dtype and shape, and values that are legal for it."""
    if not parts.tensors:
        return
    i = random.randrange(len(parts.tensors)) if i is None else i
    record = parts.tensors[i].record
    for field in ("scale_dtype", "zero_dtype", "group_size", "dims"):
        record[field] = 0
    quantised = random.random() < 0.6
    dims = [random.choice((1, 1, 2, 3, 5)) for _ in range(random.randint(1, 3) if quantised else random.randint(0, 8))]
    if quantised:
        record["group_size"] = 8 * random.randint(1, 4)
        record["scale_dtype"] = random.choice(_SCALES)
        record["zero_dtype"] = random.choice((Dtype.U4, Dtype.U4, Dtype.NONE))
        dims.append(int(record["group_size"]) * random.randint(1, 5))
    record["dtype"] = Dtype.U4 if quantised else random.randrange(Dtype.BOOL, Dtype.U4)
    record["ndim"], record["dims"][: len(dims)] = len(dims), dims
    tensor = _sized(replace(parts.tensors[i], extent=b""), parts.align_log2)
    extent, info = bytearray(tensor.extent), TensorInfo.from_record(record, 0, "")
    if quantised:
        layout = info.layout
        extent[: layout.codes_size] = random.randbytes(layout.codes_size)
        if layout.zero_row and layout.groups % 2 == 0:
            extent[layout.zeros_at : layout.end] = random.randbytes(layout.end - layout.zeros_at)
        width = info.scale_dtype.bits // 8
        for at in range(layout.scales_at, layout.scales_end, width):
            extent[at : at + width] = random.choice(_BITS[width][:5]).to_bytes(width, "little")
    else:
        extent[: info.plain_size] = random.randbytes(info.plain_size)
    parts.tensors[i] = replace(tensor, extent=bytes(extent))


def _enlarge(parts: _Parts, random: Random) -> None:
    """Claim dims around the limit of elements, or where their product wraps; nothing else follows suit."""
    for tensor in random.sample(parts.tensors, min(1, len(parts.tensors))):
        record = tensor.record
        record["ndim"] = random.randint(2, 8)
        dims = [2 ** random.randrange(32) + random.choice((0, 0, 0, -1)) for _ in range(record["ndim"])]
        record["dims"] = 0
        record["dims"][: len(dims)] = [max(dim, 1) for dim in dims]


def _value(parts: _Parts, random: Random) -> None:
    """Write one scale, or one byte anywhere in an extent: codes, zero points, padding."""
    i = random.randrange(len(parts.tensors) or 1)
    for tensor in parts.tensors[i : i + 1]:
        extent, info = bytearray(tensor.extent), TensorInfo.from_record(tensor.record, 0, "")
        if info.quantized and random.random() < 0.6:
            width = info.scale_dtype.bits // 8
            at = random.randrange(info.layout.scales_at, info.layout.scales_end, width)
            extent[at : at + width] = random.choice(_BITS[width]).to_bytes(width, "little")
        else:
            extent[random.randrange(len(extent))] = random.choice((0, 1, 0x0F, 0x10, 0x80, random.randrange(256)))
        parts.tensors[i] = replace(tensor, extent=bytes(extent))


_CHANGES: Final[tuple[Callable[[_Parts, Random], None], ...]] = (
    *[_meta] * 3, *[_rename] * 3, *[_shape] * 3, *[_value] * 3, *[_section] * 2,
    _encrypt, _drop, _double, _reorder, _align,
)  # fmt: skip
