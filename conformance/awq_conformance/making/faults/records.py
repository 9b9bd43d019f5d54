"""Faults of single fields of an index record: stage I up to the dimensions."""

from __future__ import annotations

from typing import Final

from awq_conformance.making.faults.fault import NORM, WEIGHT, Fault, in_record
from awqformat.schema import Dtype

_ENUMS: Final = (
    ("dtype", 0),
    *((field, value) for field in ("dtype", "scale_dtype", "zero_dtype") for value in (17, 255)),
)
_PLAIN: Final = {"scale_dtype": Dtype.F16, "zero_dtype": Dtype.U4, "layout": 1, "group_size": 8}
_GGUF_TOOLS: Final = ("https://github.com/antirez/gguf-tools/issues/25",)

CASES: Final = (
    *(
        Fault(
            f"container/{field.replace('_', '-')}-{value}",
            f"{field} {value}",
            "E_ENUM",
            in_record(WEIGHT, field, value),
            stale=value == 17,
        )
        for field, value in _ENUMS
    ),
    *(
        Fault(
            f"container/quantised-scale-{dtype.name.lower()}",
            f"U4 with scales of type {dtype.name}",
            "E_RECORD",
            in_record(WEIGHT, "scale_dtype", dtype),
        )
        for dtype in (Dtype.NONE, Dtype.I8, Dtype.F64, Dtype.U4)
    ),
    Fault(
        "container/quantised-zero-f16",
        "U4 with zero points of type F16",
        "E_RECORD",
        in_record(WEIGHT, "zero_dtype", Dtype.F16),
    ),
    *(
        Fault(
            f"container/plain-{field.replace('_', '-')}",
            f"a plain tensor with {field} {int(value)}",
            "E_RECORD",
            in_record(NORM, field, value),
        )
        for field, value in _PLAIN.items()
    ),
    *(
        Fault(
            f"container/layout-{layout}", f"unknown layout {layout}", "E_FEATURE", in_record(WEIGHT, "layout", layout)
        )
        for layout in (1, 127, 128, 255)
    ),
    Fault(
        "container/record-reserved",
        "the reserved byte of a record is not zero",
        "E_RESERVED",
        in_record(NORM, "reserved", 0x80),
        stale=True,
    ),
    *(
        Fault(f"container/ndim-{ndim}", f"ndim {ndim}", "E_DIMS", in_record(NORM, "ndim", ndim), refs=_GGUF_TOOLS)
        for ndim in (9, 255)
    ),
    *(
        Fault(
            f"container/quantised-ndim-{ndim}",
            f"a quantised tensor of rank {ndim}",
            "E_DIMS",
            in_record(WEIGHT, "ndim", ndim),
        )
        for ndim in (0, 1)
    ),
    *(
        Fault(f"container/dim-{i}-zero", f"dimension {i} is 0", "E_DIMS", in_record(WEIGHT, "dims", 0, i))
        for i in (0, 1)
    ),
    *(
        Fault(
            f"container/dim-{i}-beyond",
            f"dimension {i} of a matrix is not 0",
            "E_RESERVED",
            in_record(WEIGHT, "dims", 1, i),
        )
        for i in (2, 7)
    ),
)
