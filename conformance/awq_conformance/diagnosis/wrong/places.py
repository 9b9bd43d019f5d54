"""Wrong ways of finding tensors, and the matrices within one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

import numpy as np

from awq_conformance.diagnosis.stored import Stored, up
from awq_conformance.diagnosis.weight import Array


def _of_first_expert(values: Array, t: Stored) -> Array:
    return np.resize(values[: t.shape[-2]], values.shape)


def _interleaved(w: Array, t: Stored) -> Array:
    if len(t.shape) == 2:
        return w
    result: Array = w.reshape(t.shape[-2], -1, t.columns).transpose(1, 0, 2).reshape(w.shape)
    return result


def _reversed_lead(w: Array, t: Stored) -> Array:
    lead = t.shape[:-2]
    order = (*reversed(range(len(lead))), len(lead), len(lead) + 1)
    result: Array = w.reshape(*reversed(lead), *t.shape[-2:]).transpose(order).reshape(w.shape)
    return result


EXPERTS: Final[tuple[tuple[str, str, Callable[[Stored], Array], Callable[[Stored], Array]], ...]] = (
    (
        "experts-first-only",
        "every expert has those of the first one",
        lambda t: _of_first_expert(t.scales, t),
        lambda t: _of_first_expert(t.zeros, t),
    ),
)


def _stacked(t: Stored, order: str, unit: Callable[[Stored], int]) -> Stored:
    """Return the tensor as if extents followed each other, in the order of the index or as they lie."""
    at = t.data_at
    for number, _, size, _ in sorted(t.others, key=lambda other: other[0 if order == "index" else 1]):
        if number == t.number:
            return replace(t, at=at)
        at += up(size, unit(t))
    return t


def _in_index_order(t: Stored) -> Stored:
    return _stacked(t, "index", lambda t: t.alignment)


def _at_multiples_of_64(t: Stored) -> Stored:
    return _stacked(t, "place", lambda _: 64)


def _at_first(t: Stored) -> Stored:
    return replace(t, at=next(at for _, at, _, quantised in t.others if quantised))


PLACES: Final[tuple[tuple[str, str, str, Callable[..., Any]], ...]] = (
    ("experts-first-only", "", "arrange", _of_first_expert),
    ("experts-merged", "rows of [E, N, K] are taken for [N, E, K]", "arrange", _interleaved),
    ("experts-merged", "the first of several dimensions is taken for the fastest", "arrange", _reversed_lead),
    ("tensors-renumbered", "extents follow each other in the order of the index", "place", _in_index_order),
    ("tensors-renumbered", "every tensor is read from the extent of the first one", "place", _at_first),
    ("padding-as-data", "extents follow each other at multiples of 64, whatever A is", "place", _at_multiples_of_64),
)
