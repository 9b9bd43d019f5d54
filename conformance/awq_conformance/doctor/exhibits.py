"""The files an adapter is examined with, chosen from the corpus: small, and each unlike the others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from awq_conformance.judge import MEMORY_BOMB, out_of_reach
from awq_conformance.probes import plainest

if TYPE_CHECKING:
    from collections.abc import Callable

    from awq_conformance.cases import Case, Corpus
    from awq_conformance.protocol import Hello


@dataclass(frozen=True)
class Exhibits:
    """Good files, and a malformed one whose fault comes late: a loader that writes while it reads has begun by then.

    ``mixed`` has quantised and plain tensors; ``others`` say in a few words what is special about each.
    """

    smallest: Case
    mixed: Case
    others: dict[str, Case]
    malformed: Case | None


def choose(corpus: Corpus, profile: str, hello: Hello) -> Exhibits:
    """Return the exhibits, within the multiples that ``hello`` declares; raises NothingToRunError without any."""
    first = plainest(corpus, profile, hello)
    kept = [case for case in corpus.kept if case.profile == profile]
    good = sorted(
        (case for case in kept if case.outcome == "accept" and not out_of_reach(case, hello)),
        key=lambda case: (case.files[0].size, case.id),
    )

    def find(wanted: Callable[[Case], bool]) -> Case:
        return next(filter(wanted, good), first)

    mixed = find(lambda case: {tensor.kind for tensor in case.expect} == {"quantised", "plain"})
    others = {
        "scales in f16": find(lambda case: _scales(case) == {"F16"}),
        "scales in bf16": find(lambda case: _scales(case) == {"BF16"}),
        "scales in f32": find(lambda case: _scales(case) == {"F32"}),
        "experts: three dimensions": find(lambda case: any(len(t.shape) == 3 for t in case.expect if t.quantised)),
        "nothing quantised": find(lambda case: not any(tensor.quantised for tensor in case.expect)),
    }
    bad = [
        case
        for case in kept
        if case.outcome == "reject"
        and MEMORY_BOMB not in case.flags
        and not out_of_reach(corpus.cases[case.twin or case.id], hello)
    ]
    new = {what: case for what, case in others.items() if case not in (first, mixed)}
    return Exhibits(first, mixed, new, max(bad, key=lambda case: _lateness(case, corpus), default=None))


def _scales(case: Case) -> set[str]:
    return {tensor.scale_dtype for tensor in case.expect if tensor.quantised}


def _lateness(case: Case, corpus: Corpus) -> tuple[bool, bool, bool, int, str]:
    """Order malformed cases by how surely a loader that writes while it reads has written something by then.

    The last come those of several tensors whose fault is bytes near the end that a digest covers.
    """
    edits = case.mutation.edits if case.mutation else ()
    changed = any(edits) and all(len(edit.old) == len(edit.new) for edit in edits)
    several = case.twin is not None and len(corpus.cases[case.twin].expect) > 1
    size = case.files[0].size
    return "integrity" in case.flags, several, changed, edits[0].offset * 100 // size if edits and size else 0, case.id
