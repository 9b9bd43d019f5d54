"""The list of known failures: cases that are run and may fail for now, each with a reason and a link."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from awq_conformance.judge import CaseResult


class KnownFailuresError(ValueError):
    """The list is not what it must be; the text is one line."""


@dataclass(frozen=True)
class KnownFailure:
    """Why a case may fail for now, and where that is tracked."""

    reason: str
    link: str


def read(path: Path) -> dict[str, KnownFailure]:
    """Read ``{"CASE": {"reason": "...", "link": "..."}, ..}`` (JSON); raise KnownFailuresError or OSError."""
    try:
        raw = json.loads(path.read_bytes(), object_pairs_hook=_unique)
    except ValueError as error:
        raise KnownFailuresError(f"{path}: {error}") from error
    if not isinstance(raw, dict):
        raise KnownFailuresError(f"{path}: expected an object of case ids")
    for case, entry in raw.items():
        words = entry if isinstance(entry, dict) else {}
        if {*words} != {"reason", "link"} or not all(isinstance(word, str) and word.strip() for word in words.values()):
            raise KnownFailuresError(f"{path}: {case}: expected a reason and a link, both text, and nothing else")
    return {case: KnownFailure(**entry) for case, entry in raw.items()}


def stale(known: Mapping[str, KnownFailure], results: Mapping[str, CaseResult]) -> str:
    """Return what is out of date in the list after a whole run, or an empty string."""
    for case in known:
        if case not in results:
            return f"the list of known failures names {case!r}, which was not run"
        if not results[case].finding.failed:
            return f"{case} is listed as a known failure, but it is {results[case].verdict.value}: take it off the list"
    return ""


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    if len({key for key, _ in pairs}) != len(pairs):
        raise ValueError("a key is given twice")
    return dict(pairs)
