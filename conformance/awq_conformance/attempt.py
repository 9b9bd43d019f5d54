"""One case put to the adapter: every operation that applies, in every mode, each answer judged."""

from __future__ import annotations

from typing import TYPE_CHECKING

from awq_conformance.adapter import bounds_of
from awq_conformance.compare import OUTPUTS, askable
from awq_conformance.judge import (
    CaseResult,
    error_code,
    judge,
    judge_agreement,
    judge_modes,
    judge_repetition,
    out_of_reach,
)
from awq_conformance.protocol import DEQUANT, INSPECT, ONE_SHOT
from awq_conformance.serving import ServeAbandonedError
from awq_conformance.verdict import Finding

if TYPE_CHECKING:
    from collections.abc import Sequence

    from awq_conformance.adapter import Caller, Observation
    from awq_conformance.cases import Case, Corpus
    from awq_conformance.judge import Terms
    from awq_conformance.probes import Footing


def attempt(case: Case, corpus: Corpus, footing: Footing) -> CaseResult:
    """Run ``case`` and return everything found. What is asked twice must be answered twice alike."""
    seen = [observations for caller in footing.callers if (observations := _ask(case, caller, footing))]
    seen = seen or [_ask(case, footing.one_shot, footing)]  # serve was all that was asked for, and had to be given up
    skippable = out_of_reach(valid_of(case, corpus), footing.terms.hello)
    findings = [judge(case, one, footing.terms, skippable=skippable) for mode in seen for one in mode]
    findings += filter(None, map(judge_agreement, seen))
    if case.outcome != "reject" and not any(finding.failed for finding in findings):
        findings += _repeated(case, seen, footing)
    if len(seen) > 1:
        findings += filter(None, [judge_modes(*seen)])
    everything = [one for mode in seen for one in mode]
    code = next((code for code in map(error_code, everything) if code), "")
    calls = {one.op if one.mode == ONE_SHOT else f"{one.mode} {one.op}": one.execution for one in everything}
    return CaseResult(case, tuple(findings), calls, code)


def operations(case: Case, declared: tuple[str, ...]) -> list[str]:
    """Return ``dequant``, then each declared operation that has something to show on this case."""
    written = {what for tensor in case.expect for what in tensor.outputs}
    return [op for op in askable(case, declared) if op in (DEQUANT, INSPECT) or written & {*OUTPUTS[op]}]


def answers_right(case: Case, op: str, caller: Caller, terms: Terms) -> bool:
    """Return whether ``op`` on ``case`` is answered as it should be when it is asked once more."""
    seen = caller.call(op, str(case.input), bounds_of(case, terms.limits[caller.mode].timeout))
    return not judge(case, seen, terms, skippable=False).failed


def valid_of(case: Case, corpus: Corpus) -> Case:
    """Return the case itself where it is valid, else its twin."""
    return corpus.cases[case.twin] if case.outcome == "reject" and case.twin else case


def _ask(case: Case, caller: Caller, footing: Footing, ops: Sequence[str] = ()) -> list[Observation]:
    bounds = bounds_of(case, footing.terms.limits[caller.mode].timeout)
    try:
        return caller.ask(ops or operations(case, footing.terms.hello.ops), str(case.input), bounds)
    except ServeAbandonedError:
        return []


def _repeated(case: Case, seen: list[list[Observation]], footing: Footing) -> list[Finding]:
    """Ask for the first operation again, unless a second mode has answered it already, and alike."""
    first = seen[0][0]
    if len(seen) > 1 and first.files == seen[1][0].files:
        return []
    caller = next((caller for caller in footing.callers if caller.mode == first.mode), footing.one_shot)
    again = _ask(case, caller, footing, [first.op])
    return list(filter(None, [judge_repetition(first, again[0])])) if again else []
