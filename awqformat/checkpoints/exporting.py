"""A model as a checkpoint directory of a dialect: planned in full, then written in one pass (spec: checkpoints)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from awqformat import dtypes
from awqformat.checkpoints.blocks import encode_blocks
from awqformat.checkpoints.export_config import EXPORTABLE, Exported, config_text
from awqformat.checkpoints.groups import check_groups
from awqformat.checkpoints.losses import Losses
from awqformat.checkpoints.model import Digest, Item, Layer, Model, named
from awqformat.checkpoints.shards import SHARD_SIZE, Shard, ShardWriter, Spec, plan_shards, write_text
from awqformat.dialects import DIALECTS, Dialect, Form, specs, usual_form
from awqformat.dialects import Layer as Shape
from awqformat.dialects.layer import zeros_of
from awqformat.errors import AwqError
from awqformat.model import QuantizedTensor
from awqformat.pipeline import in_order
from awqformat.schema import Dtype

# These have a tensor of zero points in whatever a program of theirs reads, if all of them are 8.
_ALWAYS_ZEROS: Final = ("gemm", "gemv", "gptq", "gptq_v2", "int4pack")


@dataclass(frozen=True)
class Export:
    """A directory that is to be written: every file and size is known.

    Attributes:
        model: what is written.
        dialect: the dialect of the layers.
        shards: the safetensors files.
        index: the text of their index, None if there is one file only.
        texts: the configuration files by name.
        shapes: each layer's shape in the dialect, by the layer's name.
    """

    model: Model
    dialect: Dialect
    shards: Sequence[Shard]
    index: str | None
    texts: dict[str, str]
    shapes: dict[str, Shape]

    @property
    def size(self) -> int:
        """Bytes of all shards."""
        return sum(shard.size for shard in self.shards)

    def write(
        self, folder: Path, losses: Losses, *, workers: int = 1, progress: Callable[[Item], None] | None = None
    ) -> dict[str, bytes]:
        """Write the files of the directory, which exists and is empty.

        Returns:
            What each item says, by name, to be compared with what is read back.

        Raises:
            AwqError: if a layer is not what it should be, or cannot be kept exactly and that is not allowed.
            OSError: if the file system refuses.
        """

        def prepare(item: Item) -> tuple[Item, bytes, list[tuple[str, memoryview]]]:
            return item, *self._stored(item, losses)

        digests: dict[str, bytes] = {}
        with ShardWriter(folder, self.shards, self.index) as writer:
            for item, digests[item.name], parts in in_order(prepare, self.model.items, workers):
                for name, data in parts:
                    writer.write(name, data)
                parts.clear()  # the next item is made before this loop lets go of this one
                if progress is not None:
                    progress(item)
            writer.finish()
        for name, text in self.texts.items():
            write_text(folder / name, text)
        return digests

    def check(self, layer: Layer, losses: Losses) -> None:
        """Refuse a layer whose scales or zero points the dialect cannot keep.

        Raises:
            AwqError: as :meth:`write`.
        """
        shape = self.shapes[layer.name]
        try:
            for tensor in layer.groups():
                check_groups(self.dialect, losses.narrowed(tensor, shape.scale_dtype, layer.prefix), shape)
        except AwqError as error:
            raise _of(layer, error) from None

    def keeps(self, layer: Layer) -> bool:
        """Return whether the dialect keeps a legal layer, whatever its values are."""
        shape = self.shapes[layer.name]
        zeros = zeros_of(self.dialect, shape.form)
        return (
            layer.scale_dtype is shape.scale_dtype
            and (layer.symmetric or shape.form.zeros is not None)
            and (zeros is None or zeros.packing is not None)
        )

    def _stored(self, item: Item, losses: Losses) -> tuple[bytes, list[tuple[str, memoryview]]]:
        """Read an item; return the digest of what it says, and the bytes of its tensors by name."""
        if not isinstance(item, Layer):
            data = item.load()
            return hashlib.sha256(data).digest(), [(item.name, data)]
        shape, told, prefix = self.shapes[item.name], Digest(item.shape), item.prefix

        def narrowed(blocks: Iterator[QuantizedTensor]) -> Iterator[QuantizedTensor]:
            for block in blocks:
                narrow = losses.narrowed(block, shape.scale_dtype, prefix)
                told.update(narrow)
                yield narrow

        experts = item.shape[0] if len(item.shape) == 3 else None
        try:
            parts = encode_blocks(self.dialect, narrowed(item.blocks()), shape, experts)
        except AwqError as error:
            raise _of(item, error) from None
        return told.digest(), [
            (named(item.prefix, role), np.ascontiguousarray(part).reshape(-1).view(np.uint8).data)
            for role, part in parts.items()
        ]


def plan_export(model: Model, name: str, *, shard_size: int = SHARD_SIZE) -> Export:
    """Lay a model out as a directory of the dialect ``name``.

    Raises:
        AwqError: E_DIMS, E_GROUP, E_DIALECT or E_LOSSY for a layer that the dialect cannot hold, E_CONFIG if no
            configuration describes the layers together, E_NAME for two tensors of one name.
    """
    if name not in EXPORTABLE:
        raise AwqError("E_DIALECT", name, "export", expected=" or ".join(EXPORTABLE), got=name)
    if not model.layers:
        raise AwqError("E_DIALECT", model.where, "tensors", expected="quantised layers", got="plain ones only")
    dialect = DIALECTS[name]
    symmetric = all(layer.symmetric for layer in model.layers)
    items: list[list[Spec]] = []
    shapes: dict[str, Shape] = {}
    taken: set[str] = set()
    for item in model.items:
        if isinstance(item, Layer):
            form = (
                item.form if model.origin == name and item.form is not None else form_of(dialect, symmetric=symmetric)
            )
            try:
                shapes[item.name] = _shape(dialect, item, form)
                parts = [_spec(item, role, spec) for role, spec in specs(dialect, shapes[item.name]).items()]
            except AwqError as error:
                raise _of(item, error) from None
        else:
            parts = [Spec(item.name, item.dtype, item.shape)]
        for part in parts:
            if part.name in taken:
                raise AwqError("E_NAME", part.name, "name", expected="a name for one tensor", got="two")
            taken.add(part.name)
        items.append(parts)
    shards, index = plan_shards(items, shard_size, "mlx" if name == "mlx" else "pt")
    return Export(model, dialect, shards, index, _texts(model, name, shapes), shapes)


def form_of(dialect: Dialect, *, symmetric: bool) -> Form:
    """Return the form in which layers of another origin are written: the one that most programs read."""
    form = usual_form(dialect, symmetric=symmetric and dialect.name not in _ALWAYS_ZEROS)
    return Form(form.zeros, form.integral, "g_idx") if dialect.name in ("gptq", "gptq_v2") else form


def _shape(dialect: Dialect, layer: Layer, form: Form) -> Shape:
    allowed = dialect.scales.dtypes
    scale_dtype = layer.scale_dtype if layer.scale_dtype in allowed else allowed[0]
    n, k = layer.shape[-2:]
    if len(layer.shape) > 3:
        raise AwqError("E_DIMS", "layer", "shape", expected="[N, K] or [E, N, K]", got=layer.shape)
    return Shape(n, k, layer.group_size, scale_dtype, form)


def _spec(layer: Layer, role: str, spec: tuple[np.dtype[Any], tuple[int, ...]]) -> Spec:
    dtype, shape = spec
    return Spec(named(layer.prefix, role), dtypes.from_numpy(dtype).name, (*layer.shape[:-2], *shape))


def _texts(model: Model, name: str, shapes: dict[str, Shape]) -> dict[str, str]:
    """Return the configuration files: the old ones where they are still right, else a new config.json."""
    layers = {layer.prefix: layer for layer in model.layers}
    exported = Exported(
        name,
        {prefix: (layer.group_size, layer.shape[-1]) for prefix, layer in layers.items()},
        any(shape.form.zeros is None for shape in shapes.values()) or all(layer.symmetric for layer in layers.values()),
        [
            item.name.removesuffix(".weight")
            for item in model.plain
            if item.name.endswith(".weight") and len(item.shape) == 2 and item.dtype in Dtype.__members__
        ],
    )
    if model.origin == name and exported.agrees_with(model.texts):
        return dict(model.texts)
    return {"config.json": config_text(model.texts.get("config.json"), exported)}


def _of(layer: Layer, error: AwqError) -> AwqError:
    """Return an error that names the layer."""
    if error.where in (layer.name, layer.prefix):
        return error
    field = error.field if error.where == "layer" else f"{error.where} {error.field}"
    return AwqError(error.code, layer.prefix or layer.name, field, expected=error.expected, got=error.got)
