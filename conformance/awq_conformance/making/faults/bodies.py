"""Faults of the sections' bytes, their digests and the padding between them: the last part of stage P."""

from __future__ import annotations

from typing import Final

from awq_conformance.making.faults.fault import SMALL, Fault, end_of, entry_of, flip, start_of
from awqformat.schema import SectionType

META, STRINGS, INDEX, DIGEST, DATA = (
    SectionType.META,
    SectionType.STRINGS,
    SectionType.INDEX,
    SectionType.DIGEST,
    SectionType.DATA,
)
_PRIVATE: Final = "container/private-section"

CASES: Final = (
    *(
        Fault(
            f"container/{kind.name.lower()}-digest",
            f"one bit of {kind.name}'s digest is wrong",
            "E_DIGEST",
            "AWQ-CON-041",
            flip(entry_of(kind, 32)),
        )
        for kind in (META, STRINGS, INDEX, DIGEST)
    ),
    Fault(
        "container/index-digest-end",
        "the last byte of INDEX's digest is wrong, all before it are right",
        "E_DIGEST",
        "AWQ-CON-041",
        flip(entry_of(INDEX, 63), 7),
    ),
    *(
        Fault(
            f"container/{kind.name.lower()}-byte",
            f"one bit of the last byte of {kind.name} is wrong",
            "E_DIGEST",
            "AWQ-CON-041",
            flip(end_of(kind, -1)),
            refresh=False,
        )
        for kind in (META, STRINGS, INDEX, DIGEST)
    ),
    *(
        Fault(
            f"container/{case}-byte",
            f"one bit of a section is wrong in a file of {what}",
            "E_DIGEST",
            "AWQ-CON-041",
            flip(start_of(kind)),
            twin=f"container/{case}",
            refresh=False,
        )
        for case, kind, what in (
            ("sections-16", 0x8000000A, "sixteen sections"),
            ("sections-hashed", 0x80000038, "sections of odd lengths"),
        )
    ),
    Fault(
        "container/private-byte",
        "one bit of a private section is wrong",
        "E_DIGEST",
        "AWQ-CON-041",
        flip(start_of(0x80000001)),
        twin=_PRIVATE,
        refresh=False,
    ),
    *(
        Fault(
            f"container/padding-{name}",
            f"the first byte of the padding after {name.upper()} is not zero",
            "E_PADDING",
            "AWQ-CON-042",
            flip(end_of(kind)),
            twin=twin,
            refresh=False,
        )
        for name, kind, twin in (
            ("meta", META, SMALL),
            ("strings", STRINGS, SMALL),
            ("digest", DIGEST, "model/smallest"),
            ("private", 0x80000001, _PRIVATE),
        )
    ),
    Fault(
        "container/padding-align",
        "the last byte before DATA, in the padding to 4096, is not zero",
        "E_PADDING",
        "AWQ-CON-042",
        flip(start_of(DATA, -1), 7),
        twin="container/align-4096",
        refresh=False,
    ),
)
