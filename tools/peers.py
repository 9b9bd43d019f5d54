"""Certify other projects' loaders with the suite, and publish what came of it: conformance/PEERS.md and peers.json.

python tools/peers.py                  certify every peer on every profile it claims (make certify-peers)
python tools/peers.py --peer autoawq   only some of them; prints, and publishes nothing
python tools/peers.py --from-reports   publish again what the last runs have reported
"""

from __future__ import annotations

import argparse
import json
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[1]
PYTHON: Final = ROOT / ".build" / "peers" / "bin" / "python"
ADAPTERS: Final = ROOT / "conformance" / "adapters" / "peers"
REPORTS: Final = ROOT / ".build" / "certify-peers"
JSON: Final = ROOT / "conformance" / "peers.json"
MARKDOWN: Final = JSON.with_name("PEERS.md")

SEED: Final = 20240101  # the fresh file is the same in every run, so that the matrix is
TIMEOUT: Final = 60.0  # for the first call, which imports torch, and by which the others are measured
_USAGE: Final = 2  # the runner's exit status
_GOOD: Final = frozenset({"PASS", "SKIPPED"})

Row = dict[str, Any]


@dataclass(frozen=True)
class Loader:
    """A peer behind its adapter.

    Attributes:
        name: in the matrix.
        words: the adapter and its options.
        profiles: what it is certified for.
        flags: options of Python.
        grade: what is asked; bounded where the peer computes the expanded form.
    """

    name: str
    words: str
    profiles: tuple[str, ...]
    flags: str = ""
    grade: str = "exact"

    @property
    def command(self) -> tuple[str, ...]:
        """Return the command that the runner is given."""
        adapter, *options = self.words.split()
        return (str(PYTHON), "-W", "ignore", *self.flags.split(), str(ADAPTERS / adapter), *options)


LOADERS: Final = (
    Loader("autoawq", "autoawq.py", ("hf-gemm", "hf-gemv")),
    Loader("autoawq-packer", "autoawq.py --fast", ("hf-gemv-fast",), grade="bounded"),
    Loader("compressed-tensors", "compressed_tensors_packed.py", ("hf-gemm", "ct-pack")),
    Loader("gptqmodel-files", "gptqmodel_files.py", ("hf-gemm", "gptq")),
    Loader("gptqmodel-layers", "gptqmodel_layers.py", ("hf-gemm", "gptq")),
    Loader("mlx-lm", "mlx_affine.py", ("hf-gemm",), grade="bounded"),
    Loader("onnxruntime", "onnxruntime_matmul.py", ("hf-gemv",)),
    Loader("openvino", "openvino_graph.py", ("hf-gemm",)),
    Loader("optimum-quanto", "quanto.py", ("hf-gemm", "hf-gemv")),
    Loader("optimum-quanto-v2", "quanto.py --fast", ("hf-gemv-fast",), flags="-O", grade="bounded"),
    Loader("transformers", "transformers_model.py", ("hf-gemm", "gptq", "ct-pack")),
)


def certify(loader: Loader, profile: str, mode: str, jobs: int) -> None:
    """Run the suite once; what it says is in its report. SystemExit where it cannot be run."""
    folder = REPORTS / profile / loader.name
    folder.parent.mkdir(parents=True, exist_ok=True)
    words = [sys.executable, "-m", "awq_conformance", "run", "--profile", profile, "--grade", loader.grade]
    words += ["--mode", mode, "--seed", str(SEED), "--jobs", str(jobs), "--report", str(folder)]
    words += ["--timeout", str(TIMEOUT)]
    done = subprocess.run([*words, "--", *loader.command], stdout=subprocess.DEVNULL, check=False)
    if done.returncode == _USAGE:
        raise SystemExit(f"peers: cannot run {shlex.join(loader.command)} on {profile}")


def greeting(loader: Loader) -> dict[str, str]:
    """Return the words of a loader's hello."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([*loader.command, "hello", "-", folder], check=True, stdout=subprocess.DEVNULL)
        return dict(word.split("=", 1) for word in (Path(folder) / "hello.txt").read_text("utf-8").split())


def reported(loader: Loader, profile: str) -> dict[str, Any]:
    """Return the report of the last run."""
    report: dict[str, Any] = json.loads((REPORTS / profile / loader.name / "report.json").read_text("utf-8"))
    return report


def row_of(loader: Loader, report: Mapping[str, Any]) -> Row:
    """Return the row of the matrix that a report stands for."""
    hello = report["adapter"]["hello"] or greeting(loader)
    results = report["results"]
    return {
        "loader": loader.name,
        "distribution": hello.get("name", ""),
        "version": hello.get("version", ""),
        "profile": report["profile"],
        "verdict": report["verdict"],
        "why": report["inconclusive"],
        "asked_grade": report["asked_grade"],
        "grade": report["grade"],
        "modes": report["modes"],
        "align": hello.get("align", ""),
        "valid": _passed(results, "accept"),
        "malformed": _passed(results, "reject"),
        "explained": [diagnosis["sentence"] for diagnosis in report["diagnoses"]],
        "failures": {
            outcome: {r["id"]: r["verdict"] for r in results if r["outcome"] == outcome and r["verdict"] not in _GOOD}
            for outcome in ("accept", "reject")
        },
    }


def _passed(results: Iterable[Mapping[str, Any]], outcome: str) -> list[int]:
    """Return how many cases of this outcome passed, and how many were judged."""
    verdicts = [r["verdict"] for r in results if r["outcome"] == outcome and r["verdict"] != "SKIPPED"]
    return [verdicts.count("PASS"), len(verdicts)]


HEAD: Final = """\
<!-- Written by tools/peers.py (make certify-peers); do not edit. -->
# Other projects' loaders

What the suite says of loaders of checkpoint directories that other projects publish. Each is called through a small
adapter in [adapters/peers](adapters/peers), whose head says which part of the reading is the project's own and which
is glue. Most of them were written to read good files and check little: *valid* tells how many good ones are read
right, *malformed* how many bad ones are noticed. A refusal counts only where the project's own code says what is
wrong; [peer.py](adapters/peers/peer.py) has the rule. A run is inconclusive where the loader does not read the small
good file that every run begins with. All of this was run on one machine, without a GPU.

The grade bounded is for loaders that compute q*s + c with a rounded c = -(s*z), and allows for one rounding of c and
one of the sum ([conformance](../spec/conformance.md#grades)). A loader that computes in F16 rounds q*s as well, and is
beyond it.
"""


def as_markdown(rows: Iterable[Row], corpus: str) -> str:
    """Return the matrix for people."""
    rows = list(rows)
    modes = " and ".join(dict.fromkeys(mode for row in rows for mode in row["modes"]))
    lines = [HEAD, f"Corpus `{corpus[:16]}`; called {modes or 'not at all'}.", ""]
    lines += ["| loader | package | profile | asked | verdict | reached | valid | malformed | why, where it is known |"]
    lines += ["|---|---|---|---|---|---|---:|---:|---|"]
    for row in rows:
        valid, malformed = ("{}/{}".format(*row[key]) for key in ("valid", "malformed"))
        package = f"{row['distribution']} {row['version']}"
        verdict = row["verdict"].lower().replace("_", " ")
        told = _cell(row["why"] or next(iter(row["explained"]), ""))
        cells = (row["loader"], package, row["profile"], row["asked_grade"], verdict, row["grade"], valid, malformed)
        lines.append(f"| {' | '.join(cells)} | {told} |")
    lines += ["", "## Why", "", "Everything that the suite explains, the best explanation first.", ""]
    for row in rows:
        lines += [f"- **{row['loader']}**, {row['profile']}"] if row["explained"] else []
        lines += [f"  - {sentence}" for sentence in row["explained"]]
    for outcome, title in (("accept", "Good checkpoints not read right"), ("reject", "Bad checkpoints not refused")):
        lines += ["", f"## {title}", ""]
        for row in rows:
            by_verdict: dict[str, list[str]] = {}
            for case, verdict in row["failures"][outcome].items():
                by_verdict.setdefault(verdict, []).append(case.removeprefix(f"{row['profile']}/"))
            if by_verdict:
                told = "; ".join(f"{verdict}: {', '.join(cases)}" for verdict, cases in sorted(by_verdict.items()))
                lines.append(f"- **{row['loader']}**, {row['profile']}. {told}")
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def main() -> int:
    """Return the exit status: 0 when every run was made, whatever it found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer", action="append", metavar="NAME", choices=[loader.name for loader in LOADERS])
    parser.add_argument("--profile", action="append", metavar="NAME")
    parser.add_argument("--mode", choices=("both", "serve", "one-shot"), default="both")
    parser.add_argument("--from-reports", action="store_true")
    parser.add_argument("-j", "--jobs", type=int, default=2)
    options = parser.parse_args()
    if not PYTHON.exists() and not options.from_reports:
        parser.error("the peers are not installed: make peers")
    chosen = [
        (loader, profile)
        for loader in LOADERS
        for profile in loader.profiles
        if loader.name in (options.peer or [loader.name]) and profile in (options.profile or [profile])
    ]
    rows, corpus = [], ""
    for loader, profile in chosen:
        if not options.from_reports:
            certify(loader, profile, options.mode, options.jobs)
        report = reported(loader, profile)
        rows.append(row := row_of(loader, report))
        corpus = report["corpus_sha256"]
        told = row["why"] or "; ".join(row["explained"])
        print(loader.name, profile, row["verdict"], row["grade"], row["valid"], row["malformed"], told, flush=True)
    if options.peer or options.profile:
        return 0
    JSON.write_text(json.dumps({"corpus_sha256": corpus, "rows": rows}, indent=1) + "\n", "utf-8")
    MARKDOWN.write_text(as_markdown(rows, corpus), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
