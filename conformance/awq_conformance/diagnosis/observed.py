"""What a loader made of a case, tensor by tensor, beside what it should have made of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from awq_conformance.adapter import bounds_of
from awq_conformance.compare import OUTPUTS, expected
from awq_conformance.outputs import Matrix, parse_name, read_matrix
from awq_conformance.protocol import DEQUANT
from awq_conformance.verdict import OutputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from awq_conformance.adapter import Caller
    from awq_conformance.cases import Case, Tensor
    from awq_conformance.diagnosis.weight import Weight
    from awq_conformance.judge import Terms


@dataclass(frozen=True)
class Observed:
    """One output: ``what`` of one tensor of a case, [R, K] or [R, K/G]; what it is, and what is right."""

    case: Case
    tensor: Tensor
    what: str
    actual: Matrix
    due: Matrix
    stored: Weight


def observe(
    case: Case, caller: Caller, terms: Terms, stored_in: Callable[[Path], Mapping[int, Weight]], op: str = DEQUANT
) -> Iterator[Observed]:
    """Call the loader once and yield its outputs for quantised tensors; those that cannot be read are left out."""
    seen = caller.call(op, str(case.input), bounds_of(case, terms.limits[caller.mode].timeout))
    if not seen.accepted or seen.fault is not None:
        return
    stored = stored_in(case.input)
    tensors = {tensor.number: tensor for tensor in case.expect if tensor.quantised}
    for filename, data in sorted(seen.files.items()):
        name = parse_name(filename)
        if name is None or name.number not in tensors or name.what not in OUTPUTS[op]:
            continue
        tensor = tensors[name.number]
        try:
            actual = read_matrix(name, data)
        except OutputError:
            continue
        due = expected(case, tensor, name.what)
        yield Observed(case, tensor, name.what, _flat(actual), _flat(due), stored[name.number])


def _flat(matrix: Matrix) -> Matrix:
    return Matrix(matrix.values.reshape(-1, matrix.values.shape[-1]), matrix.dtype)
