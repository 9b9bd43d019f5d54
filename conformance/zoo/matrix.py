"""The kill matrix: every wrong loader against every case, what caught it and how it was explained.

python conformance/zoo/matrix.py            certify all wrong loaders, write conformance/KILLS.md and kills.json
python conformance/zoo/matrix.py --check    the same, but write nothing; exit 1 where a gate or a file is not met
python conformance/zoo/matrix.py NAME..     print what becomes of some of them
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Final

sys.path[0] = str(Path(__file__).resolve().parents[1])  # where the package `zoo` is

from awq_conformance.fresh import make_large
from zoo import build, every, published
from zoo.build import BuildError
from zoo.edit import StaleEditError
from zoo.kills import Matrix
from zoo.mutant import MUTANTS
from zoo.trials import case_ids, outcomes, whole_corpus

JSON: Final = Path(__file__).resolve().parents[1] / "kills.json"
MARKDOWN: Final = JSON.with_name("KILLS.md")
ALL: Final = (*every.RIGHT, build.UNEDITED, *MUTANTS)


def main() -> int:
    """Return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("-j", "--jobs", type=int, default=2)
    parser.add_argument("names", nargs="*", metavar="NAME")
    options = parser.parse_args()
    unknown = sorted({*options.names} - {*ALL})
    if unknown:
        parser.error(f"there is no loader {', '.join(unknown)}")
    try:
        with tempfile.TemporaryDirectory(prefix="awqc-zoo-") as folder:
            large = make_large(Path(folder))
            if not options.names:
                return compute(large, options.jobs, check=options.check)
            for outcome in outcomes(options.names, large, options.jobs):
                told = outcome.inconclusive or outcome.sentence
                print(f"{outcome.name}: {outcome.exit.name}, {len(outcome.kills)} kills. {told}".rstrip())
            return 0
    except (BuildError, StaleEditError) as error:
        print(f"matrix.py: {error}", file=sys.stderr)
        return 1


def compute(large: Path, jobs: int, *, check: bool) -> int:
    """Compute the whole matrix, write it, or compare it with what is written; return the exit status."""
    found = tuple(outcomes(ALL, large, jobs))
    matrix = Matrix(found, case_ids(whole_corpus(large)))
    problems = matrix.problems()
    for path, text in {JSON: published.as_json(matrix), MARKDOWN: published.as_markdown(matrix)}.items():
        if not check:
            path.write_text(text, "utf-8")
        elif path.read_text("utf-8") != text:
            problems.append(f"{path.name} is stale: make kills")
    print(*published.summary(matrix), *problems, sep="\n")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
