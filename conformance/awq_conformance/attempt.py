"""One case put to the adapter: every operation that applies, each judged, the first one repeated."""

from __future__ import annotations

from typing import TYPE_CHECKING

from awq_conformance.adapter import Adapter, bounds_of
from awq_conformance.compare import OUTPUTS
from awq_conformance.judge import CaseResult, error_code, judge, judge_agreement, judge_repetition, out_of_reach
from awq_conformance.protocol import DEQUANT, INSPECT
from awq_conformance.verdict import Finding, Verdict

if TYPE_CHECKING:
    from awq_conformance.adapter import Observation
    from awq_conformance.cases import Case, Corpus
    from awq_conformance.probes import Footing


def attempt(case: Case, corpus: Corpus, adapter: Adapter, footing: Footing) -> CaseResult:
    """Run ``case`` and return everything found; a case that hangs or crashes is not asked anything more."""
    terms = footing.terms
    valid = corpus.cases[case.twin] if case.outcome == "reject" and case.twin else case
    skippable = out_of_reach(valid, terms.hello)
    bounds = bounds_of(case, footing.timeout)
    seen: list[Observation] = []
    findings: list[Finding] = []
    for op in operations(case, terms.hello.ops):
        seen.append(adapter.call(op, str(case.input), bounds))
        findings.append(judge(case, seen[-1], terms, skippable=skippable))
        if findings[-1].verdict in (Verdict.TIMEOUT, Verdict.CRASH):
            break
    disagreement = judge_agreement(seen)
    if disagreement is not None:
        findings.append(disagreement)
    if case.outcome != "reject" and not findings[0].failed:
        repetition = judge_repetition(seen[0], adapter.call(DEQUANT, str(case.input), bounds))
        if repetition is not None:
            findings.append(repetition)
    code = next((code for code in map(error_code, seen) if code), "")
    return CaseResult(case, tuple(findings), {one.op: one.execution for one in seen}, code)


def operations(case: Case, declared: tuple[str, ...]) -> list[str]:
    """Return ``dequant``, then each declared operation that has something to show on this case."""
    written = {what for tensor in case.expect for what in tensor.outputs}
    return [op for op in OUTPUTS if op == DEQUANT or (op in declared and (op == INSPECT or written & {*OUTPUTS[op]}))]
