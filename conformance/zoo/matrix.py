"""The kill matrix: every wrong loader against every case, what caught it and how it was explained.

python conformance/zoo/matrix.py            certify all wrong loaders, write conformance/KILLS.md and kills.json
python conformance/zoo/matrix.py --check    the same, but write nothing; exit 1 where a gate or a file is not met
python conformance/zoo/matrix.py NAME..     print what becomes of some of them
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from pathlib import Path
from typing import Final

sys.path[0] = str(Path(__file__).resolve().parents[1])  # where the package `zoo` is

from rich.progress import track

from awq_conformance.cases import Corpus, default_root, load
from awq_conformance.fresh import make_large
from awq_conformance.protocol import SERVE
from awq_conformance.run import Request, certify
from zoo import every, published
from zoo.kills import Matrix, Outcome
from zoo.mutant import MUTANTS

ADAPTER: Final = Path(__file__).with_name("adapter.py")
JSON: Final = Path(__file__).resolve().parents[1] / "kills.json"
MARKDOWN: Final = JSON.with_name("KILLS.md")
SEED: Final = 20240101  # the fresh file is the same in every run, so that the matrix is


def certified(name: str, command: tuple[str, ...], corpus: Corpus, modes: tuple[str, ...] = (SERVE,)) -> Outcome:
    """Run the whole corpus against one loader."""
    run = certify(Request(command, corpus, "core", jobs=1, seed=SEED, modes=modes), lambda _: None)
    kills = tuple(sorted(result.case.id for result in run.failures))
    names = tuple(dict.fromkeys(diagnosis.name for diagnosis in run.diagnoses))
    sentence = run.diagnoses[0].sentence if run.diagnoses else ""
    return Outcome(name, run.exit, run.inconclusive, kills, names, sentence)


@cache
def whole_corpus() -> Corpus:
    """Return the corpus with the cases that are made for a run; made once in each process."""
    folder = Path(tempfile.mkdtemp(prefix="awqc-zoo-"))
    return load(default_root()).completed(make_large(folder))


def one(name: str) -> Outcome:
    """Certify one loader of the zoo."""
    return certified(name, (sys.executable, str(ADAPTER), name), whole_corpus())


def outcomes(names: Iterable[str], jobs: int) -> list[Outcome]:
    """Certify several, in processes of their own."""
    names = list(names)
    with ProcessPoolExecutor(jobs) as pool:
        return list(track(pool.map(one, names), total=len(names), disable=not sys.stderr.isatty()))


def main() -> int:
    """Return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("-j", "--jobs", type=int, default=2)
    parser.add_argument("names", nargs="*", metavar="NAME")
    options = parser.parse_args()
    found = outcomes(options.names or [*every.RIGHT, *MUTANTS], options.jobs)
    if options.names:
        for outcome in found:
            print(f"{outcome.name}: {outcome.exit.name}, {len(outcome.kills)} kills. {outcome.sentence}")
        return 0
    matrix = Matrix(tuple(found), tuple(sorted(whole_corpus().cases)))
    files = {JSON: published.as_json(matrix), MARKDOWN: published.as_markdown(matrix)}
    problems = matrix.problems()
    for path, text in files.items():
        if not options.check:
            path.write_text(text, "utf-8")
        elif path.read_text("utf-8") != text:
            problems.append(f"{path.name} is stale: python conformance/zoo/matrix.py")
    print(*published.summary(matrix), *problems, sep="\n")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
