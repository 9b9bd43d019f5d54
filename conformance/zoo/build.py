"""Builds the wrong loaders that are made of the C++ core: its sources, edited, with the project's own toolchain."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from zoo.edit import EDITS

ROOT: Final = Path(__file__).resolve().parents[2]
FOLDER: Final = ROOT / ".build" / "zoo"
UNEDITED: Final = "cpp-right"
"""The core as it is, linked as the wrong ones are."""


class BuildError(Exception):
    """The core, or an edited one, does not compile; the text is what the compiler says."""


def is_built(name: str) -> bool:
    """Return whether a loader is made of the core."""
    return name in EDITS or name == UNEDITED


def command(name: str) -> tuple[str, ...]:
    """Return how a loader that was built is called."""
    return (str(FOLDER / "build" / name), *(EDITS[name].options if name in EDITS else ()))


def build(names: Iterable[str]) -> None:
    """Build loaders by name; raises StaleEditError, or BuildError where CMake or the compiler fails."""
    names = list(filter(is_built, names))
    if not names:
        return
    for name in (UNEDITED, *EDITS):
        _write(FOLDER / "edited" / name, EDITS[name].texts() if name in EDITS else {})
    for folder in (FOLDER / "edited").iterdir():
        if folder.name not in (UNEDITED, *EDITS):
            shutil.rmtree(folder)
    tools = Path(sys.executable).parent
    cmake, ninja = (shutil.which(tool, path=f"{tools}{os.pathsep}{os.environ['PATH']}") for tool in ("cmake", "ninja"))
    if cmake is None or ninja is None:
        raise BuildError("cmake and ninja are needed; make setup installs them")
    tree = FOLDER / "build"
    _run(cmake, "-S", str(Path(__file__).parent), "-B", str(tree), "-G", "Ninja", f"-DCMAKE_MAKE_PROGRAM={ninja}",
         f"-DAWQ_EDITED={FOLDER / 'edited'}")  # fmt: skip
    _run(cmake, "--build", str(tree), "--target", *names)


def _write(folder: Path, texts: dict[str, str]) -> None:
    """Write files that differ, so that nothing is compiled again that is as it was."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in folder.iterdir():
        if path.name not in texts:
            path.unlink()
    for file, text in texts.items():
        path = folder / file
        if not path.exists() or path.read_text("utf-8") != text:
            path.write_text(text, "utf-8")


def _run(*words: str) -> None:
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise BuildError(done.stdout + done.stderr)
