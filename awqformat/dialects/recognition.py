"""Which dialect a layer is in: by its tensors, and by what is said of them where these leave a choice.

Nothing is guessed (spec: checkpoints, "Recognising a layer").
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np

from awqformat import dtypes
from awqformat.dialects.layer import Form, Layer, specs, told
from awqformat.dialects.table import DIALECTS, Dialect
from awqformat.errors import AwqError

Spec = tuple[np.dtype[Any], tuple[int, ...]]

ORDER_ROLES: Final = ("g_idx", "weight_g_idx")

_SAME_NAMES: Final = {"gemm": ("int4pack",)}
"""Dialects that come under the configuration of another one."""


def recognise(
    parts: Mapping[str, Spec],
    *,
    group_size: int,
    named: Sequence[str] = (),
    symmetric: bool = False,
    chosen: str | None = None,
    shape: tuple[int, int] | None = None,
) -> tuple[Dialect, Layer]:
    """Return the dialect of a layer, and its shape.

    Args:
        parts: dtype and shape of each of its tensors, by role.
        group_size: as the configuration has it; -1 for K.
        named: the dialects that the configuration names, none if it names no one.
        symmetric: whether the configuration lets absent zero points mean 8.
        chosen: the dialect that the caller names.
        shape: (N, K) where a tensor or the caller tells.

    Raises:
        AwqError: E_DIALECT if no dialect fits, if one does that is not named, or if several do and nothing decides.
    """
    tried = {name: _tried(dialect, parts, group_size, shape) for name, dialect in DIALECTS.items()}
    fitting = {name: layer for name, layer in tried.items() if isinstance(layer, Layer)}
    wanted = (chosen,) if chosen else tuple(name for one in named for name in (one, *_SAME_NAMES.get(one, ())))
    open_to = [name for name in fitting if not wanted or name in wanted]
    if not open_to and wanted and not fitting:
        reasons = [reason for name in wanted if isinstance(reason := tried.get(name), AwqError)]
        grouped = (reason for reason in reasons if reason.code == "E_GROUP")  # the codes fit: it is this dialect
        raise next(grouped, None) or next(iter(reasons), None) or _unknown(wanted[0])
    if not open_to:
        got = f"tensors of {' or '.join(fitting)}" if fitting else _listed(parts)
        raise AwqError("E_DIALECT", "layer", "tensors", expected=" or ".join(wanted) or "a known dialect", got=got)
    if len(open_to) > 1:
        decides = "naming it (--from)" if len(wanted) > 1 else "the version in the configuration"
        raise AwqError("E_DIALECT", "layer", "tensors", expected=f"one dialect; {decides} decides",
                       got=f"tensors that fit {' and '.join(open_to)}")  # fmt: skip
    dialect, layer = DIALECTS[open_to[0]], fitting[open_to[0]]
    if layer.form.zeros is None and dialect.zeros and not symmetric:
        roles = " or ".join(dialect.zeros[0].roles)
        raise AwqError("E_DIALECT", "layer", "zero points", expected=f"{roles}, or a configuration that is symmetric",
                       got="none")  # fmt: skip
    return dialect, layer


def _tried(
    dialect: Dialect, parts: Mapping[str, Spec], group_size: int, shape: tuple[int, int] | None
) -> Layer | AwqError:
    try:
        return fit(dialect, parts, group_size, shape)
    except AwqError as reason:
        return reason


def fit(dialect: Dialect, parts: Mapping[str, Spec], group_size: int, shape: tuple[int, int] | None = None) -> Layer:
    """Return the shape of the layer that tensors make in a dialect.

    Raises:
        AwqError: E_DIALECT, E_DIMS, E_GROUP or E_LOSSY if they make none, with the first that does not fit.
    """
    for role in (dialect.codes, dialect.scales.role, *filter(None, [dialect.shape])):
        if role not in parts:
            raise AwqError("E_DIALECT", dialect.name, role, expected="a tensor", got="none")
    dtype, stored = parts[dialect.codes]
    if dtype != np.dtype(dialect.packing.word) or len(stored) != 2 + dialect.cut_groups:
        rank = 2 + dialect.cut_groups
        raise AwqError("E_DIALECT", dialect.name, dialect.codes, expected=f"{dialect.packing.word}, {rank} dimensions",
                       got=told(parts[dialect.codes]))  # fmt: skip
    n, k = shape or _features(dialect, stored)
    scale_dtype = parts[dialect.scales.role][0]
    if scale_dtype not in [dtypes.NUMPY[one] for one in dialect.scales.dtypes]:
        allowed = " or ".join(dtype.name for dtype in dialect.scales.dtypes)
        raise AwqError("E_DIALECT", dialect.name, dialect.scales.role, expected=allowed, got=scale_dtype)
    layer = Layer(n, k, k if group_size == -1 else group_size, dtypes.from_numpy(scale_dtype), _form(dialect, parts))
    expected = specs(dialect, layer)
    for role in dict.fromkeys((*expected, *parts)):
        if parts.get(role) != expected.get(role):
            raise AwqError(
                "E_DIALECT", dialect.name, role, expected=told(expected.get(role)), got=told(parts.get(role))
            )
    return layer


def _features(dialect: Dialect, stored: tuple[int, ...]) -> tuple[int, int]:
    """Return N and K as the codes have room for."""
    packing = dialect.packing
    first, second = stored[0], int(np.prod(stored[1:])) // packing.words
    rows, columns = (second, first) if packing.by_columns else (first, second)
    return rows * packing.tile[0], columns * packing.tile[1]


def _form(dialect: Dialect, parts: Mapping[str, Spec]) -> Form:
    roles = {role for zeros in dialect.zeros for role in zeros.roles}
    role = next((role for role in parts if role in roles), None)
    order = next((role for role in ORDER_ROLES if dialect.g_idx and role in parts), None)
    integral = role is None or parts[role][0].kind in "iu"
    return Form(role, integral or len(dialect.zeros) == 1, order)


def _listed(parts: Mapping[str, Spec]) -> str:
    return ", ".join(f"{role} {told(spec)}" for role, spec in sorted(parts.items()))


def _unknown(name: str) -> AwqError:
    return AwqError("E_DIALECT", "layer", "dialect", expected=", ".join(DIALECTS), got=name)
