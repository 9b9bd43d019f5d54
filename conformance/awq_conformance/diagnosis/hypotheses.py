"""Every wrong way of reading that has a name, as what it does to one step of the right one.

A hypothesis overrides steps: ``codes`` (R, K), ``zeros`` and ``scales`` (R, K / G), ``zero_groups`` and
``scale_groups`` (the group of each k), ``values`` (the arithmetic), ``narrow`` (rounding to the output's dtype),
``arrange`` (what is done with W at the end), ``place`` (the tensor as if its extent lay elsewhere).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from awq_conformance.diagnosis.weight import Weight, narrow, product
from awq_conformance.diagnosis.wrong.arithmetic import ARITHMETIC
from awq_conformance.diagnosis.wrong.codes import CODES
from awq_conformance.diagnosis.wrong.groups import GROUPS, OTHER_GROUPS
from awq_conformance.diagnosis.wrong.numbers import NUMBERS
from awq_conformance.diagnosis.wrong.packed import packed
from awq_conformance.diagnosis.wrong.places import EXPERTS, PLACES
from awq_conformance.diagnosis.wrong.scales import SCALES
from awq_conformance.diagnosis.wrong.zeros import ZEROS
from awq_conformance.outputs import Matrix

Steps = dict[str, Callable[..., Any]]


@dataclass(frozen=True)
class Hypothesis:
    """A name of EXPLANATIONS, what exactly is done, and the steps that differ."""

    name: str
    detail: str
    steps: Steps


def predict(t: Weight, dtype: str, steps: Steps) -> Matrix:
    """Return the W (R, K) that a loader with these steps writes."""
    t = steps["place"](t) if "place" in steps else t
    with np.errstate(all="ignore"):
        q = steps["codes"](t) if "codes" in steps else t.codes
        z = steps["zeros"](t) if "zeros" in steps else t.zeros
        s = steps["scales"](t) if "scales" in steps else t.scales
        z = z[:, steps["zero_groups"](t) if "zero_groups" in steps else t.group_of]
        s = s[:, steps["scale_groups"](t) if "scale_groups" in steps else t.group_of]
        w = steps.get("values", product)(q, z, s, t)
        w = steps["arrange"](w, t) if "arrange" in steps else w
        matrix: Matrix = steps.get("narrow", narrow)(w, dtype)
        return matrix


def _each(*rows: tuple[str, str, str, Callable[..., Any]]) -> Iterator[Hypothesis]:
    for name, detail, step, does in rows:
        yield Hypothesis(name, detail, {step: does})


def _of_any_weight() -> Iterator[Hypothesis]:
    """Yield what can be done wrong wherever the numbers were read from, the plainest first."""
    yield from _each(*NUMBERS, *ARITHMETIC)
    for name, detail, groups in GROUPS:
        yield Hypothesis(name, detail, {"zero_groups": groups, "scale_groups": groups})
    for name, detail, groups in OTHER_GROUPS:
        yield Hypothesis(f"scales-{name}", detail, {"scale_groups": groups})
        yield Hypothesis(f"zeros-{name}", detail, {"zero_groups": groups})
        both = {"zero_groups": groups, "scale_groups": groups}
        yield Hypothesis(f"scales-{name}", f"{detail}, and the zero point as well", both)


def _of_experts() -> Iterator[Hypothesis]:
    for name, detail, scales, zeros in EXPERTS:
        yield Hypothesis(name, f"{detail}: scales and zero points", {"scales": scales, "zeros": zeros})
        yield Hypothesis(name, f"{detail}: scales", {"scales": scales})
        yield Hypothesis(name, f"{detail}: zero points", {"zeros": zeros})


EXTENTS: Final = (*_each(*CODES, *ZEROS, *SCALES), *_of_any_weight(), *_of_experts(), *_each(*PLACES))
"""Of tensors of an .awq file."""


def of_dialect(name: str) -> tuple[Hypothesis, ...]:
    """Return those of the layers of a checkpoint, by the name of its dialect."""
    from awqformat.dialects import DIALECTS  # only here: what is judged must not depend on it

    return (*_each(*packed(DIALECTS[name], DIALECTS.values())), *_of_any_weight())


def together(hypotheses: Sequence[Hypothesis]) -> Iterator[tuple[Hypothesis, Hypothesis]]:
    """Yield pairs that override different steps."""
    for i, first in enumerate(hypotheses):
        for second in hypotheses[i + 1 :]:
            if not first.steps.keys() & second.steps.keys():
                yield first, second
