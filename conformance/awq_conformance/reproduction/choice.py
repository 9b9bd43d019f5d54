"""Which failures are worth a folder of their own: few, simple, each of another kind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from awq_conformance.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Container, Iterable

    from awq_conformance.judge import CaseResult

AT_MOST: Final = 5
_NOT_OF_ONE_FILE: Final = (Verdict.TWIN_FAILED, Verdict.PROTOCOL)
_STATE: Final = "state"  # the recipe of cases that are made of several calls


def _one_file(result: CaseResult) -> bool:
    case = result.case
    return result.verdict not in _NOT_OF_ONE_FILE and case.recipe != _STATE


def kind_of(result: CaseResult) -> tuple[Verdict, str, str]:
    """Return what makes failures alike: one of each kind is told in full."""
    code = result.case.codes[0] if result.case.outcome == "reject" and result.case.codes else result.case.outcome
    return result.verdict, result.finding.op, code


def choose(failures: Iterable[CaseResult], known: Container[str] = ()) -> list[CaseResult]:
    """Return at most AT_MOST of the failures, the first of each kind, to be shown again.

    Left out are those that one call on one file cannot show, and those that were known before.
    """
    first: dict[tuple[Verdict, str, str], CaseResult] = {}
    for result in failures:
        if _one_file(result) and result.case.id not in known:
            first.setdefault(kind_of(result), result)
    return list(first.values())[:AT_MOST]
