"""Shrinking: ever smaller files on which a loader fails in the same way, until the smallest or the bound is reached."""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from awq_conformance.reproduction.failure import Failure, seen_again
from awq_conformance.reproduction.hexdump import undone

if TYPE_CHECKING:
    from pathlib import Path

    from awq_conformance.cases import Case
    from awq_conformance.judge import Terms
    from awq_conformance.protocol import Hello
    from awq_conformance.reproduction.failure import Callee
    from awq_conformance.verdict import Finding
    from awqformat import Contents


@dataclass(frozen=True)
class Bound:
    """What shrinking one failure may cost: calls of the loader, and seconds."""

    calls: int = 200
    seconds: float = 30.0


USUAL: Final = Bound()


@dataclass(frozen=True)
class Shrunk:
    """The smallest failure that was found, and after how many calls; ``note`` says why it is not smaller, if known.

    ``failure`` is None where the loader did not even fail again on the file it had failed on.
    """

    failure: Failure | None
    calls: int
    note: str = ""


def shrink(case: Case, like: Finding, caller: Callee, terms: Terms, folder: Path, bound: Bound = USUAL) -> Shrunk:
    """Return the smallest file, in ``folder``, on which the loader fails as ``like`` says it failed on ``case``.

    Of a malformed file the valid one it was made from is made smaller, and the same fault made in that.
    """
    search = _Search(case, like, caller, terms, folder, bound)
    if not search.tries(case):
        return Shrunk(None, search.calls, "it did not fail again when it was called once more")
    contents, note = search.opened()
    if contents is not None:
        note = search.run(contents)
    return Shrunk(search.best, search.calls, note)


class _Search:
    """Tries files in turn, each in a folder of its own; ``best`` is the last on which the loader failed alike."""

    def __init__(self, case: Case, like: Finding, caller: Callee, terms: Terms, folder: Path, bound: Bound) -> None:
        self._case, self._like, self._caller, self._terms = case, like, caller, terms
        self._folder, self._bound = folder, bound
        self._end = time.monotonic() + bound.seconds
        self._tried: set[str] = set()
        self._twin = b""
        self.calls = 0
        self.best: Failure | None = None

    @property
    def _over(self) -> bool:
        return self.calls >= self._bound.calls or time.monotonic() >= self._end

    def tries(self, case: Case) -> bool:
        """Return whether the loader fails alike on ``case``, which is the best then; no file is tried twice."""
        if case.files[0].sha256 in self._tried:
            return False
        self._tried.add(case.files[0].sha256)
        self.calls += 1
        failure = seen_again(case, self._like, self._caller, self._terms)
        self.best = failure or self.best
        return failure is not None

    def opened(self) -> tuple[Contents | None, str]:
        """Return what the valid file says, or None and why nothing can be made of it."""
        from awqformat import AwqError, safe_open  # only here: the rest of the runner must not need it

        path = self._case.input
        if self._case.mutation is not None:
            self._twin = undone(path.read_bytes(), self._case.mutation.edits)
            path = self._folder / "valid.awq"
            path.write_bytes(self._twin)
        try:
            with safe_open(path, verify="all") as file:
                contents = file.contents()
        except AwqError as error:
            return None, f"the original file: it cannot be taken apart ({error})"
        if self._case.outcome == "reject" and self._made(contents, self._folder / "same") is None:
            return None, "the original file: its fault cannot be made in a smaller one"
        return contents, ""

    def run(self, contents: Contents) -> str:
        """Go every way as far as it leads, again and again; return why it ended early, if it did."""
        from awq_conformance.reproduction.smaller import WAYS  # only here: it needs awqformat

        further = True
        while further:
            further = False
            for way in WAYS:
                smaller: Contents | None = contents
                while smaller is not None:
                    if self._over:
                        return "the bound on calls or seconds was reached"
                    contents = smaller
                    smaller = next((one for one in way(contents, self._best()) if self._fails(one)), None)
                    further |= smaller is not None
        return ""

    def _best(self) -> Failure:
        if self.best is None:
            raise ValueError("nothing has failed yet")
        return self.best

    def _fails(self, contents: Contents) -> bool:
        if self._over or not _within(contents, self._terms.hello):
            return False
        before = self._best().case.root
        folder = self._folder / str(self.calls)
        case = self._made(contents, folder)
        failed = case is not None and self.tries(case)
        useless = before if failed else folder
        if useless != self._case.root:
            shutil.rmtree(useless, ignore_errors=True)
        return failed

    def _made(self, contents: Contents, folder: Path) -> Case | None:
        """Return a case like the first one, of which the valid file says ``contents``; None where there is none."""
        from awq_conformance.reproduction.carried import TWIN, faulty_case  # only here: they need awqformat
        from awq_conformance.reproduction.sample import valid_case
        from awqformat import AwqError, write

        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        try:
            if self._case.outcome != "reject":
                return valid_case(contents, folder, self._case)
            write(contents, folder / TWIN)
        except AwqError:
            return None
        return faulty_case(self._case, self._twin, (folder / TWIN).read_bytes(), folder)


def _within(contents: Contents, hello: Hello) -> bool:
    """Return whether all shapes are within the multiples that the loader declared to need."""
    from awqformat import QuantizedTensor  # only here: the rest of the runner must not need it

    n, k = hello.align
    shapes = [tensor.shape for tensor in contents.tensors.values() if isinstance(tensor, QuantizedTensor)]
    return all(shape[-2] % n == 0 and shape[-1] % k == 0 for shape in shapes)
