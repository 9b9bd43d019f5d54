"""The command itself: whether its program can be started, and words that mean something here only."""

from __future__ import annotations

import shutil
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Final

from awq_conformance.doctor.check import Check, check, note

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_TITLE: Final = "the program is there and can be started"
_HEAD: Final = 256  # bytes of a program that tell what it is
_SCRIPTS: Final = {".py": "python", ".js": "node", ".rb": "ruby", ".pl": "perl", ".jl": "julia", ".sh": "sh"}


def missing(command: Sequence[str], problem: str) -> Check:
    """Return what to do about a program that cannot be started; ``problem`` says why not."""
    return check("command/program", _TITLE, problem, _remedy(command), tail=b"")


def found(command: Sequence[str]) -> Iterator[Check]:
    """Yield that the program was started, and which words are relative paths that lose their meaning."""
    yield check("command/program", _TITLE)
    for word in command[1:]:
        option, equals, path = word.rpartition("=")
        named = Path(path)
        if named.is_absolute() or not path or (not equals and named.is_file()):
            continue  # words that are files are made absolute
        if "/" in path and named.exists():
            remedy = f"The adapter runs in an empty folder: write {option}{equals}{named.absolute()}."
            yield note("command/words", "words that are paths are absolute", word, remedy)


def _remedy(command: Sequence[str]) -> str:
    program = shutil.which(command[0])
    path = Path(program or command[0])
    if path.is_dir():
        return "The first word is a folder: name the program in it."
    if program is None and path.name == command[0] and path.is_file():
        interpreter = _SCRIPTS.get(path.suffix)
        return f"Say which one is meant: {f'{interpreter} {path}, or ' if interpreter else ''}./{path}."
    if not path.exists():
        return (
            "Is the name right, and the program built, or on the PATH (is the environment active it is installed in)?"
        )
    if not path.stat().st_mode & (stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH):
        interpreter = _SCRIPTS.get(path.suffix)
        put = f", or put {interpreter} in front of it" if interpreter else ""
        return f"Make it executable: chmod +x {command[0]}{put}."
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD)
    except OSError as error:
        return f"It cannot be read: {error.strerror}."
    return _not_started(head, path)


def _not_started(head: bytes, path: Path) -> str:
    first = head.split(b"\n")[0]
    if first.startswith(b"#!"):
        interpreter = first[2:].decode("utf-8", "replace").strip(" ").split(" ")[0]
        if interpreter.endswith("\r"):
            return "The script has Windows line ends, which end up in the interpreter's name: save it with line feeds."
        return f"Its first line names {interpreter}, which is not here: say #!/usr/bin/env and the interpreter's name."
    if head.startswith((b"\x7fELF", b"\xcf\xfa\xed\xfe", b"\xfe\xed\xfa", b"\xca\xfe\xba\xbe", b"MZ")):
        return "It is a program for another system or processor, or a damaged one: build it on this machine."
    if head.isascii() and head:
        program = _SCRIPTS.get(path.suffix, "sh")
        return (
            f"It is a script without a first line that names its interpreter: begin it with #!/usr/bin/env {program}."
        )
    return "The system cannot run it: it is neither a program for this machine nor a script with a #! line."
