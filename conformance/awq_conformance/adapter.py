"""The adapter under test: a command, found once, called once per operation."""

from __future__ import annotations

import hashlib
import itertools
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from awq_conformance.outputs import collect
from awq_conformance.process import Execution, execute
from awq_conformance.protocol import REJECT_FILE, AdapterExit
from awq_conformance.verdict import OutputError

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterator, Sequence

    from awq_conformance.cases import Case


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
    """Everything seen of one call: how the process ended and the files it left.

    ``fault`` is set instead of ``files`` when the output folder holds something that cannot be taken in.
    """

    op: str
    execution: Execution
    files: dict[str, bytes]
    fault: OutputError | None = None

    @property
    def accepted(self) -> bool:
        """Return whether the adapter said that the file is good."""
        return self.execution.status == AdapterExit.ACCEPTED

    @property
    def left(self) -> list[str]:
        """Return the files that an adapter which does not accept the input must not leave."""
        return sorted(name for name in self.files if name != REJECT_FILE)

    @property
    def rejected(self) -> bool:
        """Return whether the adapter said that the file is malformed."""
        return self.execution.status == AdapterExit.REJECTED


@dataclass(frozen=True)
class Adapter:
    """A command that speaks the protocol, and the folder where its calls get their temporary folders."""

    argv: tuple[str, ...]
    scratch: Path
    cancel: threading.Event
    _numbers: Iterator[int] = field(default_factory=itertools.count, repr=False)

    def call(self, op: str, path: str, bounds: Bounds) -> Observation:
        """Run ``argv op path outdir`` in a fresh folder, which is gone again afterwards."""
        folder = self.scratch / str(next(self._numbers))
        outdir, cwd = folder / "out", folder / "cwd"
        outdir.mkdir(parents=True)
        cwd.mkdir()
        try:
            argv = (*self.argv, op, path, str(outdir))
            execution = execute(argv, cwd=cwd, timeout=bounds.timeout, cancel=self.cancel)
            if execution.status not in list(AdapterExit):
                return Observation(op, execution, {})
            files = collect(outdir, file_limit=bounds.file_bytes, count_limit=bounds.files)
            return Observation(op, execution, files)
        except OutputError as fault:
            return Observation(op, execution, {}, fault)
        except OSError as error:
            raise AdapterMissingError(f"{self.argv[0]}: cannot be started: {error.strerror}") from error
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def digests(self) -> dict[str, str]:
        """Return the sha256 of the executable and of every file among its arguments, by path."""
        paths = (Path(word) for word in self.argv)
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
        problem = "is a folder" if path.is_dir() else "is not executable" if path.exists() else "no such program"
        raise AdapterMissingError(f"{command[0]}: {problem}")
    words = (str(Path(word).absolute()) if Path(word).is_file() else word for word in command[1:])
    return (str(Path(program).absolute()), *words)
