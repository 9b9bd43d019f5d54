"""The journal of a run: its results, line by line as they come, so that nothing is lost when it is cut short."""

from __future__ import annotations

import fcntl
import hashlib
import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from awq_conformance.adapter import digests, find
from awq_conformance.report import result_of, result_record

if TYPE_CHECKING:
    from collections.abc import Iterator
    from io import FileIO
    from pathlib import Path

    from awq_conformance.cases import Case
    from awq_conformance.judge import CaseResult
    from awq_conformance.run import Request

NAME: Final = "journal.jsonl"
LOCK: Final = ".lock"


class JournalError(Exception):
    """There is nothing to resume, or it belongs to another run; the text is one line."""


class BusyError(Exception):
    """Another run writes into the same folder."""


@contextmanager
def owned(folder: Path) -> Iterator[None]:
    """Hold ``folder`` for this run alone; raises BusyError, or OSError when nothing can be written there."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / LOCK).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise BusyError(f"{folder}: another run is writing its report there") from error
        try:
            yield
        finally:
            (folder / LOCK).unlink(missing_ok=True)


class Journal:
    """The open journal of a run; each result is on disk before the next one is taken."""

    def __init__(self, file: FileIO) -> None:
        self._file = file

    def __call__(self, result: CaseResult) -> None:
        """Write one result."""
        self.write(result_record(result))

    def write(self, record: dict[str, Any]) -> None:
        """Write one line; raise OSError where it does not fit, and leave nothing to be written later."""
        line = memoryview(json.dumps(record, ensure_ascii=True, separators=(",", ":")).encode() + b"\n")
        while line:
            line = line[self._file.write(line) :]


@contextmanager
def begun(folder: Path, request: Request) -> Iterator[Journal]:
    """Begin the journal of ``request``, with the results it resumes from; it is left behind for a later run."""
    with (folder / NAME).open("wb", buffering=0) as file:
        journal = Journal(file)
        journal.write(_head(request))
        for result in request.done.values():
            journal(result)
        yield journal


def finished(folder: Path) -> None:
    """Remove the journal: the report says it all."""
    (folder / NAME).unlink(missing_ok=True)


def seeds(folder: Path) -> tuple[int, int | None]:
    """Return the seeds of the run to resume, of its fresh file and of its holdout."""
    head = _read(folder)[0]
    return head["seed"], head["holdout"]


def resumed(folder: Path, request: Request, cases: dict[str, Case]) -> dict[str, CaseResult]:
    """Return the results of an unfinished run of ``request``; raise JournalError when it was another one."""
    head, *records = _read(folder)
    for key, value in _head(request).items():
        if head.get(key) != value:
            raise JournalError(f"{folder / NAME}: the run to resume has another {key}")
    return {record["id"]: result_of(record, cases[record["id"]]) for record in records if record["id"] in cases}


def _read(folder: Path) -> list[dict[str, Any]]:
    path = folder / NAME
    try:
        lines = path.read_text("utf-8").splitlines(keepends=True)
        records = [json.loads(line) for line in lines if line.endswith("\n")]  # the last may be cut
    except FileNotFoundError as error:
        raise JournalError(f"{path}: there is no unfinished run to resume") from error
    except ValueError as error:
        raise JournalError(f"{path}: {error}") from error
    if not records:
        raise JournalError(f"{path}: it is empty")
    return records


def _head(request: Request) -> dict[str, Any]:
    """Return everything a result depends on."""
    argv = find(request.command)
    return {
        "corpus": request.corpus.sha256,
        "adapter": list(argv),
        "sha256": hashlib.sha256(json.dumps(sorted(digests(argv).items())).encode()).hexdigest(),
        "profile": request.profile,
        "selection": request.selection.words,
        "timeout": request.timeout,
        "modes": list(request.modes),
        "grade": str(request.grade),
        "seed": request.seed,
        "holdout": request.holdout,
    }
