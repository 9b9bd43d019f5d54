"""TAP version 14, the Test Anything Protocol."""

from __future__ import annotations

from typing import TYPE_CHECKING

from awq_conformance.report.words import decides, failed, finding_of, place_of, printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from awq_conformance.report.record import Record


def tap(record: Record) -> str:
    """Return a test point for each case; what does not decide is a TODO."""
    return "\n".join(_lines(record)) + "\n"


def _lines(record: Record) -> Iterator[str]:
    yield "TAP version 14"
    yield f"1..{len(record['results'])}"
    for diagnosis in record["diagnoses"]:
        yield f"# {_plain(diagnosis['sentence'])}"
    for number, result in enumerate(record["results"], 1):
        bad, finding = failed(result), finding_of(result)
        point = f"{'not ok' if bad else 'ok'} {number} - {_plain(result['id'])}"
        if bad and not decides(result, record):
            point += " # TODO does not decide"
        elif finding["verdict"] == "SKIPPED":
            point += f" # SKIP {_plain(finding['detail'])}"
        yield point
        if bad:
            yield "  ---"
            yield f"  verdict: {result['verdict']}"
            yield f"  at: {_quoted(place_of(finding))}"
            yield f"  message: {_quoted(finding['detail'])}"
            yield "  ..."
    if record["inconclusive"]:
        yield f"Bail out! {_plain(record['inconclusive'])}"


def _plain(text: str) -> str:
    """Return text on one line in which no directive begins."""
    return " ".join(printable(text).replace("\\", "\\\\").replace("#", "\\#").split())


def _quoted(text: str) -> str:
    """Return a YAML scalar on one line."""
    return "'" + " ".join(printable(text).split()).replace("'", "''") + "'"
