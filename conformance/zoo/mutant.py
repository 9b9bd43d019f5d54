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
    """

    name: str
    bug: str
    explanation: str | None
    loader: type[Loader]
    refs: tuple[str, ...] = ()
    why: str = ""
    single: str = ""
    blanket: bool = False


MUTANTS: Final[dict[str, Mutant]] = {}


def mutant(
    name: str,
    explanation: str | None,
    bug: str,
    *refs: str,
    why: str = "",
    single: str = "",
    blanket: bool = False,
) -> Callable[[type[Loader]], type[Loader]]:
    """Enter a loader into the list; ``refs`` are OWNER/REPOSITORY#NUMBER."""
    if (explanation is None) != bool(why):
        raise ValueError(f"{name}: either an explanation or the reason why there is none")

    def enter(loader: type[Loader]) -> type[Loader]:
        if name in MUTANTS:
            raise ValueError(f"{name} is there twice")
        MUTANTS[name] = Mutant(name, bug, explanation, loader, refs, why, single, blanket)
        return loader

    return enter
