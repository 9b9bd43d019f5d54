"""Breaking a valid file in one place, by the names the spec uses, with every edit on record."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from awqformat import TensorInfo
from awqformat.container.index import parse_records
from awqformat.fields import Field, walk
from awqformat.schema import DIGEST_CHUNK, STRUCTURES, UNIT, SectionType, up

_FIELDS: dict[str, dict[str, Field]] = {
    name: {field.name: field for field in walk(structure)} for name, structure in STRUCTURES.items()
}


@dataclass
class Body:
    """One section of a file that is being taken apart; a new one has no digest yet."""

    flags: int
    data: bytes
    digest: bytes = bytes(32)


class Editor:
    """The bytes of a valid file, its twin, and the edits made to them so far.

    An edit replaces ``old`` by ``new`` at ``offset`` of the bytes as they are at that moment; undoing all of
    them in reverse order gives the twin again.
    """

    def __init__(self, twin: bytes) -> None:
        self._twin = twin
        self.data = bytearray(twin)
        self.edits: list[tuple[int, bytes, bytes]] = []
        self.moved = False  # whether sections lie elsewhere than in the twin

    # Edits

    def splice(self, offset: int, size: int, new: bytes) -> None:
        """Replace ``size`` bytes at ``offset``."""
        old = bytes(self.data[offset : offset + size])
        if old != new:
            self.edits.append((offset, old, new))
            self.data[offset : offset + size] = new

    def put(self, offset: int, new: bytes) -> None:
        """Overwrite the bytes at ``offset``."""
        self.splice(offset, len(new), new)

    def flip(self, offset: int, bit: int = 0) -> None:
        """Flip one bit."""
        self.put(offset, bytes([self.data[offset] ^ 1 << bit]))

    def cut(self, size: int) -> None:
        """Keep only the first ``size`` bytes."""
        self.splice(size, len(self.data) - size, b"")

    def append(self, new: bytes) -> None:
        """Add bytes at the end."""
        self.splice(len(self.data), 0, new)

    def set(self, place: tuple[str, int], field: str, value: int | bytes, index: int = 0) -> None:
        """Write one field of the structure at ``place``; ``index`` picks an element of an array."""
        kind, base = place
        at = _FIELDS[kind][field]
        offset = base + at.offset + index * at.width
        self.put(offset, value if isinstance(value, bytes) else value.to_bytes(at.width, "little"))

    # Places

    def header(self) -> tuple[str, int]:
        """Return the place of the header."""
        return "header", 0

    def section(self, kind: int) -> tuple[str, int]:
        """Return the place of the table entry of a section type."""
        for i in range(self.get(self.header(), "section_count")):
            place = "section", UNIT * (i + 1)
            if self.get(place, "type") == kind:
                return place
        raise KeyError(kind)

    def entry(self, i: int) -> tuple[str, int]:
        """Return the place of the i-th table entry."""
        return "section", UNIT * (i + 1)

    def tail(self) -> tuple[str, int]:
        """Return the place of the tail."""
        return "tail", UNIT * (self.get(self.header(), "section_count") + 1)

    def record(self, i: int) -> tuple[str, int]:
        """Return the place of the i-th index record."""
        return "record", self.offset(SectionType.INDEX) + UNIT * i

    def get(self, place: tuple[str, int], field: str, index: int = 0) -> int:
        """Read one numeric field."""
        kind, base = place
        at = _FIELDS[kind][field]
        start = base + at.offset + index * at.width
        return int.from_bytes(self.data[start : start + at.width], "little")

    def offset(self, kind: int) -> int:
        """Return where a section starts."""
        return self.get(self.section(kind), "offset")

    def end(self, kind: int) -> int:
        """Return where a section ends, before its padding."""
        return self.offset(kind) + self.get(self.section(kind), "size")

    def info(self, i: int) -> TensorInfo:
        """Return what the twin's index says of the i-th tensor."""
        return self.infos()[i]

    def infos(self) -> list[TensorInfo]:
        """Return what the twin's index says, in index order; the names are their numbers."""
        twin = Editor(self._twin)
        index = self._twin[twin.offset(SectionType.INDEX) : twin.end(SectionType.INDEX)]
        return [TensorInfo.from_record(record, i, str(i)) for i, record in enumerate(parse_records(index))]

    # Digests

    def refresh(self) -> None:
        """Recompute the digests that the edits made wrong, up to the root, so that the rule itself is reached.

        A digest of bytes that are as in the twin is left alone: it may be the very thing that was edited.
        """
        twin = Editor(self._twin)
        if not self.moved:
            row = twin.offset(SectionType.DIGEST)
            for info in self.infos():
                for start in range(info.offset, info.offset + info.size, DIGEST_CHUNK):
                    chunk = slice(start, min(start + DIGEST_CHUNK, info.offset + info.size))
                    if self.data[chunk] != self._twin[chunk]:
                        self.put(row, hashlib.sha256(self.data[chunk]).digest())
                    row += 32
        for i in range(self.get(self.header(), "section_count")):
            body = self._section_bytes(i)
            data = self.get(self.entry(i), "type") == SectionType.DATA
            if body is not None and not data and (self.moved or body != twin._section_bytes(i)):
                self.set(self.entry(i), "digest", hashlib.sha256(body).digest())
        tail = self.tail()
        self.set(tail, "root", hashlib.sha256(self.data[: tail[1]]).digest())

    def _section_bytes(self, i: int) -> bytes | None:
        place = self.entry(i)
        start, size = self.get(place, "offset"), self.get(place, "size")
        return bytes(self.data[start : start + size]) if start + size <= len(self.data) else None

    # Taking the file apart

    def rebuild(self, change: Callable[[dict[int, Body]], None]) -> None:
        """Let ``change`` edit the sections, then lay the file out again around them, extents following DATA."""
        bodies: dict[int, Body] = {}
        count = self.get(self.header(), "section_count")
        for i in range(count):
            place = self.entry(i)
            start, size = self.get(place, "offset"), self.get(place, "size")
            kind = self.get(place, "type")
            digest = bytes(self.data[place[1] + 32 : place[1] + 64])
            bodies[kind] = Body(self.get(place, "flags"), bytes(self.data[start : start + size]), digest)
        before = self.offset(SectionType.DATA)
        change(bodies)
        tail = bytes(self.data[self.tail()[1] :][:UNIT])
        new = _assemble(bytes(self.data[:UNIT]), tail, dict(sorted(bodies.items())), before)
        self._replace(new)
        self.moved = True

    def _replace(self, new: bytes) -> None:
        """Record the change to ``new`` as two splices at most: header to tail, and what comes after them."""
        front = self.tail()[1] + UNIT
        if front != Editor(new).tail()[1] + UNIT:
            front = 0
        old = bytes(self.data)
        self._splice_difference(front, old[front:], new[front:])
        self._splice_difference(0, old[:front], new[:front])

    def _splice_difference(self, at: int, old: bytes, new: bytes) -> None:
        """Replace ``old``, which lies at ``at``, by ``new``, sparing the common beginning and the common end."""
        limit = min(len(old), len(new))
        start = next((i for i in range(limit) if old[i] != new[i]), limit)
        tail = next((i for i in range(limit - start) if old[-1 - i] != new[-1 - i]), limit - start)
        self.splice(at + start, len(old) - tail - start, new[start : len(new) - tail])


def _assemble(header: bytes, tail: bytes, bodies: dict[int, Body], data_before: int) -> bytes:
    alignment = 1 << header[_FIELDS["header"]["align_log2"].offset]
    offsets: dict[int, int] = {}
    end = UNIT * (len(bodies) + 2)
    for kind in sorted(bodies, key=lambda kind: kind == SectionType.DATA):
        offsets[kind] = up(end, alignment if kind == SectionType.DATA else UNIT)
        end = offsets[kind] + len(bodies[kind].data)
    records = parse_records(bodies[SectionType.INDEX].data).copy()
    records["data_off"] += np.uint64((offsets[SectionType.DATA] - data_before) % 2**64)
    bodies[SectionType.INDEX].data = records.tobytes()
    out = Editor(bytes(end))
    out.put(0, header)
    out.set(out.header(), "section_count", len(bodies))
    out.set(out.header(), "file_size", end)
    for i, (kind, body) in enumerate(bodies.items()):
        place = out.entry(i)
        for field, value in {
            "type": kind,
            "flags": body.flags,
            "offset": offsets[kind],
            "size": len(body.data),
        }.items():
            out.set(place, field, value)
        out.set(place, "digest", body.digest)
        out.put(offsets[kind], body.data)
    out.put(out.tail()[1], tail)
    return bytes(out.data)
