"""Tensors under the wrong number: outputs that are right, but for another tensor of the file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from awq_conformance.compare import expected
from awq_conformance.diagnosis.names import EXPLANATIONS, Diagnosis
from awq_conformance.grade import bits_of, round_to

if TYPE_CHECKING:
    from awq_conformance.diagnosis.observed import Observed


def by_renumbering(observed: Sequence[Observed]) -> tuple[Diagnosis, ...]:
    """Return that tensors are confused, where every wrong output is the right one of another tensor of its file."""
    wrong = [one for one in observed if one.what == "W" and not _is(one, one.tensor.number)]
    owners = [_owner(one) for one in wrong]
    if not wrong or None in owners:
        return ()
    first, owner = wrong[0], owners[0]
    names = {tensor.number: tensor.name for tensor in first.case.expect}
    sentence = (
        f"{EXPLANATIONS['tensors-renumbered']}: output {first.tensor.number} of {first.case.id} is "
        f"{names[owner or 0]!r}, tensor {owner}; tensor {first.tensor.number} is {first.tensor.name!r}"
    )
    return (Diagnosis("tensors-renumbered", sentence, "", tuple(dict.fromkeys(one.case.id for one in wrong))),)


def _owner(one: Observed) -> int | None:
    """Return the number of the tensor whose W this output is."""
    numbers = [t.number for t in one.case.expect if t.quantised and t.number != one.tensor.number]
    return next((number for number in numbers if _is(one, number)), None)


def _is(one: Observed, number: int) -> bool:
    tensor = next(tensor for tensor in one.case.expect if tensor.number == number)
    due = expected(one.case, tensor, "W").values
    due = due.reshape(-1, due.shape[-1])
    return due.shape == one.actual.values.shape and np.array_equal(
        bits_of(one.actual), bits_of(round_to(due, one.actual.dtype))
    )
