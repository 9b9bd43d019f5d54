"""Faults of the section table: the second part of stage P."""

from __future__ import annotations

from typing import Final

from awq_conformance.making.editor import Editor
from awq_conformance.making.faults.fault import (
    Fault,
    add,
    add32,
    body,
    both,
    entry_of,
    flip,
    header,
    in_header,
    in_section,
    section,
)
from awqformat.schema import SectionType

META, STRINGS, INDEX, DIGEST, DATA = (
    SectionType.META,
    SectionType.STRINGS,
    SectionType.INDEX,
    SectionType.DIGEST,
    SectionType.DATA,
)
_ALL: Final = (META, STRINGS, INDEX, DIGEST, DATA)
_PRIVATE: Final = "container/private-section"


def _exchange_entries(e: Editor) -> None:
    first, second = e.section(STRINGS)[1], e.section(INDEX)[1]
    a, b = bytes(e.data[first : first + 64]), bytes(e.data[second : second + 64])
    e.put(first, b)
    e.put(second, a)


def _exchange_bodies(e: Editor) -> None:
    """Put INDEX before STRINGS in the file and say so in their entries."""
    strings, index, digest = e.offset(STRINGS), e.offset(INDEX), e.offset(DIGEST)
    e.put(strings, bytes(e.data[index:digest] + e.data[strings:index]))
    e.set(e.section(INDEX), "offset", strings)
    e.set(e.section(STRINGS), "offset", strings + digest - index)


def _hole(e: Editor) -> None:
    """Put 64 zero bytes before INDEX and correct every offset behind them."""
    e.splice(e.offset(INDEX), 0, bytes(64))
    for kind in (INDEX, DIGEST, DATA):
        add(section(kind), "offset", 64)(e)
    add(header(), "file_size", 64)(e)
    for i in range(e.get(e.header(), "tensor_count")):
        e.set(e.record(i), "data_off", e.get(e.record(i), "data_off") + 64)
    e.moved = True


_TABLE: Final = (
    Fault(
        "container/types-descending",
        "the entries of STRINGS and INDEX are exchanged",
        "E_SECTION",
        "AWQ-CON-024",
        _exchange_entries,
        stale=True,
    ),
    Fault(
        "container/type-twice",
        "two entries of type STRINGS",
        "E_SECTION",
        "AWQ-CON-024",
        in_section(INDEX, "type", STRINGS),
    ),
    *(
        Fault(
            f"container/{kind.name.lower()}-not-critical",
            f"{kind.name} is not marked critical",
            "E_SECTION",
            "AWQ-CON-027",
            in_section(kind, "flags", 0),
        )
        for kind in (STRINGS, INDEX, DIGEST, DATA)
    ),
    *(
        Fault(
            f"container/{kind.name.lower()}-missing",
            f"{kind.name} has been given an unknown type",
            "E_SECTION",
            "AWQ-CON-028",
            both(in_section(kind, "flags", 0), in_section(kind, "type", kind + 1)),
        )
        for kind in (STRINGS, INDEX, DIGEST, DATA)
    ),
    Fault(
        "container/meta-critical", "META is marked critical", "E_SECTION", "AWQ-CON-027", in_section(META, "flags", 1)
    ),
    *(
        Fault(
            f"container/{kind.name.lower()}-plain",
            f"{kind.name} in a file that is not encrypted",
            "E_SECTION",
            "AWQ-CON-029",
            body(kind, bytes(128), critical=True),
        )
        for kind in (SectionType.CRYPT, SectionType.TAGS)
    ),
    *(
        Fault(
            f"container/unknown-critical-{number:x}",
            f"a critical section of unknown type {number:#x}",
            "E_FEATURE",
            "AWQ-CON-025",
            body(number, b"?", critical=True),
            stale=number == 0x11,
        )
        for number in (0x11, 0x80000001)
    ),
    *(
        Fault(
            f"container/flag-bit-{bit}",
            f"undefined flag bit {bit} of INDEX",
            "E_RESERVED",
            "AWQ-CON-026",
            in_section(INDEX, "flags", 1 | 1 << bit),
            stale=bit == 1,
        )
        for bit in (1, 31)
    ),
    Fault(
        "container/flag-bit-private",
        "undefined flag bit 3 of a private section",
        "E_RESERVED",
        "AWQ-CON-026",
        in_section(0x80000001, "flags", 8),
        twin=_PRIVATE,
    ),
    *(
        Fault(
            f"container/{kind.name.lower()}-reserved",
            f"the reserved field of {kind.name}'s entry is not zero",
            "E_RESERVED",
            "AWQ-CON-030",
            in_section(kind, "reserved", 1 << 63),
            stale=kind == META,
        )
        for kind in (META, DATA)
    ),
    Fault(
        "container/data-digest",
        "DATA's digest field is not zero",
        "E_RESERVED",
        "AWQ-CON-031",
        flip(entry_of(DATA, 63)),
        stale=True,
    ),
)

_PLACES: Final = (
    *(
        Fault(
            f"container/{kind.name.lower()}-offset{change:+}",
            f"{kind.name} is said to start {change:+} bytes away",
            "E_LAYOUT",
            "AWQ-CON-032",
            add(section(kind), "offset", change),
            stale=kind == STRINGS,
        )
        for kind in _ALL
        for change in (-64, 64)
    ),
    Fault(
        "container/strings-in-header",
        "STRINGS is said to start at byte 0",
        "E_LAYOUT",
        "AWQ-CON-032",
        in_section(STRINGS, "offset", 0),
    ),
    Fault(
        "container/index-in-strings",
        "INDEX is said to start where STRINGS does",
        "E_LAYOUT",
        "AWQ-CON-032",
        lambda e: e.set(e.section(INDEX), "offset", e.offset(STRINGS)),
    ),
    Fault(
        "container/index-unaligned",
        "INDEX is said to start one byte later",
        "E_LAYOUT",
        "AWQ-CON-032",
        add(section(INDEX), "offset", 1),
    ),
    Fault(
        "container/sections-exchanged",
        "INDEX lies before STRINGS, as their entries say",
        "E_LAYOUT",
        "AWQ-CON-032",
        _exchange_bodies,
    ),
    Fault("container/hole", "64 zero bytes between STRINGS and INDEX", "E_LAYOUT", "AWQ-CON-032", _hole),
    *(
        Fault(
            f"container/index-size-{name}",
            f"the size of INDEX is {size:#x}",
            "E_BOUNDS",
            "AWQ-CON-033",
            in_section(INDEX, "size", size),
            also=("AWQ-CON-006",) if name == "wrap" else (),
        )
        for name, size in {"far": 2**48, "half": 2**63, "wrap": 2**64 - 64}.items()
    ),
    Fault(
        "container/strings-size-wrap",
        f"the size of STRINGS is {2**64 - 64:#x}",
        "E_BOUNDS",
        "AWQ-CON-033",
        in_section(STRINGS, "size", 2**64 - 64),
        also=("AWQ-CON-006",),
    ),
    Fault(
        "container/data-too-long",
        "DATA ends 64 bytes past the file",
        "E_BOUNDS",
        "AWQ-CON-033",
        add(section(DATA), "size", 64),
    ),
    Fault(
        "container/data-too-short",
        "DATA ends 64 bytes before the file",
        "E_TRAILING",
        "AWQ-CON-034",
        add(section(DATA), "size", -64),
        stale=True,
    ),
    *(
        Fault(
            f"container/tensor-count{change:+}",
            f"tensor_count {change:+} against INDEX",
            "E_COUNT",
            "AWQ-CON-035",
            add32(header(), "tensor_count", change),
            stale=change == 1,
        )
        for change in (-1, 1)
    ),
    Fault(
        "container/tensor-count-max",
        "tensor_count 2^32 - 1 in a file of 2 KiB",
        "E_COUNT",
        "AWQ-CON-035",
        in_header("tensor_count", 2**32 - 1),
        also=("AWQ-CON-081",),
        refs=("https://github.com/ollama/ollama/issues/17042",),
    ),
    Fault("container/meta-empty", "META of 0 bytes", "E_LIMIT", "AWQ-CON-038", body(META, b""), stale=True),
)

CASES: Final = (*_TABLE, *_PLACES)
