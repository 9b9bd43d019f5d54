"""A layer as its tensors lie in a checkpoint, and how they are to be read (spec: layouts)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from awq_conformance.diagnosis.weight import Array, Weight

if TYPE_CHECKING:
    from pathlib import Path

    from awqformat import QuantizedTensor
    from awqformat.dialects import Dialect
    from awqformat.dialects.packing import Packing


@dataclass(frozen=True)
class Packed(Weight):
    """One layer of a valid checkpoint: what it holds, and its tensors by role.

    ``zero_role`` is the role of the zero points, ``zero_packing`` how they lie; None where they are no integers, or
    there are none. ``places`` are the file and the offset of each tensor, ``name`` is what all their names begin with.
    """

    shape: tuple[int, ...]
    group_size: int
    scale_dtype: str
    symmetric: bool
    first_group_size: int
    tensor: QuantizedTensor
    dialect: Dialect
    parts: Mapping[str, Array]
    zero_role: str | None
    zero_packing: Packing | None
    name: str
    places: Mapping[str, tuple[str, int]]

    @cached_property
    def codes(self) -> Array:
        """Return q (N, K)."""
        return self.tensor.codes.astype(np.int64)

    @cached_property
    def zeros(self) -> Array:
        """Return z (N, K / G)."""
        stored = self.tensor.zero_points
        return np.full(self.tensor.scales.shape, 8) if stored is None else stored.astype(np.int64)

    @cached_property
    def scales(self) -> Array:
        """Return s (N, K / G), widened to f32."""
        return self.tensor.scales.astype(np.float32)

    @property
    def width(self) -> int:
        """Return the groups that a row has room for."""
        return self.dialect.width(self.columns, self.group_size)

    @cached_property
    def products(self) -> Array | None:
        """Return what is stored for zero points (R, K / G) where that is -(s * z), in f32."""
        if self.zero_role is None or self.zero_packing is not None:
            return None
        return self.per_group(self.parts[self.zero_role])

    def codes_by(self, packing: Packing, words: Array | None = None) -> Array:
        """Return the codes (R, K) that the words hold if they lie as ``packing`` says."""
        return unpacked(self.parts[self.dialect.codes] if words is None else words, packing, self.rows, self.columns)

    def zeros_by(self, packing: Packing, words: Array | None = None, width: int | None = None) -> Array:
        """Return the zero points (R, K / G) that the words hold if they lie as ``packing`` says."""
        if self.zero_role is None:
            return self.zeros
        words = self.parts[self.zero_role] if words is None else words
        return unpacked(words, packing, self.rows, width or self.width)[:, : self.groups]

    def per_group(self, part: Array, *, transposed: bool = False) -> Array:
        """Return scales, or what lies as they do, as (R, K / G) in f32; ``transposed``: as if turned."""
        by_groups = self.dialect.scales.by_groups is not transposed
        matrix = part.reshape((self.width, self.rows) if by_groups else (self.rows, self.width))
        return np.ascontiguousarray((matrix.T if by_groups else matrix)[:, : self.groups].astype(np.float32))


def unpacked(words: Array, packing: Packing, rows: int, columns: int) -> Array:
    """Return the numbers (rows, columns) that words hold, as they come, in a packing that need not be theirs."""
    shape = packing.shape(rows, columns)
    stream = np.frombuffer(np.ascontiguousarray(words).tobytes(), packing.word)
    whole = np.zeros(shape[0] * shape[1], stream.dtype)
    whole[: len(stream)] = stream[: len(whole)]
    return packing.unpack(whole.reshape(shape), rows, columns).astype(np.int64)


def layers_in(path: Path) -> dict[int, Packed]:
    """Return the layers of a valid checkpoint by number, in the order of their names."""
    from awqformat.checkpoints.directory import Directory  # only here: what is judged must not depend on them
    from awqformat.checkpoints.importing import directory_model
    from awqformat.checkpoints.layers import sort_out
    from awqformat.checkpoints.losses import MEANINGS, Losses
    from awqformat.dialects import DIALECTS
    from awqformat.dialects.layer import zeros_of

    found = {}
    with Directory(path) as directory:
        model = directory_model(directory, Losses(MEANINGS))
        dialect = DIALECTS[str(model.dialect)]
        stored = sort_out(directory.tensors).quantized
        layers = sorted(model.layers, key=lambda layer: layer.prefix.encode())
        for number, layer in enumerate(layers):
            tensor = layer.load()
            zeros = zeros_of(dialect, layer.form) if layer.form is not None else None
            found[number] = Packed(
                layer.shape,
                layer.group_size,
                layer.scale_dtype.name,
                tensor.symmetric,
                layers[0].group_size,
                tensor,
                dialect,
                {role: part.read() for role, part in stored[layer.prefix].items()},
                layer.form.zeros if layer.form is not None else None,
                zeros.packing if zeros is not None else None,
                layer.prefix,
                {role: (part.shard, part.offset) for role, part in stored[layer.prefix].items()},
            )
    return found
