"""A failure told to the loader's author: what is wrong, how the right value comes about, what the file is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from awq_conformance.compare import expected
from awq_conformance.report.sentences import default_folder, sentences
from awq_conformance.report.words import printable
from awq_conformance.reproduction.script import due
from awq_conformance.verdict import MEANING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from awq_conformance.diagnosis.names import Diagnosis
    from awq_conformance.reproduction.failure import Failure
    from awq_conformance.reproduction.region import Region
    from awq_conformance.reproduction.shrink import Shrunk

_GUILTY: Final = 8  # regions named
_LINES: Final = 9  # of what is in a file
_TAIL: Final = 8  # lines of what the loader printed


def account(shrunk: Shrunk, guilty: Sequence[Region], diagnoses: Sequence[Diagnosis] = ()) -> str:
    """Return the text of README.md, Markdown; ``guilty`` are the regions of the file that the failure is about."""
    failure = shrunk.failure
    case, verdict = failure.case, failure.finding.verdict
    parts = [f"# {case.id}: {verdict.value}", sentence(failure)]
    parts += [f"Why: {diagnosis.sentence}." for diagnosis in diagnoses]
    parts += [_block(arithmetic(failure)), *_bytes(failure, guilty), *_file(failure), *_output(failure)]
    parts += ["To see it again:", _block(["sh run.sh"]), _contents(shrunk)]
    return printable("\n\n".join(filter(None, parts)) + "\n")


def sentence(failure: Failure) -> str:
    """Return in one or two sentences what is wrong."""
    finding, element, tensor = failure.finding, failure.element, failure.tensor
    if tensor is not None and element is not None:
        found = element.mismatch
        place = ", ".join(map(str, found.index))
        return (
            f"In `{finding.op}`, {finding.what}[{place}] of tensor {tensor.number} `{tensor.name}` is {found.got}; "
            f"{found.expected} is right ({found.wrong} of {found.total} elements wrong)."
        )
    where = "" if tensor is None else f"{finding.what} of tensor {tensor.number} `{tensor.name}`: "
    return f"{finding.verdict.value}: {MEANING[finding.verdict]}. In `{finding.op}`: {where}{finding.detail}."


def arithmetic(failure: Failure) -> list[str]:
    """Return how the first wrong element comes about, line by line; none where something else is wrong."""
    element, tensor, lines = failure.element, failure.tensor, []
    if element is None or tensor is None:
        return []
    found = element.mismatch
    if failure.finding.what == "W":
        *row, k = found.index
        grouped = (*row, k // tensor.group_size)
        q = int(expected(failure.case, tensor, "q").values[found.index])
        z = int(expected(failure.case, tensor, "z").values[grouped])
        s = float(expected(failure.case, tensor, "s").values[grouped])
        place, group = (", ".join(map(str, index)) for index in (found.index, grouped))
        lines += [f"q[{place}] = {q}, z[{group}] = {z}, s[{group}] = {s!r} ({tensor.scale_dtype})"]
        # A product of at most 28 bits: float holds it without rounding.
        lines += [f"(q - z) * s = ({q} - {z}) * {s!r} = {(q - z) * s!r}"]
    return [*lines, f"expected {found.expected}", f"got      {found.got}"]


def _bytes(failure: Failure, guilty: Sequence[Region]) -> list[str]:
    if not guilty:
        return []
    named = [f"{region.offset:#08x}  {region.field} = {region.value}" for region in guilty[:_GUILTY]]
    more = [f".. and {len(guilty) - _GUILTY} more"] if len(guilty) > _GUILTY else []
    about = "The element is made of these bytes"
    if failure.case.mutation is not None:
        kind = "checkpoint" if failure.case.folder else "file"
        about = f"The {kind} is malformed: {failure.case.mutation.what}. The fault is in these bytes"
    return [f"{about} (`hexdump.txt` has all of them):", _block([*named, *more])]


def _file(failure: Failure) -> list[str]:
    """Return what is in a valid file, or which rule a malformed one breaks."""
    from awq_conformance.reproduction import shards
    from awq_conformance.reproduction.anatomy import Anatomy  # only here: they need awqformat
    from awq_conformance.reproduction.carried import refusal

    case = failure.case
    if case.mutation is None and case.folder:
        listed = [f"{file.size:8} bytes  {file.path.removeprefix(case.folder + '/')}" for file in case.parts]
        return ["The checkpoint is valid:", _block(listed)]
    if case.mutation is None:
        lines = list(Anatomy(case.input.read_bytes()).summary())
        more = [f".. and {len(lines) - _LINES} more tensors"] if len(lines) > _LINES else []
        return ["The file is valid:", _block([*lines[:_LINES], *more])]
    problem = shards.refusal(case.input) if case.folder else refusal(case.input)
    told = [] if problem is None else [f"A reader should say: `{problem}`"]
    known = sentences(default_folder())
    rules = [f"> {rule}: {known[rule]}" for rule in case.req[:1] if rule in known]
    return [f"Right is {due(case)}.", *told, *rules]


def _output(failure: Failure) -> list[str]:
    lines = failure.seen.execution.tail.decode("utf-8", "replace").splitlines()[-_TAIL:]
    return ["The last lines that the loader printed:", _block(lines)] if lines else []


def _contents(shrunk: Shrunk) -> str:
    failure, case = shrunk.failure, shrunk.failure.case
    found = f"the {'checkpoint' if case.folder else 'file'} of the case"
    if shrunk.smaller:
        found = f"the smallest found in {shrunk.calls} calls"
    elif shrunk.calls:
        found += f": none of {shrunk.calls} smaller ones showed the failure"
    why = f" ({shrunk.note})" if shrunk.note else ""
    lines = [f"- `{case.kept_as}`: {case.size} bytes, {found}{why}."]
    if case.mutation is not None:
        lines.append(f"- `{case.kept_as.replace('input', 'twin')}`: the valid one that it was made from.")
    elif case.expect:
        lines.append("- `expected/`: what is right.")
    fault = f" ({failure.seen.fault})" if failure.seen.fault else ""
    wrote = "what the loader wrote" if failure.seen.files else "empty: the loader wrote nothing that could be kept"
    lines.append(f"- `actual/`: {wrote}{fault}. `output.txt`: the end of what it printed.")
    return "\n".join(lines)


def _block(lines: Sequence[str]) -> str:
    return "\n".join(f"    {line}" for line in lines)
