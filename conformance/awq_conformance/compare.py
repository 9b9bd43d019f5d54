"""The outputs of an accepting adapter, held against the pinned ones of the case."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from awq_conformance import grade
from awq_conformance.cases import Case, CorpusAlteredError, Tensor
from awq_conformance.outputs import Matrix, Name, parse_name, read_matrix
from awq_conformance.protocol import DEQUANT, INSPECT, PLAIN, REJECT_FILE, UNPACK, Hello
from awq_conformance.verdict import Finding, Grade, OutputError, Verdict

if TYPE_CHECKING:
    from awq_conformance.adapter import Observation

OUTPUTS: Final = {DEQUANT: ("W",), UNPACK: ("q", "z", "s"), PLAIN: ("P",), INSPECT: ()}
"""What each operation writes for a tensor that has it."""


def compare(case: Case, seen: Observation, hello: Hello, dtype: str | None, grade: Grade = Grade.EXACT) -> Finding:  # noqa: ARG001
    """Return PASS, or the first thing wrong: first the set of files, then tensor by tensor.

    ``dtype`` is the one W must have, or None while the run has not shown it yet.
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
    for (number, what), tensor in due.items():
        reference = expected(case, tensor, what)
        try:
            mismatch = _compare_one(*found[number, what], reference, hello, dtype)
        except OutputError as fault:
            return Finding(fault.verdict, seen.op, fault.detail, number, what)
        if mismatch is not None:
            verdict = Verdict.NONFINITE if mismatch.nonfinite else Verdict.WRONG
            return Finding(verdict, seen.op, str(mismatch), number, what)
    return Finding(Verdict.PASS, seen.op)


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


def _compare_one(name: Name, data: bytes, due: Matrix, hello: Hello, dtype: str | None) -> grade.Mismatch | None:
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
    if due.dtype == "u8":
        return grade.identical(got, due.values.astype(np.uint8, copy=False))
    return grade.exact(got, due.values.astype(np.float32, copy=False))
