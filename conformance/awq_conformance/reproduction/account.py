"""A failure told to the loader's author: what is wrong, the sum that should come out, how to run it again."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from awq_conformance.compare import expected
from awq_conformance.protocol import ONE_SHOT, AdapterExit
from awq_conformance.verdict import MEANING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from awq_conformance.diagnosis.names import Diagnosis
    from awq_conformance.reproduction.failure import Failure
    from awq_conformance.reproduction.region import Region
    from awq_conformance.reproduction.shrink import Shrunk

_GUILTY = 8  # regions named


def account(
    shrunk: Shrunk, failure: Failure, command: str, guilty: Sequence[Region], diagnosis: Diagnosis | None = None
) -> str:
    """Return the text of README.md, Markdown."""
    case, verdict = failure.case, failure.finding.verdict.value
    parts = [f"# {case.id}: {verdict}", sentence(failure)]
    if diagnosis is not None:
        parts.append(f"Why: {diagnosis.sentence}")
    parts += [_block(arithmetic(failure))]
    if guilty:
        named = [f"{region.offset:#08x}  {region.field} = {region.value}" for region in guilty[:_GUILTY]]
        more = [f".. and {len(guilty) - _GUILTY} more"] if len(guilty) > _GUILTY else []
        about = "The fault is in" if case.mutation is not None else "It is made of"
        parts += [f"{about} these bytes of `input.awq` (all of them are in `hexdump.txt`):", _block([*named, *more])]
    parts += ["To run it again:", _block([command])]
    if failure.seen.mode != ONE_SHOT:
        parts.append(f"It was seen through `{failure.seen.mode}`; a process of its own may do better.")
    parts += [_contents(failure, shrunk)]
    return "\n\n".join(filter(None, parts)) + "\n"


def sentence(failure: Failure) -> str:
    """Return in one sentence what is wrong."""
    case, finding, mismatch, tensor = failure.case, failure.finding, failure.mismatch, failure.tensor
    ended = failure.seen.execution
    if tensor is not None and mismatch is not None:
        place = ", ".join(map(str, mismatch.index))
        return (
            f"{finding.what}[{place}] of tensor {tensor.number} `{tensor.name}` is {mismatch.got} where "
            f"{mismatch.expected} is right ({mismatch.wrong} of {mismatch.total} elements are wrong)."
        )
    if case.mutation is not None:
        due = f"exit status {int(AdapterExit.REJECTED)} ({' or '.join(case.codes)})"
        return f"The file is malformed, {case.mutation.what}: {due} is right, the loader ended with {ended}."
    where = "" if tensor is None else f"{finding.what} of tensor {tensor.number} `{tensor.name}`: "
    detail = finding.detail or str(ended)
    return f"The file is valid, and in `{finding.op}` the loader {MEANING[finding.verdict]}: {where}{detail}."


def arithmetic(failure: Failure) -> list[str]:
    """Return how the first wrong element of W comes about, line by line; none where something else is wrong."""
    mismatch, tensor = failure.mismatch, failure.tensor
    if mismatch is None or tensor is None:
        return []
    lines = []
    if failure.finding.what == "W":
        *row, k = mismatch.index
        grouped = (*row, k // tensor.group_size)
        q = int(expected(failure.case, tensor, "q").values[mismatch.index])
        z = int(expected(failure.case, tensor, "z").values[grouped])
        s = float(expected(failure.case, tensor, "s").values[grouped])
        place, group = (", ".join(map(str, index)) for index in (mismatch.index, grouped))
        lines += [f"q[{place}] = {q}, z[{group}] = {z}, s[{group}] = {s!r} ({tensor.scale_dtype})"]
        # A product of at most 28 bits: float holds it without rounding.
        lines += [f"(q - z) * s = ({q} - {z}) * {s!r} = {(q - z) * s!r}"]
    return [*lines, f"expected {mismatch.expected}", f"got      {mismatch.got}"]


def command_of(argv: Sequence[str], op: str, path: Path) -> str:
    """Return one line of shell that runs the loader on ``path`` and shows what it says and writes."""
    call = shlex.join([*argv, op, str(path)])
    return f'out=$(mktemp -d) && {{ {call} "$out"; echo "exit status $?, outputs in $out:"; ls "$out"; }}'


def _contents(failure: Failure, shrunk: Shrunk) -> str:
    size = failure.case.files[0].size
    smallest = f"It is {shrunk.note}" if shrunk.note.startswith("the original") else ""
    if not smallest:
        why = f" ({shrunk.note})" if shrunk.note else ""
        smallest = f"It is the smallest file found in {shrunk.calls} calls{why}"
    lines = [f"- `input.awq`: {size} bytes. {smallest}."]
    if failure.case.mutation is not None:
        lines.append("- `twin.awq`: the valid file that it was made from.")
    elif failure.case.expect:
        lines.append("- `expected/`: what is right.")
    wrote = f"{len(failure.seen.files)} files" if failure.seen.files else "nothing"
    fault = f" ({failure.seen.fault})" if failure.seen.fault else ""
    lines.append(f"- `actual/`: what the loader wrote, {wrote}{fault}; `output.txt`: the end of what it printed.")
    return "\n".join(lines)


def _block(lines: Sequence[str]) -> str:
    return "\n".join(f"    {line}" for line in lines)
