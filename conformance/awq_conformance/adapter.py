"""The adapter under test: a command, found once, and how it is called."""

from __future__ import annotations

import hashlib
import itertools
import shutil
from abc import ABC, abstractmethod
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from awq_conformance.outputs import collect
from awq_conformance.process import Execution, execute
from awq_conformance.protocol import ONE_SHOT, REJECT_FILE, AdapterExit
from awq_conformance.verdict import OutputError

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterator, Sequence

    from awq_conformance.cases import Case
    from awq_conformance.session import Break


class AdapterMissingError(Exception):
    """The command cannot be run at all."""


@dataclass(frozen=True)
class Bounds:
    """What one call may use: seconds of wall time, bytes per output file, files in the output folder."""

    timeout: float
    file_bytes: int = 1 << 16
    files: int = 16


@dataclass(frozen=True)
class Observation:
    """Everything seen of one call: how it ended and the files it left.

    ``fault`` is set instead of ``files`` when the output folder holds something that cannot be taken in.
    ``mode`` is how the adapter was called; ``broken`` is what a session did instead of answering; ``stray`` are the
    names of what a one-shot call left in its working directory.
    """

    op: str
    execution: Execution
    files: dict[str, bytes]
    fault: OutputError | None = None
    mode: str = ONE_SHOT
    code: str = ""
    broken: Break | None = None
    stray: tuple[str, ...] = ()

    @property
    def accepted(self) -> bool:
        """Return whether the adapter said that the file is good."""
        return self._said(AdapterExit.ACCEPTED)

    @property
    def left(self) -> list[str]:
        """Return the files that an adapter which does not accept the input must not leave."""
        return sorted(name for name in self.files if name != REJECT_FILE)

    @property
    def rejected(self) -> bool:
        """Return whether the adapter said that the file is malformed."""
        return self._said(AdapterExit.REJECTED)

    @property
    def unsupported(self) -> bool:
        """Return whether the adapter said that it does not support what was asked."""
        return self._said(AdapterExit.UNSUPPORTED)

    @property
    def answered(self) -> bool:
        """Return whether the adapter said anything at all: it did not crash, hang or break the protocol."""
        return self.accepted or self.rejected or self.unsupported

    def _said(self, status: AdapterExit) -> bool:
        # A session may end with a status of one-shot instead of answering, which is no answer.
        return self.broken is None and self.execution.status == status


class Caller(ABC):
    """A way to put operations to an adapter, one case at a time."""

    mode: str

    @abstractmethod
    def ask(self, ops: Sequence[str], path: str, bounds: Bounds) -> list[Observation]:
        """Ask for each operation on ``path``; after a crash or a hang the remaining ones may be missing."""

    def call(self, op: str, path: str, bounds: Bounds) -> Observation:
        """Ask for one operation."""
        return self.ask([op], path, bounds)[0]

    def close(self) -> str:
        """End what is kept running; return what was wrong with the end, or an empty string."""
        return ""

    def kill(self) -> None:  # noqa: B027  # most have nothing to end
        """End what is kept running, at once."""


@dataclass(frozen=True)
class Folders:
    """Fresh folders under ``root``, one for each call."""

    root: Path
    _numbers: Iterator[int] = field(default_factory=itertools.count, repr=False)

    @contextmanager
    def fresh(self) -> Iterator[Path]:
        """Make a folder; it is gone again afterwards."""
        folder = self.root / str(next(self._numbers))
        folder.mkdir(parents=True)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


@dataclass(frozen=True)
class OneShot(Caller):
    """One process for each operation: ``argv op path outdir``, in an empty folder unless ``cwd`` names another."""

    argv: tuple[str, ...]
    folders: Folders
    cancel: threading.Event
    cwd: Path | None = None
    mode: str = ONE_SHOT

    def ask(self, ops: Sequence[str], path: str, bounds: Bounds) -> list[Observation]:
        """Ask for each operation until one crashes or hangs: such a case is asked nothing more."""
        seen: list[Observation] = []
        for op in ops:
            seen.append(self._run(op, path, bounds))
            if seen[-1].execution.status not in list(AdapterExit):
                break
        return seen

    def _run(self, op: str, path: str, bounds: Bounds) -> Observation:
        with self.folders.fresh() as folder:
            outdir, empty = folder / "out", folder / "cwd"
            outdir.mkdir()
            empty.mkdir()
            try:
                execution = execute(
                    (*self.argv, op, path, str(outdir)),
                    cwd=self.cwd or empty,
                    timeout=bounds.timeout,
                    cancel=self.cancel,
                )
            except OSError as error:
                raise AdapterMissingError(f"{self.argv[0]}: cannot be started: {error.strerror}") from error
            stray = tuple(sorted(entry.name for entry in empty.iterdir()))
            return observe(Observation(op, execution, {}, stray=stray), outdir, bounds)


def observe(seen: Observation, outdir: Path, bounds: Bounds) -> Observation:
    """Return ``seen`` with the files of ``outdir``, where the adapter ended in a way that says something."""
    if seen.execution.status not in list(AdapterExit):
        return seen
    try:
        return replace(seen, files=collect(outdir, file_limit=bounds.file_bytes, count_limit=bounds.files))
    except OutputError as fault:
        return replace(seen, fault=fault)


def digests(argv: Sequence[str]) -> dict[str, str]:
    """Return the sha256 of the executable and of every file among its arguments, by path."""
    paths = (Path(word) for word in argv)
    return {str(p): hashlib.sha256(p.read_bytes()).hexdigest() for p in paths if p.is_file()}


def bounds_of(case: Case, timeout: float) -> Bounds:
    """Return what one call on ``case`` may use; the widest outputs are twice as wide as the pinned f32 ones."""
    largest = max((file.size for file in case.files[1:]), default=0)
    return Bounds(timeout, file_bytes=(1 << 16) + 2 * largest, files=16 + 3 * len(case.expect))


def find(command: Sequence[str]) -> tuple[str, ...]:
    """Return ``command`` with absolute paths; raise AdapterMissingError when its program cannot be run.

    Adapters run in a temporary folder, so words that name a file from here would lose their meaning there.
    """
    program = shutil.which(command[0])
    if program is None:
        path = Path(command[0])
        problem = "is not executable" if path.exists() else "no such program"
        if path.name == command[0] and path.is_file():  # a bare name is looked for on the PATH only
            problem = "is not on the PATH, though it is in this folder"
        raise AdapterMissingError(f"{command[0]}: {'is a folder' if path.is_dir() else problem}")
    words = (str(Path(word).absolute()) if Path(word).is_file() else word for word in command[1:])
    return (str(Path(program).absolute()), *words)
