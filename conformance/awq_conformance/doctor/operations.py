"""Every operation that hello declares, on files with everything that files may hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

from awq_conformance.compare import OUTPUTS, askable
from awq_conformance.doctor.answers import LOADERS, RESIDUE, ended_wrong, outputs_of, residue, told
from awq_conformance.doctor.check import Check, check, note
from awq_conformance.doctor.written import dtypes
from awq_conformance.probes import ended
from awq_conformance.protocol import DEQUANT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from awq_conformance.adapter import Observation
    from awq_conformance.cases import Case
    from awq_conformance.doctor.exhibits import Exhibits
    from awq_conformance.doctor.one_shot import Seen
    from awq_conformance.doctor.patient import Patient


def examine(patient: Patient, exhibits: Exhibits, seen: Seen) -> Iterator[Check]:
    """Yield every operation that hello declares, on a good file with everything in it and on a malformed one.

    ``seen`` is filled with what they answer on the good one.
    """
    written: set[str] = set()
    for op in askable(exhibits.mixed, patient.hello.ops):
        seen.mixed[op] = patient.put(op, exhibits.mixed)
        yield _good(seen.mixed[op], exhibits.mixed, patient, seen.mixed[DEQUANT])
        if seen.malformed is not None and exhibits.malformed is not None and op != DEQUANT:
            yield from _alike(seen.malformed, patient.put(op, exhibits.malformed))
    for what, case in exhibits.others.items():
        good = patient.put(DEQUANT, case)
        written |= dtypes(good)
        yield _good(good, case, patient, good, f" ({what})")
    for shown in filter(None, (seen.good, seen.mixed.get(DEQUANT))):
        written |= dtypes(shown)
    several = ", ".join(sorted(written)) if len(written) > 1 else ""
    remedy = "Do not follow the dtype of the scales: choose one for the whole command, by an option of it if you like."
    yield check("operations/one-dtype", "all W have one dtype", several, remedy, req="AWQ-CNF-010")


def _good(seen: Observation, case: Case, patient: Patient, dequant: Observation, what: str = "") -> Check:
    """Judge one operation on a good file; ``dequant`` is what that operation said of the same file."""
    name = f"operations/{case.id if what else seen.op}"
    title = f"{seen.op} of {case.id}{what}: {' '.join(OUTPUTS[seen.op]) or 'accepted, nothing written'}"
    if seen.accepted:
        return told(name, title, outputs_of(case, seen, patient))
    if seen.unsupported and not dequant.unsupported:
        remedy = f"Support {seen.op}, or take it out of ops= in hello: only what is listed is asked for."
        return check(name, title, ended(seen), remedy, tail=seen.execution.tail)
    if seen.answered:
        return note(name, title, ended(seen), f"The file is good. {LOADERS}")
    remedy = "The file is good; a loader that cannot read it all the same answers 65 or 69."
    return ended_wrong(name, title, seen, remedy, req="AWQ-CNF-003")


def _alike(first: Observation, other: Observation) -> Iterator[Check]:
    """Compare what dequant and another operation say of the malformed file, where both say something."""
    name, title = f"operations/{other.op}-alike", f"{other.op} rejects what dequant rejects"
    if not (first.accepted or first.rejected) or other.unsupported:
        return  # these have been told of
    if other.accepted or other.rejected:
        differs = "" if first.accepted == other.accepted else f"{ended(other)}, dequant: {ended(first)}"
        remedy = RESIDUE if not differs else "Verify the whole file in every operation, before the first output."
        yield check(name, title, differs or residue(other), remedy, req="AWQ-CNF-004")
    else:
        remedy = "Catch what the loader raises in every operation, and exit with 65."
        yield ended_wrong(name, title, other, remedy, req="AWQ-CNF-004")
