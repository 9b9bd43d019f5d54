"""Broken copies of files, made as a hostile or careless writer would make them: by the names the spec uses.

A mutant is a file whose parts were changed and laid out anew (`reshape.py`), or whose fields and bytes were
damaged where they lie, or both. Most of the time the digests up to the root are then made right again, so that the
rules behind them are reached. The same source of randomness gives the same bytes.
"""

from __future__ import annotations

import hashlib
from enum import IntEnum
from random import Random
from typing import Final

from awq_conformance.making.editor import Editor
from awqformat.fields import walk
from awqformat.schema import DIGEST_CHUNK, STRUCTURES, UNIT, Limit, SectionType
from tools.fuzz.reshape import reshape

Place = tuple[str, int]  # a structure's name and where it lies

_FIELDS: Final = {name: walk(structure) for name, structure in STRUCTURES.items()}
_BUDGET: Final = 4 << 20  # bytes hashed for rows of DIGEST: damaged records may all claim the same bytes


class Repair(IntEnum):
    """How far up digests are made right: each value includes those below it."""

    NONE = 0
    ROOT = 1
    SECTIONS = 2
    ROWS = 3


_REPAIRS: Final = (Repair.NONE, Repair.ROOT, Repair.SECTIONS, *[Repair.ROWS] * 9)


def mutate(data: bytes, random: Random) -> bytes:
    """Return a changed copy of ``data``, which is a valid file or was made of one."""
    reshaped = random.random() < 0.6 and reshape(data, random)
    editor = Editor(reshaped or data)
    if not reshaped or random.random() < 0.3:
        for _ in range(random.choice((1, 1, 1, 2, 2, 3, 4))):
            _damage(editor, random)
    repair(editor, random.choice(_REPAIRS))
    if random.random() < 0.03:
        editor.cut(random.randrange(len(editor.data) + 1))
    elif random.random() < 0.02:
        editor.append(random.randbytes(random.randint(1, UNIT)))
    return bytes(editor.data)


# Damage


def _damage(editor: Editor, random: Random) -> None:
    """Change one field, bit or pair of places; nothing else follows suit."""
    if len(editor.data) < UNIT:
        return editor.append(random.randbytes(UNIT))
    act = random.choice((_set, _set, _set, _set, _flip, _exchange, _exchange_field))
    return act(editor, random)


def _set(editor: Editor, random: Random) -> None:
    """Write a number that is near the old one, near a power of two, or the same field's somewhere else."""
    place, others = _pick(editor, random)
    field = random.choice(_FIELDS[place[0]])
    element = random.randrange(field.count or 1)
    old, bits = editor.get(place, field.name, element), 8 * field.width
    number = random.choice(
        (
            0,
            1,
            old + random.choice((1, 2, 8, 32, UNIT, 4096)),
            old - random.choice((1, 2, 8, 32, UNIT, 4096)),
            old ^ 1 << random.randrange(bits),
            1 << random.randrange(bits),
            (1 << random.randrange(bits)) - 1,
            -1,
            random.randrange(18),  # every enumeration, and a little more
            random.getrandbits(bits),
            editor.get(random.choice(others), field.name, element),
        )
    )
    editor.set(place, field.name, number % (1 << bits), element)


def _flip(editor: Editor, random: Random) -> None:
    """Flip a bit of a section or of the padding behind it, or of anything."""
    spans = [(start, start + size + UNIT) for _, start, size in _sections(editor)]
    start, end = random.choice([*spans, (0, len(editor.data))])
    end = min(end, len(editor.data))
    if start < end:
        editor.flip(random.randrange(start, end), random.randrange(8))


def _exchange(editor: Editor, random: Random) -> None:
    """Exchange two records, two table entries or two rows of DIGEST."""
    rows = [at for kind, start, size in _sections(editor) if kind == SectionType.DIGEST
            for at in range(start, start + size - 31, 32)]  # fmt: skip
    entries, records = [at for _, at in _entries(editor)], [at for _, at in _records(editor)]
    places, size = random.choice(((entries, UNIT), (records, UNIT), (rows, 32)))
    if len(places) > 1:
        a, b = random.sample(places, 2)
        before = editor.data[a : a + size], editor.data[b : b + size]
        editor.put(b, bytes(before[0]))
        editor.put(a, bytes(before[1]))


def _exchange_field(editor: Editor, random: Random) -> None:
    """Exchange one field of two records or of two table entries: names, places, sizes, types."""
    place, others = _pick(editor, random)
    other, field = random.choice(others), random.choice(_FIELDS[place[0]])
    a, b = place[1] + field.offset, other[1] + field.offset
    before = editor.data[a : a + field.size], editor.data[b : b + field.size]
    editor.put(b, bytes(before[0]))
    editor.put(a, bytes(before[1]))


# Places, as far as the damage done so far lets them be found


def _pick(editor: Editor, random: Random) -> tuple[Place, list[Place]]:
    """Return a place, and all places of the same structure."""
    entries, records = _entries(editor), _records(editor)
    tail = ("tail", UNIT * (len(entries) + 1))
    tails = [tail] if tail[1] + UNIT <= len(editor.data) else []
    families = [family for family in ([editor.header()], entries, records, records, tails) if family]
    family = random.choice(families)
    return random.choice(family), family


def _entries(editor: Editor) -> list[Place]:
    count = min(editor.get(editor.header(), "section_count"), Limit.SECTIONS_MAX, len(editor.data) // UNIT - 1)
    return [editor.entry(i) for i in range(count)]


def _sections(editor: Editor) -> list[tuple[int, int, int]]:
    """Return type, start and size of each section that lies in the file."""
    found = [(editor.get(at, "type"), editor.get(at, "offset"), editor.get(at, "size")) for at in _entries(editor)]
    return [(kind, start, size) for kind, start, size in found if start + size <= len(editor.data)]


def _records(editor: Editor) -> list[Place]:
    return [("record", at) for kind, start, size in _sections(editor) if kind == SectionType.INDEX
            for at in range(start, start + size - UNIT + 1, UNIT)]  # fmt: skip


# Repair


def repair(editor: Editor, depth: Repair = Repair.ROWS) -> None:
    """Make digests right for the bytes as they now are, as far as what they cover lies in the file."""
    if len(editor.data) < UNIT:
        return
    if depth >= Repair.ROWS:
        _repair_rows(editor)
    if depth >= Repair.SECTIONS:
        for place in _entries(editor):
            start, size = editor.get(place, "offset"), editor.get(place, "size")
            if editor.get(place, "type") != SectionType.DATA and start + size <= len(editor.data):
                editor.set(place, "digest", hashlib.sha256(editor.data[start : start + size]).digest())
    root = UNIT * (editor.get(editor.header(), "section_count") + 1)
    if depth >= Repair.ROOT and root + UNIT <= len(editor.data):
        editor.put(root, hashlib.sha256(editor.data[:root]).digest())


def _repair_rows(editor: Editor) -> None:
    rows = [(start, start + size) for kind, start, size in _sections(editor) if kind == SectionType.DIGEST]
    row, end = rows[0] if rows else (0, 0)
    budget = _BUDGET
    for place in _records(editor):
        start, size = editor.get(place, "data_off"), editor.get(place, "extent_size")
        budget -= size
        if budget < 0:
            return
        inside = start + size <= len(editor.data)
        for at in range(start, start + size, DIGEST_CHUNK):
            if inside and row + 32 <= end:
                editor.put(row, hashlib.sha256(editor.data[at : min(at + DIGEST_CHUNK, start + size)]).digest())
            row += 32
