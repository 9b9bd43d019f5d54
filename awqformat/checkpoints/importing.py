"""A checkpoint directory as a model: every layer recognised, nothing but headers read (spec: checkpoints)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial

import numpy as np

from awqformat import dtypes
from awqformat.checkpoints.blocks import decode_blocks, expert_count
from awqformat.checkpoints.config import QuantConfig, parse_config
from awqformat.checkpoints.directory import CONFIG_FILES, Directory
from awqformat.checkpoints.groups import decode_groups
from awqformat.checkpoints.layers import sort_out
from awqformat.checkpoints.losses import Losses
from awqformat.checkpoints.model import Item, Layer, Model, Plain, check_name, named
from awqformat.checkpoints.shard import Stored
from awqformat.dialects import Dialect, recognise
from awqformat.dialects import Layer as Shape
from awqformat.errors import AwqError
from awqformat.model import QuantizedTensor


def directory_model(
    directory: Directory, losses: Losses, *, dialect: str | None = None, group_size: int | None = None
) -> Model:
    """Return the model of a directory.

    Args:
        directory: stays open as long as the model is read.
        losses: what may be lost by reading.
        dialect: what the caller says the layers are; it wins over the configuration, not over the tensors.
        group_size: what the caller says where the configuration does not; -1 for K.

    Raises:
        AwqError: E_CONFIG, E_DIALECT, E_DIMS, E_GROUP or E_NAME, naming file and key, or layer.
    """
    config = _configured(directory, parse_config(directory.texts), dialect, group_size)
    sorted_out = sort_out(directory.tensors)
    if not sorted_out.quantized:
        expected = "quantised layers (awqformat quantize makes them)"
        raise AwqError("E_DIALECT", directory.where, "tensors", expected=expected, got="plain ones only")
    reader = _Reader(config, dialect, losses)
    layers = {prefix: reader.layer(prefix, parts) for prefix, parts in sorted_out.quantized.items()}
    prefixes = {part.name: prefix for prefix, parts in sorted_out.quantized.items() for part in parts.values()}
    items: dict[str, Item] = {}
    for name, stored in directory.tensors.items():
        if name in prefixes:
            layer = layers[prefixes[name]]
            if layer.name in sorted_out.plain:
                got = f"a tensor {layer.name} beside the layer {prefixes[name]}"
                raise AwqError("E_NAME", layer.name, "name", expected="a name for one tensor", got=got)
            items.setdefault(layer.name, layer)
        else:
            items[name] = Plain(name, stored.dtype, stored.shape, stored.size, stored.bytes)
    for name in items:
        check_name(name)
    return Model(directory.where, reader.dialect, reader.dialect, tuple(items.values()), directory.texts)


def _configured(
    directory: Directory, config: QuantConfig | None, dialect: str | None, group_size: int | None
) -> QuantConfig:
    """Return the configuration with what the caller adds to it."""
    if config is None:
        if dialect is None:
            expected = f"a quantisation in {', '.join(CONFIG_FILES)}, or --from and --group-size"
            raise AwqError("E_CONFIG", directory.where, "configuration", expected=expected, got="none")
        config = QuantConfig("the command line", "", None, symmetric=False, version=None)
    if config.group_size is None:
        if group_size is None:
            raise AwqError("E_CONFIG", config.where, "group_size", expected="a group size, or --group-size", got="none")
        return config.with_group_size(group_size)
    if group_size not in (None, config.group_size):
        raise AwqError("E_CONFIG", config.where, "group_size", expected=f"{group_size}, as --group-size says",
                       got=config.group_size)  # fmt: skip
    return config


class _Reader:
    """Recognises layers, which are all in one dialect."""

    def __init__(self, config: QuantConfig, chosen: str | None, losses: Losses) -> None:
        self.dialect: str | None = None
        self._config = config
        self._chosen = chosen
        self._named = () if chosen else config.dialects
        self._losses = losses

    def layer(self, prefix: str, parts: Mapping[str, Stored]) -> Layer:
        """Return one layer.

        Raises:
            AwqError: E_DIALECT, E_DIMS or E_GROUP, naming it.
        """
        try:
            return self._layer(prefix, parts)
        except AwqError as error:
            raise _of(prefix, error) from None

    def _layer(self, prefix: str, parts: Mapping[str, Stored]) -> Layer:
        config = self._config
        specs = {role: (dtypes.NUMPY[stored.awq_dtype], stored.shape) for role, stored in parts.items()}
        codes = next(iter(parts))
        number = expert_count(specs, codes)
        if number is not None:
            specs = {role: (dtype, shape[1:]) for role, (dtype, shape) in specs.items()}
        dialect, shape = recognise(
            specs,
            group_size=-1 if config.group_size is None else config.group_size,
            named=self._named,
            symmetric=config.symmetric,
            chosen=self._chosen,
            shape=_stated(parts),
        )
        if self.dialect not in (None, dialect.name):
            raise AwqError("E_DIALECT", "layer", "tensors", expected=f"{self.dialect}, as the layers before",
                           got=dialect.name)  # fmt: skip
        self.dialect = dialect.name
        if config.reordered and dialect.g_idx and shape.form.g_idx is None:
            raise AwqError("E_DIALECT", "layer", "g_idx", expected="a tensor, as desc_act is true", got="none")
        matrix = (shape.out_features, shape.in_features)
        return Layer(
            named(prefix, "weight"),
            matrix if number is None else (number, *matrix),
            shape.group_size,
            shape.scale_dtype,
            shape.form.zeros is None,
            sum(stored.size for stored in parts.values()),
            partial(self._blocks, prefix, parts, dialect, shape, number),
            partial(self._groups, prefix, parts, dialect, shape, number),
            shape.form,
        )

    def _blocks(
        self, prefix: str, parts: Mapping[str, Stored], dialect: Dialect, shape: Shape, number: int | None
    ) -> Iterator[QuantizedTensor]:
        """Read one layer and decode it some rows at a time."""
        arrays = {role: stored.read() for role, stored in parts.items()}
        try:
            yield from decode_blocks(dialect, arrays, shape, number, partial(self._losses.suffer, layer=prefix))
        except AwqError as error:
            raise _of(prefix, error) from None

    def _groups(
        self, prefix: str, parts: Mapping[str, Stored], dialect: Dialect, shape: Shape, number: int | None
    ) -> list[QuantizedTensor]:
        """Read and decode scales and zero points of one layer."""
        arrays = {role: stored.read() for role, stored in parts.items() if role != dialect.codes}
        try:
            tensors, lost = decode_groups(dialect, arrays, shape, number)
        except AwqError as error:
            raise _of(prefix, error) from None
        for loss in lost:
            self._losses.suffer(loss, prefix)
        return tensors


def _stated(parts: Mapping[str, Stored]) -> tuple[int, int] | None:
    """Return N and K where a tensor says them, once or for each expert alike."""
    if "weight_shape" not in parts:
        return None
    values = parts["weight_shape"].read()
    if (
        values.ndim not in (1, 2)
        or values.shape[-1] != 2
        or not values.size
        or values.dtype.kind not in "iu"
        or (values < 1).any()
        or (values > np.iinfo(np.int32).max).any()
        or (values != values.reshape(-1, 2)[:1]).any()
    ):
        got = f"{values.dtype} {values.tolist()}"
        raise AwqError("E_DIALECT", "weight_shape", "value", expected="N and K", got=got)
    n, k = values.reshape(-1, 2)[0]
    return int(n), int(k)


def _of(prefix: str, error: AwqError) -> AwqError:
    """Return an error that names the layer."""
    field = error.field if error.where in ("layer", prefix) else f"{error.where} {error.field}"
    return AwqError(error.code, prefix or "weight", field, expected=error.expected, got=error.got)
