"""What a profile adds to its cases; a new profile is its cases in the corpus and, if it needs one, a module here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from awq_conformance.cases import Case, Corpus
    from awq_conformance.diagnosis.names import Diagnosis
    from awq_conformance.judge import CaseResult
    from awq_conformance.probes import Footing
    from awq_conformance.protocol import Hello
    from awq_conformance.reproduction import Reproduction, Workshop
    from awq_conformance.state import Scenario


class Profile:
    """A profile that has its cases and nothing else; subclasses override what they add."""

    def stories(self, corpus: Corpus) -> dict[str, tuple[Case, Scenario]]:
        """Return the cases of order and state by id, each with its scenario."""
        del corpus
        return {}

    def random(self, folder: Path, seed: int, hello: Hello) -> list[Case]:
        """Make a case for this run alone in ``folder``, within the shapes that ``hello`` allows."""
        del folder, seed, hello
        return []

    def holdout(self, folder: Path, seed: int, hello: Hello) -> list[Case]:
        """Make many random cases, valid and malformed, in ``folder``: the same ones for the same seed."""
        del folder, seed, hello
        return []

    def large(self, folder: Path) -> Path:
        """Make the cases that are too large to keep in ``folder``, and return it."""
        return folder

    def explain(self, footing: Footing, results: Mapping[str, CaseResult], corpus: Corpus) -> tuple[Diagnosis, ...]:
        """Return why the loader is wrong, as far as it can be told, best explanation first."""
        del footing, results, corpus
        return ()

    def annotated(self, result: CaseResult) -> list[dict[str, Any]]:
        """Return the bytes of a failed case's input that matter, as reports hold them. Raises OSError."""
        del result
        return []

    def reproduce(
        self, result: CaseResult, diagnoses: Sequence[Diagnosis], footing: Footing, workshop: Workshop
    ) -> Reproduction | None:
        """Show a failure again, in a folder of its own below that of the report; None where that cannot be done."""
        del result, diagnoses, footing, workshop
        return None


def profile_of(corpus: Corpus, name: str) -> Profile:
    """Return what profile ``name`` adds in ``corpus``."""
    if (corpus.suite, name) == ("awqformat", "core"):
        from awq_conformance.profiles.core import Core

        return Core()
    from awq_conformance.profiles import checkpoints

    if corpus.suite == "awqformat" and name in checkpoints.DIALECTS:
        return checkpoints.Checkpoints(name)
    return Profile()
