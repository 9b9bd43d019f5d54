"""What a whole run of the suite costs, against starting as many processes that do nothing; and what its corpus costs.

python tools/bench/certify.py [python]     with "python": the Python reader too, whose processes start slowly
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from awq_conformance.cases import default_root, load
from awq_conformance.making.corpus import generate, install
from awq_conformance.process import execute
from awq_conformance.run import Certification, Request, certify

LOADER = str(Path(sys.executable).parent / "awq-loader")
ADAPTER = str(Path(__file__).resolve().parents[2] / "conformance" / "adapters" / "python_reader.py")
JOBS = 2


def timed(command: tuple[str, ...]) -> tuple[float, Certification]:
    """Return the seconds of a whole run, in both modes, and what came of it."""
    start = time.perf_counter()
    run = certify(Request(command, load(default_root()), "core", jobs=JOBS), lambda _: None)
    return time.perf_counter() - start, run


def floor(program: tuple[str, ...], count: int) -> float:
    """Return the seconds it takes to run ``program`` so often, as the suite runs an adapter."""
    with tempfile.TemporaryDirectory() as name, ThreadPoolExecutor(JOBS) as pool:
        cancel = threading.Event()
        start = time.perf_counter()
        for future in [pool.submit(execute, program, cwd=Path(name), timeout=60, cancel=cancel) for _ in range(count)]:
            future.result()
        return time.perf_counter() - start


def tell(name: str, command: tuple[str, ...], nothing: tuple[str, ...]) -> None:
    """Print what one loader's run costs."""
    seconds, run = timed(command)
    if not run.certifies:
        raise SystemExit(f"{name} is not conformant: {run.inconclusive or run.failures[0].finding}")
    calls = sum(not call.startswith("serve") for result in run.results.values() for call in result.calls)
    least = floor(nothing, calls)
    print(
        f"{name}: {len(run.results)} cases in both modes in {seconds:.1f} s, "
        f"{seconds / least:.2f} of starting {calls} processes that do nothing ({least:.1f} s)"
    )


def main() -> None:
    """Print what the runs cost, and what making the corpus costs against copying it."""
    tell("C++", (LOADER,), (shutil.which("true") or "true",))
    if sys.argv[1:] == ["python"]:
        tell("Python", (sys.executable, ADAPTER), (sys.executable, "-c", "import awqformat"))
    with tempfile.TemporaryDirectory() as name:
        start = time.perf_counter()
        install(generate(), Path(name) / "made", write=True)
        made = time.perf_counter() - start
        start = time.perf_counter()
        subprocess.run(["cp", "-r", str(Path(name) / "made"), str(Path(name) / "copied")], check=True)
        copied = time.perf_counter() - start
    print(f"making the corpus: {made:.1f} s, {made / copied:.0f} times as long as copying it")


if __name__ == "__main__":
    main()
