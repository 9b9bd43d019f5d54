"""What each byte of an .awq file is, by the names of the schema; nothing a file says is believed to be right.

Only loaded where a file is to be taken apart: it needs awqformat, which the rest of the runner must not.
"""

from __future__ import annotations

import hashlib
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

from awq_conformance.reproduction.extent import Extent, claims_of_extent
from awq_conformance.reproduction.region import Claim, unknown
from awq_conformance.reproduction.runs import runs
from awqformat.fields import Field, walk
from awqformat.schema import (
    DIGEST_CHUNK,
    STRUCTURES,
    UNIT,
    Feature,
    Limit,
    SectionFlag,
    SectionType,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from awq_conformance.reproduction.region import Mark

_HEADER, _SECTION, _TAIL, _RECORD = (walk(STRUCTURES[name]) for name in ("header", "section", "tail", "record"))
_FLAGS: Final = {("header", "features"): Feature, ("table", "flags"): SectionFlag}
_TEXT: Final = 48  # bytes of a text that are shown
_PADDING_MAX: Final = 1 << Limit.ALIGN_LOG2_MAX  # what lies between two sections and is longer is no padding


class Anatomy:
    """The claims that a file makes on its bytes, first those that the others are found by.

    Where a file has a great many of something, those that no mark touches are taken together. ``edited`` is a file
    that was made from this one and lies as it does: what its digests cover is as its own table says.
    """

    def __init__(self, data: bytes, marks: Sequence[Mark] = (), edited: bytes | None = None) -> None:
        """Read the numbers that say where everything is; a byte that is missing reads as 0."""
        self._data = data
        self._edited = data if edited is None else edited
        self._marks = marks
        header = self._numbers(_HEADER, 0)
        self._count = min(header["section_count"], int(Limit.SECTIONS_MAX))
        self.file_size: int = header["file_size"]
        self._sections = [(UNIT * (i + 1), self._numbers(_SECTION, UNIT * (i + 1))) for i in range(self._count)]
        self._index = next((s for _, s in self._sections if s["type"] == SectionType.INDEX), {"offset": 0, "size": 0})
        held = max(0, min(self._index["size"], len(data) - self._index["offset"]))
        self._records = held // UNIT

    def claims(self) -> Iterator[Claim]:
        """Yield every claim; of two to the same bytes the first one is to be believed."""
        yield from self._structure("header", _HEADER, 0)
        for at, section in self._sections:
            covers = self._numbers(_SECTION, at, self._edited)
            yield from self._structure(f"table {section_name(section['type'])}", _SECTION, at, covers)
        yield from self._structure("tail", _TAIL, UNIT * (self._count + 1))
        for _, section in self._sections:
            yield from self._body(section)
        yield from self._padding()
        if self.file_size < len(self._edited):
            yield Claim(self.file_size, len(self._edited) - self.file_size, "beyond the end", unknown, 1)

    def extents(self) -> Iterator[Extent]:
        """Yield the extent of each tensor, in the order of the index, as far as it can be understood."""
        for i, count in runs(self._records, UNIT, self._index["offset"], self._marks):
            if count == 1:
                yield Extent(i, self.name(i), self._numbers(_RECORD, self._index["offset"] + UNIT * i))

    def summary(self) -> Iterator[str]:
        """Yield in a few words what the file is, then each of its tensors."""
        sections = " ".join(section_name(section["type"]) for _, section in self._sections)
        header = self._numbers(_HEADER, 0)
        yield f"version {header['major']}.{header['minor']}, align_log2 {header['align_log2']}, sections {sections}"
        for extent in self.extents():
            yield f"tensor {extent}: {extent.summary}"

    @property
    def root(self) -> tuple[bytes, bool]:
        """Return the root, and whether it is the digest of what lies before it."""
        at = UNIT * (self._count + 1)
        root = self._data[at : at + 32]
        return root, root == hashlib.sha256(self._data[:at]).digest()

    def name(self, number: int) -> str:
        """Return the name of a tensor, printable; empty where STRINGS has none."""
        record = self._numbers(_RECORD, self._index["offset"] + UNIT * number)
        strings = next((s["offset"] for _, s in self._sections if s["type"] == SectionType.STRINGS), len(self._data))
        at = strings + record["name_off"]
        raw = self._data[at : at + min(record["name_len"], int(Limit.NAME_MAX))]
        return raw.decode("latin-1").encode("unicode_escape").decode("ascii")

    def _numbers(self, structure: Sequence[Field], at: int, data: bytes | None = None) -> dict[str, Any]:
        data = self._data if data is None else data
        numbers: dict[str, Any] = {}
        for field in structure:
            start, width = at + field.offset, field.width
            parts = [
                int.from_bytes(data[start + width * i : start + width * (i + 1)], "little")
                for i in range(field.count or 1)
            ]
            numbers[field.name] = parts[0] if field.count is None else parts
        return numbers

    def _structure(
        self, name: str, structure: Sequence[Field], at: int, section: dict[str, Any] | None = None
    ) -> Iterator[Claim]:
        for field in structure:
            covers = None
            if field.name == "root":
                covers = 0, at
            elif field.name == "digest" and section is not None and section["type"] != SectionType.DATA:
                covers = section["offset"], section["size"]
            if field.count is not None and field.width > 1:
                for i in range(field.count):
                    yield _claim(f"{name}: {field.name}[{i}]", at + field.offset + field.width * i, field)
            else:
                yield _claim(f"{name}: {field.name}", at + field.offset, field, covers)

    def _body(self, section: dict[str, Any]) -> Iterator[Claim]:
        """Yield what a section holds; what it has beside that is told by its name."""
        kind, at, size = section["type"], section["offset"], section["size"]
        if kind == SectionType.INDEX:
            for i, count in runs(self._records, UNIT, at, self._marks):
                if count == 1:
                    yield from self._structure(f"INDEX {i} {self.name(i)}".rstrip(), _RECORD, at + UNIT * i)
                else:
                    yield Claim(at + UNIT * i, UNIT * count, f"INDEX {i} .. {i + count - 1}", unknown)
        elif kind == SectionType.STRINGS:
            for extent in self.extents():
                place = at + extent.record["name_off"], extent.record["name_len"]
                yield _text_claim(*place, f"STRINGS: name of {extent.number}")
        elif kind == SectionType.DIGEST:
            row = at
            for extent in self.extents():
                held = min(extent.size, len(self._data))  # so that no claim to a size is followed to its end
                for chunk, start in enumerate(range(0, held, DIGEST_CHUNK)):
                    covers = extent.offset + start, min(DIGEST_CHUNK, extent.size - start)
                    yield Claim(row, 32, f"DIGEST {extent}: chunk {chunk}", _hex, 0, covers)
                    row += 32
        elif kind == SectionType.DATA:
            for extent in self.extents():
                yield from claims_of_extent(extent, len(self._data), self._marks)
        elif kind == SectionType.META:
            yield _text_claim(at, size, "META")
        yield Claim(at, size, section_name(kind), unknown, 1)

    def _padding(self) -> Iterator[Claim]:
        places = sorted(
            (s["type"] == SectionType.DATA, s["offset"], s["offset"] + s["size"], section_name(s["type"]))
            for _, s in self._sections
        )
        for (_, _, end, name), (_, start, _, _) in pairwise(places):
            if 0 < start - end < _PADDING_MAX:
                yield Claim(end, start - end, f"padding after {name}", unknown, 1)


def names(data: bytes) -> list[str]:
    """Return the names of all tensors in the order of the index."""
    return [extent.name for extent in Anatomy(data).extents()]


def section_name(kind: int) -> str:
    """Return the name of a section's type, its number where it has none."""
    return SectionType(kind).name if kind in SectionType._value2member_map_ else f"section {kind:#x}"


def _claim(name: str, at: int, field: Field, covers: tuple[int, int] | None = None) -> Claim:
    if field.width == 1 and field.count is not None:
        return Claim(at, field.size, name, _hex, 0, covers)
    flags = _FLAGS.get((name.split()[0].rstrip(":"), field.name))

    def show(piece: bytes, _start: int) -> str:
        number = int.from_bytes(piece, "little")
        if field.values is not None and number in field.values._value2member_map_:
            return f"{number} {field.values(number).name}"
        if flags is not None:
            return f"{number} {flags(number).name}" if number in list(flags) else str(number)
        if field.name == "align_log2":
            return f"{number} (A = {1 << number})" if number < 64 else str(number)
        return f"{number} ({number:#x})" if number > 255 else str(number)

    return Claim(at, field.width, name, show)


def _text_claim(at: int, size: int, name: str) -> Claim:
    """Return a claim to a text: a short one is shown as a whole, of a long one what is wrong."""
    return Claim(at, size, name, _text, 0 if size <= _TEXT else 1)


def _hex(piece: bytes, _start: int) -> str:
    if not any(piece):
        return "zeros"
    return piece.hex(" ") if len(piece) <= 16 else f"{piece[:6].hex()}..{piece[-6:].hex()}"


def _text(piece: bytes, _start: int) -> str:
    said = piece.rstrip(b"\0")
    text = said[:_TEXT].decode("latin-1").encode("unicode_escape").decode("ascii")
    more = ".." if len(said) > _TEXT else ""
    zeros = f", then {len(piece) - len(said)} zeros" if len(said) < len(piece) else ""
    return f'"{text}"{more}{zeros}'
