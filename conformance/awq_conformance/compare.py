"""The outputs of an accepting adapter, held against the pinned ones of the case."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from awq_conformance import grade as grading
from awq_conformance.cases import Case, CorpusAlteredError, Tensor
from awq_conformance.evidence import Evidence, of_codes, of_floats
from awq_conformance.grade import Graded, Parts
from awq_conformance.outputs import Matrix, Name, parse_name, read_matrix
from awq_conformance.protocol import DEQUANT, INSPECT, PLAIN, REJECT_FILE, UNPACK, Hello
from awq_conformance.verdict import Finding, Grade, OutputError, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable

    from awq_conformance.adapter import Observation

OUTPUTS: Final = {DEQUANT: ("W",), UNPACK: ("q", "z", "s"), PLAIN: ("P",), INSPECT: ()}
"""What each operation writes for a tensor that has it."""


def askable(case: Case, declared: Iterable[str]) -> list[str]:
    """Return the operations among ``declared`` that may be asked about a case: never plain of a checkpoint."""
    return [op for op in OUTPUTS if op in declared and not (op == PLAIN and case.folder)]


def compare(case: Case, seen: Observation, hello: Hello, dtype: str | None, grade: Grade = Grade.EXACT) -> Finding:
    """Return PASS, or the first thing wrong: first the set of files, then tensor by tensor.

    ``dtype`` is the one W must have, or None while the run has not shown it yet; W passes at ``grade`` or better.
    """
    if seen.fault is not None:
        return Finding(seen.fault.verdict, seen.op, seen.fault.detail)
    if REJECT_FILE in seen.files:
        return Finding(Verdict.PROTOCOL, seen.op, f"exit status 0 together with {REJECT_FILE}")
    due = {(t.number, what): t for t in case.expect for what in OUTPUTS[seen.op] if what in t.outputs}
    found: dict[tuple[int, str], tuple[Name, bytes]] = {}
    for filename, data in sorted(seen.files.items()):
        name = parse_name(filename)
        if name is None or (name.number, name.what) not in due:
            return Finding(Verdict.EXTRA_OUTPUT, seen.op, f"{filename!r} is no output of this operation on this file")
        if (name.number, name.what) in found:
            return Finding(Verdict.EXTRA_OUTPUT, seen.op, f"{filename!r} is there twice", name.number, name.what)
        found[name.number, name.what] = name, data
    for number, what in due:
        if (number, what) not in found:
            return Finding(Verdict.MISSING_OUTPUT, seen.op, "not written", number, what)
    worst = Grade.EXACT
    for (number, what), tensor in due.items():
        reference = expected(case, tensor, what)
        try:
            got = _read(*found[number, what], reference, hello, dtype)
        except OutputError as fault:
            return Finding(fault.verdict, seen.op, fault.detail, number, what)
        graded, evidence = _judged(got, reference, case, tensor, what, grade)
        worst = max(worst, graded.grade)
        if graded.mismatch is not None:
            verdict = Verdict.NONFINITE if graded.mismatch.nonfinite else Verdict.WRONG
            detail = str(graded.mismatch)
            return Finding(verdict, seen.op, detail, number, what, grade=graded.grade, evidence=evidence)
    return Finding(Verdict.PASS, seen.op, grade=worst)


def expected(case: Case, tensor: Tensor, what: str) -> Matrix:
    """Return a pinned output: f32 for W [.., N, K] and s [.., N, K/G], u8 for q, z and the raw bytes P.

    Raises CorpusAlteredError when it is not what its name says.
    """
    path = case.root / tensor.outputs[what]
    name = parse_name(path.name)
    if name is None or (name.number, name.what) != (tensor.number, what):
        raise CorpusAlteredError(f"{path}: not named as output {what} of tensor {tensor.number}")
    try:
        return read_matrix(name, path.read_bytes())
    except OutputError as fault:
        raise CorpusAlteredError(f"{path}: {fault}") from fault


def written_dtype(seen: Observation) -> str:
    """Return the element type of the first W that was written, once :func:`compare` has found nothing malformed."""
    for filename, data in sorted(seen.files.items()):
        name = parse_name(filename)
        if name is not None and name.what == "W":
            return read_matrix(name, data).dtype
    raise ValueError("no W was written")


def parts_of(case: Case, tensor: Tensor) -> Parts:
    """Return the codes, zero points and scales that W [.., N, K] of a quantised tensor is made of, each as wide as W.

    Raises CorpusAlteredError when the case's files do not fit its group size.
    """
    q, z, s = (expected(case, tensor, what).values.astype(np.float64) for what in "qzs")
    for grouped in (z, s):
        if (*grouped.shape[:-1], grouped.shape[-1] * tensor.group_size) != q.shape:
            raise CorpusAlteredError(f"{case.id}: tensor {tensor.number} is not grouped by {tensor.group_size}")
    return Parts(q, z.repeat(tensor.group_size, -1), s.repeat(tensor.group_size, -1), tensor.scale_dtype)


def _judged(
    got: Matrix, due: Matrix, case: Case, tensor: Tensor, what: str, asked: Grade
) -> tuple[Graded, Evidence | None]:
    """Return the grade of one output and, if it falls short of ``asked``, what there is to see."""
    if due.dtype == "u8":
        codes = due.values.astype(np.uint8, copy=False)
        mismatch = grading.identical(got, codes)
        return Graded(Grade.FAIL if mismatch else Grade.EXACT, mismatch), of_codes(got, codes) if mismatch else None
    values = due.values.astype(np.float32, copy=False)
    if what == "W":
        graded = grading.graded(got, values, lambda: parts_of(case, tensor), asked)
    else:
        mismatch = grading.exact(got, values)
        graded = Graded(Grade.FAIL if mismatch else Grade.EXACT, mismatch)
    return graded, of_floats(got, values, graded.below) if graded.mismatch else None


def _read(name: Name, data: bytes, due: Matrix, hello: Hello, dtype: str | None) -> Matrix:
    got = read_matrix(name, data, due.values.shape)
    if name.what == "W":
        if name.layout not in hello.layouts:
            raise OutputError(Verdict.PROTOCOL, f"layout {name.layout} is not declared in hello")
        if got.dtype not in hello.dtypes:
            raise OutputError(Verdict.DTYPE, f"expected {' or '.join(hello.dtypes)}, got {got.dtype}")
        if dtype is not None and got.dtype != dtype:
            raise OutputError(Verdict.DTYPE, f"expected {dtype} as in the rest of the run, got {got.dtype}")
    elif got.dtype != due.dtype:
        raise OutputError(Verdict.DTYPE, f"expected {due.dtype}, got {got.dtype}")
    return got
