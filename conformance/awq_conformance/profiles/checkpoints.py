"""The profiles of checkpoint directories."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from awq_conformance import fresh
from awq_conformance.profiles import Profile

if TYPE_CHECKING:
    from pathlib import Path

    from awq_conformance.cases import Case
    from awq_conformance.protocol import Hello

NAMES: Final = ("hf-gemm", "hf-gemv", "hf-gemv-fast", "gptq", "ct-pack")


@dataclass(frozen=True)
class Checkpoints(Profile):
    """Adds random checkpoints."""

    name: str

    def random(self, folder: Path, seed: int, hello: Hello) -> list[Case]:
        """Make one checkpoint nobody can have seen."""
        return fresh.fresh_checkpoint(folder, self.name, seed, hello.align)

    def holdout(self, folder: Path, seed: int, hello: Hello) -> list[Case]:
        """Make many random checkpoints, valid and malformed: the same ones for the same seed."""
        return fresh.held_out_checkpoints(folder, self.name, seed, hello.align)
