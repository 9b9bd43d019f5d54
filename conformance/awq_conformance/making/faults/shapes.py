"""Faults of dimensions, groups, extents and their tiling: the arithmetic of stage I."""

from __future__ import annotations

from hashlib import sha256
from typing import Final

from awq_conformance.making.editor import Body, Editor
from awq_conformance.making.faults.fault import (
    BIAS,
    NORM,
    WEIGHT,
    Edit,
    Fault,
    add,
    body,
    both,
    in_record,
    record,
)
from awqformat.schema import SectionType

_DIGEST, _DATA = SectionType.DIGEST, SectionType.DATA
_EMPTY: Final = "container/empty"
_LITERT: Final = ("https://github.com/google-ai-edge/LiteRT/issues/9255",)
_MINUS_ONE: Final = ("https://github.com/casper-hansen/AutoAWQ/issues/578",)


def _norm_dims(*dims: int) -> Edit:
    """Give the norm tensor, F32 in an extent of 128 bytes, other dimensions."""
    return both(in_record(NORM, "ndim", len(dims)), *(in_record(NORM, "dims", dim, i) for i, dim in enumerate(dims)))


def _vanish(e: Editor) -> None:
    """Make the norm tensor's product wrap to 0, and make every size agree with a tensor of 0 elements."""
    info = e.info(NORM)
    both(_norm_dims(2**31, 2**31, 4), in_record(NORM, "extent_size", 0))(e)

    def change(bodies: dict[int, Body]) -> None:
        digest, data = bodies[_DIGEST].data, bodies[_DATA].data
        bodies[_DIGEST].data = digest[: 32 * NORM] + digest[32 * NORM + 32 :]
        bodies[_DATA].data = data[: len(data) - info.size]

    e.rebuild(change)


def _three_groups(e: Editor) -> None:
    """Let 24 codes share a scale where K is 64, in an extent that fits three groups a row, the last one short."""
    info = e.info(WEIGHT)
    n, k = info.shape
    in_record(WEIGHT, "group_size", 24)(e)
    e.put(info.offset + n * k // 2 + 3 * 2 * n, bytes(2 * n))  # what was a row's fourth scale is padding now
    for row in range(n):
        last = info.offset + info.layout.zeros_at + 2 * row + 1
        e.put(last, bytes([e.data[last] & 0x0F]))


def _groups_of_four(e: Editor) -> None:
    """Give the weight of the twin twice as many scales and zero points, one for 4 codes, and room for them."""
    info = e.info(0)
    layout = info.layout

    def change(bodies: dict[int, Body]) -> None:
        data = bodies[_DATA].data
        scales = data[layout.scales_at : layout.scales_end]
        zeros = data[layout.zeros_at : layout.end]
        extent = data[: layout.scales_at] + 2 * scales
        extent += bytes(-len(extent) % 64) + 2 * zeros
        bodies[_DATA].data = extent + bytes(-len(extent) % 64)

    e.rebuild(change)
    in_record(0, "group_size", 4)(e)
    in_record(0, "extent_size", e.get(e.section(_DATA), "size"))(e)
    at = e.offset(_DATA)
    e.put(e.offset(_DIGEST), sha256(e.data[at:]).digest())


def _rows(change: int) -> Edit:
    """Add a row to DIGEST, or take one away."""

    def edit(bodies: dict[int, Body]) -> None:
        bodies[_DIGEST].data = (bodies[_DIGEST].data + bytes(32))[: len(bodies[_DIGEST].data) + 32 * change]

    return lambda e: e.rebuild(edit)


def _exchange_extents(e: Editor) -> None:
    first, second = e.get(e.record(WEIGHT), "data_off"), e.get(e.record(BIAS), "data_off")
    e.set(e.record(WEIGHT), "data_off", second)
    e.set(e.record(BIAS), "data_off", first)


_SHAPES: Final = (
    Fault(
        "container/elements-over-limit",
        "2^40 + 2^20 elements",
        "E_OVERFLOW",
        "AWQ-CON-061",
        _norm_dims(2**20, 2**20 + 1),
        stale=True,
    ),
    Fault(
        "container/elements-wrap-to-size",
        "2^64 + 32 elements of 4 bytes, in an extent of 128 bytes",
        "E_OVERFLOW",
        "AWQ-CON-061",
        _norm_dims(271968, 37171, 1824726041),
        also=("AWQ-CON-006",),
    ),
    Fault(
        "container/elements-wrap-to-zero",
        "2^64 elements, and every size made to agree with none",
        "E_OVERFLOW",
        "AWQ-CON-061",
        _vanish,
        also=("AWQ-CON-006",),
        refs=_LITERT,
    ),
    Fault(
        "container/elements-quantised",
        "N and K are each legal, their product is not",
        "E_OVERFLOW",
        "AWQ-CON-061",
        both(in_record(WEIGHT, "dims", 2**31, 0), in_record(WEIGHT, "dims", 2**31, 1)),
    ),
    Fault(
        "container/out-features-max", "N = 2^32 - 1", "E_SIZE", "AWQ-CON-064", in_record(WEIGHT, "dims", 2**32 - 1, 0)
    ),
    Fault("container/in-features-huge", "K = 2^31", "E_SIZE", "AWQ-CON-064", in_record(WEIGHT, "dims", 2**31, 1)),
    *(
        Fault(
            f"container/in-features-{name}",
            f"K = {k}",
            "E_GROUP",
            "AWQ-CON-062",
            in_record(WEIGHT, "dims", k, 1),
            stale=name == "odd",
        )
        for name, k in {"max": 2**32 - 1, "even": 60, "odd": 65}.items()
    ),
    *(
        Fault(
            f"container/group-size-{name}",
            f"group_size {size} where K is 64",
            "E_GROUP",
            "AWQ-CON-063",
            in_record(WEIGHT, "group_size", size),
            stale=size == 128,
            refs=_MINUS_ONE if name == "minus-one" else (),
        )
        for name, size in {"0": 0, "1": 1, "7": 7, "12": 12, "24": 24, "128": 128, "minus-one": 2**32 - 1}.items()
    ),
    Fault(
        "container/group-size-short",
        "group_size 24 where K is 64, and every size made to agree with three groups",
        "E_GROUP",
        "AWQ-CON-063",
        _three_groups,
    ),
    Fault(
        "container/group-size-4",
        "group_size 4, and every size made to agree with it",
        "E_GROUP",
        "AWQ-CON-063",
        _groups_of_four,
        twin="model/group-8",
    ),
    Fault(
        "container/group-size-other",
        "group_size 32 where the scales are for 16",
        "E_SIZE",
        "AWQ-CON-064",
        in_record(WEIGHT, "group_size", 32),
    ),
    *(
        Fault(
            f"container/extent-size-{name}",
            f"extent_size {size}",
            "E_SIZE",
            "AWQ-CON-064",
            in_record(WEIGHT, "extent_size", size),
            stale=name == "zero",
        )
        for name, size in {"zero": 0, "one": 1, "max": 2**64 - 1}.items()
    ),
    *(
        Fault(
            f"container/extent-size{change:+}",
            f"extent_size {change:+}",
            "E_SIZE",
            "AWQ-CON-064",
            add(record(WEIGHT), "extent_size", change),
        )
        for change in (-64, 64)
    ),
)

_TILING: Final = (
    Fault(
        "container/extent-before-data",
        "an extent starts 64 bytes before DATA",
        "E_LAYOUT",
        "AWQ-CON-066",
        lambda e: e.set(e.record(WEIGHT), "data_off", e.offset(_DATA) - 64),
        stale=True,
    ),
    Fault(
        "container/extent-past-end",
        "an extent starts where the file ends",
        "E_LAYOUT",
        "AWQ-CON-066",
        lambda e: e.set(e.record(WEIGHT), "data_off", len(e.data)),
    ),
    Fault(
        "container/extent-far",
        "an extent starts at 2^64 - 64",
        "E_LAYOUT",
        "AWQ-CON-066",
        in_record(WEIGHT, "data_off", 2**64 - 64),
        also=("AWQ-CON-006",),
    ),
    Fault(
        "container/extent-shared",
        "two tensors share one extent",
        "E_LAYOUT",
        "AWQ-CON-066",
        lambda e: e.set(e.record(BIAS), "data_off", e.get(e.record(WEIGHT), "data_off")),
    ),
    *(
        Fault(
            f"container/extent-{name}",
            f"an extent starts {change:+} bytes from the end of the one before",
            "E_LAYOUT",
            "AWQ-CON-066",
            add(record(i), "data_off", change),
        )
        for name, i, change in (("misaligned", BIAS, 32), ("overlap", BIAS, -64), ("hole", NORM, 64))
    ),
    Fault(
        "container/extents-exchanged",
        "two extents of different size are exchanged",
        "E_LAYOUT",
        "AWQ-CON-066",
        _exchange_extents,
    ),
    Fault("container/digest-row-added", "one row of DIGEST too many", "E_SIZE", "AWQ-CON-067", _rows(1), stale=True),
    Fault("container/digest-row-missing", "one row of DIGEST too few", "E_SIZE", "AWQ-CON-067", _rows(-1)),
    Fault(
        "container/empty-with-strings",
        "no tensors, but a byte in STRINGS",
        "E_NAME",
        "AWQ-CON-065",
        body(SectionType.STRINGS, b"x", critical=True),
        twin=_EMPTY,
    ),
    Fault(
        "container/empty-with-data",
        "no tensors, but 64 bytes of DATA",
        "E_LAYOUT",
        "AWQ-CON-066",
        body(_DATA, bytes(64), critical=True),
        stale=True,
        twin=_EMPTY,
        refs=("https://github.com/huggingface/safetensors/issues/466",),
    ),
)

CASES: Final = (*_SHAPES, *_TILING)
