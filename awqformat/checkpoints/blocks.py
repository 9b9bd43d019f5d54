"""Layers read and written some rows at a time, so that little is in memory beside them; experts one by one.

A dialect lays a layer of fewer rows out just as it does the whole one, so the rows that a tensor has are found by
comparing the shapes of both: the one axis that differs is that of the rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from math import lcm, prod
from typing import Any, Final

import numpy as np

from awqformat.buffers import buffer
from awqformat.dialects import DIALECTS, Dialect, decode, encode, specs
from awqformat.dialects import Layer as Shape
from awqformat.errors import AwqError
from awqformat.model import QuantizedTensor

Array = np.ndarray[Any, Any]
Spec = tuple[np.dtype[Any], tuple[int, ...]]

_NUMBERS: Final = 1 << 19
"""Codes that are taken apart at a time."""

_UNIT: Final = lcm(8, *(lcm(dialect.rows, dialect.packing.tile[0]) for dialect in DIALECTS.values()))
"""Rows that are whole tiles and words in every dialect."""


def expert_count(parts: Mapping[str, Spec], codes: str) -> int | None:
    """Return how many experts the tensors of a layer hold, None if they have no dimension for them.

    Raises:
        AwqError: E_DIALECT if some have one and some have not, or they differ in length.
    """
    if len(parts[codes][1]) != 3:
        return None
    lengths = {shape[0] if len(shape) > 1 else None for _, shape in parts.values()}
    if len(lengths) > 1 or not all(lengths):
        got = ", ".join(f"{role} {list(shape)}" for role, (_, shape) in parts.items())
        raise AwqError("E_DIALECT", "experts", "shapes", expected="as many experts in each tensor", got=got)
    return parts[codes][1][0]


def row_blocks(shape: tuple[int, ...]) -> Iterator[slice]:
    """Yield the rows of a weight (N, K), or (.., N, K) one expert after another, some at a time.

    A block begins where a tile or word of any dialect does, and none has rows of two experts.
    """
    *lead, n, k = shape
    step = max(1, _NUMBERS // (k * _UNIT)) * _UNIT
    for first in range(0, prod(lead) * n, n):
        for start in range(first, first + n, step):
            yield slice(start, min(start + step, first + n))


def decode_blocks(
    dialect: Dialect, parts: Mapping[str, Array], shape: Shape, experts: int | None, suffer: Callable[[str], object]
) -> Iterator[QuantizedTensor]:
    """Yield a layer's weight in the blocks of :func:`row_blocks`.

    Args:
        dialect, parts, shape, experts: the layer.
        suffer: called with each loss, if there is something in its tensors that would not come back.

    Raises:
        AwqError: as :func:`awqformat.dialects.decode`; a row that it names counts from the start of the layer.
    """
    n, k = shape.out_features, shape.in_features
    for rows in row_blocks((experts or 1, n, k)):
        expert, start = divmod(rows.start, n)
        own = parts if experts is None else {role: part[expert] for role, part in parts.items()}
        stop = start + rows.stop - rows.start
        taken = {role: own[role][place] for role, place in _places(dialect, shape, start, stop).items()}
        if dialect.shape:
            taken[dialect.shape] = np.array([stop - start, k], own[dialect.shape].dtype)
        try:
            decoded = decode(dialect, taken, replace(shape, out_features=stop - start))
        except AwqError:
            decode(dialect, own, shape)  # the same fault, at its place in the whole layer
            raise
        for loss in decoded.losses:
            suffer(loss)
        yield decoded.tensor


def encode_blocks(
    dialect: Dialect, blocks: Iterable[QuantizedTensor], shape: Shape, experts: int | None
) -> dict[str, Array]:
    """Return the tensors of a weight, which comes in the blocks of :func:`row_blocks`, by role.

    Raises:
        AwqError: as :func:`awqformat.dialects.encode`.
    """
    lead = () if experts is None else (experts,)
    parts = {
        role: np.frombuffer(buffer(prod((*lead, *size)) * dtype.itemsize), dtype).reshape(*lead, *size)
        for role, (dtype, size) in specs(dialect, shape).items()
    }
    done = 0
    for block in blocks:
        expert, start = divmod(done, shape.out_features)
        done += len(block.scales)
        at = (expert,) if lead else ()
        places = _places(dialect, shape, start, start + len(block.scales))
        for role, part in encode(dialect, block, shape.form).items():
            place = (*at, *places[role])
            parts[role][place] = part
    if dialect.shape:
        parts[dialect.shape][...] = shape.out_features, shape.in_features
    return parts


def _places(dialect: Dialect, shape: Shape, start: int, stop: int) -> dict[str, tuple[slice, ...]]:
    """Return where rows of a layer are in each of its tensors."""
    once = specs(dialect, replace(shape, out_features=_UNIT))
    twice = specs(dialect, replace(shape, out_features=2 * _UNIT))
    return {
        role: tuple(
            slice(start // _UNIT * one, -(-stop // _UNIT) * one) if one != two else slice(None)
            for one, two in zip(once[role][1], twice[role][1], strict=True)
        )
        for role in once
    }
