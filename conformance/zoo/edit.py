"""Wrong loaders that are changes of the C++ core: what is changed, told by text that must be found exactly once."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from zoo.mutant import Mutant, enter

SOURCES: Final = Path(__file__).resolve().parents[2] / "tools" / "loader" / "src"


class StaleEditError(Exception):
    """The core has changed where it was to be edited."""


@dataclass(frozen=True)
class Change:
    """``old`` becomes ``new`` in ``file`` of the core; ``old`` is there once."""

    file: str
    old: str
    new: str


@dataclass(frozen=True)
class Edit:
    """A wrong loader made of the core: its changes, the source compiled anew where they are in headers, its options."""

    name: str
    changes: tuple[Change, ...]
    unit: str = ""
    options: tuple[str, ...] = ()

    @property
    def files(self) -> list[str]:
        """Return the names of the files that differ, or have to lie beside one that does to be compiled with it."""
        edited = [change.file for change in self.changes]
        # A header is looked for first in the folder of the file that includes it: all of them, or some old ones, too.
        headers = [path.name for path in SOURCES.glob("*.hpp")] if any(map(_is_header, edited)) else []
        return sorted({*edited, *headers, *([self.unit] if self.unit else [])})

    def texts(self) -> dict[str, str]:
        """Return the edited files by name; raises StaleEditError where a text to change is not there exactly once."""
        texts = {file: (SOURCES / file).read_text("utf-8") for file in self.files}
        for change in self.changes:
            count = texts[change.file].count(change.old)
            if count != 1:
                raise StaleEditError(
                    f"{self.name}: expected once in {change.file}, got {count} times: {change.old.strip()!r}"
                )
            texts[change.file] = texts[change.file].replace(change.old, change.new)
        return texts


def _is_header(file: str) -> bool:
    return file.endswith(".hpp")


EDITS: Final[dict[str, Edit]] = {}
"""The wrong loaders that are made of the core, by name."""


def enter_edit(
    family: str,
    name: str,
    explanation: str | None,
    bug: str,
    *changes: Change,
    unit: str = "",
    options: tuple[str, ...] = (),
    refs: tuple[str, ...] = (),
    why: str = "",
    single: str = "",
    stopped: str = "",
    survives: str = "",
    unsteady: bool = False,
) -> None:
    """Enter a change of the core into the list of wrong loaders."""
    enter(
        Mutant(name, bug, explanation, family, refs, why, single, stopped=stopped, survives=survives, unsteady=unsteady)
    )
    EDITS[name] = Edit(name, changes, unit, options)
