"""The README says what the code says."""

from __future__ import annotations

from pathlib import Path

import pytest

from awq_conformance.verdict import MEANING, Verdict

README = Path(__file__).parents[1] / "README.md"


@pytest.mark.parametrize("verdict", Verdict)
def test_the_readme_explains_every_verdict(verdict: Verdict) -> None:
    """The table of verdicts is the one in the code."""
    assert f"| {verdict.value} | {MEANING[verdict]} |\n" in README.read_text()
