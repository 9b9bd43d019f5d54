"""A case made of what a file is to say: the file from the writer, what it means from the slow oracle.

Only loaded where a file is to be made: it needs awqformat, which the rest of the runner must not.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from awq_conformance.cases import Case, File, tensor_of
from awq_conformance.making.core import expected
from awqformat import AwqError, safe_open, write

if TYPE_CHECKING:
    from awqformat import Contents

NAME: Final = "input"
INPUT: Final = f"{NAME}.awq"


def valid_case(contents: Contents, folder: Path, like: Case) -> Case:
    """Write the file of ``contents`` and its expected outputs into ``folder``; return them as a case ``like`` another.

    Raises AwqError for what no file can say.
    """
    write(contents, folder / INPUT)
    outputs, entries = expected(NAME, contents)
    files = [file_of(INPUT, (folder / INPUT).read_bytes())]
    for path, data in outputs.items():
        (folder / path).parent.mkdir(exist_ok=True)
        (folder / path).write_bytes(data)
        files.append(file_of(path, data))
    return replace(like, root=folder, made=True, files=tuple(files), expect=tuple(map(tensor_of, entries)))


def contents_of(data: bytes, folder: Path) -> Contents | None:
    """Return what a file holds, None where it is not valid; a copy of it is left in ``folder``."""
    path = folder / "valid.awq"
    path.write_bytes(data)
    try:
        with safe_open(path, verify="all") as file:
            return file.contents()
    except AwqError:
        return None


def file_of(path: str, data: bytes) -> File:
    """Return the account of a file."""
    return File(path, hashlib.sha256(data).hexdigest(), len(data))
