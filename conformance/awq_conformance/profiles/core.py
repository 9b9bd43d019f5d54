"""Profile ``core``: .awq files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from awq_conformance import diagnosis, fresh, state
from awq_conformance.diagnosis.hypotheses import EXTENTS
from awq_conformance.diagnosis.stored import stored_in
from awq_conformance.profiles.shown import Shown

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from awq_conformance.cases import Case, Corpus
    from awq_conformance.diagnosis.names import Diagnosis
    from awq_conformance.judge import CaseResult
    from awq_conformance.probes import Footing
    from awq_conformance.protocol import Hello

_SUBJECT: Final = diagnosis.Subject(stored_in, EXTENTS, "tracer/")


class Core(Shown):
    """Adds random files, order and state, files too large to keep, explanations, and failures shown again."""

    def stories(self, corpus: Corpus) -> dict[str, tuple[Case, state.Scenario]]:
        """Return the cases of order and state by id, each with its scenario."""
        cases = [case for case in corpus.cases.values() if case.profile == "core"]
        chosen = state.choose(cases)
        if chosen is None:
            return {}
        made = [(state.case_of(scenario, chosen[0]), scenario) for scenario in state.scenarios(*chosen)]
        return {case.id: (case, scenario) for case, scenario in made}

    def random(self, folder: Path, seed: int, hello: Hello) -> list[Case]:
        """Make one file nobody can have seen."""
        return [fresh.fresh_case(folder, seed, hello.align)]

    def holdout(self, folder: Path, seed: int, hello: Hello) -> list[Case]:
        """Make many random files, valid and malformed: the same ones for the same seed."""
        return fresh.held_out_files(folder, seed, hello.align)

    def large(self, folder: Path) -> Path:
        """Make the cases that are too large to keep in ``folder``, and return it."""
        return fresh.make_large(folder)

    def explain(self, footing: Footing, results: Mapping[str, CaseResult], corpus: Corpus) -> tuple[Diagnosis, ...]:
        """Return why the loader is wrong, best explanation first."""
        return diagnosis.explain(_SUBJECT, footing.swift, footing.one_shot, results, corpus, footing.terms)
