"""The one codec: a dialect's tensors to a quantised weight and back (spec: layouts)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np

from awqformat import dtypes
from awqformat.dialects import zeros as floats
from awqformat.dialects.layer import ORDER_DTYPE, SHAPE_DTYPE, Form, Layer, layer_of, specs, told, zeros_of
from awqformat.dialects.packing import Array
from awqformat.dialects.table import Dialect
from awqformat.errors import AwqError
from awqformat.layouts import pack_nibbles
from awqformat.model import SYMMETRIC_ZERO, QuantizedTensor

PADDING: Final = "padding"
"""The loss of nibbles or columns beyond the weight that are not zero: a writer fills them with zero."""

SIGNED_ZEROS: Final = "signed-zeros"
"""The loss of the sign of zeros among -(s * z): a writer gives each the sign that the formula gives it."""


@dataclass(frozen=True)
class Decoded:
    """A layer that was read: the weight, what gives its tensors back, and what even that would lose, by name."""

    tensor: QuantizedTensor
    form: Form
    losses: tuple[str, ...] = field(default=())


def decode(dialect: Dialect, parts: Mapping[str, Array], layer: Layer) -> Decoded:
    """Read one layer.

    Args:
        dialect: how it lies.
        parts: its tensors by role, as :func:`specs` gives them.
        layer: its shape, from :func:`awqformat.dialects.recognise` or known otherwise.

    Returns:
        The weight [N, K], and what :func:`encode` needs to give the same tensors back.

    Raises:
        AwqError: E_DIALECT for a tensor that is missing, superfluous, or of another shape or dtype; for a g_idx that
            reorders. E_VALUE for illegal scales. E_LOSSY for float zero points that stand for no integer.
    """
    expected = specs(dialect, layer)
    for role in dict.fromkeys((*expected, *parts)):
        got = (parts[role].dtype, parts[role].shape) if role in parts else None
        if got != expected.get(role):
            raise AwqError("E_DIALECT", role, "tensor", expected=told(expected.get(role)), got=told(got))
    n, k, groups = layer.out_features, layer.in_features, layer.groups
    losses: dict[str, None] = {}
    _check_order(layer, parts)
    _check_shape(dialect, layer, parts)
    words = parts[dialect.codes].reshape(dialect.packing.shape(n, k))
    codes = dialect.packing.unpack_pairs(words, n, k)
    if dialect.packing.rest(words, n, k):
        losses[PADDING] = None
    stored = _rows(dialect, parts[dialect.scales.role])
    scales = _reordered(dialect, layer, stored[:, :groups], back=True)
    if dtypes.scale_bits(np.ascontiguousarray(stored[:, groups:])).any():
        losses[PADDING] = None
    tensor = QuantizedTensor(codes, scales)
    tensor.check()  # refuses illegal scales before anything is told by them
    zeros = zeros_of(dialect, layer.form)
    if zeros is not None and layer.form.zeros is not None:
        part = parts[layer.form.zeros]
        if zeros.packing is not None:
            zero_points = zeros.packing.unpack(part, n, groups)
            lost = PADDING if zeros.packing.rest(part, n, groups) else None
        elif zeros.meaning is not None:
            numbers = np.ascontiguousarray(_rows(dialect, part))
            zero_points = floats.from_numbers(numbers[:, :groups], scales, zeros.meaning)
            lost = _lost(numbers, floats.to_numbers(zero_points, scales, zeros.meaning), groups)
        if lost is not None:
            losses[lost] = None
        tensor = replace(tensor, packed_zero_points=pack_nibbles(zero_points))
    return Decoded(tensor, layer.form, tuple(losses))


def encode(dialect: Dialect, tensor: QuantizedTensor, form: Form | None = None) -> dict[str, Array]:
    """Return the tensors of a weight [N, K] in a dialect, by role.

    Args:
        dialect: how they are to lie.
        tensor: the weight; its scales keep their dtype.
        form: what the dialect leaves open, as :func:`decode` returned it; None: the usual one.

    Raises:
        AwqError: E_DIMS, E_GROUP or E_LOSSY if the dialect cannot hold the weight exactly.
    """
    layer = layer_of(dialect, tensor, form)
    expected = specs(dialect, layer)
    n, k, groups = layer.out_features, layer.in_features, layer.groups
    zero_points = tensor.zero_points
    if zero_points is None:
        zero_points = np.full((n, groups), SYMMETRIC_ZERO, np.uint8)
    if layer.form.zeros is None and (zero_points != SYMMETRIC_ZERO).any():
        raise AwqError(
            "E_LOSSY", dialect.name, "zero points", expected="8 everywhere, for none are stored", got="others"
        )
    parts = {
        dialect.codes: dialect.packing.pack_pairs(tensor.packed_codes).reshape(expected[dialect.codes][1]),
        dialect.scales.role: _widened(dialect, layer, _reordered(dialect, layer, tensor.scales, back=False)),
    }
    zeros = zeros_of(dialect, layer.form)
    if zeros is not None and layer.form.zeros is not None:
        if zeros.packing is not None:
            padded = np.zeros((n, dialect.width(k, layer.group_size)), np.uint8)
            padded[:, :groups] = zero_points
            if zeros.packing.bias:  # what lies beyond the last group is stored as 0, whatever is added to the rest
                padded[:, groups:] = -zeros.packing.bias % 16
            parts[layer.form.zeros] = zeros.packing.pack(padded)
        elif zeros.meaning is not None:
            numbers = floats.to_numbers(zero_points, tensor.scales, zeros.meaning)
            parts[layer.form.zeros] = _widened(dialect, layer, numbers)
    if dialect.shape:
        parts[dialect.shape] = np.array([n, k], SHAPE_DTYPE)
    if layer.form.g_idx is not None:
        parts[layer.form.g_idx] = np.arange(k, dtype=ORDER_DTYPE) // layer.group_size
    return parts


def _rows(dialect: Dialect, part: Array) -> Array:
    """Return scales, or what lies as they do, as [N, width]."""
    return part.T if dialect.scales.by_groups else part


def _widened(dialect: Dialect, layer: Layer, values: Array) -> Array:
    """Return values [N, groups] as they are stored, zeros beyond the last group."""
    wide = np.zeros((layer.out_features, dialect.width(layer.in_features, layer.group_size)), values.dtype)
    wide[:, : layer.groups] = values
    return np.ascontiguousarray(wide.T if dialect.scales.by_groups else wide)


def _reordered(dialect: Dialect, layer: Layer, scales: Array, *, back: bool) -> Array:
    """Return scales [N, groups] with the rows of each block in the dialect's order, or back in their own."""
    if dialect.scales.order is None:
        return np.ascontiguousarray(scales)
    order = np.array(dialect.scales.order(layer.group_size, layer.in_features))
    order = np.argsort(order) if back else order
    blocks = scales.reshape(-1, len(order), layer.groups)
    return np.ascontiguousarray(blocks[:, order]).reshape(layer.out_features, layer.groups)


def _lost(numbers: Array, again: Array, groups: int) -> str | None:
    """Return what of float zero points would not come back."""
    bits = numbers.view(f"<u{numbers.dtype.itemsize}")
    if bits[:, groups:].any():
        return PADDING
    return None if (bits[:, :groups] == again.view(bits.dtype)).all() else SIGNED_ZEROS


def _check_order(layer: Layer, parts: Mapping[str, Array]) -> None:
    if layer.form.g_idx is None:
        return
    order, due = parts[layer.form.g_idx], np.arange(layer.in_features) // layer.group_size
    if (order != due).any():
        k = int(np.argmax(order != due))
        raise AwqError("E_DIALECT", layer.form.g_idx, f"element {k}", expected=due[k], got=order[k])


def _check_shape(dialect: Dialect, layer: Layer, parts: Mapping[str, Array]) -> None:
    due = [layer.out_features, layer.in_features]
    if dialect.shape and parts[dialect.shape].tolist() != due:
        raise AwqError("E_DIALECT", dialect.shape, "value", expected=due, got=parts[dialect.shape].tolist())
