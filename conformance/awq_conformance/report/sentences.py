"""The sentences of the specification by the ids of their requirements, for those who read a report."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_START: Final = re.compile(r"(?:- )?\*\*(AWQ-[A-Z]{3}-\d{3})\*\* (.*)")
_END: Final = ("- ", "|", "#", "```", "**AWQ-")
_LINK: Final = re.compile(r"\[([^\]]*)\]\([^)\s]*\)")


def default_folder() -> Path:
    """Return the specification of this checkout, or the one inside the installed package."""
    checkout = Path(__file__).resolve().parents[3] / "spec"
    return checkout if (checkout / "conformance.md").is_file() else Path(__file__).resolve().parents[1] / "spec"


@cache
def sentences(folder: Path) -> Mapping[str, str]:
    """Return id -> text of every requirement in the chapters under ``folder``; links become their words."""
    chapters = (path.read_text("utf-8") for path in sorted(folder.glob("*.md")))
    return {name: _LINK.sub(r"\1", text) for chapter in chapters for name, text in _requirements(chapter)}


def _requirements(chapter: str) -> Iterator[tuple[str, str]]:
    name, words, fenced = "", list[str](), False
    for line in [*chapter.splitlines(), ""]:
        if name and (fenced or not line.strip() or line.startswith(_END)):
            yield name, " ".join(words)
            name = ""
        start = None if fenced else _START.match(line)
        if start:
            name, words = start[1], [start[2].strip()]
        elif name:
            words.append(line.strip())
        if line.startswith("```"):
            fenced = not fenced
