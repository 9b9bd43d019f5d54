"""Layers read and written some rows at a time, so that little is in memory beside them; experts one by one.

A dialect lays a layer of fewer rows out just as it does the whole one, so the rows that a tensor has are found by
comparing the shapes of both: the one axis that differs is that of the rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from math import lcm
from typing import Any, Final

import numpy as np

from awqformat import dtypes
from awqformat.dialects import Dialect, decode, encode, specs
from awqformat.dialects import Layer as Shape
from awqformat.errors import AwqError
from awqformat.model import QuantizedTensor

Array = np.ndarray[Any, Any]
Spec = tuple[np.dtype[Any], tuple[int, ...]]

_NUMBERS: Final = 1 << 20
"""Codes that are taken apart at a time."""


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


def decode_layer(
    dialect: Dialect, parts: Mapping[str, Array], shape: Shape, experts: int | None
) -> tuple[QuantizedTensor, tuple[str, ...]]:
    """Return a layer's weight, (N, K) or (E, N, K), and what its tensors have that would not come back.

    Raises:
        AwqError: as :func:`awqformat.dialects.decode`; a row that it names counts from the start of the layer.
    """
    lead = () if experts is None else (experts,)
    n, k, groups = shape.out_features, shape.in_features, shape.groups
    codes = np.empty((*lead, n, k // 2), np.uint8)
    scales = np.empty((*lead, n, groups), dtypes.NUMPY[shape.scale_dtype])
    zeros = None if shape.form.zeros is None else np.empty((*lead, n, (groups + 1) // 2), np.uint8)
    losses: dict[str, None] = {}
    for expert in range(experts or 1):
        at = () if experts is None else (expert,)
        own = {role: part[at] for role, part in parts.items()}
        for rows, block, places in _blocks(dialect, shape):
            taken = {role: part[places[role]] for role, part in own.items()}
            if dialect.shape:
                taken[dialect.shape] = np.array([block.out_features, k], own[dialect.shape].dtype)
            try:
                decoded = decode(dialect, taken, block)
            except AwqError:
                decode(dialect, own, shape)  # the same fault, at its place in the whole layer
                raise
            losses |= dict.fromkeys(decoded.losses)
            span = (*at, rows)
            codes[span], scales[span] = decoded.tensor.packed_codes, decoded.tensor.scales
            if zeros is not None:
                zeros[span] = decoded.tensor.packed_zero_points
    return QuantizedTensor(codes, scales, zeros), tuple(losses)


def encode_layer(dialect: Dialect, tensor: QuantizedTensor, shape: Shape) -> dict[str, Array]:
    """Return the tensors of a weight (N, K) or (E, N, K) by role.

    Raises:
        AwqError: as :func:`awqformat.dialects.encode`.
    """
    lead = tensor.shape[:-2]
    parts = {role: np.empty((*lead, *size), dtype) for role, (dtype, size) in specs(dialect, shape).items()}
    for expert in range(lead[0] if lead else 1):
        at = (expert,) if lead else ()
        for rows, _, places in _blocks(dialect, shape):
            span = (*at, rows)
            zeros = tensor.packed_zero_points
            block = QuantizedTensor(
                tensor.packed_codes[span], tensor.scales[span], None if zeros is None else zeros[span]
            )
            for role, part in encode(dialect, block, shape.form).items():
                place = (*at, *places[role])
                parts[role][place] = part
        if dialect.shape:
            parts[dialect.shape][at] = shape.out_features, shape.in_features
    return parts


def _blocks(dialect: Dialect, shape: Shape) -> Iterator[tuple[slice, Shape, dict[str, tuple[slice, ...]]]]:
    """Yield some rows of a layer, their shape, and where they are in each tensor."""
    n = shape.out_features
    unit = lcm(dialect.rows, dialect.packing.tile[0], 8)
    once = specs(dialect, replace(shape, out_features=unit))
    twice = specs(dialect, replace(shape, out_features=2 * unit))
    step = max(1, _NUMBERS // (shape.in_features * unit)) * unit
    for start in range(0, n, step):
        stop = min(start + step, n)
        places = {
            role: tuple(
                slice(start // unit * one, -(-stop // unit) * one) if one != two else slice(None)
                for one, two in zip(once[role][1], twice[role][1], strict=True)
            )
            for role in once
        }
        yield slice(start, stop), replace(shape, out_features=stop - start), places
