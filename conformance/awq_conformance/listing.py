"""The corpus as text: the table of ``list`` and the record of ``show``."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from awq_conformance.cases import Case, Edit, Flag


def table(cases: Sequence[Case]) -> str:
    """Return one line per case: id, level, outcome, title."""
    width = max(len(case.id) for case in cases)
    return "\n".join(f"{case.id:{width}}  {case.level:6}  {case.outcome:6}  {case.title}" for case in cases)


def record(case: Case, flags: Mapping[str, Flag]) -> str:
    """Return everything the manifest says about a case, one fact per line; empty ones are left out."""
    return "\n".join(f"{key:12}{value}" for key, value in _facts(case, flags) if value)


def _facts(case: Case, flags: Mapping[str, Flag]) -> Iterator[tuple[str, str]]:
    yield "case", case.id
    yield "title", case.title
    yield "outcome", f"{case.outcome}{' with ' + ' or '.join(case.codes) if case.codes else ''}"
    yield "level", case.level
    yield "profile", case.profile
    yield "requires", " ".join(case.req)
    yield "twin", case.twin or ""
    if case.mutation is not None:
        yield "mutation", case.mutation.what
        for edit in case.mutation.edits:
            yield "", _edit(edit)
        yield "digests", "refreshed after the mutation" if case.mutation.refreshed else "stale: not recomputed after it"
    for tensor in case.expect:
        shape = "x".join(map(str, tensor.shape)) or "scalar"
        overflow = f", {tensor.overflow_f16} elements overflow f16" if tensor.overflow_f16 else ""
        yield f"tensor {tensor.number}", f"{tensor.name}: {tensor.kind} {shape}{overflow}"
    for file in case.files:
        yield "file", f"{case.root / file.path} ({file.size} bytes)"
    for flag in case.flags:
        words = f": {flags[flag].description} ({flags[flag].bug_type}, {flags[flag].effect})" if flag in flags else ""
        yield "flag", f"{flag}{words}"
    yield "recipe", f"{case.recipe}{', seed ' + case.seed if case.seed else ''}"
    yield "since", case.since
    for ref in case.refs:
        yield "see", ref
    yield "comment", case.comment


def _edit(edit: Edit) -> str:
    place = f"{edit.file}, " if edit.file else ""
    return f"{place}at byte {edit.offset}: {_hex(edit.old)} -> {_hex(edit.new)}"


def _hex(data: bytes) -> str:
    if not data:
        return "nothing"
    shown = data[:32].hex(" ")
    return shown if len(data) <= 32 else f"{shown} ... ({len(data)} bytes)"
