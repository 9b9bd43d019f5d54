"""Scales and zero points alone: all of a layer that can be illegal or get lost, without the bulk of it.

Whether a layer can be converted exactly never depends on its codes. So a conversion looks at the rest first, a few
hundredths of the bytes, and refuses before it writes anything. The codec is given a layer with the same scales and
zero points and 8 codes of 0 in each group.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, Final

import numpy as np

from awqformat.dialects import DIALECTS, Dialect, decode, encode, specs
from awqformat.dialects import Layer as Shape
from awqformat.errors import AwqError
from awqformat.model import QuantizedTensor

Array = np.ndarray[Any, Any]

_SMALLEST: Final = 8


def decode_groups(
    dialect: Dialect, parts: Mapping[str, Array], shape: Shape, experts: int | None
) -> tuple[list[QuantizedTensor], tuple[str, ...]]:
    """Return the scales and zero points of each expert, or of the one layer, and what would not come back.

    Args:
        dialect, shape, experts: as of the layer.
        parts: its tensors by role, the codes left out.

    Raises:
        AwqError: as :func:`awqformat.dialects.decode`.
    """
    small, small_shape = _without_codes(dialect, shape)
    codes = np.zeros(specs(small, small_shape)[small.codes][1], small.packing.word)
    found: list[QuantizedTensor] = []
    losses: dict[str, None] = {}
    for expert in range(experts or 1):
        own = {role: part if experts is None else part[expert] for role, part in parts.items()}
        _check_order(own, shape)
        taken = {role: part for role, part in own.items() if role not in (shape.form.g_idx, dialect.shape)}
        decoded = decode(small, {small.codes: codes, **taken}, small_shape)
        found.append(decoded.tensor)
        losses |= dict.fromkeys(decoded.losses)
    return found, tuple(losses)


def without_codes(scales: Array, packed_zero_points: Array | None) -> QuantizedTensor:
    """Return a weight of the same scales and zero points (N, ..)."""
    codes = np.zeros((len(scales), scales.shape[1] * _SMALLEST // 2), np.uint8)
    return QuantizedTensor(codes, scales, packed_zero_points)


def check_groups(dialect: Dialect, tensor: QuantizedTensor, shape: Shape) -> None:
    """Refuse scales and zero points, from the functions above, that a dialect does not give back as they are.

    Raises:
        AwqError: E_LOSSY, or as :func:`awqformat.dialects.encode` and :func:`awqformat.dialects.decode`.
    """
    small, small_shape = _without_codes(dialect, shape)
    back = decode(small, encode(small, tensor, small_shape.form), small_shape).tensor
    if tensor.zero_points is not None and back.zero_points is not None:
        wrong = np.argwhere(tensor.zero_points != back.zero_points)
        if len(wrong):
            at = tuple(int(i) for i in wrong[0])
            raise AwqError("E_LOSSY", dialect.name, f"zero point {at}", expected=tensor.zero_points[at],
                           got=back.zero_points[at])  # fmt: skip


def _without_codes(dialect: Dialect, shape: Shape) -> tuple[Dialect, Shape]:
    """Return a dialect that stores scales and zero points like this one, and a layer of it with few codes."""
    small = replace(
        dialect,
        packing=DIALECTS["gemv"].packing,
        columns=_SMALLEST,
        group_sizes=_any,
        width=partial(_width, dialect.width, shape),
        cut_groups=False,
        shape="",
    )
    form = replace(shape.form, g_idx=None)
    return small, replace(shape, in_features=shape.groups * _SMALLEST, group_size=_SMALLEST, form=form)


def _any(_group_size: int, _k: int) -> bool:
    return True


def _width(width: Callable[[int, int], int], shape: Shape, _k: int, _group_size: int) -> int:
    return width(shape.in_features, shape.group_size)


def _check_order(parts: Mapping[str, Array], shape: Shape) -> None:
    """Refuse a g_idx that reorders (AWQ-LAY-011)."""
    if shape.form.g_idx is None:
        return
    order, due = parts[shape.form.g_idx], np.arange(shape.in_features) // shape.group_size
    if (order != due).any():
        k = int(np.argmax(order != due))
        raise AwqError("E_DIALECT", shape.form.g_idx, f"element {k}", expected=due[k], got=order[k])
