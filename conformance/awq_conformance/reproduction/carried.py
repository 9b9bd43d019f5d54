"""A fault carried over to another file: the recipe of its case, or the same field of the smaller one.

Only loaded where a file is to be made: it needs awqformat, which the rest of the runner must not.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from awq_conformance.cases import Case, Edit, File, Mutation
from awq_conformance.making import faults
from awq_conformance.making.editor import Editor
from awq_conformance.reproduction.anatomy import names
from awq_conformance.reproduction.hexdump import regions
from awq_conformance.reproduction.sample import INPUT
from awqformat import AwqError, TensorInfo, safe_open

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import SupportsIndex

TWIN = "twin.awq"


class _Infos(list[TensorInfo]):
    """What an index says, by the numbers that tensors had in another file."""

    def __init__(self, infos: list[TensorInfo], numbers: list[int | None]) -> None:
        super().__init__(infos)
        self._numbers = numbers

    def __getitem__(self, number: SupportsIndex) -> TensorInfo:  # type: ignore[override]  # recipes take no slices
        return super().__getitem__(_present(self._numbers[number]))


class _Renumbered(Editor):
    """An editor of a file some of whose tensors are gone; it is told the numbers they had before."""

    def __init__(self, twin: bytes, before: list[str]) -> None:
        super().__init__(twin)
        now = names(twin)
        self._numbers = [now.index(name) if name in now else None for name in before]

    def record(self, i: int) -> tuple[str, int]:
        """Return the place of the record of what was the i-th tensor."""
        return super().record(_present(self._numbers[i]))

    def infos(self) -> list[TensorInfo]:
        """Return what the index says, to be asked by the numbers of before."""
        return _Infos(super().infos(), self._numbers)


def _present(number: int | None) -> int:
    if number is None:
        raise LookupError("the tensor is gone")
    return number


def faulty_case(like: Case, original: bytes, twin: bytes, folder: Path) -> Case | None:
    """Make the fault of ``like`` in ``twin``, a valid file, and write both into ``folder``.

    ``original`` is the valid file that ``like`` was made from. None where the fault cannot be made in this file, or
    is another one there: a reader would give another code.
    """
    mutation = like.mutation
    if mutation is None:
        return None
    editor = _Renumbered(twin, names(original))
    try:
        (_recipe(like) or _same_fields(mutation, original))(editor)
        if mutation.refreshed:
            editor.refresh()
    except (LookupError, ValueError, ArithmeticError, TypeError, AwqError):
        return None  # the smaller file has no such place, or nothing that can be wrong in this way
    data = bytes(editor.data)
    (folder / INPUT).write_bytes(data)
    (folder / TWIN).write_bytes(twin)
    if data == twin or _code(folder / INPUT) not in like.codes:
        return None
    edits = tuple(Edit(*edit) for edit in editor.edits)
    file = File(INPUT, hashlib.sha256(data).hexdigest(), len(data))
    changed = Mutation(mutation.what, edits, mutation.refreshed)
    return replace(like, root=folder, made=True, files=(file,), mutation=changed)


def _recipe(case: Case) -> Callable[[Editor], None] | None:
    name = case.id.removesuffix("-stale") if case.mutation and not case.mutation.refreshed else case.id
    return next((fault.edit for fault in faults.CASES if fault.id in (case.id, name)), None)


def _same_fields(mutation: Mutation, original: bytes) -> Callable[[Editor], None]:
    """Return an edit that writes what ``mutation`` wrote into fields of ``original`` into those of the same names."""
    due = {region.field: region for region in regions(original)}
    broken = bytearray(original)
    for edit in mutation.edits:
        if len(edit.old) != len(edit.new):
            raise ValueError("bytes were put in or taken out")
        broken[edit.offset : edit.offset + len(edit.new)] = edit.new

    def apply(editor: Editor) -> None:
        for region in regions(bytes(editor.data)):
            old = due.get(region.field)
            if old is None or old.size != region.size or "digest" in region.field or "DIGEST" in region.field:
                continue
            span = slice(old.offset, old.offset + old.size)
            if original[span] != broken[span]:
                editor.put(region.offset, bytes(broken[span]))

    return apply


def _code(path: Path) -> str:
    """Return the code a reader gives a file, an empty one where it is valid."""
    try:
        with safe_open(path, verify="all"):
            return ""
    except AwqError as error:
        return error.code
