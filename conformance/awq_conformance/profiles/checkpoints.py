"""The profiles of checkpoint directories, one for each dialect that has one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from awq_conformance import diagnosis, fresh
from awq_conformance.diagnosis.hypotheses import of_dialect
from awq_conformance.diagnosis.packed import layers_in
from awq_conformance.profiles.shown import Shown

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from awq_conformance.cases import Case, Corpus
    from awq_conformance.diagnosis.names import Diagnosis
    from awq_conformance.judge import CaseResult
    from awq_conformance.probes import Footing
    from awq_conformance.protocol import Hello

DIALECTS: Final = {
    "hf-gemm": "gemm",
    "hf-gemv": "gemv",
    "hf-gemv-fast": "gemv_fast",
    "gptq": "gptq_v2",
    "ct-pack": "ct-pack",
}
"""Profile -> dialect; `gptq` has v1 as well, where zero points are stored less 1."""


@dataclass(frozen=True)
class Checkpoints(Shown):
    """Adds random checkpoints, explanations, and failures shown again."""

    name: str

    def random(self, folder: Path, seed: int, hello: Hello) -> list[Case]:
        """Make one checkpoint nobody can have seen."""
        return fresh.fresh_checkpoint(folder, self.name, seed, hello.align)

    def holdout(self, folder: Path, seed: int, hello: Hello) -> list[Case]:
        """Make many random checkpoints, valid and malformed: the same ones for the same seed."""
        return fresh.held_out_checkpoints(folder, self.name, seed, hello.align)

    def explain(self, footing: Footing, results: Mapping[str, CaseResult], corpus: Corpus) -> tuple[Diagnosis, ...]:
        """Return why the loader is wrong, best explanation first."""
        subject = diagnosis.Subject(layers_in, of_dialect(DIALECTS[self.name]), f"{self.name}/tracer-")
        return diagnosis.explain(subject, footing.swift, footing.one_shot, results, corpus, footing.terms)
