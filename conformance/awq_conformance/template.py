"""Starting points for an adapter, one for each language: the adapters of ``conformance/adapters/``, as they are.

A language is a folder there. What lies in its ``serve/`` takes the place of the files of the same name beside it.
"""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_SERVE: Final = "serve"
_BUILT: Final = {"build", "target", "Cargo.lock", "__pycache__"}  # what building in place leaves
_PACKAGE: Final = Path(__file__).resolve().parent


class ExistsError(Exception):
    """Files stand where new ones would; the text names them."""


@dataclass(frozen=True)
class Language:
    """What is told of a language: where the loader's place is, and the commands that make a program of the files.

    In ``steps`` {dir} is the folder that was written, {core} that of the C++ core; ``command`` starts the adapter.
    """

    folder: str
    place: str
    steps: tuple[str, ...]
    command: str


LANGUAGES: Final = {
    "python": Language("python", "load() in adapter.py, between >>> and <<<", (), "python {dir}/adapter.py"),
    "c++": Language(
        "cpp",
        "Load() in adapter.cpp, between >>> and <<<, and of awq in CMakeLists.txt",
        ("cmake -S {dir} -B {dir}/build -DAWQ_CORE={core}", "cmake --build {dir}/build"),
        "{dir}/build/adapter",
    ),
    "rust": Language(
        "rust",
        "src/loader.rs, and delete build.rs",
        ("AWQ_CORE={core} cargo build --release --manifest-path {dir}/Cargo.toml",),
        "{dir}/target/release/adapter",
    ),
    "sh": Language("sh", "the last line of adapter.sh", (), "{dir}/adapter.sh"),
}


def root() -> Path:
    """Return the folder of the templates: that of this checkout, or the one inside the installed package."""
    checkout = _PACKAGE.parent / "adapters"
    return checkout if checkout.is_dir() else _PACKAGE / "adapters"


def core() -> Path:
    """Return the folder of the C++ core's source, found in the same way."""
    checkout = _PACKAGE.parents[1] / "tools" / "loader"
    return checkout if checkout.is_dir() else _PACKAGE / "loader"


def serves(language: Language) -> bool:
    """Return whether there is a template with ``serve``."""
    return (root() / language.folder / _SERVE).is_dir()


def files(language: Language, *, serve: bool) -> dict[Path, bytes]:
    """Return the files of a template, by their place in the folder to be written."""
    base = root() / language.folder
    places = (path.relative_to(base) for path in sorted(base.rglob("*")) if path.is_file())
    whole = {place: (base / place).read_bytes() for place in places if _BUILT.isdisjoint(place.parts)}
    found = {path: data for path, data in whole.items() if path.parts[0] != _SERVE}
    if serve:
        found |= {path.relative_to(_SERVE): data for path, data in whole.items() if path.parts[0] == _SERVE}
    return found


def write(contents: dict[Path, bytes], folder: Path, *, force: bool) -> list[Path]:
    """Write a template into ``folder`` and return the paths; scripts become executable.

    Raises ExistsError when a file is there already, unless ``force``; OSError when one cannot be written. Nothing is
    written then, or what was new of it is removed again.
    """
    targets = {folder / path: data for path, data in contents.items()}
    present = [path for path in targets if path.exists() or path.is_symlink()]
    if present and not force:
        raise ExistsError(", ".join(map(str, present)))
    new = [path for path in targets if path not in present]
    folders = [home for home in dict.fromkeys(up for path in targets for up in path.parents) if not home.exists()]
    try:
        for path, data in targets.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
            if data.startswith(b"#!"):
                path.chmod(path.stat().st_mode | 0o111)
    except OSError:
        for path in new:
            with suppress(OSError):
                path.unlink()
        for home in sorted(folders, reverse=True):  # the innermost first
            with suppress(OSError):
                home.rmdir()
        raise
    return list(targets)


def steps(language: Language, folder: Path) -> list[str]:
    """Return the commands to type next, from building to the examination, for the shell and folder one is in."""
    where = str(folder)
    if not where.startswith(("/", "./", "../")):
        where = f"./{where}"  # a command is looked for on the PATH without it
    names = {"dir": shlex.quote(where.rstrip("/")), "core": shlex.quote(str(core()))}
    lines = [step.format(**names) for step in language.steps]
    return [*_path(), *lines, f"awq-conformance doctor -- {language.command.format(**names)}"]


def _path() -> list[str]:
    """Return the command that puts this environment on the PATH, where it is not the first there."""
    home = Path(sys.executable).parent
    found = shutil.which("awq-conformance"), shutil.which("python")
    if all(program is not None and Path(program).parent == home for program in found):
        return []
    return [f"export PATH={shlex.quote(str(home))}:$PATH"] if os.name == "posix" else []
