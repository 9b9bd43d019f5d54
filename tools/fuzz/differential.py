"""Feed mutants to the Python reader and to the C++ reader, and tell where they differ.

python tools/fuzz/differential.py [--runs N] [--seconds S] [--seed X] [--save DIR] [--core PATH] [FILE..]

Fails when one reader accepts what the other rejects, when both accept and read different values, when a reader does
anything but accept or report a code of the spec, or when writing what was read gives other bytes. Where both reject,
a difference of codes is a failure too: the order of checks is normative (AWQ-CON-004).
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))  # run as a script, a file of this folder sees its neighbours only

from awq_conformance.cases import load  # noqa: E402
from awqformat.container.source import Mode  # noqa: E402
from awqformat.errors import CODES  # noqa: E402
from tools.fuzz.mutate import mutate  # noqa: E402
from tools.fuzz.outcome import ACCEPT, Library, Loader, Reader, python_reader  # noqa: E402


def seeds() -> list[bytes]:
    """Return the valid files of the corpus."""
    cases = load(ROOT / "fixtures").cases.values()
    return [case.input.read_bytes() for case in cases if case.outcome == ACCEPT and not (case.made or case.folder)]


def mutant(files: Sequence[bytes], seed: str, number: int) -> tuple[bytes, Mode]:
    """Return one mutant, and how it is to be read; the same for the same arguments."""
    random = Random(f"{seed}/{number}")  # noqa: S311  # reproducible, not secret
    return mutate(random.choice(files), random), random.choice(("mmap", "pread"))


@dataclass
class Tally:
    """How often each pair of verdicts, Python's and C++'s, was seen; ``findings`` is one line for each failure."""

    pairs: Counter[tuple[str, str]] = field(default_factory=Counter)
    findings: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def runs(self) -> int:
        """Number of mutants that were read."""
        return self.pairs.total()

    @property
    def accepted(self) -> int:
        """Number of mutants that both accept."""
        return self.pairs[ACCEPT, ACCEPT]

    def codes(self) -> Counter[str]:
        """Return how often both readers reported each code."""
        return Counter({a: count for (a, b), count in self.pairs.items() if a == b != ACCEPT})

    def report(self) -> str:
        """Return the figures as text."""
        codes, runs = self.codes(), max(self.runs, 1)
        rejected = sum(count for (a, b), count in self.pairs.items() if ACCEPT not in (a, b))
        lines = [
            f"{self.runs} mutants in {self.seconds:.1f} s, {self.runs / max(self.seconds, 1e-9):.0f} a second",
            f"accepted by both: {100 * self.accepted / runs:.1f} %",
            f"rejected by both with the same code: {codes.total()} of {rejected}",
            *(f"  {code:<14}{count}" for code, count in codes.most_common()),
        ]
        differing = [(count, pair) for pair, count in self.pairs.items() if pair[0] != pair[1]]
        lines += [f"DIFFER: Python {a}, C++ {b}: {count}" for count, (a, b) in sorted(differing, reverse=True)]
        return "\n".join(lines)


def fault(python: str, core: str) -> str | None:
    """Return what is wrong with a pair of verdicts, if anything."""
    allowed = {ACCEPT, *CODES}
    if python in allowed and core in allowed and python == core:
        return None
    return f"Python: {python}; C++: {core}"


def compare(
    files: Sequence[bytes], core: Reader, seed: str, runs: int, seconds: float = float("inf"), save: Path | None = None
) -> Tally:
    """Read mutants 0 .. runs - 1 of ``seed`` with both readers, for ``seconds`` at most.

    The first mutant of each kind of failure is kept in ``save``.
    """
    tally, start, seen = Tally(), time.monotonic(), set()
    memory = Path("/dev/shm")  # noqa: S108  # spares the disk; a folder of our own is made in it
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        path = Path(folder, "mutant.awq")
        for number in range(runs):
            tally.seconds = time.monotonic() - start
            if tally.seconds > seconds:
                break
            data, mode = mutant(files, seed, number)
            path.write_bytes(data)
            a, b = python_reader(path, mode), core(path, mode)
            tally.pairs[a.verdict, b.verdict] += 1
            wrong = fault(a.verdict, b.verdict)
            if wrong is None and a.values is not None and b.values not in (None, a.values):
                wrong = "accepted by both with different values"
            if wrong is not None and wrong not in seen:
                seen.add(wrong)
                tally.findings.append(f"seed {seed} mutant {number} ({mode}): {wrong}")
                if save is not None:
                    save.mkdir(parents=True, exist_ok=True)
                    kept = save / f"{seed}-{number}.awq"
                    kept.write_bytes(data)
                    tally.findings[-1] += f"; saved as {kept}"
                print(tally.findings[-1], flush=True)
    return tally


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--runs", type=int, help="mutants to read (default: 10000, or no limit with --seconds)")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="stop after so long")
    parser.add_argument("--seed", default="1", help="any text; the same mutants for the same text and files")
    parser.add_argument("--save", type=Path, default=ROOT / ".build" / "fuzz", help="folder for mutants that fail")
    parser.add_argument("--core", help="libawq as a shared library: faster than awq-loader, and compares values")
    parser.add_argument("files", nargs="*", type=Path, metavar="FILE", help="files to mutate (default: the corpus)")
    chosen = parser.parse_args(arguments)
    loader = shutil.which("awq-loader", path=str(Path(sys.executable).parent)) or shutil.which("awq-loader")
    if chosen.core is None and loader is None:
        parser.error("awq-loader is not on PATH: run make setup, or name the library with --core")
    core: Reader = Library(chosen.core) if chosen.core else Loader(str(loader))
    files = [path.read_bytes() for path in chosen.files] or seeds()
    runs = chosen.runs or (10_000 if chosen.seconds == float("inf") else sys.maxsize)
    tally = compare(files, core, chosen.seed, runs, chosen.seconds, chosen.save)
    print(tally.report())
    return 1 if tally.findings else 0


if __name__ == "__main__":
    sys.exit(main())
