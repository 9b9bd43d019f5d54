"""Standard output as people see it: a screen that outlives its reader, and lines that nothing foreign can steer."""

from __future__ import annotations

import os
import sys

from rich.console import Console
from rich.text import Text


class Screen(Console):
    """Standard output; when its reader leaves, the verdict still comes as the exit status."""

    def on_broken_pipe(self) -> None:
        """Print into nothing from here on."""
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def put(console: Console, *parts: tuple[str, str]) -> None:
    """Print one line made of (text, style); adapters print and name what they like, and none of it is obeyed."""
    line = Text()
    for text, style in parts:
        line.append(printable(text), style)
    console.print(line, soft_wrap=True, highlight=False)


def profiled(command: str, profile: str) -> str:
    """Return the words that run a command of the suite on a profile; core is the usual one, and is left out."""
    return f"awq-conformance {command}" + ("" if profile == "core" else f" --profile {profile}")


def printable(text: str) -> str:
    """Return ``text`` without anything that could steer a terminal."""
    return "".join(char if char.isprintable() else "\ufffd" for char in text)
