"""The badge of a loader: a picture, and an endpoint for shields.io."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Final

from awq_conformance.report.certificate import obstacles
from awq_conformance.report.words import known_of

if TYPE_CHECKING:
    from awq_conformance.report.record import Record

_HEX: Final = {"brightgreen": "#2c7a1c", "yellow": "#8a6100", "red": "#b3261e", "lightgrey": "#5f6368"}


def shield(record: Record) -> Record:
    """Return what shields.io takes as an endpoint; green is only what earns a certificate."""
    message, colour = _message(record)
    return {"schemaVersion": 1, "label": f"awq {record['profile']}", "message": message, "color": colour}


def _message(record: Record) -> tuple[str, str]:
    if record["verdict"] == "INCONCLUSIVE":
        return "inconclusive", "lightgrey"
    if record["verdict"] != "CONFORMANT":
        return "not conformant", "red"
    if record["known_failures"]:
        return known_of(record), "yellow"
    if obstacles(record):
        return "not certified", "yellow"
    return "conformant" if record["grade"] == "exact" else f"conformant ({record['grade']})", "brightgreen"


def badge(record: Record) -> str:
    """Return the badge as SVG; the width of text is estimated, there being no font to measure."""
    words = shield(record)
    left, right = (7 * len(text) + 12 for text in (words["label"], words["message"]))
    label, message = escape(words["label"]), escape(words["message"])
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + right}" height="20" role="img"'
        f' aria-label="{label}: {message}">'
        f"<title>{label}: {message}</title>"
        f'<clipPath id="round"><rect width="{left + right}" height="20" rx="3"/></clipPath>'
        '<g clip-path="url(#round)">'
        f'<rect width="{left}" height="20" fill="#3c4043"/>'
        f'<rect x="{left}" width="{right}" height="20" fill="{_HEX[words["color"]]}"/></g>'
        '<g fill="#fff" text-anchor="middle" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11">'
        f'<text x="{left / 2:g}" y="14" textLength="{left - 12}">{label}</text>'
        f'<text x="{left + right / 2:g}" y="14" textLength="{right - 12}">{message}</text></g></svg>\n'
    )
