"""The shape of one layer in a dialect, and the tensors that it has there (spec: layouts)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from awqformat import dtypes
from awqformat.dialects.table import Dialect, Zeros
from awqformat.errors import AwqError
from awqformat.model import QuantizedTensor
from awqformat.schema import Dtype

ORDER_DTYPE: Final = np.dtype("<i4")
SHAPE_DTYPE: Final = np.dtype("<i8")


@dataclass(frozen=True)
class Form:
    """What a dialect leaves open, and a layer has decided; it gives the same tensors back.

    Attributes:
        zeros: the role of the zero points, or None where none are stored.
        integral: whether they are packed integers, in dialects that know both.
        g_idx: the role of the tensor that names each k's group, or None.
    """

    zeros: str | None
    integral: bool = True
    g_idx: str | None = None


@dataclass(frozen=True)
class Layer:
    """The shape of one layer of a dialect: all that the shapes and dtypes of its tensors follow from.

    Attributes:
        out_features, in_features: N and K.
        group_size: G; K for one group in each row.
        scale_dtype: F16, BF16 or F32.
        form: what the dialect leaves open.
    """

    out_features: int
    in_features: int
    group_size: int
    scale_dtype: Dtype
    form: Form

    @property
    def groups(self) -> int:
        """Groups of a row."""
        return self.in_features // self.group_size


def specs(dialect: Dialect, layer: Layer) -> dict[str, tuple[np.dtype[Any], tuple[int, ...]]]:
    """Return dtype and shape of each tensor that a layer has in a dialect, by role.

    Raises:
        AwqError: E_DIMS, E_GROUP or E_LOSSY if the dialect has no such layer.
    """
    check(dialect, layer)
    n, k = layer.out_features, layer.in_features
    width = dialect.width(k, layer.group_size)
    scale_shape = (width, n) if dialect.scales.by_groups else (n, width)
    scale_dtype = dtypes.NUMPY[layer.scale_dtype]
    code_shape: tuple[int, ...] = dialect.packing.shape(n, k)
    if dialect.cut_groups:
        code_shape = (n, layer.groups, code_shape[1] // layer.groups)
    found = {
        dialect.codes: (np.dtype(dialect.packing.word), code_shape),
        dialect.scales.role: (scale_dtype, scale_shape),
    }
    zeros = zeros_of(dialect, layer.form)
    if zeros is not None and layer.form.zeros is not None:
        if zeros.packing is not None:
            found[layer.form.zeros] = np.dtype(zeros.packing.word), zeros.packing.shape(n, width)
        else:
            found[layer.form.zeros] = scale_dtype, scale_shape
    if dialect.shape:
        found[dialect.shape] = SHAPE_DTYPE, (2,)
    if layer.form.g_idx is not None:
        found[layer.form.g_idx] = ORDER_DTYPE, (k,)
    return found


def check(dialect: Dialect, layer: Layer) -> None:
    """Refuse a layer that a dialect cannot hold.

    Raises:
        AwqError: E_DIMS or E_GROUP for its shape, E_LOSSY for the dtype of its scales or for missing zero points.
    """
    n, k, group_size = layer.out_features, layer.in_features, layer.group_size
    if n < 1 or n % dialect.rows:
        raise AwqError("E_DIMS", dialect.name, "out_features", expected=f"a multiple of {dialect.rows}", got=n)
    if k < 1 or k % dialect.columns:
        raise AwqError("E_DIMS", dialect.name, "in_features", expected=f"a multiple of {dialect.columns}", got=k)
    if group_size < 8 or group_size % 8 or k % group_size:
        raise AwqError("E_GROUP", dialect.name, "group_size", expected=f"a multiple of 8 that divides K = {k}",
                       got=group_size)  # fmt: skip
    if not dialect.group_sizes(group_size, k):
        raise AwqError("E_GROUP", dialect.name, "group_size", expected=f"one that exists in {dialect.name}",
                       got=group_size)  # fmt: skip
    if layer.scale_dtype not in dialect.scales.dtypes:
        allowed = " or ".join(dtype.name for dtype in dialect.scales.dtypes)
        raise AwqError("E_LOSSY", dialect.name, "scales", expected=allowed, got=layer.scale_dtype.name)
    if layer.form.zeros is None and not all(zeros.optional for zeros in dialect.zeros):
        raise AwqError("E_DIALECT", dialect.name, "zero points", expected=dialect.zeros[0].roles[0], got="none")
    zeros_of(dialect, layer.form)


def zeros_of(dialect: Dialect, form: Form) -> Zeros | None:
    """Return how a layer's zero points are stored, None where they are not.

    Raises:
        AwqError: E_DIALECT if the dialect does not store them so.
    """
    if form.zeros is None:
        return None
    for zeros in dialect.zeros:
        if form.zeros in zeros.roles and (len(dialect.zeros) == 1 or (zeros.packing is not None) is form.integral):
            return zeros
    raise AwqError("E_DIALECT", dialect.name, "zero points", expected="a form that the dialect has", got=form.zeros)


def layer_of(dialect: Dialect, tensor: QuantizedTensor, form: Form | None = None) -> Layer:
    """Return the layer that a weight makes in a dialect.

    Raises:
        AwqError: E_DIMS if the weight is no matrix.
    """
    if len(tensor.shape) != 2:
        raise AwqError("E_DIMS", dialect.name, "shape", expected="[N, K]", got=tensor.shape)
    return Layer(*tensor.shape, tensor.group_size, tensor.scale_dtype,
                 usual_form(dialect, symmetric=tensor.symmetric) if form is None else form)  # fmt: skip


def usual_form(dialect: Dialect, *, symmetric: bool) -> Form:
    """Return the form that a dialect's own tools write: a symmetric weight has no zero points where it needs none."""
    if not dialect.zeros or (symmetric and all(zeros.optional for zeros in dialect.zeros)):
        return Form(None)
    return Form(dialect.zeros[0].roles[0])


def told(spec: tuple[np.dtype[Any], tuple[int, ...]] | None) -> str:
    """Return dtype and shape in words."""
    return "none" if spec is None else f"{spec[0].name} {list(spec[1])}"
