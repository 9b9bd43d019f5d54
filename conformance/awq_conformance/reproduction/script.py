"""The script of a folder: it runs the loader on the file beside it and shows what is due and what comes."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Final

from awq_conformance.protocol import AdapterExit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from awq_conformance.cases import Case
    from awq_conformance.reproduction.failure import Failure

_DUE: Final = {
    "accept": f"exit status {int(AdapterExit.ACCEPTED)}",
    "reject": f"exit status {int(AdapterExit.REJECTED)}",
    "either": f"exit status {int(AdapterExit.ACCEPTED)} or {int(AdapterExit.REJECTED)}",
}


def script(failure: Failure, argv: Sequence[str]) -> str:
    """Return the text of run.sh: POSIX shell, and od to show the bytes of a wrong element."""
    lines = [
        "#!/bin/sh",
        "# sh run.sh             runs the loader that was certified",
        "# sh run.sh COMMAND..   runs another one",
        'here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd) && out=$(mktemp -d) || exit',
        f"[ $# -gt 0 ] || set -- {shlex.join(argv)}",
        f'"$@" {failure.finding.op} "$here/{failure.case.kept_as}" "$out"',
        'echo "got exit status $?, expected ' + due(failure.case) + '"',
        'echo "outputs in $out:"',
        'ls "$out"',
    ]
    element = failure.element
    if element is not None:
        place = ", ".join(map(str, element.mismatch.index))
        form = "u1" if element.size == 1 else f"x{element.size}"
        span = f"-j {element.offset} -N {element.size}"
        what = failure.finding.what
        lines += [
            f"printf '%s' {shlex.quote(f'{what}[{place}] expected {element.mismatch.expected}, got')}",
            f'od -A n -t {form} {span} "$out"/{shlex.quote(element.name)}',
        ]
    return "\n".join(lines) + "\n"


def due(case: Case) -> str:
    """Return the exit status that is right, with the error code that goes with it."""
    codes = f" ({' or '.join(case.codes)})" if case.outcome == "reject" else ""
    return _DUE[case.outcome] + codes
