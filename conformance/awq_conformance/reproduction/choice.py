"""Which failures are worth a folder of their own: few, simple, each of another kind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from awq_conformance.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from awq_conformance.diagnosis.names import Diagnosis
    from awq_conformance.judge import CaseResult

AT_MOST: Final = 5
_NOT_OF_ONE_FILE: Final = (Verdict.TWIN_FAILED, Verdict.PROTOCOL)
_STATE: Final = "state"  # the recipe of cases that are made of several calls


def choose(
    results: Iterable[CaseResult], diagnoses: Sequence[Diagnosis] = (), at_most: int = AT_MOST
) -> list[tuple[CaseResult, Diagnosis | None]]:
    """Return failures to reproduce with what explains them: one of each verdict and explanation, the simplest first.

    Valid files come first, small before large. Failures that one call on one file cannot show are left out.
    """
    failed = [result for result in results if result.finding.failed and _shown_by_one_call(result)]
    chosen: dict[tuple[Verdict, str], tuple[CaseResult, Diagnosis | None]] = {}
    for result in sorted(failed, key=_simplicity):
        diagnosis = next((one for one in diagnoses if result.case.id in one.cases), None)
        chosen.setdefault((result.verdict, diagnosis.name if diagnosis else ""), (result, diagnosis))
    return list(chosen.values())[:at_most]


def _shown_by_one_call(result: CaseResult) -> bool:
    return result.verdict not in _NOT_OF_ONE_FILE and result.case.recipe != _STATE


def _simplicity(result: CaseResult) -> tuple[bool, int, str]:
    return result.case.outcome == "reject", result.case.files[0].size, result.case.id
