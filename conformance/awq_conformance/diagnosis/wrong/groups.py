"""Wrong ways of dividing a row among its scales and zero points."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np

from awq_conformance.diagnosis.stored import up
from awq_conformance.diagnosis.weight import Array, Weight


def _constant(value: int) -> Callable[[Weight], int]:
    return lambda _: value


def _within(t: Weight, group: Array) -> Array:
    return group.clip(0, t.groups - 1)


def _of_size(size: Callable[[Weight], int]) -> Callable[[Weight], Array]:
    return lambda t: _within(t, np.arange(t.columns) // max(size(t), 1))


GROUPS: Final[tuple[tuple[str, str, Callable[[Weight], Array]], ...]] = (
    *(("group-size-fixed", f"it is {size}", _of_size(_constant(size))) for size in (128, 64, 32, 16, 8, 256)),
    ("group-size-fixed", "it is that of the first tensor", _of_size(lambda t: t.first_group_size)),
    ("group-size-fixed", "it is K by K/G rounded up to 8", _of_size(lambda t: t.columns // up(t.groups, 8))),
    ("group-size-fixed", "it is a power of two", _of_size(lambda t: 1 << t.group_size.bit_length() - 1)),
    ("group-boundary", "one code too early", lambda t: _within(t, (np.arange(t.columns) + 1) // t.group_size)),
    ("group-boundary", "one code too late", lambda t: np.maximum(np.arange(t.columns) - 1, 0) // t.group_size),
)

OTHER_GROUPS: Final[tuple[tuple[str, str, Callable[[Weight], Array]], ...]] = (
    ("wrong-group", "the next group", lambda t: (t.group_of + 1) % t.groups),
    ("wrong-group", "the next group", lambda t: _within(t, t.group_of + 1)),
    ("wrong-group", "the previous group", lambda t: (t.group_of - 1) % t.groups),
    ("wrong-group", "the previous group", lambda t: _within(t, t.group_of - 1)),
    ("wrong-group", "the first group of the row", lambda t: np.zeros(t.columns, np.int64)),
    ("wrong-group", "the other end of the row", lambda t: t.groups - 1 - t.group_of),
    ("wrong-group", "group k mod K/G", lambda t: np.arange(t.columns) % t.groups),
)
