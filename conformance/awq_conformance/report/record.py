"""A run as JSON values: everything that any report says (schema: report.schema.json)."""

from __future__ import annotations

import os
import platform
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from awq_conformance.cases import LEVELS
from awq_conformance.report.results import result_record
from awq_conformance.report.sentences import default_folder, sentences
from awq_conformance.report.words import printable
from awq_conformance.verdict import MEANING, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable

    from awq_conformance.run import Certification

SCHEMA: Final = "awqc-report/2"
Record = dict[str, Any]

HEAD: Final = (
    "schema", "suite", "version", "corpus_sha256", "profile", "asked_grade", "grade", "dtype", "modes", "adapter",
    "counts", "codes", "seed", "holdout", "host",
)  # fmt: skip
"""What a report and a certificate have in common."""

_COLUMN: Final = {"PASS": "passed", "SKIPPED": "skipped"}


def record_of(run: Certification) -> Record:
    """Return the whole report."""
    request, footing, corpus = run.request, run.footing, run.request.corpus
    results = [
        result_record(result, run.annotated.get(name, ()), run.reproductions.get(name))
        for name, result in run.results.items()
    ]
    matched, given = codes(run)
    flags = {flag for result in results for flag in result["flags"]}
    table = tabulated(results)
    known = sentences(default_folder())
    return {
        "schema": SCHEMA,
        "suite": corpus.suite,
        "version": corpus.version,
        "corpus_sha256": corpus.sha256,
        "profile": request.profile,
        "exit": int(run.exit),
        "verdict": run.exit.name,
        "inconclusive": printable(run.inconclusive),
        "incomplete": printable(run.incomplete),
        "asked_grade": str(request.grade),
        "grade": str(run.grade),
        "diagnoses": [
            {
                "name": diagnosis.name,
                "sentence": printable(diagnosis.sentence),
                "measured": printable(diagnosis.measured),
                "cases": list(diagnosis.cases),
            }
            for diagnosis in run.diagnoses
        ],
        "counts": counted(results),
        "codes": {"matched": matched, "given": given},
        "dtype": footing.terms.dtype if footing else None,
        "modes": list(run.modes),
        "adapter": {
            "argv": list(run.argv or request.command),
            "sha256": run.digests,
            "hello": footing.terms.hello.words if footing else None,
        },
        "selection": request.selection.words,
        "known_failures": {case: {"reason": k.reason, "link": k.link} for case, k in request.known.items()},
        "seed": request.seed,
        "holdout": request.holdout,
        "restarts": run.restarts,
        "limits": {mode: limit.timeout for mode, limit in footing.terms.limits.items()} if footing else {},
        "host": {
            "system": platform.system(),
            "release": platform.release(),
            "machine": platform.machine(),
            "cpus": os.cpu_count(),
            "python": platform.python_version(),
        },
        "output": printable(run.tail.decode("utf-8", "replace")),
        "requirements": table,
        "sentences": {name: known[name] for name in table if name in known},
        "flags": {
            name: {"bug_type": flag.bug_type, "effect": flag.effect, "description": flag.description}
            for name, flag in corpus.flags.items()
            if name in flags
        },
        "meanings": {v.value: MEANING[v] for v in Verdict if any(result["verdict"] == v.value for result in results)},
        "results": results,
    }


def counts(run: Certification) -> dict[str, dict[str, int]]:
    """Return per level how many cases passed, were skipped and failed."""
    return counted({"level": r.case.level, "verdict": r.verdict.value} for r in run.results.values())


def counted(results: Iterable[Record]) -> dict[str, dict[str, int]]:
    """Return per level how many results passed, were skipped and failed."""
    table = {level: {"passed": 0, "skipped": 0, "failed": 0} for level in LEVELS}
    for result in results:
        table[result["level"]][_COLUMN.get(result["verdict"], "failed")] += 1
    return table


def tabulated(results: Iterable[Record]) -> dict[str, dict[str, list[str]]]:
    """Return for each requirement which of its cases passed, were skipped and failed."""
    table: dict[str, dict[str, list[str]]] = {}
    for result in results:
        for requirement in result["req"]:
            row = table.setdefault(requirement, {"passed": [], "skipped": [], "failed": []})
            row[_COLUMN.get(result["verdict"], "failed")].append(result["id"])
    return dict(sorted(table.items()))


def codes(run: Certification) -> tuple[int, int]:
    """Return how many right rejections came with the right error code, and how many with any."""
    told = Counter(result.code_matches for result in run.results.values())
    return told[True], told[True] + told[False]
