"""Shrinking: ever smaller files on which a loader fails in the same way, until the smallest or the bound is reached."""

from __future__ import annotations

import itertools
import shutil
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from awq_conformance.reproduction.failure import seen_again
from awq_conformance.reproduction.guilt import undone

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from awq_conformance.adapter import Caller
    from awq_conformance.cases import Case
    from awq_conformance.judge import Terms
    from awq_conformance.reproduction.failure import Failure
    from awqformat import Contents


CALLS: Final = 100
"""How often the loader is called to shrink one failure, at most."""


@dataclass(frozen=True)
class Shrunk:
    """The smallest failure that was found in so many calls; ``note`` says why a smaller one was not looked for.

    ``smaller`` tells whether its file is another one than that of the case.
    """

    failure: Failure
    smaller: bool
    calls: int = 0
    note: str = ""


def shrink(first: Failure, caller: Caller, terms: Terms, folder: Path, until: float) -> Shrunk:
    """Return the smallest file, in ``folder``, on which the loader fails as it did ``first``.

    No call is begun after ``until``, a time of ``time.monotonic``. Of a malformed file the valid one it was made from
    is made smaller, and the same fault made in that.
    """
    from awq_conformance.reproduction.carried import remade  # only here, as below: it needs awqformat
    from awq_conformance.reproduction.sample import contents_of

    search = _Search(first, caller, terms, folder, until)
    contents = contents_of(search.valid, folder)
    if contents is None:
        return Shrunk(first, smaller=False, note="it cannot be taken apart")
    same = folder / "same"
    same.mkdir()
    if first.case.mutation is not None and remade(first.case, search.valid, contents, same) is None:
        return Shrunk(first, smaller=False, note="there is no recipe to make its fault in another file")
    ended = search.run(contents)
    note = "" if ended else "more calls or seconds would be needed to go on"
    return Shrunk(search.best, search.best is not first, search.calls, note)


class _Search:
    """Tries files in turn, each in a folder of its own; ``best`` is the last on which the loader failed alike."""

    def __init__(self, first: Failure, caller: Caller, terms: Terms, folder: Path, until: float) -> None:
        data, mutation = first.case.input.read_bytes(), first.case.mutation
        self.valid = data if mutation is None else undone(data, mutation.edits)
        self.best = first
        self.calls = 0
        self._first, self._caller, self._terms = first, caller, terms
        self._folder, self._until = folder, until
        self._tried = {first.case.files[0].sha256}
        self._numbers = itertools.count()

    @property
    def _over(self) -> bool:
        return self.calls >= CALLS or time.monotonic() >= self._until

    def run(self, contents: Contents) -> bool:
        """Go every way as far as it leads, again and again; return False where the bound ended it."""
        from awq_conformance.reproduction.smaller import WAYS

        further = True
        while further:
            further = False
            for way in WAYS:
                while (smaller := self._first_that_fails(way(contents, self.best))) is not None:
                    contents, further = smaller, True
                if self._over:
                    return False
        return True

    def _first_that_fails(self, candidates: Iterable[Contents]) -> Contents | None:
        return next((one for one in candidates if self._fails(one)), None)

    def _fails(self, contents: Contents) -> bool:
        from awq_conformance.reproduction.carried import remade
        from awq_conformance.reproduction.smaller import allowed

        if self._over or not allowed(contents, self._terms.hello.align):
            return False
        folder = self._folder / str(next(self._numbers))
        folder.mkdir()
        case = remade(self._first.case, self.valid, contents, folder)
        failure = None if case is None else self._seen(case)
        if failure is None:
            shutil.rmtree(folder)
            return False
        self.best = failure
        return True

    def _seen(self, case: Case) -> Failure | None:
        """Call the loader; no file is tried twice."""
        digest = case.files[0].sha256
        if digest in self._tried:
            return None
        self._tried.add(digest)
        self.calls += 1
        return seen_again(case, self._first.finding, self._caller, self._terms)
