"""The folder that shows a failure again: the smallest file, what is right, what came, and a script to run."""

from __future__ import annotations

import re
import shutil
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from awq_conformance.adapter import AdapterMissingError
from awq_conformance.process import CancelledError
from awq_conformance.reproduction.account import account
from awq_conformance.reproduction.failure import seen_again
from awq_conformance.reproduction.guilt import pieces_of, regions_of, undone
from awq_conformance.reproduction.hexdump import around, text
from awq_conformance.reproduction.script import script
from awq_conformance.reproduction.shrink import Shrunk, shrink
from awq_conformance.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from awq_conformance.cases import Case
    from awq_conformance.diagnosis.names import Diagnosis
    from awq_conformance.judge import CaseResult
    from awq_conformance.probes import Footing
    from awq_conformance.reproduction.failure import Failure
    from awq_conformance.reproduction.region import Region

FOLDER: Final = "repro"
"""Where the folders are, in that of a report."""

_MARK: Final = "<!-- Made by awq-conformance, which removes it when the next report is written here. -->\n"
_README, _DUMP, _INPUT, _TWIN, _SCRIPT, _OUTPUT = (
    "README.md",
    "hexdump.txt",
    "input.awq",
    "twin.awq",
    "run.sh",
    "output.txt",
)
_ACTUAL, _EXPECTED = "actual", "expected"
_UNFINISHED: Final = ".awq-conformance-"
_SHOWN: Final = 400  # regions of hexdump.txt
_ILLEGAL: Final = re.compile(r"[^A-Za-z0-9._+-]")
_BREAKS: Final = (Verdict.CRASH, Verdict.TIMEOUT, Verdict.OOM)  # what a session does not survive


@dataclass(frozen=True)
class Workshop:
    """What it takes to show failures again.

    ``argv`` is the loader's command, ``report`` the folder of the report, ``scratch`` one for the files that are
    tried; at ``until``, a time of ``time.monotonic``, no further call is begun.
    """

    argv: tuple[str, ...]
    report: Path
    scratch: Path
    until: float


@dataclass(frozen=True)
class Reproduction:
    """What came of showing a failure again: ``folder``, relative to the report, or ``note``, why there is none."""

    folder: str | None = None
    note: str = ""


def reproduce(result: CaseResult, diagnoses: Sequence[Diagnosis], footing: Footing, workshop: Workshop) -> Reproduction:
    """Shrink a failure and write the folder that shows it again, whole or not at all.

    The files of ``result`` are still there; ``diagnoses`` say why it fails, where that is known.
    """
    try:
        shrunk = _shrunk(result, footing, workshop)
        if isinstance(shrunk, str):
            return Reproduction(note=shrunk)
        folder = _write(shrunk, workshop.argv, workshop.report / FOLDER, diagnoses)
        return Reproduction(str(folder.relative_to(workshop.report)))
    except CancelledError:
        return Reproduction(note="interrupted")
    except AdapterMissingError as missing:
        return Reproduction(note=str(missing))
    except OSError as error:
        return Reproduction(note=f"its folder could not be written: {error.strerror}")


def explanations_of(result: CaseResult, diagnoses: Sequence[Diagnosis]) -> list[Diagnosis]:
    """Return the explanations of a failure: those that name its case, else those of wrong values that name none."""
    own = [diagnosis for diagnosis in diagnoses if result.case.id in diagnosis.cases]
    return own or [diagnosis for diagnosis in diagnoses if not diagnosis.cases and result.finding.what]


def folder_name(case_id: str) -> str:
    """Return the name of the folder of a case: its id with dashes for slashes."""
    return _ILLEGAL.sub("-", case_id.replace("/", "--")).lstrip(".-") or "case"


def clear(report: Path) -> None:
    """Remove what an earlier run wrote into the folder of a report, and nothing else. Raises OSError."""
    parent = report / FOLDER
    if parent.is_symlink() or not parent.is_dir():
        return
    for folder in parent.iterdir():
        if folder.is_dir() and not folder.is_symlink() and _is_ours(folder):
            for name in (_DUMP, _INPUT, _TWIN, _SCRIPT, _OUTPUT, _README):
                (folder / name).unlink(missing_ok=True)
            for name in (_ACTUAL, _EXPECTED, Path(_INPUT).stem, Path(_TWIN).stem):
                shutil.rmtree(folder / name, ignore_errors=True)
            with suppress(OSError):  # a file that somebody put there stays
                folder.rmdir()
    with suppress(OSError):
        parent.rmdir()


def _is_ours(folder: Path) -> bool:
    readme = folder / _README
    return folder.name.startswith(_UNFINISHED) or (readme.is_file() and readme.read_bytes().startswith(_MARK.encode()))


def _shrunk(result: CaseResult, footing: Footing, workshop: Workshop) -> Shrunk | str:
    """Return the smallest failure that a process of its own shows, or why there is none."""
    case, like, alone, terms = result.case, result.finding, footing.one_shot, footing.terms
    if time.monotonic() >= workshop.until:
        return "there was no time left"
    first = seen_again(case, like, alone, terms)
    if first is None and like.mode != alone.mode:
        return "it shows only through serve: in a process of its own the loader does not fail so on this file"
    if first is None:
        return "it did not fail so again when it was called once more: it does only sometimes, or after other files"
    if case.folder:
        return Shrunk(first, smaller=False, note="checkpoints are not made smaller")
    slow = like.verdict in _BREAKS  # a session would have to be started again each time
    caller = alone if slow else footing.swift
    folder = workshop.scratch / folder_name(case.id)
    folder.mkdir(parents=True)
    shrunk = shrink(first, caller, terms, folder, workshop.until)
    if like.verdict is Verdict.TIMEOUT:
        return shrunk
    last = seen_again(shrunk.failure.case, like, alone, terms)
    if last is not None:
        return replace(shrunk, failure=last)
    if caller is alone:
        return "it fails only sometimes: the same call went well a moment later"
    return Shrunk(first, smaller=False, note="through serve the loader fails on other files than alone")


def _write(shrunk: Shrunk, argv: Sequence[str], parent: Path, diagnoses: Sequence[Diagnosis]) -> Path:
    """Write everything into ``parent``/CASE and return it."""
    failure = shrunk.failure
    parent.mkdir(parents=True, exist_ok=True)
    built = Path(tempfile.mkdtemp(prefix=_UNFINISHED, dir=parent))
    try:
        _write_files(failure, built)
        guilty, dump = _bytes_of(failure)
        (built / _DUMP).write_text(dump, "utf-8")
        (built / _SCRIPT).write_text(script(failure, argv), "utf-8")
        (built / _README).write_text(_MARK + account(shrunk, guilty, diagnoses), "utf-8")
        built.chmod(0o755)
        return built.rename(parent / folder_name(failure.case.id))
    except BaseException:
        shutil.rmtree(built, ignore_errors=True)
        raise


def _bytes_of(failure: Failure) -> tuple[list[Region], str]:
    """Return the bytes that the failure is about, and the hexdump: of all of a file, of these in a checkpoint."""
    case, finding = failure.case, failure.finding
    if not case.folder:
        regions = regions_of(case, finding)
        dump = text(around(regions, _SHOWN), case.input.read_bytes())
        return [region for region in regions if region.guilty], dump
    pieces = pieces_of(case, finding)
    dump = "\n".join(f"{piece.file}\n{text([piece.region], piece.data)}" for piece in pieces)
    return [replace(piece.region, field=f"{piece.file}: {piece.region.field}") for piece in pieces], dump


def _write_files(failure: Failure, built: Path) -> None:
    case, seen = failure.case, failure.seen
    if case.folder:
        _write_checkpoint(case, built)
    else:
        data = case.input.read_bytes()
        (built / case.kept_as).write_bytes(data)
        if case.mutation is not None:
            (built / _TWIN).write_bytes(undone(data, case.mutation.edits))
    outputs = [file for file in case.files if file not in case.parts]
    if case.mutation is None and outputs:
        (built / _EXPECTED).mkdir()
        for file in outputs:
            shutil.copyfile(case.root / file.path, built / _EXPECTED / Path(file.path).name)
    (built / _ACTUAL).mkdir()
    for name, content in seen.files.items():
        (built / _ACTUAL / name).write_bytes(content)
    (built / _OUTPUT).write_bytes(seen.execution.tail)


def _write_checkpoint(case: Case, built: Path) -> None:
    shutil.copytree(case.input, built / case.kept_as, copy_function=shutil.copyfile)
    if case.mutation is None:
        return
    twin = built / Path(_TWIN).stem
    shutil.copytree(case.input, twin, copy_function=shutil.copyfile)
    for file in {edit.file for edit in case.mutation.edits}:
        data = undone((twin / file).read_bytes(), [edit for edit in case.mutation.edits if edit.file == file])
        if data:
            (twin / file).write_bytes(data)
        else:  # the fault is that it is there
            (twin / file).unlink()
