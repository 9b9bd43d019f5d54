"""What became of the wrong loaders, and whether that is good enough for a suite that others rely on."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Final

from awq_conformance.protocol import RunnerExit
from zoo.mutant import MUTANTS, Mutant

NAMED: Final = 0.9
"""The share of wrong loaders whose first explanation must be the right one."""

IDLE: Final[dict[str, str]] = {}
"""Cases that catch nobody, each with the reason why it is kept."""


@dataclass(frozen=True)
class Outcome:
    """What became of one loader: the cases that caught it, and the names of its explanations, first one first.

    ``gated`` are those of ``kills`` that are right rejections, which prove nothing since their twins are not right.
    """

    name: str
    exit: RunnerExit
    inconclusive: str
    kills: tuple[str, ...]
    gated: tuple[str, ...]
    explanations: tuple[str, ...]
    sentence: str = ""

    @property
    def mutant(self) -> Mutant | None:
        """Return what is wrong with the loader; None for a right one."""
        return MUTANTS.get(self.name)

    @property
    def caught(self) -> bool:
        """Return whether the loader was found not conformant, or was stopped by the probe that is to stop it."""
        stopped = self.mutant.stopped if self.mutant else ""
        if stopped:
            return self.exit is RunnerExit.INCONCLUSIVE and self.inconclusive.startswith(stopped)
        return self.exit is RunnerExit.NOT_CONFORMANT

    @property
    def named(self) -> bool | None:
        """Return whether the first explanation is the right one; None where there is none to give."""
        if self.mutant is None or self.mutant.explanation is None:
            return None
        return self.explanations[:1] == (self.mutant.explanation,)

    @property
    def problem(self) -> str:
        """Return what falls short, or an empty string."""
        mutant = self.mutant
        if mutant is None or mutant.survives:
            if self.exit is RunnerExit.CONFORMANT:
                return ""
            what = (
                "is right, and was not found so" if mutant is None else "is marked as one that survives, and does not"
            )
            return f"{self.name} {what}: {self.inconclusive or ', '.join(self.kills[:3])}"
        if not self.caught:
            return f"{self.name} survives: {self.exit.name} {self.inconclusive}".rstrip()
        if len(self.kills) < 2 and not (mutant.single or mutant.stopped or mutant.unsteady):
            return f"{self.name} is caught by one case only: {', '.join(self.kills)}"
        if len(self.kills) > 1 and mutant.single:
            return f"{self.name} is marked as caught by one case, and is by {len(self.kills)}"
        return ""


@dataclass(frozen=True)
class Matrix:
    """All outcomes, of right loaders too, and the ids of all cases of the corpus."""

    outcomes: tuple[Outcome, ...]
    cases: tuple[str, ...]

    @property
    def wrong(self) -> list[Outcome]:
        """Return the outcomes of wrong loaders that a runner can tell from right ones."""
        return [outcome for outcome in self.outcomes if outcome.mutant is not None and not outcome.mutant.survives]

    @property
    def survivors(self) -> list[Outcome]:
        """Return the outcomes of wrong loaders that nothing can tell from right ones."""
        return [outcome for outcome in self.outcomes if outcome.mutant is not None and outcome.mutant.survives]

    @property
    def named(self) -> list[bool]:
        """Return for each wrong loader that has an explanation whether it was the first one given."""
        return [outcome.named for outcome in self.wrong if outcome.named is not None]

    @cached_property
    def killers(self) -> dict[str, list[str]]:
        """Return for each case the wrong loaders it caught, but those that nearly every case catches, or any may."""
        kills: dict[str, list[str]] = {case: [] for case in self.cases}
        for outcome in self.wrong:
            if outcome.mutant is not None and not (outcome.mutant.blanket or outcome.mutant.unsteady):
                for case in outcome.kills:
                    kills.setdefault(case, []).append(outcome.name)
        return kills

    def problems(self) -> list[str]:
        """Return what falls short: a right loader caught, a wrong one not, by one case only, or by the wrong name."""
        found = [outcome.problem for outcome in self.outcomes if outcome.problem]
        if sum(self.named) < NAMED * len(self.named):
            found.append(f"{sum(self.named)} of {len(self.named)} are explained rightly, expected {NAMED:.0%}")
        found += [f"{case} catches nobody" for case in self.cases if not self.killers[case] and case not in IDLE]
        found += [f"{case} is marked, and catches {self.killers[case]}" for case in IDLE if self.killers[case]]
        return found
