"""The Python reader under atheris, which searches for inputs that take new paths through it.

python tools/fuzz/reader.py FOLDER [-max_total_time=S] [-seed=X] [other options of libFuzzer]

FOLDER collects inputs that are worth mutating again; the corpus is the first of them. A crash is any exception but
AwqError, and an accepted file that is not the file that writing its content gives.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from random import Random

import atheris  # type: ignore[import-untyped]  # not among the project's own tools

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "conformance")]  # the venv that has atheris need not have this project

with atheris.instrument_imports(include=["awqformat.container", "awqformat.errors"]):
    from awqformat import AwqError, safe_open, write

from tools.fuzz.differential import seeds  # noqa: E402
from tools.fuzz.mutate import mutate  # noqa: E402

MAX_SIZE = 1 << 16


def read(path: Path, data: bytes) -> None:
    """Read ``data`` with everything verified; if it is valid, write it again."""
    path.write_bytes(data)
    try:
        with safe_open(path, verify="all") as file:
            contents = file.contents()
    except AwqError as error:
        str(error)
        return
    copy = path.with_suffix(".copy")
    write(contents, copy)
    if copy.read_bytes() != data:
        raise ValueError("accepted, but write(read(f)) != f")


def custom_mutator(data: bytes, max_size: int, seed: int) -> bytes:
    """Return a mutant for libFuzzer, sometimes one that knows nothing of the structure."""
    random = Random(seed)  # noqa: S311  # reproducible, not secret
    changed = atheris.Mutate(data, max_size) if random.random() < 0.1 else mutate(data, random)
    return bytes(changed[:max_size])


def main() -> None:
    """Fuzz until told to stop."""
    memory = Path("/dev/shm")  # noqa: S108  # spares the disk; a folder of our own is made in it
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        first = Path(folder, "corpus")
        first.mkdir()
        for i, data in enumerate(seeds()):
            (first / f"{i}.awq").write_bytes(data)
        path = Path(folder, "input.awq")
        atheris.Setup(
            [*sys.argv, str(first), f"-max_len={MAX_SIZE}"],
            lambda data: read(path, data),
            custom_mutator=custom_mutator,
        )
        atheris.Fuzz()


if __name__ == "__main__":
    main()
