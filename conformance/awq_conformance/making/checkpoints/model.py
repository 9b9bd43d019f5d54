"""What a checkpoint holds before it is put into files: layers by name, plain tensors, a configuration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import ml_dtypes
import numpy as np

from awq_conformance.making.checkpoints.dialects import TOP
from awq_conformance.making.values import plain, quantised
from awqformat import QuantizedTensor

Array = np.ndarray[Any, Any]

ROWS: Final = 32
COLUMNS: Final = 128
GROUP_SIZE: Final = 32
"""N, K and G where a case is not about them: all different, as is K/G, and legal in every dialect."""

UP: Final = "model.layers.0.mlp.up_proj"
DOWN: Final = "model.layers.0.mlp.down_proj"


@dataclass(frozen=True)
class Model:
    """The content of a checkpoint directory.

    Attributes:
        layers: name -> quantised weight.
        plain: name -> array stored as it is.
        shards: how many files the tensors are spread over; more than one have an index.
        group_size: what the configuration says, where that is not the layers' number.
        asks: what the configuration says otherwise than the dialect's usual one: keys of the quantisation part, None
            to leave a key out.
        place: where that part stands: a path of keys in config.json, or another file.
        without: roles that are not written, such as ``qzeros``.
        renamed: roles that are written under another name.
        backwards: whether tensors are stored in the opposite of the order of their names.
        extra: other files of the directory, by name.
    """

    layers: Mapping[str, QuantizedTensor]
    plain: Mapping[str, Array] = field(default_factory=dict)
    shards: int = 1
    group_size: int | None = None
    asks: Mapping[str, Any] = field(default_factory=dict)
    place: tuple[str, ...] = TOP
    without: tuple[str, ...] = ()
    renamed: Mapping[str, str] = field(default_factory=dict)
    backwards: bool = False
    extra: Mapping[str, bytes] = field(default_factory=dict)


def one(tensor: QuantizedTensor, **more: Any) -> Model:
    """Return a model of one layer."""
    return Model({UP: tensor}, **more)


def layer(
    seed: str, shape: tuple[int, ...] = (ROWS, COLUMNS), group_size: int = GROUP_SIZE, **how: Any
) -> QuantizedTensor:
    """Return a layer of random codes, zero points and ordinary scales."""
    return quantised(seed, shape, group_size, **how)


def block(seed: str, **more: Any) -> Model:
    """Return what a small model has: two layers of different shapes, a bias, norms, an embedding."""
    return Model(
        {DOWN: layer(f"{seed}/down", (64, 128)), UP: layer(f"{seed}/up", (96, 64))},
        {f"{UP}.bias": plain(f"{seed}/bias", (96,), np.float16), **beside(seed)},
        **more,
    )


def beside(seed: str) -> dict[str, Array]:
    """Return what every model has beside its layers."""
    return {
        "model.embed_tokens.weight": plain(f"{seed}/embed", (10, 64), np.float16),
        "model.norm.weight": plain(f"{seed}/norm", (64,), ml_dtypes.bfloat16),
        "lm_head.weight": plain(f"{seed}/head", (10, 64), np.float16),
    }
