"""One line of the checklist: an obligation of the protocol, whether it is met, and what to do about it if not."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class State(Enum):
    """How an obligation stands; only a problem keeps the adapter from being used."""

    OK = "ok"
    NOTE = "note"
    PROBLEM = "problem"
    LEFT_OUT = "left out"


@dataclass(frozen=True)
class Check:
    """One obligation as it was found.

    ``id`` is PART/NAME; ``title`` says what holds when all is well. ``got`` is what there was instead, ``cause`` a
    sentence on what usually makes it so, ``remedy`` one on what to do; each is empty where there is nothing to say.
    ``requirement`` is an id of the specification, or empty; ``tail`` is the end of what the adapter printed.
    """

    id: str
    title: str
    state: State
    got: str = ""
    cause: str = ""
    remedy: str = ""
    requirement: str = ""
    tail: bytes = b""

    @property
    def part(self) -> str:
        """Return the part of the examination it belongs to."""
        return self.id.partition("/")[0]


def check(
    name: str, title: str, got: str = "", remedy: str = "", *, cause: str = "", req: str = "", tail: bytes = b""
) -> Check:
    """Return a problem where something was ``got`` that must not be, else that all is well."""
    if not got:
        return Check(name, title, State.OK, requirement=req)
    return Check(name, title, State.PROBLEM, got, cause, remedy, req, tail)


def note(name: str, title: str, got: str, remedy: str, *, req: str = "") -> Check:
    """Return something worth knowing that is no problem of the adapter."""
    return Check(name, title, State.NOTE, got, remedy=remedy, requirement=req)


def left_out(part: str, why: str) -> Check:
    """Return that the rest of a part is left out."""
    return Check(f"{part}/rest", "the rest of this part", State.LEFT_OUT, why)
