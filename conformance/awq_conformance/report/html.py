"""Pages that need nothing else: no network, no other file, and no script to be read."""

from __future__ import annotations

import base64
import hashlib
import shlex
from collections import Counter
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from awq_conformance.report.pictures import bars_of, heat_of
from awq_conformance.report.words import (
    again,
    by_weight,
    causes,
    contrast_of,
    failed,
    finding_of,
    follows,
    headline,
    name_of,
    place_of,
    verdict_of,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from awq_conformance.report.record import Record

_PAGES: Final = Path(__file__).with_name("pages")
_PICTURES: Final = 100  # failures whose pictures are on the page; report.json has the numbers of all
_FINDINGS: Final = 4  # of one case


def html(record: Record) -> str:
    """Return a report as one page."""
    results = record["results"]
    calls = [call for result in results for call in result["calls"].values()]
    return render(
        "report.html.jinja",
        "report.js" if results else None,
        record=record,
        name=name_of(record),
        verdict=verdict_of(record),
        headline=headline(record),
        command=shlex.join(record["adapter"]["argv"]),
        ids={result["id"] for result in results},
        rows=_rows(record),
        failed=sum(map(failed, results)),
        causes=len(causes(record)),
        verdicts=dict(sorted(Counter(result["verdict"] for result in results).items())),
        chapters=_chapters(record),
        seconds=_seconds(calls),
        peak=_peak(calls),
    )


def render(template: str, script: str | None, **context: Any) -> str:
    """Return a page made from ``template``, in which no script runs but the one named, whatever the page says."""
    style = (_PAGES / "style.css").read_text("utf-8")
    code = (_PAGES / script).read_text("utf-8") if script else ""
    policy = (
        f"default-src 'none'; style-src {_hash(style)}; script-src {_hash(code)}; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )
    # Both are files of this package, and stand in the page as they are: the policy knows them by their digests.
    parts = {"style": Markup(style), "script": Markup(code)}  # noqa: S704
    return _environment().get_template(template).render(**parts, policy=policy, **context) + "\n"


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_PAGES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(prose=_prose, pairs=_pairs, place=lambda offset: f"{offset} (0x{offset:x})")
    return environment


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _prose(text: str) -> Markup:
    """Return a sentence of the specification with its code set as code."""
    marked = (
        Markup("<code>{}</code>").format(part) if i % 2 else escape(part) for i, part in enumerate(text.split("`"))
    )
    return Markup("").join(marked)


def _pairs(text: str) -> str:
    """Return hexadecimal digits in pairs."""
    digits = "".join(text.split())
    return " ".join(digits[i : i + 2] for i in range(0, len(digits), 2))


def _rows(record: Record) -> list[dict[str, Any]]:
    """Return what the page says of each case, by weight."""
    rows, pictures = [], 0
    for result in by_weight(record):
        bad = [finding for finding in result["findings"] if failed(finding)]
        shown = bad or ([finding_of(result)] if result["verdict"] != "PASS" else [])
        evidence = shown[0]["evidence"] if shown and pictures < _PICTURES else None
        pictures += evidence is not None
        calls = list(result["calls"].values())
        rows.append(
            {
                "result": result,
                "failed": bool(bad),
                "follows": follows(result),
                "look": "bad" if bad else "open" if result["verdict"] == "SKIPPED" else "good",
                "known": record["known_failures"].get(result["id"]),
                "shown": [
                    {"place": place_of(finding), "contrast": contrast_of(finding), "detail": finding["detail"]}
                    for finding in shown[:_FINDINGS]
                ],
                "more": len(shown[_FINDINGS:]),
                "heat": heat_of(evidence) if evidence else None,
                "bars": bars_of(evidence) if evidence else [],
                "again": again(result, record),
                "output": next((call["output"] for call in calls if call["output"]), ""),
                "seconds": _seconds(calls),
                "peak": _peak(calls),
            }
        )
    return rows


def _chapters(record: Record) -> dict[str, list[dict[str, Any]]]:
    """Return a cell for each requirement, by the prefix of its chapter."""
    blamed = {result["id"] for result in causes(record)}
    chapters: dict[str, list[dict[str, Any]]] = {}
    for name, row in record["requirements"].items():
        chapter, _, number = name.rpartition("-")
        wrong = len(blamed.intersection(row["failed"]))
        counts = {
            "passed": len(row["passed"]),
            "failed": wrong,
            "unproven": len(row["failed"]) - wrong,
            "skipped": len(row["skipped"]),
        }
        cell = {
            "id": name,
            "number": number,
            "failed": wrong,
            "look": "bad" if wrong else "open" if row["failed"] or not row["passed"] else "good",
            "told": ", ".join(f"{count} {column}" for column, count in counts.items() if count),
        }
        chapters.setdefault(chapter, []).append(cell)
    return chapters


def _seconds(calls: list[Mapping[str, Any]]) -> str:
    seconds = sum(call["seconds"] for call in calls)
    return f"{1000 * seconds:.1f} ms" if seconds < 0.1 else f"{seconds:.1f} s"


def _peak(calls: list[Mapping[str, Any]]) -> str:
    peak = max((call["peak_rss"] for call in calls), default=0)
    return f"{peak / 2**20:.0f} MiB" if peak else ""
