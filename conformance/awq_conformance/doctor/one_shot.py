"""One process for each operation: everything the protocol asks of it, from the probes to odd paths."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from awq_conformance.adapter import Folders, OneShot
from awq_conformance.doctor.answers import LOADERS, RESIDUE, answered, ended_wrong, residue
from awq_conformance.doctor.check import Check, check, left_out, note
from awq_conformance.doctor.patient import Patient
from awq_conformance.probes import Question, ended, replies
from awq_conformance.protocol import DEQUANT, REJECT_FILE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from awq_conformance.adapter import Observation
    from awq_conformance.cases import Case
    from awq_conformance.doctor.exhibits import Exhibits
    from awq_conformance.probes import Ground

_CODE: Final = re.compile(r"E_[A-Z][A-Z0-9_]*|UNSUPPORTED")
PATHS: Final = {  # what is odd about a path, its folder, its name
    "quoted-path": ("a path with spaces and quotes", "a folder", 'it\'s "quoted" $HOME.awq'),
    "foreign-path": ("a path beyond ASCII", "größe", "重み.awq"),
}


@dataclass
class Seen:
    """What was shown so far, for what is compared with it later: answers to the exhibits by what they are.

    ``served`` is the good file's answer through serve, ``pace`` the seconds that answers took there.
    """

    hello: Observation
    good: Observation | None = None
    served: Observation | None = None
    empty: Observation | None = None
    malformed: Observation | None = None
    mixed: dict[str, Observation] = field(default_factory=dict)
    pace: list[float] = field(default_factory=list)


def examine(patient: Patient, one_shot: OneShot, ground: Ground, exhibits: Exhibits, seen: Seen) -> Iterator[Check]:
    """Yield what is asked of one-shot calls; ``seen`` is filled meanwhile.

    A program that ends in one way whatever it is asked is asked nothing more.
    """
    unknown = None
    for reply in replies(patient, exhibits.smallest, patient.hello, ground):
        yield from answered(reply, exhibits.smallest, patient)
        if reply.question is Question.UNKNOWN_OP:
            unknown = reply.seen
        if reply.question is Question.GOOD_FILE:
            seen.good = reply.seen
            yield from _place(reply.seen, patient, one_shot, exhibits)
            if unknown is not None and _indifferent(seen.hello, unknown, reply.seen):
                yield left_out("one-shot", f"{ended(reply.seen)} whatever it is asked")
                return
        if reply.question is Question.EMPTY_FILE:
            seen.empty = reply.seen
    with ground.folders.fresh() as folder:
        yield _directory(patient.ask_about(DEQUANT, folder))
        if unknown is not None and unknown.unsupported:
            yield _op_first(patient.ask_about("x", folder / "missing.awq"))
    if seen.good is not None and seen.good.accepted:
        for name in PATHS:
            yield from odd_path(name, patient, ground.folders, exhibits.smallest, seen.good)
    if exhibits.malformed is not None:
        seen.malformed = patient.put(DEQUANT, exhibits.malformed)
        yield _malformed(seen.malformed, exhibits.malformed)
    yield from _codes([one for one in (seen.empty, seen.malformed) if one is not None and one.rejected], ground)


def _indifferent(*seen: Observation) -> bool:
    """Return whether all calls ended in the same way, and in none that the protocol knows."""
    endings = {(one.execution.status, one.execution.signal) for one in seen}
    return len(endings) == 1 and not seen[0].answered


def _place(good: Observation, patient: Patient, one_shot: OneShot, exhibits: Exhibits) -> Iterator[Check]:
    """Find out whether it works in an empty folder, and whether it would work elsewhere."""
    name, title = "one-shot/working-directory", "it works in an empty working directory, and writes nothing to it"
    if good.accepted:
        if good.stray and good.files:
            remedy = "Nothing is lost, but every call leaves it in a folder that is removed afterwards."
            yield note(name, title, f"{good.stray[0]} is left there", remedy)
        elif not good.stray:
            yield check(name, title)
        return
    if good.execution.timed_out:
        return
    homes = [Path.cwd(), *(Path(word).parent for word in one_shot.argv if Path(word).is_file())]
    for home in dict.fromkeys(homes):
        elsewhere = Patient(replace(one_shot, cwd=home), patient.limit, patient.hello)
        if elsewhere.put(DEQUANT, exhibits.smallest).accepted:
            remedy = (
                "Name files absolutely, or from the place of the program itself, not from where it is started; "
                "`python -m` finds a module only where it is installed."
            )
            yield check(name, title, f"it works only in {home}", remedy, tail=good.execution.tail)
            return


def _directory(seen: Observation) -> Check:
    name, title = "one-shot/directory", "a directory for INPUT: 65 or 69, and nothing left behind"
    if seen.rejected or seen.unsupported:
        return check(name, title, residue(seen), RESIDUE, req="AWQ-CNF-007" if residue(seen) else "AWQ-CNF-005")
    remedy = "A directory is one more thing that cannot be read as a file: exit with 65."
    special = "It accepts what is no file." if seen.accepted else None
    return ended_wrong(name, title, seen, remedy, req="AWQ-CNF-005", special=special)


def _op_first(seen: Observation) -> Check:
    name, title = "one-shot/unknown-op-first", "an operation it does not know, on a file that is not there: 69 as well"
    if seen.unsupported:
        return check(name, title, req="AWQ-CNF-002")
    remedy = "Look at OP before INPUT: an operation it does not know is 69 whatever it is asked about."
    return ended_wrong(name, title, seen, remedy, req="AWQ-CNF-002")


def odd_path(name: str, patient: Patient, folders: Folders, case: Case, good: Observation) -> Iterator[Check]:
    """Ask about a copy of a good file under an odd name, with an odd OUTDIR, and look at what lies beside it then."""
    what, home, filename = PATHS[name]
    with folders.fresh() as folder:
        path = folder / home / filename
        path.parent.mkdir()
        (shutil.copytree if case.folder else shutil.copyfile)(case.input, path)
        caller = patient.caller
        if isinstance(caller, OneShot):
            caller = replace(caller, folders=Folders(folder / home))
        odd = Patient(caller, patient.limit, patient.hello, hangs=patient.hangs)
        seen = odd.put(DEQUANT, case, path)
        wrong = ended(seen) if not seen.accepted else "other outputs" if seen.files != good.files else ""
        remedy = 'In a shell script put "$2" and "$3" in double quotes; elsewhere pass words as a list.'
        if name != "quoted-path":
            remedy = "Take paths as the bytes they are, or as UTF-8, as sys.argv and std::filesystem::path do."
        title = f"{what}: answered like any other"
        yield check(f"{patient.mode}/{name}", title, wrong, remedy, tail=seen.execution.tail)
        beside = sorted(entry.name for entry in path.parent.iterdir() if entry != path and not entry.name.isdigit())
        intact = _content(path) == _content(case.input)
        left = f"{beside[0]} is new beside it" if beside else "" if intact else "INPUT was changed"
        if name == "quoted-path":
            remedy = "Open INPUT for reading only, and put what you need meanwhile into OUTDIR or a temporary folder."
            yield check(f"{patient.mode}/input-untouched", "INPUT and its folder are left as they are", left, remedy)


def _content(path: Path) -> dict[str, bytes]:
    """Return the bytes of a file, or of each file of a folder."""
    files = [path] if path.is_file() else path.rglob("*")
    return {str(file.relative_to(path)): file.read_bytes() for file in files if file.is_file()}


def _malformed(seen: Observation, case: Case) -> Check:
    name, title = "one-shot/malformed", f"a malformed file, {case.id}: rejected, 65, and nothing left behind"
    if seen.accepted:
        remedy = f"Verify the whole file, whatever is asked for, before it is accepted. {LOADERS}"
        return note(name, title, ended(seen), remedy, req="AWQ-CNF-006")
    if seen.rejected:
        return check(name, title, residue(seen), RESIDUE, req="AWQ-CNF-007")
    special = "69 is for operations and features." if seen.unsupported else None
    remedy = "Catch what the loader raises for a malformed file, and exit with 65."
    return ended_wrong(name, title, seen, remedy, req="AWQ-CNF-003", special=special)


def _codes(rejected: list[Observation], ground: Ground) -> Iterator[Check]:
    """Look at the first line of each reject.txt."""
    name, title = "one-shot/reject-txt", f"{REJECT_FILE}, if there is one, begins with a code and nothing else"
    lines = [one.files[REJECT_FILE].split(b"\n")[0] for one in rejected if REJECT_FILE in one.files]
    known = {code for case in ground.corpus.cases.values() for code in case.codes}
    if not lines and rejected:
        remedy = f"It may say why, in OUTDIR/{REJECT_FILE}: a code such as E_DIGEST, then text. It never decides."
        yield note(name, title, "none is written", remedy, req="AWQ-CNF-008")
        return
    for line in lines:
        text = line.decode("utf-8", "replace")
        if _CODE.fullmatch(text) is None:
            yield check(name, title, repr(text[:60]), _code_remedy(text), req="AWQ-CNF-008")
            return
    foreign = next((line.decode() for line in lines if line.decode() not in known), "")
    if foreign:
        remedy = "No file of the corpus has this code, so it counts as another one; it never decides."
        yield note(name, title, foreign, remedy, req="AWQ-CNF-008")
    elif lines:
        yield check(name, title, req="AWQ-CNF-008")


def _code_remedy(text: str) -> str:
    if text.startswith("\ufeff"):
        return "Write it as UTF-8 without a byte order mark."
    if text.endswith("\r"):
        return "End the line with a line feed alone: open the file without newline translation."
    if not text.strip():
        return "The code comes first: no empty line in front of it, and no file without one."
    if _CODE.match(text.strip()):
        return "The first line is the code alone; words for people go on the next lines."
    return "The first line is one of the codes of the specification, as it is written there, such as E_DIGEST."
