"""The adapter under examination: what is asked of it, how often it hung, and how long it takes."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from awq_conformance.adapter import Bounds, Caller, bounds_of
from awq_conformance.protocol import Hello

if TYPE_CHECKING:
    from collections.abc import Sequence

    from awq_conformance.adapter import Observation
    from awq_conformance.cases import Case

_HANGS_MAX: Final = 2  # each costs the whole time limit, and the third teaches nothing new


class HangingError(Exception):
    """The adapter hung so often that the rest is not worth the wait."""


@dataclass
class Patient(Caller):
    """An adapter called in one mode; ``limit`` is the time limit of a call, ``seconds`` what calls took.

    Raises HangingError from the call after the last hang that is waited for.
    """

    caller: Caller
    limit: float
    hello: Hello
    seconds: list[float] = field(default_factory=list)
    hangs: int = 0

    def __post_init__(self) -> None:
        self.mode = self.caller.mode

    def ask(self, ops: Sequence[str], path: str, bounds: Bounds) -> list[Observation]:
        """Ask for each operation on ``path``."""
        if self.hangs == _HANGS_MAX:
            raise HangingError
        seen = self.caller.ask(ops, path, bounds)
        self.hangs += sum(one.execution.timed_out for one in seen)
        self.seconds += [one.execution.seconds for one in seen if one.answered]
        return seen

    def put(self, op: str, case: Case, path: Path | None = None) -> Observation:
        """Ask for one operation on ``case``, or on a copy of its file at ``path``."""
        return self.call(op, str(path or case.input), bounds_of(case, self.limit))

    def ask_about(self, op: str, path: Path) -> Observation:
        """Ask for one operation on something that is no case."""
        return self.call(op, str(path), Bounds(self.limit))
