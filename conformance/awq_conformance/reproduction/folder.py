"""The folder that shows a failure again: the smallest file, what is right, what came, and a line to run."""

from __future__ import annotations

import re
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from awq_conformance.reproduction.account import account, command_of
from awq_conformance.reproduction.guilt import regions_of
from awq_conformance.reproduction.hexdump import around, text, undone
from awq_conformance.reproduction.shrink import USUAL, Bound, shrink

if TYPE_CHECKING:
    from collections.abc import Sequence

    from awq_conformance.diagnosis.names import Diagnosis
    from awq_conformance.judge import CaseResult, Terms
    from awq_conformance.reproduction.failure import Callee, Failure

_SHOWN: Final = 400  # regions of hexdump.txt
_ILLEGAL: Final = re.compile(r"[^A-Za-z0-9._+-]")


class NotReproducedError(Exception):
    """The loader does not fail again when it is called once more; the text is one line."""


def folder_name(case_id: str) -> str:
    """Return the name of the folder of a case: its id with dashes for slashes."""
    return _ILLEGAL.sub("-", case_id.replace("/", "--")).lstrip(".-") or "case"


def reproduce(
    result: CaseResult,
    caller: Callee,
    terms: Terms,
    argv: Sequence[str],
    folder: Path,
    *,
    diagnosis: Diagnosis | None = None,
    bound: Bound = USUAL,
) -> Path:
    """Shrink the failure of ``result`` and write ``folder``/CASE, whole or not at all; return its path.

    Args:
        result: a failed case whose files are still there.
        caller: calls the loader.
        terms: what the run judges on.
        argv: the loader's command, for the line that runs it again.
        folder: where the folder goes; an older one of the same name is replaced.
        diagnosis: why it fails, where that is known.
        bound: what shrinking may cost.

    Raises:
        NotReproducedError: if the loader does not fail again.
        OSError: if the folder cannot be written.
    """
    final = folder.resolve() / folder_name(result.case.id)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".repro-", dir=folder) as scratch:
        work, built = Path(scratch) / "work", Path(scratch) / "built"
        work.mkdir()
        shrunk = shrink(result.case, result.finding, caller, terms, work, bound)
        if shrunk.failure is None:
            raise NotReproducedError(f"{result.case.id}: {shrunk.note}")
        _write_files(shrunk.failure, built)
        data = (built / "input.awq").read_bytes()
        regions = regions_of(shrunk.failure, data)
        (built / "hexdump.txt").write_text(text(around(regions, _SHOWN), data), "utf-8")
        command = command_of(argv, result.finding.op, final / "input.awq")
        guilty = [region for region in regions if region.guilty]
        (built / "README.md").write_text(account(shrunk, shrunk.failure, command, guilty, diagnosis), "utf-8")
        if final.exists():
            final.rename(Path(scratch) / "old")
        built.rename(final)
    return final


def _write_files(failure: Failure, built: Path) -> None:
    case, seen = failure.case, failure.seen
    built.mkdir()
    data = case.input.read_bytes()
    (built / "input.awq").write_bytes(data)
    if case.mutation is not None:
        (built / "twin.awq").write_bytes(undone(data, case.mutation.edits))
    elif len(case.files) > 1:
        (built / "expected").mkdir()
        for file in case.files[1:]:
            shutil.copyfile(case.root / file.path, built / "expected" / Path(file.path).name)
    (built / "actual").mkdir()
    for name, content in seen.files.items():
        (built / "actual" / name).write_bytes(content)
    (built / "output.txt").write_bytes(seen.execution.tail)
