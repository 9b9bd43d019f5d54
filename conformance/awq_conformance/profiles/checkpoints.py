"""Profiles of checkpoint directories, one for each dialect that has one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from awq_conformance import diagnosis
from awq_conformance.diagnosis.hypotheses import of_dialect
from awq_conformance.diagnosis.packed import layers_in
from awq_conformance.profiles import Profile
from awqformat.dialects import DIALECTS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from awq_conformance.cases import Corpus
    from awq_conformance.diagnosis.names import Diagnosis
    from awq_conformance.judge import CaseResult
    from awq_conformance.probes import Footing

DIALECT_OF: Final = {
    "hf-gemm": "gemm",
    "hf-gemv": "gemv",
    "hf-gemv-fast": "gemv_fast",
    "gptq": "gptq_v2",
    "ct-pack": "ct-pack",
}
"""The dialect of a profile; that of `gptq` has another one as well, which differs in what it adds to zero points."""


class Checkpoints(Profile):
    """Adds explanations."""

    def __init__(self, name: str) -> None:
        self._name = name

    def explain(self, footing: Footing, results: Mapping[str, CaseResult], corpus: Corpus) -> tuple[Diagnosis, ...]:
        """Return why the loader is wrong, best explanation first."""
        hypotheses = of_dialect(DIALECTS[DIALECT_OF[self._name]])
        subject = diagnosis.Subject(layers_in, hypotheses, f"{self._name}/tracer-")
        return diagnosis.explain(subject, footing.swift, footing.one_shot, results, corpus, footing.terms)
