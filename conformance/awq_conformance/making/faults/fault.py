"""What a fault is, and the edits that make one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from awq_conformance.making.editor import Body, Editor
from awqformat.schema import SectionType

Edit = Callable[[Editor], None]
Place = Callable[[Editor], tuple[str, int]]  # a structure and where it lies
Offset = Callable[[Editor], int]

SMALL: Final = "container/small"
"""The usual twin: META, two quantised and two plain tensors."""
SYMMETRIC, NORM, BIAS, WEIGHT = range(4)
"""Numbers of its tensors; NORM is the last extent of DATA."""

_MODEL: Final = {
    "AWQ-CON-059": ("AWQ-MOD-016",),
    "AWQ-CON-061": ("AWQ-MOD-016",),
    "AWQ-CON-062": ("AWQ-MOD-001",),
    "AWQ-CON-063": ("AWQ-MOD-002",),
    "AWQ-CON-071": ("AWQ-MOD-005",),
}
"""What the model chapter says as well: a file that breaks the rule on the left breaks these too."""


@dataclass(frozen=True)
class Fault:
    """A file with one fault.

    Attributes:
        id: of the case whose digests are recomputed, so that the rule itself is reached.
        title: what is wrong, in one line.
        code: the code of that rule.
        rule: the requirement of the container chapter that is violated.
        edit: makes the fault in the bytes of ``twin``.
        refresh: whether digests are recomputed; False where the fault lies before or outside every digest.
        stale: whether the case is also made without recomputing them; that one must get E_DIGEST.
        also: requirements on readers that a reader which accepts the file violates.
        flags: kinds of bugs it finds, besides those that its code and its bytes tell.
        refs: where the fault was seen in the wild.
        comment: more.
    """

    id: str
    title: str
    code: str
    rule: str
    edit: Edit
    twin: str = SMALL
    refresh: bool = True
    stale: bool = False
    also: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    refs: tuple[str, ...] = ()
    comment: str = ""

    @property
    def req(self) -> tuple[str, ...]:
        """Return the requirements of every chapter that the file violates."""
        return self.rule, *_MODEL.get(self.rule, ()), *self.also


def in_header(field: str, value: int) -> Edit:
    """Set a field of the header."""
    return lambda e: e.set(e.header(), field, value)


def in_section(kind: int, field: str, value: int) -> Edit:
    """Set a field of a section's entry."""
    return lambda e: e.set(e.section(kind), field, value)


def in_record(i: int, field: str, value: int, index: int = 0) -> Edit:
    """Set a field of an index record; ``index`` picks a dimension."""
    return lambda e: e.set(e.record(i), field, value, index)


def header() -> Place:
    """Return the place of the header."""
    return Editor.header


def section(kind: int) -> Place:
    """Return the place of a section's entry."""
    return lambda e: e.section(kind)


def record(i: int) -> Place:
    """Return the place of an index record."""
    return lambda e: e.record(i)


def add(place: Place, field: str, change: int) -> Edit:
    """Add to a 64-bit field, wrapping."""
    return lambda e: e.set(place(e), field, (e.get(place(e), field) + change) % 2**64)


def add32(place: Place, field: str, change: int) -> Edit:
    """Add to a 32-bit field, wrapping."""
    return lambda e: e.set(place(e), field, (e.get(place(e), field) + change) % 2**32)


def both(*edits: Edit) -> Edit:
    """Make several edits that only together are one fault."""

    def edit(e: Editor) -> None:
        for one in edits:
            one(e)

    return edit


def body(kind: int, data: bytes, *, critical: bool = False) -> Edit:
    """Replace or add a section and lay the file out around it."""
    return lambda e: e.rebuild(lambda bodies: bodies.__setitem__(kind, Body(int(critical), data)))


def cut(offset: Offset) -> Edit:
    """End the file at an offset."""
    return lambda e: e.cut(offset(e))


def append(data: bytes) -> Edit:
    """Put bytes after the end of the file."""
    return lambda e: e.append(data)


def become(data: bytes) -> Edit:
    """Replace the whole file."""
    return lambda e: e.splice(0, len(e.data), data)


def put(offset: Offset, data: bytes) -> Edit:
    """Overwrite bytes."""
    return lambda e: e.put(offset(e), data)


def flip(offset: Offset, bit: int = 0) -> Edit:
    """Flip one bit."""
    return lambda e: e.flip(offset(e), bit)


def at(offset: int) -> Offset:
    """Return a fixed offset."""
    return lambda _: offset


def start_of(kind: int, further: int = 0) -> Offset:
    """Return where a section starts, or a place ``further`` on."""
    return lambda e: e.offset(kind) + further


def end_of(kind: int, further: int = 0) -> Offset:
    """Return where a section ends before its padding, or a place ``further`` on."""
    return lambda e: e.end(kind) + further


def entry_of(kind: int, further: int = 0) -> Offset:
    """Return where the entry of a section lies in the table, or a place ``further`` on."""
    return lambda e: e.section(kind)[1] + further


def tail(further: int = 0) -> Offset:
    """Return where the tail starts, or a place ``further`` on."""
    return lambda e: e.tail()[1] + further


def name_of(i: int, further: int = 0) -> Offset:
    """Return where the name of a tensor lies in STRINGS, or a place ``further`` on."""
    return lambda e: e.offset(SectionType.STRINGS) + e.get(e.record(i), "name_off") + further


def in_extent(i: int, segment: str, further: int = 0) -> Offset:
    """Return where a part of a tensor's extent lies, or a place ``further`` on.

    The parts: codes, scales, zeros; codes end, scales end, end (of the values); last (byte of the extent).
    """

    def offset(e: Editor) -> int:
        info = e.info(i)
        if not info.quantized:
            starts = {"codes": 0, "end": info.plain_size}
        else:
            layout = info.layout
            starts = {
                "codes": 0,
                "scales": layout.scales_at,
                "zeros": layout.zeros_at,
                "codes end": layout.codes_size,
                "scales end": layout.scales_end,
                "end": layout.end,
            }
        starts["last"] = info.size - 1
        return info.offset + starts[segment] + further

    return offset
