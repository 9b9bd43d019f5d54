"""A file byte by byte, each with its name and its value, and what is wrong marked: for terminals and for pages."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from awq_conformance.reproduction.region import Mark, Region, lay

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from awq_conformance.cases import Edit

LIMIT: Final = 80  # regions that are shown of a file
_LINE: Final = 16  # bytes on a line
_BYTES: Final = 32  # of one region that are shown
_DERIVED: Final = ("offset", "data_off")  # what follows from sizes


def regions(data: bytes, edits: Sequence[Edit] = (), marks: Sequence[Mark] = ()) -> tuple[Region, ...]:
    """Return what each byte of an .awq file is, front to back; a file may be as malformed as it likes.

    ``edits`` are those that made it from a valid file: what they changed is guilty, and its old value is told. So are
    ``marks``. A last region of size 0 says where a file ends that should be longer.
    """
    if not edits:
        return _read(data, data, marks)
    twin = undone(data, edits)
    if _in_place(data, edits):
        return _edited(data, twin, edits, marks)
    if data[:8] != twin[:8]:  # no reader finds anything in it
        return _shifted(data, twin, edits, marks)
    return _rebuilt(data, twin, edits, marks)


def undone(data: bytes, edits: Sequence[Edit]) -> bytes:
    """Return the valid file that ``edits`` made ``data`` from."""
    for edit in reversed(edits):
        data = data[: edit.offset] + edit.old + data[edit.offset + len(edit.new) :]
    return data


def around(regions: Sequence[Region], limit: int = LIMIT) -> tuple[Region, ...]:
    """Return at most about ``limit`` regions, the guilty ones and as many as possible around them.

    What is left out is one region, whose field is the number of them.
    """
    guilty = [i for i, region in enumerate(regions) if region.guilty][: limit // 2] or [0]
    kept = set(guilty)
    for reach in range(1, len(regions)):
        wider = {i for at in guilty for i in range(max(at - reach, 0), min(at + reach + 1, len(regions)))}
        gaps = sum(i - 1 not in wider for i in wider) + 1
        if len(wider) + gaps > limit:
            break
        kept = wider
    result: list[Region] = []
    left: list[Region] = []
    for i, region in enumerate(regions):
        if i in kept:
            result += _elided(left)
            result.append(region)
            left = []
        else:
            left.append(region)
    return (*result, *_elided(left))


def text(regions: Iterable[Region], data: bytes) -> str:
    """Return an annotated hexdump of ``data``: offset, bytes, field = value; guilty lines begin with >>."""
    lines = []
    for region in regions:
        if _is_elided(region):
            lines.append(f"{'':11}... {region.field}, {region.size} bytes: {region.value}")
            continue
        told = f"{region.field} = {region.value}" if region.value else region.field
        shown = data[region.offset : region.offset + min(region.size, _BYTES)]
        rows = [shown[i : i + _LINE] for i in range(0, len(shown), _LINE)] or [b""]
        for i, row in enumerate(rows):
            mark = ">>" if region.guilty else "  "
            more = " .." if i == len(rows) - 1 and region.size > _BYTES else ""
            line = f"{mark} {region.offset + _LINE * i:#08x} {row.hex(' ') + more:<50}"
            lines.append(f"{line}  {told if i == 0 else ''}".rstrip())
    return "\n".join(lines) + "\n"


def records(regions: Iterable[Region], data: bytes) -> list[dict[str, Any]]:
    """Return regions as JSON values; ``hex`` holds the first bytes, none for what is left out."""
    return [
        {
            "offset": region.offset,
            "size": region.size,
            "hex": "" if _is_elided(region) else _hex(data[region.offset : region.offset + region.size]),
            "field": f"... {region.field}" if _is_elided(region) else region.field,
            "value": region.value,
            "guilty": region.guilty,
        }
        for region in regions
    ]


def _hex(piece: bytes) -> str:
    return piece[:_BYTES].hex() + (".." if len(piece) > _BYTES else "")


_FIELDS: Final = " fields"


def _is_elided(region: Region) -> bool:
    return region.field.endswith(_FIELDS)


def _elided(left: list[Region]) -> list[Region]:
    if len(left) < 2:
        return left
    size = sum(region.size for region in left)
    return [Region(left[0].offset, size, f"{len(left)}{_FIELDS}", f"{left[0].field} .. {left[-1].field}")]


def _read(data: bytes, layout: bytes, marks: Sequence[Mark]) -> tuple[Region, ...]:
    """Return the regions of ``data``, taken apart as ``layout`` is."""
    from awq_conformance.reproduction.anatomy import Anatomy  # only here: it needs awqformat

    return tuple(lay(data, Anatomy(layout, marks, data).claims(), marks))


def _in_place(data: bytes, edits: Sequence[Edit]) -> bool:
    """Return whether what both files have lies at the same place in both: only the end was cut off or added to."""
    size = len(data)
    for edit in reversed(edits):
        if len(edit.old) != len(edit.new) and edit.offset + len(edit.new) != size:
            return False
        size += len(edit.old) - len(edit.new)
    return True


def _edited(data: bytes, twin: bytes, edits: Sequence[Edit], marks: Sequence[Mark]) -> tuple[Region, ...]:
    """Return the regions of a file whose layout is that of its twin, with what differs as guilty."""
    differing = [
        Mark(at, 1) for edit in edits for at in range(edit.offset, edit.offset + len(edit.new))
        if at < len(data) and data[at : at + 1] != twin[at : at + 1]
    ]  # fmt: skip
    marks = [*marks, *_merged(differing)]
    before = {(r.offset, r.size): r for r in _read(twin, twin, marks)}
    found = []
    for region in _read(data, twin, marks):
        old = before.get((region.offset, region.size))
        if region.guilty and old is not None and twin[old.offset : old.offset + old.size] != _bytes(data, region):
            region = replace(region, value=f"{region.value}, was {_told(old)}")
        if region.offset >= len(twin):
            region = replace(region, field="beyond the end")
        found.append(region)
    if len(data) < len(twin):
        missing = f"the file ends here, {len(twin) - len(data)} bytes of the valid one are missing"
        found.append(Region(len(data), 0, "the end", missing, guilty=True))
    return _without_consequences(found, ())


def _rebuilt(data: bytes, twin: bytes, edits: Sequence[Edit], marks: Sequence[Mark]) -> tuple[Region, ...]:
    """Return the regions of a file whose sections lie elsewhere than in its twin; fields are known by their names."""
    before = {region.field: region for region in _read(twin, twin, ())}
    found = []
    for region in _read(data, data, marks):
        old = before.get(region.field)
        if old is None:
            region = replace(region, value=f"{region.value}, not in the valid file", guilty=True)
        elif twin[old.offset : old.offset + old.size] != _bytes(data, region):
            region = replace(region, value=f"{region.value}, was {_told(old)}", guilty=True)
        found.append(region)
    gone = [field for field in before if field not in {region.field for region in found}]
    if gone:
        at = min(edit.offset for edit in edits if len(edit.old) > len(edit.new) or gone)
        note = f"{gone[0]}" + (f" and {len(gone) - 1} more fields of the valid file" if len(gone) > 1 else "")
        i = next((i for i, region in enumerate(found) if region.offset + region.size > at), len(found))
        found.insert(i, Region(at if i == len(found) else found[i].offset, 0, "missing", note, guilty=True))
    return _without_consequences(found, _DERIVED)


def _shifted(data: bytes, twin: bytes, edits: Sequence[Edit], marks: Sequence[Mark]) -> tuple[Region, ...]:
    """Return the regions of a file that is its twin with bytes put in or taken out, by the names they have there."""
    from awq_conformance.reproduction.anatomy import Anatomy  # only here: it needs awqformat

    claims = [replace(claim, covers=None) for claim in Anatomy(twin).claims()]
    marks = list(marks)
    for edit in edits:
        change = len(edit.new) - len(edit.old)
        claims = [
            replace(claim, offset=claim.offset + (change if claim.offset >= edit.offset + len(edit.old) else 0))
            for claim in claims
        ]
        marks = [replace(mark, offset=mark.offset + (change if mark.offset > edit.offset else 0)) for mark in marks]
        was = f"{edit.old[:_LINE].hex(' ')}{' ..' * (len(edit.old) > _LINE)}" or "nothing"
        marks.append(Mark(edit.offset, len(edit.new), f"here was {was}"))
    return tuple(lay(data, claims, marks))


def _without_consequences(found: Sequence[Region], derived: tuple[str, ...]) -> tuple[Region, ...]:
    """Return regions of which digests computed anew are not guilty, nor what follows from sizes.

    Where nothing else is guilty they are.
    """
    told = tuple(
        replace(region, guilty=False)
        if region.guilty and (", matches" in region.value or region.field.endswith(tuple(f": {d}" for d in derived)))
        else region
        for region in found
    )
    return told if any(region.guilty for region in told) else tuple(found)


def _merged(marks: Sequence[Mark]) -> list[Mark]:
    """Return marks of single bytes with neighbours put together."""
    merged: list[Mark] = []
    for at in sorted({mark.offset for mark in marks}):
        if merged and merged[-1].offset + merged[-1].size == at:
            merged[-1] = replace(merged[-1], size=merged[-1].size + 1)
        else:
            merged.append(Mark(at, 1))
    return merged


def _bytes(data: bytes, region: Region) -> bytes:
    return data[region.offset : region.offset + region.size]


def _told(region: Region) -> str:
    """Return a value without what was said of its digest."""
    return region.value.partition(", matches")[0]
