"""What a fault of a checkpoint is, and the changes that make one."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from awq_conformance.making.checkpoints.dialects import Kind
from awq_conformance.making.checkpoints.model import GROUP_SIZE

Change = Callable[[bytes], bytes]
Header = dict[str, Any]

CONFIG: Final = "config.json"
SHARD: Final = "model.safetensors"


@dataclass(frozen=True)
class Fault:
    """A checkpoint with one fault.

    Attributes:
        kind: profile and dialect.
        name: of the case in its profile.
        title: what is wrong, in one line.
        code: the code of the rule it breaks.
        rule: that requirement.
        file: the file it is in.
        change: turns that file of the twin into the faulty one.
        twin: the name of the valid case it is made from.
        symmetric: what the configuration of the twin says, where the fault is one only then.
        level: MUST, or SHOULD where loaders differ for good reasons.
        anywhere: whether it is one in any checkpoint that has what it changes.
        refs: where it was seen.
        comment: more.
    """

    kind: Kind
    name: str
    title: str
    code: str
    rule: str
    file: str
    change: Change
    twin: str = f"group-{GROUP_SIZE}"
    symmetric: bool | None = None
    level: str = "MUST"
    anywhere: bool = True
    refs: tuple[str, ...] = ()
    comment: str = ""

    @property
    def id(self) -> str:
        """Return the id of the case."""
        return f"{self.kind.profile}/{self.name}"


def text(old: str, new: str) -> Change:
    """Replace the one place where ``old``, a regular expression, stands."""

    def change(data: bytes) -> bytes:
        changed, count = re.subn(old.encode(), new.encode(), data)
        if count != 1:
            raise ValueError(f"{old!r} stands in {count} places")
        return changed

    return change


def cut(size: int) -> Change:
    """Take bytes from the end."""
    return lambda data: data[:-size]


def scale(kind: Kind, bits: int) -> Change:
    """Set the first scale of the layer; its dtype is F16. The last one may be padding."""

    def change(data: bytes) -> bytes:
        start = 8 + int.from_bytes(data[:8], "little")
        found = re.search(rf'\.{kind.scales}":{{"dtype":"F16".*?"data_offsets":\[(\d+),'.encode(), data[:start])
        if found is None:
            raise ValueError(f"no {kind.scales} in F16")
        at = start + int(found[1])
        return data[:at] + bits.to_bytes(2, "little") + data[at + 2 :]

    return change


def created(data: bytes) -> Change:
    """Write a file that is not there."""

    def change(old: bytes) -> bytes:
        if old:
            raise ValueError("the file is there")
        return data

    return change


def header(edit: Callable[[Header, bytes], bytes]) -> Change:
    """Change the header of a shard; ``edit`` is given its tensors and the data, and returns the data."""

    def change(old: bytes) -> bytes:
        start = 8 + int.from_bytes(old[:8], "little")
        tensors = json.loads(old[8:start])
        data = edit(tensors, old[start:])
        text = json.dumps(tensors, separators=(",", ":")).encode()
        text += b" " * (-len(text) % 8)
        return len(text).to_bytes(8, "little") + text + data

    return change
