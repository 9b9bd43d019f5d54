"""Faults of single fields of an index record: stage I up to the dimensions."""

from __future__ import annotations

from typing import Final

from awq_conformance.making.faults.fault import BIAS, NORM, WEIGHT, Fault, in_record
from awqformat.schema import Dtype

_ENUMS: Final = {
    "dtype": ("AWQ-CON-050", (0, 17, 255)),
    "scale_dtype": ("AWQ-CON-051", (17, 255)),
    "zero_dtype": ("AWQ-CON-052", (17, 255)),
}
_PLAIN: Final = {
    "scale_dtype": ("AWQ-CON-053", Dtype.F16),
    "zero_dtype": ("AWQ-CON-054", Dtype.U4),
    "layout": ("AWQ-CON-055", 1),
    "group_size": ("AWQ-CON-058", 8),
}
_GGUF_TOOLS: Final = ("https://github.com/antirez/gguf-tools/issues/25",)

CASES: Final = (
    *(
        Fault(
            f"container/{field.replace('_', '-')}-{value}",
            f"{field} {value}",
            "E_ENUM",
            rule,
            in_record(WEIGHT, field, value),
            stale=value == 17,
        )
        for field, (rule, values) in _ENUMS.items()
        for value in values
    ),
    *(
        Fault(
            f"container/quantised-scale-{dtype.name.lower()}",
            f"U4 with scales of type {dtype.name}",
            "E_RECORD",
            "AWQ-CON-053",
            in_record(WEIGHT, "scale_dtype", dtype),
            stale=dtype is Dtype.I8,
        )
        for dtype in (Dtype.NONE, Dtype.I8, Dtype.F64, Dtype.U4)
    ),
    Fault(
        "container/quantised-zero-f16",
        "U4 with zero points of type F16",
        "E_RECORD",
        "AWQ-CON-054",
        in_record(WEIGHT, "zero_dtype", Dtype.F16),
    ),
    *(
        Fault(
            f"container/plain-{field.replace('_', '-')}",
            f"a plain tensor with {field} {int(value)}",
            "E_RECORD",
            rule,
            in_record(NORM, field, value),
        )
        for field, (rule, value) in _PLAIN.items()
    ),
    *(
        Fault(
            f"container/layout-{layout}",
            f"unknown layout {layout}",
            "E_FEATURE",
            "AWQ-CON-056",
            in_record(WEIGHT, "layout", layout),
            stale=layout == 1,
        )
        for layout in (1, 127, 128, 255)
    ),
    Fault(
        "container/record-reserved",
        "the reserved byte of a record is not zero",
        "E_RESERVED",
        "AWQ-CON-057",
        in_record(NORM, "reserved", 0x80),
        stale=True,
    ),
    *(
        Fault(
            f"container/ndim-{ndim}",
            f"ndim {ndim}",
            "E_DIMS",
            "AWQ-CON-049",
            in_record(NORM, "ndim", ndim),
            stale=ndim == 9,
            refs=_GGUF_TOOLS,
        )
        for ndim in (9, 255)
    ),
    *(
        Fault(
            f"container/quantised-ndim-{ndim}",
            f"a quantised tensor of rank {ndim}",
            "E_DIMS",
            "AWQ-CON-049",
            in_record(WEIGHT, "ndim", ndim),
        )
        for ndim in (0, 1)
    ),
    *(
        Fault(
            f"container/dim-{i}-zero",
            f"dimension {i} is 0",
            "E_DIMS",
            "AWQ-CON-059",
            in_record(WEIGHT, "dims", 0, i),
            stale=i == 0,
        )
        for i in (0, 1)
    ),
    *(
        Fault(
            f"container/dim-{i}-beyond",
            f"dimension {i} of a matrix is not 0",
            "E_RESERVED",
            "AWQ-CON-060",
            in_record(WEIGHT, "dims", 1, i),
        )
        for i in (2, 7)
    ),
    Fault(
        "container/dim-1-beyond",
        "dimension 1 of a vector is not 0",
        "E_RESERVED",
        "AWQ-CON-060",
        in_record(BIAS, "dims", 1, 1),
    ),
)
