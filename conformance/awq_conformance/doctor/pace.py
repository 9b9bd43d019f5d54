"""Pace: what one call costs, and how long a whole run will take."""

from __future__ import annotations

import os
from statistics import median
from typing import TYPE_CHECKING, Final

from awq_conformance.attempt import operations
from awq_conformance.doctor.check import Check, check, note
from awq_conformance.protocol import SERVE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from awq_conformance.cases import Corpus
    from awq_conformance.protocol import Hello

_LONG: Final = 300.0  # seconds after which people begin to run it less often


def examine(corpus: Corpus, profile: str, hello: Hello, one_shot: Sequence[float], served: Sequence[float]) -> Check:
    """Return what a whole run will take, from the seconds that calls took in each mode."""
    cases = [case for case in corpus.cases.values() if case.profile == profile]
    calls = sum(len(operations(case, hello.ops)) for case in cases)
    again = 0 if served else sum(case.outcome != "reject" for case in cases)
    each, quick = median(one_shot), median(served) if served else 0.0
    jobs = os.cpu_count() or 1
    seconds = ((calls + again) * each + calls * quick) / jobs
    modes = f", {_time(quick)} through serve" if served else ""
    count = f"{calls} in each mode" if served else f"{calls + again} of them"
    title = f"a call takes {_time(each)}{modes}; a whole run makes {count}, about {_time(seconds)}"
    if seconds < _LONG:
        return check("pace/run", title)
    remedy = "Starting takes most of it: import and initialise only what reading a file needs."
    if SERVE not in hello.ops:
        remedy += " With serve one process does many cases, and run --mode serve is quick while you work."
    else:
        remedy += " Work with run --mode serve; the certificate needs both modes."
    return note("pace/run", title, "long", remedy)


def _time(seconds: float) -> str:
    if seconds < 1:
        return f"{1000 * seconds:.0f} ms" if seconds > 0.001 else "under 1 ms"
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"
