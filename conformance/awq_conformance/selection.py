"""Which cases are run: all of a profile, or those that match."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from awq_conformance.cases import Case, Corpus


class NothingToRunError(Exception):
    """The corpus holds nothing this adapter could be judged by."""


@dataclass(frozen=True)
class Selection:
    """Globs over case ids, ids of requirements, names of flags: a case matches when each kind that is given does."""

    globs: tuple[str, ...] = ()
    requirements: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()

    @property
    def words(self) -> list[str]:
        """Return the selection as people typed it; empty when everything is selected."""
        return [*self.globs, *self.requirements, *self.flags]

    def matches(self, case: Case) -> bool:
        """Return whether ``case`` is selected."""
        return (
            (not self.globs or any(fnmatchcase(case.id, glob) for glob in self.globs))
            and (not self.requirements or not {*self.requirements}.isdisjoint(case.req))
            and (not self.flags or not {*self.flags}.isdisjoint(case.flags))
        )


EVERYTHING: Final = Selection()


def select(corpus: Corpus, profile: str, selection: Selection, more: Sequence[Case] = ()) -> list[Case]:
    """Return the cases of ``profile`` that match, and the twins their verdicts depend on, in corpus order.

    ``more`` are cases that are not in the corpus but belong to a run, such as those of order and state; they follow.

    Raises NothingToRunError when a word matches nothing: a typing error must not look like a success.
    """
    cases = [case for case in (*corpus.cases.values(), *more) if case.profile == profile]
    for kind in (
        *(Selection(globs=(word,)) for word in selection.globs),
        *(Selection(requirements=(word,)) for word in selection.requirements),
        *(Selection(flags=(word,)) for word in selection.flags),
        selection,
    ):
        if not any(map(kind.matches, cases)):
            raise NothingToRunError(
                f"no case of profile {profile} matches {' '.join(map(repr, kind.words)) or 'at all'}"
            )
    chosen = {case.id for case in cases if selection.matches(case)}
    chosen |= {case.twin for case in cases if case.id in chosen and case.outcome == "reject" and case.twin}
    return [case for case in cases if case.id in chosen]
