"""What a record says, in words that every format uses: the headline, the finding that decides, where it is."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING, Final, NamedTuple

from awq_conformance.verdict import Grade, Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from awq_conformance.report.record import Record

MADE_BY: Final = {"fresh": "--seed", "holdout": "--holdout"}
"""The option that makes a random case again, by its recipe, which is also how its id begins."""
_GOOD: Final = (Verdict.PASS.value, Verdict.SKIPPED.value)
_EXPECTED: Final = re.compile(r"(?P<place>.*?)\bexpected (?P<expected>.+?), got (?P<got>.+)", re.DOTALL)


class Contrast(NamedTuple):
    """A finding's detail taken apart: where, what was expected, what came."""

    place: str
    expected: str
    got: str


def failed(result: Record) -> bool:
    """Return whether a result (or a finding) counts against the loader."""
    return result["verdict"] not in _GOOD


def decides(result: Record, record: Record) -> bool:
    """Return whether a failure of this case makes the loader not conformant."""
    return result["level"] == "MUST" and result["id"] not in record["known_failures"]


def finding_of(result: Record) -> Record:
    """Return the finding that decides: the first failure, else the first skip, else a pass."""
    findings: list[Record] = result["findings"]
    bad = [finding for finding in findings if failed(finding)]
    skipped = [finding for finding in findings if finding["verdict"] == Verdict.SKIPPED.value]
    return (bad or skipped or findings)[0]


def by_weight(record: Record) -> list[Record]:
    """Return the results: failures first, causes before consequences, the simplest valid file first among them."""
    return sorted(record["results"], key=_weight)


def _weight(result: Record) -> tuple[bool, bool, bool, int, str]:
    return not failed(result), follows(result), result["outcome"] != "accept", result["input_bytes"], result["id"]


def follows(result: Record) -> bool:
    """Return whether a failure only follows from that of the twin: it proves nothing, and blames nothing."""
    return bool(result["verdict"] == Verdict.TWIN_FAILED.value)


def causes(record: Record) -> list[Record]:
    """Return the failures, by weight, but those that only follow from the failure of a twin."""
    return [r for r in by_weight(record) if failed(r) and not follows(r)]


def name_of(record: Record) -> str:
    """Return what the loader calls itself, with its version, or else the name of its program."""
    hello = record["adapter"]["hello"] or {}
    words = f"{hello.get('name', '')} {hello.get('version', '')}".strip()
    return words or (record["adapter"]["argv"] or ["?"])[0].rpartition("/")[2]


def verdict_of(record: Record) -> str:
    """Return the verdict without the name of the loader."""
    if record["inconclusive"]:
        return f"inconclusive for {record['profile']}: {record['inconclusive']}"
    conformant = record["verdict"] == "CONFORMANT"
    reached, asked = Grade[record["grade"].upper()], Grade[record["asked_grade"].upper()]
    grade = min(reached, asked) if conformant else asked  # what does not decide may be worse than what was asked for
    scope = " on the selected cases" if record["selection"] else ""
    known = f" but for {known_of(record)}" if conformant and record["known_failures"] else ""
    return f"{'' if conformant else 'not '}conformant to {record['profile']}{scope} at grade {grade}{known}"


def known_of(record: Record) -> str:
    """Return how many failures were known before."""
    number = len(record["known_failures"])
    return f"{number} known failure{'s' if number > 1 else ''}"


def headline(record: Record) -> str:
    """Return the loader and the verdict in one line."""
    return f"{name_of(record)}: {verdict_of(record)}"


def place_of(finding: Record) -> str:
    """Return where a finding is: operation, mode, tensor, output."""
    where = f"{finding['op']} ({finding['mode']})"
    if finding["tensor"] is None:
        return where
    tensor = " ".join(filter(None, [str(finding["tensor"]), finding["name"]]))
    return f"{where}, tensor {tensor}" + (f", {finding['what']}" if finding["what"] else "")


def contrast_of(finding: Record) -> Contrast | None:
    """Return what was expected and what came, where the finding says both."""
    match = _EXPECTED.fullmatch(finding["detail"])
    return Contrast(match["place"].strip(" :"), match["expected"], match["got"]) if match else None


def again(result: Record, record: Record) -> str:
    """Return the command that runs one case again."""
    return command_again(result["id"], record["profile"], record["adapter"]["argv"])


def command_again(case: str, profile: str, argv: Sequence[str]) -> str:
    """Return the command that runs one case of a profile again."""
    kind, _, rest = case.partition("/")
    seed = rest.partition("/")[0]
    option = f"{MADE_BY[kind]} {seed}" if kind in MADE_BY else f"--case {shlex.quote(case)}"
    return f"awq-conformance run --profile {profile} {option} -- {shlex.join(argv)}"


def printable(text: str) -> str:
    """Return text that every format can hold: line feeds and tabs stay, no other control character does."""
    return "".join(char if char.isprintable() or char in "\n\t" else "\ufffd" for char in text)
