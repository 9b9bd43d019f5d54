"""Several loaders side by side, from their reports."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from awq_conformance.report.html import render
from awq_conformance.report.summary import escaped
from awq_conformance.report.words import name_of

if TYPE_CHECKING:
    from awq_conformance.report.record import Record

SCHEMA: Final = "awqc-matrix/1"


def matrix_of(records: Mapping[str, Record]) -> Record:
    """Return the comparison of reports by name: a line for each loader, a row for each case, in groups.

    A group is a chapter and a kind of bug. ``differing`` are the cases that not all pass; a loader that was not
    asked has an empty text there.
    """
    verdicts = {name: {_row(r): r["verdict"] for r in record["results"]} for name, record in records.items()}
    groups: dict[str, dict[str, Any]] = {}
    titles: dict[str, str] = {}
    for record in records.values():
        for result in record["results"]:
            case = _row(result)
            if case not in titles:
                titles[case] = result["title"]
                chapter, flag = case.partition("/")[0], next(iter(result["flags"]), "")
                group = groups.setdefault(f"{chapter}: {flag}" if flag else chapter, {"cells": {}, "cases": {}})
                group["cases"][case] = {name: of.get(case, "") for name, of in verdicts.items()}
    for group in groups.values():
        group["cells"] = {name: _sum(row[name] for row in group["cases"].values()) for name in records}
    rows = {case: row for group in groups.values() for case, row in group["cases"].items()}
    return {
        "schema": SCHEMA,
        "loaders": {name: _line(record) for name, record in records.items()},
        "corpora": sorted({record["corpus_sha256"] for record in records.values()}),
        "cases": len(rows),
        "titles": titles,
        "groups": groups,
        "differing": {case: row for case, row in rows.items() if {*row.values()} != {"PASS"}},
    }


def markdown(matrix: Record) -> str:
    """Return the comparison as tables: loaders, groups of cases, cases that not all pass."""
    names = list(matrix["loaders"])
    lines = ["| loader | verdict | grade | MUST | codes | why |", "|---|---|---|---:|---:|---|"]
    for name, line in matrix["loaders"].items():
        must, codes = line["counts"]["MUST"], f"{line['codes']['matched']}/{line['codes']['given']}"
        passed = f"{must['passed']}/{sum(must.values())}"
        why = escaped(line["why"])
        lines.append(f"| {escaped(name)} | {line['verdict']} | {line['grade']} | {passed} | {codes} | {why} |")
    if len(matrix["corpora"]) > 1:
        told = ", ".join(f"`{one[:16]}`" for one in matrix["corpora"])
        lines += ["", f"These reports are of different corpora: {told}"]
    head = " | ".join(map(escaped, names))
    lines += ["", f"| passed | {head} |", "|---|" + "---:|" * len(names)]
    for group, content in matrix["groups"].items():
        cells = (f"{cell['passed']}/{sum(cell.values())}" for cell in content["cells"].values())
        lines.append(f"| {escaped(group)} | {' | '.join(cells)} |")
    if matrix["differing"]:
        lines += ["", f"Cases that not all pass ({len(matrix['differing'])} of {matrix['cases']}):", ""]
        lines += [f"| case | {head} |", "|---|" + "---|" * len(names)]
        for case, row in matrix["differing"].items():
            lines.append(f"| {escaped(case)} | {' | '.join(row[name] or '-' for name in names)} |")
    return "\n".join(lines) + "\n"


def html(matrix: Record) -> str:
    """Return the comparison as one page, what differs first."""
    groups = sorted(matrix["groups"].items(), key=lambda group: not any(map(_open, group[1]["cells"].values())))
    return render("matrix.html.jinja", None, matrix=matrix, groups=dict(groups))


def _row(result: Record) -> str:
    """Return what a case is compared under: the random file of each run is one row."""
    case: str = result["id"]
    return "fresh" if case.startswith("fresh/") else case


def _sum(verdicts: Any) -> dict[str, int]:
    """Count the verdicts of a group."""
    total = {"passed": 0, "skipped": 0, "failed": 0, "missing": 0}
    for verdict in verdicts:
        total[{"PASS": "passed", "SKIPPED": "skipped", "": "missing"}.get(verdict, "failed")] += 1
    return total


def _open(cell: dict[str, int]) -> bool:
    return cell["passed"] < sum(cell.values())


def _line(record: Record) -> dict[str, Any]:
    why = record["inconclusive"] or (record["diagnoses"][0]["sentence"] if record["diagnoses"] else "")
    return {
        "name": name_of(record),
        "verdict": record["verdict"],
        "asked_grade": record["asked_grade"],
        "grade": record["grade"],
        "counts": record["counts"],
        "must": record["counts"]["MUST"],
        "codes": record["codes"],
        "dtype": record["dtype"],
        "modes": record["modes"],
        "why": why,
    }
