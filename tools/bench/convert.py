"""What converting a large checkpoint costs, in time and memory, against copying the same bytes in the same run.

python tools/bench/convert.py [GB] [--folder FOLDER] [--workers N]     default 8 GB, in a temporary folder

Makes a synthetic checkpoint of AWQ's gemm layout in shards of half the size, converts it to one .awq file and back,
each by the command in a process of its own, and compares the tensors that came back with the first ones, byte for
byte; then converts it to GPTQ words, which is a layer in either layout at a time. A layer is counted as the bytes of
its tensors in the checkpoint: codes, zero points and scales. The commands read without mapping files, so that their
peak resident size is memory of their own; the command doing nothing is measured too and taken off. Everything made is
removed again. Needs about four times GB of disk.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from awqformat.checkpoints.directory import Directory
from awqformat.checkpoints.shards import ShardWriter, Spec, plan_shards, write_text

K, N, G = 4096, 11008, 128
LAYER = {"qweight": ("I32", (K, N // 8)), "qzeros": ("I32", (K // G, N // 8)), "scales": ("F16", (K // G, N))}
LAYER_SIZE = K * N // 2 + K // G * N // 2 + K // G * N * 2
BLOCK = 1 << 24


def make(folder: Path, size: int) -> None:
    """Write a checkpoint of about ``size`` bytes: layers, and a norm after every one of them."""
    layers = [f"model.layers.{i}.mlp.up_proj" for i in range(max(1, round(size / LAYER_SIZE)))]
    items: list[list[Spec]] = []
    for layer in layers:
        items.append([Spec(f"{layer}.{role}", dtype, shape) for role, (dtype, shape) in LAYER.items()])
        items.append([Spec(layer.replace("mlp.up_proj", "input_layernorm.weight"), "BF16", (K,))])
    folder.mkdir()
    shards, index = plan_shards(items, max(LAYER_SIZE * len(layers) // 2 + LAYER_SIZE, 1))
    random = np.random.default_rng(0)
    codes = random.integers(0, 2**32, K * N // 8 + len(layers), np.uint32)  # each layer starts at another place
    with ShardWriter(folder, shards, index) as writer:
        for i, (parts, norm) in enumerate(zip(items[::2], items[1::2], strict=True)):
            scales = random.uniform(2**-9, 2**-6, parts[2].shape).astype(np.float16)
            writer.write(parts[0].name, codes[i : i + K * N // 8].tobytes())
            writer.write(parts[1].name, codes[i : i + K // G * N // 8].tobytes())
            writer.write(parts[2].name, scales.tobytes())
            writer.write(norm[0].name, codes[i : i + K // 2].tobytes())
        writer.finish()
    config = {"quant_method": "awq", "bits": 4, "group_size": G, "zero_point": True, "version": "gemm"}
    write_text(folder / "config.json", json.dumps({"model_type": "llama", "quantization_config": config}))


def copy(source: Path, target: Path) -> float:
    """Copy the files of a folder to the disk and return the seconds that took."""
    start = time.perf_counter()
    target.mkdir()
    for path in source.iterdir():
        with path.open("rb") as reading, (target / path.name).open("xb") as writing:
            shutil.copyfileobj(reading, writing, BLOCK)
            writing.flush()
            os.fsync(writing.fileno())
    return time.perf_counter() - start


def run(*arguments: str | Path) -> tuple[float, float, int]:
    """Run the command and return seconds, those of processors, and the peak of its resident size in bytes."""
    start = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-m", "awqformat", *map(str, arguments)], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"awqformat {' '.join(map(str, arguments))}: exit status {process.returncode}")
    unit = 1 if sys.platform == "darwin" else 1024
    return time.perf_counter() - start, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * unit


def differences(first: Path, second: Path) -> Iterator[str]:
    """Yield the names of tensors that are not the same in both directories."""
    with Directory(first) as one, Directory(second) as other:
        for name in sorted(one.tensors.keys() | other.tensors.keys()):
            a, b = one.tensors.get(name), other.tensors.get(name)
            if a is None or b is None or (a.dtype, a.shape) != (b.dtype, b.shape) or a.bytes() != b.bytes():
                yield name


@contextmanager
def workplace(parent: Path | None) -> Iterator[Path]:
    """Make a folder that is removed at the end."""
    with tempfile.TemporaryDirectory(prefix="awqformat-bench-", dir=parent) as name:
        yield Path(name)


def main() -> None:
    """Print times, ratios and peaks."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("gb", type=float, nargs="?", default=8.0)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    workers = ["--workers", str(options.workers)]
    *_, idle = run("--version")
    with workplace(options.folder) as folder:
        make(folder / "source", int(options.gb * 1e9))
        size = sum(path.stat().st_size for path in (folder / "source").iterdir())
        files = len(list((folder / "source").glob("*.safetensors")))
        print(f"{size / 1e9:.2f} GB in {files} shards, layers of {LAYER_SIZE / 1e6:.1f} MB, {options.workers} workers")
        copied = copy(folder / "source", folder / "copy")
        shutil.rmtree(folder / "copy")
        print(f"copy               {copied:7.1f} s  {size / copied / 1e9:5.2f} GB/s")
        commands: dict[str, list[str | Path]] = {
            "to .awq": ["convert", folder / "source", folder / "model.awq", *workers],
            "back to gemm": ["convert", folder / "model.awq", folder / "back", "--to", "gemm", *workers],
            "gemm to gptq": ["convert", folder / "source", folder / "gptq", "--to", "gptq", *workers],
        }
        for label, arguments in commands.items():
            seconds, busy, peak = run(*arguments)
            held = (peak - idle) / (LAYER_SIZE * options.workers)
            print(
                f"{label:18} {seconds:7.1f} s  {size / seconds / 1e9:5.2f} GB/s  {seconds / copied:5.2f} x copy"
                f"  {busy:6.1f} s of CPU  peak {peak / 1e6:.0f} MB,"
                f" {idle / 1e6:.0f} MB of them idle: {held:.2f} layers per worker"
            )
        different = list(differences(folder / "source", folder / "back"))
        print(f"{len(different)} tensors differ" if different else "every tensor came back bit for bit")
    if different:
        sys.exit(1)


if __name__ == "__main__":
    main()
