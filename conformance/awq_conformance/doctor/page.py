"""The checklist as people and programs read it."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any, Final

from awq_conformance.doctor.check import Check, State
from awq_conformance.screen import profiled, put

if TYPE_CHECKING:
    from rich.console import Console

    from awq_conformance.doctor.examination import Examination

SCHEMA: Final = "awqc-doctor/1"

_PARTS: Final = {
    "command": "the command",
    "hello": "hello",
    "one-shot": "one process for each operation",
    "operations": "every operation, on every kind of file",
    "serve": "serve: one process for many requests",
    "pace": "how long it takes",
}
_STYLES: Final = {State.OK: "green", State.NOTE: "yellow", State.PROBLEM: "bold red", State.LEFT_OUT: "yellow"}
_WIDTH: Final = max(len(state.value) for state in State) + 2
_INDENT: Final = " " * (2 + _WIDTH)
_AGAIN: Final = "as above"
_TAIL_LINES: Final = 4
_LINE_MAX: Final = 300


class Checklist:
    """Prints one check after the other, under the heading of its part."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._part = ""
        self._told: set[str] = set()

    def __call__(self, one: Check) -> None:
        """Print a check."""
        if one.part != self._part:
            self._part = one.part
            put(self._console, (_PARTS[one.part], "bold"))
        style = _STYLES[one.state]
        put(self._console, (f"  {one.state.value:{_WIDTH}}", style), (one.title, ""))
        if one.got:
            put(self._console, (_INDENT + one.got, style))
        texts, lines = [text for text in (one.cause, one.remedy) if text], last_lines(one.tail)
        for text in dict.fromkeys(_AGAIN if text in self._told else text for text in texts):
            put(self._console, (_INDENT + text, ""))
        for line in lines if self._told.isdisjoint(lines) else []:
            put(self._console, (f"{_INDENT}| {line}", "dim"))
        self._told.update(texts, lines)


def conclude(console: Console, done: Examination) -> None:
    """Print what comes of it all, and the command to go on with."""
    problems = done.problems
    if not problems:
        put(console, ("nothing is wrong with the adapter", "bold green"), (". Next:", ""))
        put(console, (f"  {profiled('run', done.profile)} -- {shlex.join(done.command)}", "bold"))
        return
    count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
    put(console, (f"{count} of the adapter, not of the loader", "bold red"), (": begin with the first", ""))


def last_lines(tail: bytes) -> list[str]:
    """Return the last few lines an adapter printed, cut where they are long."""
    return [line[:_LINE_MAX] for line in tail.decode("utf-8", "replace").splitlines()[-_TAIL_LINES:]]


def as_record(done: Examination) -> dict[str, Any]:
    """Return the examination as JSON values."""
    return {
        "schema": SCHEMA,
        "command": list(done.command),
        "argv": list(done.argv),
        "hello": done.hello.words,
        "exit": int(done.exit),
        "problems": len(done.problems),
        "checks": [
            {
                "id": one.id,
                "title": one.title,
                "state": one.state.value,
                "got": one.got,
                "cause": one.cause,
                "remedy": one.remedy,
                "requirement": one.requirement,
                "tail": last_lines(one.tail),
            }
            for one in done.checks
        ],
    }
