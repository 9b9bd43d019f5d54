"""Stage P: header, section table, tail, section bytes and padding (spec: container, "Order of checks").

The functions run in the order of the spec, and so do the lines inside them: for a file with one fault the
first rule that fails gives the one code that every reader must give.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

from awqformat.container.source import Source
from awqformat.errors import AwqError
from awqformat.fields import walk
from awqformat.schema import (
    FIRST_PRIVATE,
    HASH_SHA256,
    HEADER,
    MAGIC,
    MAJOR,
    SECTION,
    TAIL,
    UNIT,
    Feature,
    Limit,
    SectionFlag,
    SectionType,
    up,
)

_AT: Final = {field.name: field.offset for field in walk(HEADER)}
_ENTRY_AT: Final = {field.name: field.offset for field in walk(SECTION)}

REQUIRED: Final = (SectionType.STRINGS, SectionType.INDEX, SectionType.DIGEST, SectionType.DATA)
ENCRYPTION: Final = (SectionType.CRYPT, SectionType.TAGS)
OPTIONAL: Final = (SectionType.META,)
ZERO_DIGEST: Final = bytes(32)


@dataclass(frozen=True)
class Section:
    """One entry of the section table; ``at`` is where the entry itself lies."""

    at: int
    type: int
    flags: int
    offset: int
    size: int
    reserved: int
    digest: bytes

    @property
    def known(self) -> bool:
        """Whether this version gives the type a meaning."""
        return self.type in SectionType._value2member_map_

    @property
    def name(self) -> str:
        """The name of the type, or its number where this version has no name for it."""
        return SectionType(self.type).name if self.known else f"section {self.type:#x}"

    @property
    def end(self) -> int:
        """End of the section, before padding."""
        return self.offset + self.size

    def fault(self, code: str, field: str, *, expected: object, got: object) -> AwqError:
        """Return the error that blames one field of this entry."""
        return AwqError(code, self.name, field, offset=self.at + _ENTRY_AT[field], expected=expected, got=got)


@dataclass(frozen=True)
class Preamble:
    """What stage P establishes: the header's fields and the sections, in table order."""

    minor: int
    features: Feature
    tensor_count: int
    align_log2: int
    file_size: int
    root: bytes
    sections: tuple[Section, ...]

    @property
    def alignment(self) -> int:
        """A, the alignment of DATA and of every extent."""
        return 1 << self.align_log2

    def __getitem__(self, kind: SectionType) -> Section:
        return next(section for section in self.sections if section.type == kind)

    def __contains__(self, kind: SectionType) -> bool:
        return any(section.type == kind for section in self.sections)

    def physical(self) -> list[Section]:
        """Return the sections as they lie in the file: table order, but DATA last."""
        return sorted(self.sections, key=lambda section: section.type == SectionType.DATA)


def check_physical(source: Source) -> Preamble:
    """Run stage P on the whole of ``source``.

    Raises:
        AwqError: the code of the first rule the file breaks.
    """
    header = _check_identity(source)
    table_end = UNIT * (header.section_count + 1)
    front = source.read(0, table_end + UNIT)  # the bytes under the root, which from here on alone are believed
    tail = TAIL.parse(front[table_end:])
    root = hashlib.sha256(front[:table_end]).digest()
    if root != tail.root:
        raise AwqError("E_DIGEST", "tail", "root", offset=table_end, expected=root.hex(), got=tail.root.hex())
    if HEADER.parse(front) != header:
        raise AwqError("E_IO", "header", "read", offset=0, expected="the same bytes twice", got="a change")
    _check_header(header, tail.mac, table_end + UNIT)
    table = front[UNIT:table_end]
    sections = tuple(_section(table, UNIT * i) for i in range(header.section_count))
    preamble = Preamble(
        header.minor,
        Feature(header.features),
        header.tensor_count,
        header.align_log2,
        header.file_size,
        root,
        sections,
    )
    _check_table(preamble)
    _check_places(preamble)
    _check_limits(preamble)
    _check_bytes(source, preamble)
    return preamble


def _check_identity(source: Source) -> Any:
    """P1: is this one whole file of our format and version?"""
    size = source.size
    if size < UNIT:
        raise AwqError("E_TRUNCATED", "header", "size", offset=size, expected=f"at least {UNIT} bytes", got=size)
    header = HEADER.parse(source.read(0, UNIT))
    if header.magic != MAGIC:
        raise AwqError("E_MAGIC", "header", "magic", offset=_AT["magic"], expected=MAGIC.hex(), got=header.magic.hex())
    if header.major != MAJOR:
        raise AwqError("E_VERSION", "header", "major", offset=_AT["major"], expected=MAJOR, got=header.major)
    count = header.section_count
    if not Limit.SECTIONS_MIN <= count <= Limit.SECTIONS_MAX:
        raise AwqError("E_LIMIT", "header", "section_count", offset=_AT["section_count"], expected="4..16", got=count)
    if header.hash_alg != HASH_SHA256:
        raise AwqError(
            "E_FEATURE", "header", "hash_alg", offset=_AT["hash_alg"], expected=HASH_SHA256, got=header.hash_alg
        )
    least = UNIT * (count + 2)
    if size < least:
        raise AwqError("E_TRUNCATED", "table", "size", offset=size, expected=f"at least {least} bytes", got=size)
    if header.file_size != size:
        code = "E_TRUNCATED" if header.file_size > size else "E_TRAILING"
        raise AwqError(code, "header", "file_size", offset=_AT["file_size"], expected=size, got=header.file_size)
    return header


def _check_header(header: Any, mac: bytes, preamble_size: int) -> None:
    """P2: the rest of the header, and the tail's mac."""
    unknown = header.features & ~int(Feature.ENCRYPTED)
    if unknown:
        raise AwqError(
            "E_FEATURE", "header", "features", offset=_AT["features"], expected="bit 0 at most", got=f"{unknown:#x}"
        )
    if not Limit.ALIGN_LOG2_MIN <= header.align_log2 <= Limit.ALIGN_LOG2_MAX:
        raise AwqError(
            "E_ALIGN", "header", "align_log2", offset=_AT["align_log2"], expected="6..12", got=header.align_log2
        )
    zero = [("header", "reserved", _AT["reserved"], header.reserved)]
    if not header.features & Feature.ENCRYPTED:
        zero.append(("header", "file_id", _AT["file_id"], header.file_id))
        zero.append(("tail", "mac", preamble_size - 32, mac))
    for where, field, at, value in zero:
        for i, byte in enumerate(value):
            if byte:
                raise AwqError("E_RESERVED", where, field, offset=at + i, expected=0, got=byte)


def _section(table: memoryview, at: int) -> Section:
    entry = SECTION.parse(table[at : at + UNIT])
    return Section(
        UNIT + at, int(entry.type), entry.flags, entry.offset, entry.size, entry.reserved, bytes(entry.digest)
    )


def _check_table(preamble: Preamble) -> None:
    """P2, first pass over the table: each rule over the whole table before the next."""
    sections, critical = preamble.sections, SectionFlag.CRITICAL
    for before, section in pairwise(sections):
        if section.type <= before.type:
            raise section.fault("E_SECTION", "type", expected=f"above {before.type:#x}", got=f"{section.type:#x}")
    for section in sections:
        if not section.known and section.flags & critical:
            owner = "private" if section.type >= FIRST_PRIVATE else "unknown"
            raise section.fault("E_FEATURE", "flags", expected=f"a non-critical {owner} section", got="CRITICAL")
    for section in sections:
        if section.flags & ~int(critical):
            raise section.fault("E_RESERVED", "flags", expected="bit 0 at most", got=f"{section.flags:#x}")
        must = critical if section.known and section.type not in OPTIONAL else 0
        if section.flags != must:
            raise section.fault("E_SECTION", "flags", expected=int(must), got=section.flags)
    encrypted = Feature.ENCRYPTED in preamble.features
    for kind in REQUIRED + (ENCRYPTION if encrypted else ()):
        if kind not in preamble:
            raise AwqError("E_SECTION", kind.name, "presence", expected="present", got="absent")
    for section in sections:
        if section.type in ENCRYPTION and not encrypted:
            raise section.fault("E_SECTION", "type", expected="absent without ENCRYPTED", got="present")
    for section in sections:
        if section.reserved:
            raise section.fault("E_RESERVED", "reserved", expected=0, got=section.reserved)
    data = preamble[SectionType.DATA]
    if data.digest != ZERO_DIGEST:
        raise data.fault("E_RESERVED", "digest", expected="zero", got=data.digest.hex())


def _check_places(preamble: Preamble) -> None:
    """P2, second pass, in physical order: every section where the one before says it must be."""
    end = UNIT * (len(preamble.sections) + 2)
    for section in preamble.physical():
        place = up(end, preamble.alignment if section.type == SectionType.DATA else UNIT)
        if section.offset != place:
            raise section.fault("E_LAYOUT", "offset", expected=place, got=section.offset)
        if section.end > preamble.file_size:
            room = f"at most {preamble.file_size - place}" if place <= preamble.file_size else "a start inside the file"
            raise section.fault("E_BOUNDS", "size", expected=room, got=section.size)
        end = section.end
    if end != preamble.file_size:
        raise AwqError("E_TRAILING", "DATA", "end", offset=end, expected=preamble.file_size, got=end)


def _check_limits(preamble: Preamble) -> None:
    """P2, last: the index is as long as the count says, and nothing is larger than allowed."""
    index = preamble[SectionType.INDEX]
    if index.size != UNIT * preamble.tensor_count:
        raise index.fault("E_COUNT", "size", expected=UNIT * preamble.tensor_count, got=index.size)
    if preamble.tensor_count > Limit.TENSORS_MAX:
        raise AwqError("E_LIMIT", "header", "tensor_count", offset=_AT["tensor_count"],
                       expected=f"at most {int(Limit.TENSORS_MAX)}", got=preamble.tensor_count)  # fmt: skip
    if preamble.file_size > Limit.FILE_MAX:
        raise AwqError("E_LIMIT", "header", "file_size", offset=_AT["file_size"],
                       expected=f"at most {int(Limit.FILE_MAX)}", got=preamble.file_size)  # fmt: skip
    unknown = 0
    for section in preamble.sections:
        if section.type == SectionType.META and not 1 <= section.size <= Limit.META_MAX:
            raise section.fault("E_LIMIT", "size", expected=f"1..{int(Limit.META_MAX)}", got=section.size)
        if section.type == SectionType.STRINGS and section.size > Limit.STRINGS_MAX:
            raise section.fault("E_LIMIT", "size", expected=f"at most {int(Limit.STRINGS_MAX)}", got=section.size)
        if section.type == SectionType.META or not section.known:
            unknown += section.size
            if unknown > Limit.UNKNOWN_MAX:
                raise section.fault(
                    "E_LIMIT", "size", expected=f"at most {int(Limit.UNKNOWN_MAX)} together", got=unknown
                )


def _check_bytes(source: Source, preamble: Preamble) -> None:
    """P3: the digest of each section but DATA, then the padding after it."""
    for section, following in pairwise(preamble.physical()):
        hashed = hashlib.sha256()
        for part in source.parts(section.offset, section.size):
            hashed.update(part)
        _check_digest(section, hashed.digest())
        padding = bytes(source.read(section.end, following.offset - section.end))
        stripped = padding.lstrip(b"\0")
        if stripped:
            at = section.end + len(padding) - len(stripped)
            raise AwqError("E_PADDING", section.name, "padding", offset=at, expected=0, got=stripped[0])


def _check_digest(section: Section, digest: bytes) -> None:
    if digest != section.digest:
        raise section.fault("E_DIGEST", "digest", expected=digest.hex(), got=section.digest.hex())


def read_section(source: Source, section: Section) -> memoryview:
    """Return the bytes of a section that passed stage P; bytes that are read once more are verified once more.

    Raises:
        AwqError: E_DIGEST if they have changed since.
    """
    body = source.read(section.offset, section.size)
    if not source.mapped:
        _check_digest(section, hashlib.sha256(body).digest())
    return body
