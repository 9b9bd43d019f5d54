"""The worked examples of spec/: fenced blocks with a kind (hex or values) and a name."""

from __future__ import annotations

import re
from dataclasses import dataclass

from tools.specification import chapters

_BLOCK = re.compile(r"^```(hex|values)(?: name=([a-z0-9-]+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_RUN = re.compile(r"([0-9A-F]{2})\*(\d+)")


@dataclass(frozen=True)
class Block:
    """One example; ``lines`` as they stand, comments included."""

    chapter: str
    kind: str
    name: str
    lines: tuple[str, ...]

    @property
    def rows(self) -> list[list[str]]:
        """The words of each line that has any before its comment."""
        rows = [re.split("[#;]", line)[0].split() for line in self.lines]
        return [row for row in rows if row]

    @property
    def data(self) -> bytes:
        """The bytes of a hex block; every line must start at the offset it claims."""
        data = bytearray()
        for offset, *words in self.rows:
            if int(offset, 16) != len(data):
                raise ValueError(f"{self.name}: a line says {offset}, its bytes start at {len(data):04X}")
            for word in words:
                run = _RUN.fullmatch(word)
                data += bytes.fromhex(run[1]) * int(run[2]) if run else bytes.fromhex(word)
        return bytes(data)


def all_blocks() -> list[Block]:
    """Return every example of every chapter, those without a name too."""
    return [
        Block(chapter.name, kind, name, tuple(body.splitlines()))
        for chapter in chapters()
        for kind, name, body in _BLOCK.findall(chapter.text)
    ]


def block(kind: str, name: str) -> Block:
    """Return one example."""
    (found,) = [example for example in all_blocks() if (example.kind, example.name) == (kind, name)]
    return found
