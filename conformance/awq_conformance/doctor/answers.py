"""What every adapter must answer alike, one-shot and through serve: the probes, each with its cause and remedy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from awq_conformance.compare import compare
from awq_conformance.doctor.causes import cause
from awq_conformance.doctor.check import Check, check, note
from awq_conformance.doctor.written import Aspect, Fault, faults
from awq_conformance.judge import error_code
from awq_conformance.probes import Question, ended
from awq_conformance.protocol import SERVE
from awq_conformance.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator

    from awq_conformance.adapter import Observation
    from awq_conformance.cases import Case
    from awq_conformance.doctor.patient import Patient
    from awq_conformance.probes import Reply

_TITLES: Final = {
    Question.UNKNOWN_OP: "an operation it does not know: unsupported, 69",
    Question.EMPTY_FILE: "an empty file: rejected, 65, and nothing left behind",
    Question.MISSING_FILE: "a file that is not there: anything but accepted",
}
_REQUIREMENTS: Final = {
    Question.UNKNOWN_OP: "AWQ-CNF-002",
    Question.EMPTY_FILE: "AWQ-CNF-003",
    Question.MISSING_FILE: "AWQ-CNF-021",
}
_REMEDIES: Final = {
    Question.UNKNOWN_OP: "Look at OP before anything else, and answer {69} for every word you do not know.",
    Question.EMPTY_FILE: "Catch what the loader raises for a malformed file, and answer {65}.",
    Question.MISSING_FILE: "Let a file that cannot be opened be an error: answer {65}.",
}
_SPECIAL: Final[dict[tuple[Question, int | None], str]] = {
    (Question.UNKNOWN_OP, 0): "It takes every OP for one it knows.",
    (Question.UNKNOWN_OP, 65): "It reads INPUT before it looks at OP.",
    (Question.EMPTY_FILE, 0): "It accepts a file without a byte: the error of the loader is lost on the way.",
    (Question.EMPTY_FILE, 69): "69 is for operations and features; what is no valid file is 65.",
    (Question.MISSING_FILE, 0): "It accepts a file that is not there.",
}
RESIDUE: Final = "Write only after everything is verified, or remove what was written before you end with 65 or 69."
LOADERS: Final = "This is the loader's, not the adapter's: awq-conformance run tells more."


def answered(reply: Reply, case: Case, patient: Patient) -> Iterator[Check]:
    """Yield what there is to say about the answer to one question; ``case`` is the good file it was asked with."""
    seen = reply.seen
    if reply.question is Question.GOOD_FILE:
        yield from accepted(case, seen, patient)
        return
    name, title = f"{seen.mode}/{reply.question.value}", _TITLES[reply.question]
    req = _REQUIREMENTS[reply.question]
    if reply.wrong or (seen.broken is not None and seen.broken.verdict is Verdict.PROTOCOL):
        special = None if seen.broken else _SPECIAL.get((reply.question, seen.execution.status))
        yield ended_wrong(name, title, seen, in_words(_REMEDIES[reply.question], seen), req=req, special=special)
    else:
        yield check(name, title, residue(seen), RESIDUE, req="AWQ-CNF-007" if residue(seen) else req)


def ended_wrong(
    name: str, title: str, seen: Observation, remedy: str, *, req: str = "", special: str | None = None
) -> Check:
    """Return that a call ended as it must not, why, and what to do unless the cause says all there is to do."""
    why = cause(seen)
    return check(
        name,
        title,
        ended(seen),
        "" if why.final else remedy,
        cause=special or why.sentence,
        req=req,
        tail=seen.execution.tail,
    )


def accepted(case: Case, seen: Observation, patient: Patient) -> Iterator[Check]:
    """Yield whether a good file was accepted, and what was written from every side."""
    name, status = f"{seen.mode}/good-file", seen.execution.status
    title = f"a good file, {case.id}: accepted"
    if not seen.accepted:
        code = error_code(seen)
        special = {
            65: f"It rejects a file that is good{code and f', with {code}'}: is INPUT the last word but one?",
            69: "It does not know the operation dequant, which every adapter has.",
        }.get(status or 0)
        yield ended_wrong(name, title, seen, "", req="AWQ-CNF-001", special=special)
        return
    yield check(name, title, req="AWQ-CNF-001")
    wrong = outputs_of(case, seen, patient)
    for aspect in Aspect:
        yield told(f"{seen.mode}/{aspect.name.lower()}", aspect.value, [f for f in wrong if f.aspect is aspect])
    finding = compare(case, seen, patient.hello, None)
    if not wrong and finding.failed:
        yield note(f"{seen.mode}/values", "its values are right", finding.detail, LOADERS)


def outputs_of(case: Case, seen: Observation, patient: Patient) -> list[Fault]:
    """Return everything wrong with the outputs of an operation on a good file but their values."""
    wrong = faults(case, seen, patient.hello)
    finding = compare(case, seen, patient.hello, None)
    if not wrong and finding.failed and finding.verdict not in (Verdict.WRONG, Verdict.NONFINITE):
        wrong.append(Fault(Aspect.NAMES, f"{finding.verdict.value} {finding.detail}", ""))
    return wrong


def told(name: str, title: str, wrong: list[Fault]) -> Check:
    """Return one check for all of ``wrong``: the first in full, how many more there are."""
    if not wrong:
        return check(name, title, req="AWQ-CNF-009")
    more = f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""
    return check(name, title, wrong[0].got + more, wrong[0].remedy, req="AWQ-CNF-009")


def residue(seen: Observation) -> str:
    """Return what an adapter that does not accept the input left behind, or an empty string."""
    if not (seen.rejected or seen.unsupported):
        return ""
    if seen.fault is not None:
        return seen.fault.detail
    return f"{', '.join(map(repr, seen.left[:3]))} left in OUTDIR" if seen.left else ""


def in_words(remedy: str, seen: Observation) -> str:
    """Return ``remedy`` with the statuses it names as they are given in this mode."""
    serving = seen.mode == SERVE
    return remedy.replace("answer {65}", "answer reject" if serving else "exit with 65").replace(
        "answer {69}", "answer unsupported" if serving else "exit with 69"
    )
