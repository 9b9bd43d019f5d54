"""A summary in Markdown, for the page of a CI job."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from awq_conformance.report.words import again, causes, failed, finding_of, headline, place_of, printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from awq_conformance.report.record import Record

_SHOWN: Final = 20
_SIGN: Final = {"CONFORMANT": "✅", "NOT_CONFORMANT": "❌", "INCONCLUSIVE": "❔"}
# What Markdown, or the HTML in it, could take for markup, mentions, mathematics or the beginning of a link.
_SPECIAL: Final = re.compile(r"[\\`*_\[\]<>#|~@&$]|:(?=//)|(?<=www)\.", re.IGNORECASE)


def markdown(record: Record) -> str:
    """Return verdict, explanations, counts, the first failures, and what it all stands on."""
    return "\n".join(_lines(record)) + "\n"


def escaped(text: str) -> str:
    """Return text on one line that Markdown takes for nothing else."""
    return _SPECIAL.sub(lambda match: f"&#{ord(match[0])};", " ".join(printable(text).split()))


def _lines(record: Record) -> Iterator[str]:
    yield f"## {_SIGN[record['verdict']]} {escaped(headline(record))}"
    yield ""
    if record["incomplete"]:
        yield f"Incomplete: {escaped(record['incomplete'])}."
        yield ""
    for diagnosis in record["diagnoses"]:
        measured = "".join(f"<br>{escaped(line)}" for line in diagnosis["measured"].splitlines())
        yield f"- **{escaped(diagnosis['sentence'])}** ({escaped(diagnosis['name'])}){measured}"
    if record["diagnoses"]:
        yield ""
    if record["results"]:
        yield "| level | passed | failed | skipped |"
        yield "|---|---:|---:|---:|"
        for level, count in record["counts"].items():
            if any(count.values()):
                yield f"| {level} | {count['passed']} | {count['failed']} | {count['skipped']} |"
        yield ""
    if record["codes"]["given"]:
        yield f"Error codes: {record['codes']['matched']} of {record['codes']['given']} match."
        yield ""
    yield from _failures(record)
    yield f"{record['suite']} {record['version']}, corpus {record['corpus_sha256'][:16]}, seed {record['seed']}"


def _failures(record: Record) -> Iterator[str]:
    shown = causes(record)
    if shown:
        yield "| verdict | case | requirement | finding |"
        yield "|---|---|---|---|"
        for result in shown[:_SHOWN]:
            finding = finding_of(result)
            told = f"{place_of(finding)}: {finding['detail']}"
            yield f"| {result['verdict']} | {escaped(result['id'])} | {_first(result['req'])} | {escaped(told)} |"
        yield ""
    if len(shown) > _SHOWN:
        yield f"... and {len(shown) - _SHOWN} more."
        yield ""
    follow = sum(map(failed, record["results"])) - len(shown)
    if follow:
        yield f"Rejections that prove nothing, since the valid twin was not read rightly either: {follow}."
        yield ""
    if shown:
        yield f"The first again: <code>{escaped(again(shown[0], record))}</code>"
        yield ""


def _first(requirements: list[str]) -> str:
    return requirements[0] + (f" +{len(requirements) - 1}" if len(requirements) > 1 else "") if requirements else ""
