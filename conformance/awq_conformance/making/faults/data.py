"""Faults of tensor data: stage D."""

from __future__ import annotations

from typing import Final

from awq_conformance.making.editor import Editor
from awq_conformance.making.faults.fault import BIAS, NORM, WEIGHT, Fault, flip, in_extent, put, start_of
from awqformat.schema import SectionType

_ODD: Final = "model/odd-groups"  # 13 rows of 5 groups: 3 bytes of zero points a row
_SEVERAL: Final = "model/last-tensor-differs"
_TWINS: Final = {"f16": _ODD, "bf16": "model/scales-bf16", "f32": "model/scales-f32"}
_VALUES: Final = {
    "nan": {"f16": 0x7E01, "bf16": 0x7FC1, "f32": 0x7FC0_0001},
    "inf": {"f16": 0x7C00, "bf16": 0x7F80, "f32": 0x7F80_0000},
    "minus-inf": {"f16": 0xFC00, "bf16": 0xFF80, "f32": 0xFF80_0000},
    "negative": {"f16": 0xA000, "bf16": 0xBE00, "f32": 0xBE00_0000},
    "minus-zero": {"f16": 0x8000, "bf16": 0x8000, "f32": 0x8000_0000},
}
_UNVERIFIED: Final = ("AWQ-CON-007", "AWQ-CNF-006")  # what a loader that leaves out stage D violates


def _exchange_rows(e: Editor) -> None:
    at = e.offset(SectionType.DIGEST)
    e.put(at, bytes(e.data[at + 32 : at + 64] + e.data[at : at + 32]))


CASES: Final = (
    *(
        Fault(
            f"model/{name}-bit",
            f"one bit of the {what} is wrong",
            "E_DIGEST",
            "AWQ-CON-069",
            flip(in_extent(WEIGHT, part)),
            refresh=False,
            also=_UNVERIFIED,
        )
        for name, part, what in (
            ("codes", "codes", "codes"),
            ("scales", "scales", "scales"),
            ("zero-points", "zeros", "zero points"),
            ("padding", "last", "padding"),
        )
    ),
    Fault(
        "container/plain-bit",
        "one bit of a plain tensor is wrong",
        "E_DIGEST",
        "AWQ-CON-069",
        flip(in_extent(NORM, "codes")),
        refresh=False,
        also=_UNVERIFIED,
    ),
    Fault(
        "container/digest-rows-exchanged", "two rows of DIGEST are exchanged", "E_DIGEST", "AWQ-CON-069", _exchange_rows
    ),
    Fault(
        "container/digest-row-end",
        "the last byte of a row of DIGEST is wrong, all before it are right",
        "E_DIGEST",
        "AWQ-CON-069",
        flip(start_of(SectionType.DIGEST, 31), 7),
    ),
    *(
        Fault(
            f"model/padding-{part.replace(' ', '-')}",
            f"a padding byte is not zero: {where}",
            "E_PADDING",
            "AWQ-CON-070",
            flip(in_extent(0, part)),
            twin=_ODD,
        )
        for part, where in (
            ("codes end", "the first after the codes"),
            ("scales end", "the first after the scales"),
            ("end", "the first after the zero points"),
            ("last", "the last of the extent"),
        )
    ),
    *(
        Fault(
            f"model/odd-nibble-{row}",
            f"the high nibble after the last zero point of row {row} is not zero",
            "E_PADDING",
            "AWQ-CON-070",
            flip(in_extent(0, "zeros", 3 * row + 2), 4),
            twin=_ODD,
            stale=row == 0,
        )
        for row in (0, 12)
    ),
    Fault(
        "container/plain-padding",
        "a padding byte after a plain tensor is not zero",
        "E_PADDING",
        "AWQ-CON-070",
        flip(in_extent(BIAS, "end")),
    ),
    *(
        Fault(
            f"model/scale-{dtype}-{name}",
            f"a scale of type {dtype.upper()} is {name.replace('-', ' ')}",
            "E_VALUE",
            "AWQ-CON-071",
            put(in_extent(0, "scales", 4 * width), bits[dtype].to_bytes(width, "little")),
            twin=twin,
            stale=name == "nan",
        )
        for dtype, twin, width in (("f16", _TWINS["f16"], 2), ("bf16", _TWINS["bf16"], 2), ("f32", _TWINS["f32"], 4))
        for name, bits in _VALUES.items()
    ),
    Fault(
        "model/scale-last-expert",
        "the last scale of the last expert is NaN",
        "E_VALUE",
        "AWQ-CON-071",
        put(in_extent(0, "scales end", -2), b"\x01\x7e"),
        twin="model/experts",
        refs=("https://github.com/casper-hansen/AutoAWQ/issues/203",),
    ),
    Fault(
        "model/scale-last-of-rank-8",
        "the last scale of a tensor of eight dimensions is NaN",
        "E_VALUE",
        "AWQ-CON-071",
        put(in_extent(0, "scales end", -2), b"\x01\x7e"),
        twin="model/experts-rank-8",
    ),
    Fault(
        "model/scale-last-tensor",
        "the last scale of the last tensor is infinite",
        "E_VALUE",
        "AWQ-CON-071",
        put(in_extent(2, "scales end", -2), b"\x80\x7f"),
        twin=_SEVERAL,
        also=_UNVERIFIED,
    ),
    Fault(
        "model/odd-nibble-last-tensor",
        "the high nibble after the last zero point of the last tensor is not zero",
        "E_PADDING",
        "AWQ-CON-070",
        flip(in_extent(2, "end", -1), 7),
        twin=_SEVERAL,
        also=_UNVERIFIED,
    ),
)
