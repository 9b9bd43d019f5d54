"""What the reject cases of the corpus cost both readers at worst: time, and memory against the bound of the spec.

python tools/bench/malformed.py

The bound is 4 * (INDEX + STRINGS + META + DIGEST) + 1 MiB; for a file whose table cannot be believed that is 1 MiB.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
import tracemalloc
from pathlib import Path

import awqformat
from awq_conformance.cases import Case, default_root, load

LOADER = Path(sys.executable).parent / "awq-loader"
FREE = 1 << 20


def python(case: Case) -> tuple[float, int]:
    """Return seconds and peak bytes that the Python reader takes to refuse a file."""
    tracemalloc.start()
    start = time.perf_counter()
    try:
        awqformat.safe_open(case.input, verify="all")
    except awqformat.AwqError:
        pass
    else:
        raise SystemExit(f"{case.id} was accepted")
    seconds = time.perf_counter() - start
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return seconds, peak


def cpp(path: Path, out: Path) -> tuple[float, int]:
    """Return seconds and peak resident bytes of the C++ loader on a file, process start included."""
    start = time.perf_counter()
    process = subprocess.Popen([LOADER, "inspect", path, out], stderr=subprocess.DEVNULL)
    usage = os.wait4(process.pid, 0)[2]
    process.returncode = 0
    return time.perf_counter() - start, usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def main() -> None:
    """Print the worst of each figure, and the case that gave it."""
    corpus = load(default_root())
    rejects = [case for case in corpus.kept if case.outcome == "reject" and not case.folder]
    python(rejects[0])  # imports and caches
    mine = {case.id: python(case) for case in rejects}
    print(f"{len(rejects)} malformed files, the largest of {max(case.files[0].size for case in rejects)} bytes")
    slowest, hungriest = max(mine, key=lambda i: mine[i][0]), max(mine, key=lambda i: mine[i][1])
    print(f"Python: at most {1000 * mine[slowest][0]:.1f} ms ({slowest})")
    print(f"Python: at most {mine[hungriest][1] / FREE:.3f} of the smallest bound, 1 MiB ({hungriest})")
    with tempfile.TemporaryDirectory() as name:
        out, empty = Path(name), Path(name) / "empty.awq"
        awqformat.save_file({}, empty)
        floor = min(cpp(empty, out)[1] for _ in range(5))
        theirs = {case.id: cpp(case.input, out) for case in rejects}
    slowest, hungriest = max(theirs, key=lambda i: theirs[i][0]), max(theirs, key=lambda i: theirs[i][1])
    print(f"C++: at most {1000 * theirs[slowest][0]:.1f} ms ({slowest})")
    extra = theirs[hungriest][1] - floor
    print(f"C++: at most {extra / FREE:.3f} of 1 MiB above the resident size for an empty file ({hungriest})")


if __name__ == "__main__":
    main()
