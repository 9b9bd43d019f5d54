"""What all profiles of the suite's own corpus have in common: their failures can be shown again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from awq_conformance import reproduction
from awq_conformance.profiles import Profile

if TYPE_CHECKING:
    from collections.abc import Sequence

    from awq_conformance.diagnosis.names import Diagnosis
    from awq_conformance.judge import CaseResult
    from awq_conformance.probes import Footing


class Shown(Profile):
    """Adds the bytes that a failure is about, and a folder that shows it again."""

    def annotated(self, result: CaseResult) -> list[dict[str, Any]]:
        """Return the guilty bytes of a failed case's input, and in a file some around them."""
        return reproduction.annotated(result.case, result.finding)

    def reproduce(
        self, result: CaseResult, diagnoses: Sequence[Diagnosis], footing: Footing, workshop: reproduction.Workshop
    ) -> reproduction.Reproduction:
        """Show a failure again, of an .awq file on the smallest one that does."""
        return reproduction.reproduce(result, diagnoses, footing, workshop)
