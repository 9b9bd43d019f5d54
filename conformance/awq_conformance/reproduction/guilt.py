"""What each byte of a file is, and which a failure is about: what was made wrong, or what a value is made of."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from awq_conformance.reproduction.hexdump import around, records
from awq_conformance.reproduction.region import Mark, Region, lay
from awq_conformance.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from awq_conformance.cases import Case, Edit
    from awq_conformance.reproduction.shards import Piece
    from awq_conformance.verdict import Finding

_AROUND: Final = 24  # regions that a report shows of a file
_NEAR: Final = 8  # differences so close to each other are told as one
_MAGIC: Final = 8  # bytes without which nothing in a file has a meaning
_DERIVED: Final = (": offset", ": data_off", ": file_size")  # what follows from sizes
_PLACE: Final = re.compile(r"\[(\d+(?:, \d+)*)\] expected ")


def regions_of(case: Case, finding: Finding) -> tuple[Region, ...]:
    """Return the regions of the input of a failed case, the guilty ones marked; raises OSError where it is gone.

    In a malformed file they are what was made wrong, in a valid one what the first wrong element is made of.
    """
    data = case.input.read_bytes()
    if case.mutation is not None:
        return regions(data, case.mutation.edits)
    index = _index(finding)
    if finding.tensor is None or not index:
        return regions(data)
    return regions(data, marks=_marks(data, finding.tensor, index, finding.what))


def pieces_of(case: Case, finding: Finding) -> tuple[Piece, ...]:
    """Return the bytes of a checkpoint that a failure is about, file by file; raises OSError where it is gone."""
    from awq_conformance.reproduction import shards  # only here: it needs awqformat

    if case.mutation is not None:
        return tuple(shards.edited(case.input, case.mutation.edits))
    index = _index(finding)
    return (
        ()
        if finding.tensor is None or not index
        else tuple(shards.element(case.input, finding.tensor, index, finding.what))
    )


def annotated(case: Case, finding: Finding) -> list[dict[str, Any]]:
    """Return the guilty bytes of a failed case, with those around, as JSON values; none where no byte is to blame."""
    if case.folder:
        named = [(replace(p.region, field=f"{p.file}: {p.region.field}"), p.data) for p in pieces_of(case, finding)]
        return [record for region, data in named for record in records([region], data)]
    regions = regions_of(case, finding)
    if not any(region.guilty for region in regions):
        return []
    return records(around(regions, _AROUND), case.input.read_bytes())


def regions(data: bytes, edits: Sequence[Edit] = (), marks: Sequence[Mark] = ()) -> tuple[Region, ...]:
    """Return what each byte of an .awq file is, front to back; a file may be as malformed as it likes.

    ``edits`` are those that made it from a valid file: what they changed is guilty, and its old value is told; so is
    a digest that does not match. Without them ``marks`` are guilty. A last region of size 0 says where a file ends
    that should be longer.
    """
    if not edits:
        return _read(data, data, marks)
    before = _start(data, edits)
    if len(data) >= _MAGIC and data[:_MAGIC] != before[:_MAGIC]:
        magic = Region(0, _MAGIC, "magic", f"{data[:_MAGIC].hex(' ')}, was {before[:_MAGIC].hex(' ')}", guilty=True)
        rest = Region(_MAGIC, len(data) - _MAGIC, "not looked at", "without its magic this is no .awq file")
        return (magic, rest) if rest.size else (magic,)
    # Where things were moved, the places of before would make everything look wrong; by its own places, a file would
    # in which a number is wrong that says where something is. Of the two accounts the one that blames less is true.
    told = _without_consequences(_compared(data, before, before), ())
    if _blamed(told) > 1:
        told = min(told, _without_consequences(_compared(data, before, data), _DERIVED), key=_blamed)
    return tuple(replace(region, guilty=region.guilty or region.matches is False) for region in told)


def _index(finding: Finding) -> tuple[int, ...]:
    """Return the place of the first wrong element, () where it is not a matter of elements."""
    place = _PLACE.match(finding.detail) if finding.verdict in (Verdict.WRONG, Verdict.NONFINITE) else None
    return () if place is None else tuple(map(int, place[1].split(", ")))


def undone(data: bytes, edits: Sequence[Edit]) -> bytes:
    """Return the valid file that ``edits`` made ``data`` from."""
    for edit in reversed(edits):
        data = data[: edit.offset] + edit.old + data[edit.offset + len(edit.new) :]
    return data


def _start(data: bytes, edits: Sequence[Edit]) -> bytes:
    """Return the sound file that the fault was made in: the valid one, or what was made of it with its root anew."""
    from awq_conformance.reproduction.anatomy import Anatomy  # only here, as below: it needs awqformat

    valid = step = undone(data, edits)
    for edit in edits[:-1]:
        step = step[: edit.offset] + edit.new + step[edit.offset + len(edit.old) :]
        root, matches = Anatomy(step).root
        if matches and root != Anatomy(valid).root[0]:
            return step
    return valid


def _read(data: bytes, layout: bytes, marks: Sequence[Mark]) -> tuple[Region, ...]:
    """Return the regions of ``data``, taken apart as ``layout`` is."""
    from awq_conformance.reproduction.anatomy import Anatomy

    anatomy = Anatomy(layout, marks, data)
    missing = anatomy.file_size - len(data)
    found = lay(data, anatomy.claims(), marks)
    if layout is data or missing <= 0:
        return tuple(found)
    told = f"the file ends here, short of {missing} byte{'s' * (missing > 1)}"
    return (*found, Region(len(data), 0, "the end", told, guilty=True))


def _compared(data: bytes, before: bytes, layout: bytes) -> tuple[Region, ...]:
    """Return the regions of ``data``, taken apart as ``layout`` is, with what differs from ``before`` as guilty.

    Fields are known by their names, wherever they lie.
    """
    then, now = _Fields(_read(before, before, ())), _Fields(_read(data, layout, ()))
    changed: list[Mark] = []
    original: list[Mark] = []
    for name, region in now.regions.items():
        old = then.regions.get(name)
        marks = _differences(_piece(data, region), b"" if old is None else _piece(before, old), region.offset)
        changed += marks
        if old is not None:
            original += [replace(mark, offset=mark.offset - region.offset + old.offset) for mark in marks]
    values = {then.place(region): region.value for region in _read(before, before, original)}
    found = []
    for region in _read(data, layout, changed):
        if region.guilty and region.size:
            value = values.get(now.place(region))
            told = "not in the valid file" if value is None else f"was {value.partition(', matches')[0]}"
            region = replace(region, value=f"{region.value}, {told}")
        found.append(region)
    return tuple(found)


class _Fields:
    """Regions by their names: the second one of a name is another field than the first."""

    def __init__(self, regions: Sequence[Region]) -> None:
        count: Counter[str] = Counter()
        self.regions: dict[tuple[str, int], Region] = {}
        for region in regions:
            self.regions[region.field, count[region.field]] = region
            count[region.field] += 1
        self._names = list(self.regions)
        self._offsets = [region.offset for region in regions]

    def place(self, part: Region) -> tuple[tuple[str, int], int]:
        """Return which field a part of it belongs to, and where in that it starts."""
        i = bisect_right(self._offsets, part.offset) - 1
        return self._names[i], part.offset - self._offsets[i]


def _differences(piece: bytes, due: bytes, offset: int) -> list[Mark]:
    """Return where two pieces differ as marks in the first one, which lies at ``offset``."""
    marks: list[Mark] = []
    for i in (i for i in range(len(piece)) if piece[i : i + 1] != due[i : i + 1]):
        at = offset + i
        if marks and at - (marks[-1].offset + marks[-1].size) < _NEAR:
            marks[-1] = replace(marks[-1], size=at + 1 - marks[-1].offset)
        else:
            marks.append(Mark(at, 1))
    return marks


def _without_consequences(found: Sequence[Region], derived: tuple[str, ...]) -> tuple[Region, ...]:
    """Return regions of which digests computed anew are not guilty, nor what follows from sizes if anything else is."""
    guilty = [region for region in found if region.guilty and not region.matches]
    causes = {region for region in guilty if not region.field.endswith(derived)} or {*guilty}
    return tuple(replace(region, guilty=region in causes) for region in found)


def _blamed(regions: Sequence[Region]) -> float:
    """Return how many regions are guilty; an account that blames nothing is none."""
    return sum(region.guilty for region in regions) or float("inf")


def _piece(data: bytes, region: Region) -> bytes:
    return data[region.offset : region.offset + region.size]


def _marks(data: bytes, tensor: int, index: tuple[int, ...], what: str) -> list[Mark]:
    from awq_conformance.reproduction.anatomy import Anatomy
    from awq_conformance.reproduction.extent import marks_of_element

    extent = next((extent for extent in Anatomy(data).extents() if extent.number == tensor), None)
    return [] if extent is None else marks_of_element(extent, index, what)
