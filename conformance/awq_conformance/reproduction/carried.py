"""A fault carried over to another file, by the recipe of its case.

Only loaded where a file is to be made: it needs awqformat, which the rest of the runner must not.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from awq_conformance.cases import Case, Edit, Mutation
from awq_conformance.making import faults, large
from awq_conformance.making.editor import Editor
from awq_conformance.reproduction.anatomy import names
from awq_conformance.reproduction.sample import INPUT, file_of, valid_case
from awqformat import AwqError, safe_open, write

if TYPE_CHECKING:
    from awqformat import Contents, TensorInfo

_RECIPES: Final = {fault.id: fault.edit for fault in (*faults.CASES, *large.FAULTS)}


class _Renumbered(Editor):
    """An editor of a file some of whose tensors are gone; it is told the numbers they had before."""

    def __init__(self, twin: bytes, before: list[str]) -> None:
        super().__init__(twin)
        now = {name: number for number, name in enumerate(names(twin))}
        self._now = {number: now[name] for number, name in enumerate(before) if name in now}

    def record(self, i: int) -> tuple[str, int]:
        """Return the place of the record of what was the i-th tensor; raises KeyError where it is gone."""
        return super().record(self._now[i])

    def info(self, i: int) -> TensorInfo:
        """Return what the index says of what was the i-th tensor; raises KeyError where it is gone."""
        return super().info(self._now[i])


def remade(like: Case, original: bytes, contents: Contents, folder: Path) -> Case | None:
    """Make a case like another, in ``folder``, whose valid file holds ``contents``; ``original`` is what that held.

    None where no file can hold them, where there is no recipe for the fault, or it cannot be made in this file, or is
    another one there: a reader would give another code.
    """
    try:
        if like.mutation is None:
            return valid_case(contents, folder, like)
        write(contents, folder / INPUT)
    except AwqError:
        return None
    return _faulty_case(like, like.mutation, original, (folder / INPUT).read_bytes(), folder)


def _faulty_case(like: Case, mutation: Mutation, original: bytes, twin: bytes, folder: Path) -> Case | None:
    stale = "" if mutation.refreshed else "-stale"
    recipe = _RECIPES.get(like.id) or _RECIPES.get(like.id.removesuffix(stale))
    if recipe is None:
        return None
    editor = _Renumbered(twin, names(original))
    try:
        recipe(editor)
        if mutation.refreshed:
            editor.refresh()
    except (LookupError, ValueError, ArithmeticError, AwqError):
        return None  # the smaller file has no such place, or nothing that can be wrong in this way
    data = bytes(editor.data)
    (folder / INPUT).write_bytes(data)
    problem = refusal(folder / INPUT)
    if problem is None or problem.code not in like.codes:
        return None
    changed = Mutation(mutation.what, tuple(Edit(*edit) for edit in editor.edits), mutation.refreshed)
    return replace(like, root=folder, made=True, files=(file_of(INPUT, data),), mutation=changed)


def refusal(path: Path) -> AwqError | None:
    """Return why a reader refuses a file, None where it does not."""
    try:
        safe_open(path, verify="all").close()
    except AwqError as error:
        return error
    return None
