"""What it costs to open and fully validate an index, against safetensors on the same names in the same run.

python tools/bench/open_index.py [TENSORS]     default 50000
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np
import safetensors
from safetensors.numpy import save_file as save_safetensors

import awqformat

ROUNDS = 9
LOADER = Path(sys.executable).parent / "awq-loader"


def milliseconds(action: Callable[[], object]) -> float:
    """Return the median time of an action."""
    times = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        action()
        times.append(time.perf_counter() - start)
    return 1000 * median(times)


def make(folder: Path, tensors: int) -> tuple[Path, Path]:
    """Write the same small tensors in both formats."""
    arrays = {f"model.layers.{i // 100}.mlp.experts.{i % 100}.weight": np.zeros(4, np.float32) for i in range(tensors)}
    ours, theirs = folder / f"{tensors}.awq", folder / f"{tensors}.safetensors"
    awqformat.save_file(dict(arrays), ours)
    save_safetensors(arrays, theirs)
    return ours, theirs


def open_safetensors(path: Path) -> None:
    """Open a file and list its names, which is what makes safetensors parse its header."""
    with safetensors.safe_open(str(path), framework="np") as file:
        file.keys()


def main(tensors: int) -> None:
    """Print times, ratios, and how the time per tensor grows."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        ours, theirs = make(folder, tensors)
        mine = milliseconds(lambda: awqformat.safe_open(ours).close())
        peer = milliseconds(lambda: open_safetensors(theirs))
        print(f"{tensors} tensors: open and validate {mine:.1f} ms; safetensors, not validated, {peer:.1f} ms")
        print(f"ratio to safetensors: {mine / peer:.2f}")
        if LOADER.exists():
            (folder / "out").mkdir()
            command = [str(LOADER), "inspect", str(ours), str(folder / "out")]
            whole = milliseconds(lambda: subprocess.run(command, check=True))
            empty = folder / "empty.awq"
            awqformat.save_file({}, empty)
            command_empty = [str(LOADER), "inspect", str(empty), str(folder / "out")]
            start = milliseconds(lambda: subprocess.run(command_empty, check=True))
            print(f"C++, with every tensor verified, process start taken off: {whole - start:.1f} ms")
        per_tensor = {}
        for count in (20_000, 200_000):
            path, _ = make(folder, count)
            per_tensor[count] = milliseconds(lambda path=path: awqformat.safe_open(path).close()) / count  # type: ignore[misc]
        growth = per_tensor[200_000] / per_tensor[20_000]
        print(f"time per tensor at 200000 against 20000: {growth:.2f}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 50_000)
