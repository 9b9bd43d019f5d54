"""The list of wrong loaders: what each does wrong, where that was seen, and how it must be explained."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from zoo.loader import Loader


@dataclass(frozen=True)
class Mutant:
    """One wrong loader.

    ``explanation`` is a name of awq_conformance.diagnosis.names, or None where the verdict says it all; ``why`` is
    then the reason. ``refs`` are public issues that show the bug. ``single`` is the reason why one case is all that
    can catch it, where that is so. ``blanket`` marks a bug so coarse that it says nothing for the single case.
    ``stopped`` is the beginning of what the probes say of a loader that does not get past them: no case has to.
    ``survives`` is the reason why nothing that a runner sees can show the bug.
    ``unsteady`` marks a bug that shows in other cases each time; that it is caught is all that can be relied on.
    """

    name: str
    bug: str
    explanation: str | None
    family: str
    refs: tuple[str, ...] = ()
    why: str = ""
    single: str = ""
    blanket: bool = False
    stopped: str = ""
    survives: str = ""
    unsteady: bool = False

    def __post_init__(self) -> None:
        if (self.explanation is None) != bool(self.why or self.stopped or self.survives):
            raise ValueError(f"{self.name}: either an explanation or the reason why there is none")


MUTANTS: Final[dict[str, Mutant]] = {}
LOADERS: Final[dict[str, type[Loader]]] = {}
"""The wrong loaders that are written in Python, by name."""


def enter(mutant: Mutant) -> None:
    """Add one to the list; raises ValueError where its name is taken."""
    if mutant.name in MUTANTS:
        raise ValueError(f"{mutant.name} is there twice")
    MUTANTS[mutant.name] = mutant


def mutant(
    name: str,
    explanation: str | None,
    bug: str,
    *refs: str,
    why: str = "",
    single: str = "",
    blanket: bool = False,
) -> Callable[[type[Loader]], type[Loader]]:
    """Enter a loader into the list, in the family of its module; ``refs`` are OWNER/REPOSITORY#NUMBER."""

    def entered(loader: type[Loader]) -> type[Loader]:
        family = loader.__module__.rpartition(".")[2]
        enter(Mutant(name, bug, explanation, family, refs, why, single, blanket))
        LOADERS[name] = loader
        return loader

    return entered
