"""Why a loader is wrong: maps measured with tracer files, and what its failures have in common."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from awq_conformance.attempt import answers_right
from awq_conformance.diagnosis.explain import by_hypothesis, by_remainder, by_tracer, by_unpacking
from awq_conformance.diagnosis.names import EXPLANATIONS, Diagnosis
from awq_conformance.diagnosis.observed import Observed, observe
from awq_conformance.diagnosis.patterns import patterns
from awq_conformance.diagnosis.renumbering import by_renumbering
from awq_conformance.diagnosis.tracer import measure
from awq_conformance.protocol import DEQUANT, PLAIN, UNPACK
from awq_conformance.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from awq_conformance.adapter import Caller
    from awq_conformance.cases import Case, Corpus
    from awq_conformance.diagnosis.hypotheses import Hypothesis
    from awq_conformance.diagnosis.weight import Weight
    from awq_conformance.judge import CaseResult, Terms

_MORE: Final = 8  # failing cases looked at beside the tracer files
_NUMBERS: Final = (Verdict.WRONG, Verdict.NONFINITE, Verdict.SHAPE, Verdict.MISSING_OUTPUT, Verdict.EXTRA_OUTPUT,
                   Verdict.TRUNCATED_OUTPUT, Verdict.MALFORMED_OUTPUT)  # fmt: skip


@dataclass(frozen=True)
class Subject:
    """What loaders of one profile read: its tensors as they are stored, every wrong way to read them, its tracers.

    ``tracers`` is what the ids of the tracer cases begin with, before the part and the digit they show.
    """

    stored_in: Callable[[Path], Mapping[int, Weight]]
    hypotheses: tuple[Hypothesis, ...]
    tracers: str


def explain(
    subject: Subject, caller: Caller, alone: Caller, results: Mapping[str, CaseResult], corpus: Corpus, terms: Terms
) -> tuple[Diagnosis, ...]:
    """Return why the loader is wrong, best explanation first; () where nothing failed or nothing can be told.

    ``caller`` is asked again about tracer files and some failed cases; ``alone`` starts a process for each call, so
    that what it gets wrong is not due to a file before.
    """
    common = patterns(results)
    if any(diagnosis.name == "nondeterministic" for diagnosis in common):
        return common
    failed = _failed(results)
    wrong = [(case, DEQUANT) for case in failed[DEQUANT]]
    wrong += [(r.case, r.finding.op) for r in results.values() if r.verdict is Verdict.OVER_ACCEPT]
    kept = _kept(wrong, alone, corpus, terms) if caller.mode != alone.mode else None
    if kept is not None:
        return (kept, *common)
    if not any(failed.values()):
        return common
    tracers = [case for case in corpus.cases.values() if case.id.startswith(subject.tracers) and case.id in results]
    wanted = {case.id: case for case in (*tracers, *failed[DEQUANT][:_MORE], *_varied(failed[DEQUANT]))}
    observed = [one for case in wanted.values() for one in observe(case, caller, terms, subject.stored_in)]
    maps = measure({one.case.id.removeprefix(subject.tracers): one for one in observed if one.what == "W"})
    numbers = (
        by_hypothesis(observed, subject.hypotheses, maps)
        or by_tracer(maps)
        or by_renumbering(observed)
        or by_remainder(observed)
    )
    if not numbers and failed[UNPACK]:
        shown = [
            one for case in failed[UNPACK][:_MORE] for one in observe(case, caller, terms, subject.stored_in, UNPACK)
        ]
        numbers = by_unpacking(shown, subject.hypotheses)
    if not numbers and failed[PLAIN]:
        numbers = _plain(failed[PLAIN], results)
    return (*numbers, *common)


def _failed(results: Mapping[str, CaseResult]) -> dict[str, list[Case]]:
    """Return the valid cases with wrong outputs by operation, the smallest first."""
    failed: dict[str, list[Case]] = {DEQUANT: [], UNPACK: [], PLAIN: []}
    for result in sorted(results.values(), key=lambda result: result.case.size):
        case = result.case
        if case.outcome != "accept" or case.id.startswith("state/"):
            continue
        for op in {finding.op for finding in result.findings if finding.verdict in _NUMBERS} & failed.keys():
            failed[op].append(case)
    return failed


def _varied(cases: list[Case]) -> list[Case]:
    """Return failed cases that differ most from small ones: the widest, and one of each set of flags."""
    kept = [case for case in cases if not case.made]
    kinds: dict[frozenset[str], Case] = {}
    for case in kept[_MORE:]:
        kinds.setdefault(frozenset(case.flags), case)
    widest = sorted(kept, key=lambda case: max((t.shape[-1] for t in case.expect if t.quantised), default=0))
    return [*widest[-1:], *kinds.values()][:_MORE]


def _kept(wrong: list[tuple[Case, str]], alone: Caller, corpus: Corpus, terms: Terms) -> Diagnosis | None:
    """Return that something is kept from file to file, where the operation that failed is right on its own."""
    asked = [*wrong[:2], *wrong[len(wrong) // 2 :][:1], *wrong[-1:]]
    for case, op in dict.fromkeys((case.id, op) for case, op in asked):
        if case in corpus.cases and answers_right(corpus.cases[case], op, alone, terms):
            ids = tuple(case.id for case, _ in wrong)
            sentence = f"{EXPLANATIONS['state-kept']}: {case} is answered rightly in a process of its own"
            return Diagnosis("state-kept", sentence, f"{len(ids)} answers are wrong after others", ids)
    return None


def _plain(cases: list[Case], results: Mapping[str, CaseResult]) -> tuple[Diagnosis, ...]:
    longer = [
        case
        for case in cases
        if any(f.verdict is Verdict.MALFORMED_OUTPUT and f.op == PLAIN for f in results[case.id].findings)
    ]
    if not longer:
        return ()
    sentence = f"{EXPLANATIONS['padding-as-data']}: plain tensors are longer than they are, first in {longer[0].id}"
    return (Diagnosis("padding-as-data", sentence, "", tuple(case.id for case in longer)),)


__all__ = ["EXPLANATIONS", "Diagnosis", "Observed", "Subject", "explain"]
