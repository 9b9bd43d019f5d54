"""A model as one .awq file, both ways (spec: checkpoints, "To .awq and back")."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from functools import partial
from math import prod
from typing import Any, Final

import numpy as np

from awqformat import dtypes
from awqformat.checkpoints.blocks import row_blocks
from awqformat.checkpoints.config import parse_config
from awqformat.checkpoints.directory import CONFIG_FILES
from awqformat.checkpoints.groups import without_codes
from awqformat.checkpoints.model import Item, Layer, Model, Plain, check_name
from awqformat.checkpoints.strict_json import Refused, parse_object
from awqformat.container import meta
from awqformat.container.contents import Deferred, Tensor
from awqformat.container.plan import plan_file
from awqformat.container.reader import AwqFile
from awqformat.dialects import DIALECTS, Form
from awqformat.errors import AwqError
from awqformat.model import QuantizedTensor
from awqformat.schema import Dtype, Limit

DIALECT: Final = "checkpoint.dialect"
FORMS: Final = "checkpoint.forms"
CONFIG: Final = "model.config"
_TEXTS: Final = {name: CONFIG if name == "config.json" else f"checkpoint.{name}" for name in CONFIG_FILES}
"""The entries of META that this module writes, besides quantization.method and quantization.tool."""


def awq_model(file: AwqFile, where: str) -> Model:
    """Return the model of an open file.

    Raises:
        AwqError: E_META if entries of META that say how to export are not what this project writes there.
    """
    metadata = file.metadata()
    origin = metadata.get(DIALECT)
    forms = _forms(metadata.get(FORMS), file)
    items: list[Item] = []
    for info in sorted(map(file.info, file.keys()), key=lambda info: info.offset):
        if info.quantized:
            items.append(
                Layer(
                    info.name,
                    info.shape,
                    info.group_size,
                    info.scale_dtype,
                    info.zero_dtype is Dtype.NONE,
                    info.layout.end,
                    partial(_blocks, file, info.name, info.shape),
                    partial(_groups, file, info.name, info.shape),
                    forms.get(info.name),
                )
            )
        else:
            load = partial(file.plain_bytes, info.name)
            items.append(Plain(info.name, info.dtype.name, info.shape, info.plain_size, load))
    texts = {name: metadata[key] for name, key in _TEXTS.items() if key in metadata}
    rest = {key: value for key, value in metadata.items() if key not in (DIALECT, FORMS, *_TEXTS.values())}
    return Model(where, None, origin if origin in DIALECTS else None, tuple(items), texts, rest)


def _blocks(file: AwqFile, name: str, shape: tuple[int, ...]) -> Iterator[QuantizedTensor]:
    rows = file.get_rows(name)
    for block in row_blocks(shape):
        yield rows[block]


def _groups(file: AwqFile, name: str, shape: tuple[int, ...]) -> list[QuantizedTensor]:
    rows, n = file.get_rows(name), shape[-2]
    return [without_codes(*rows.groups(slice(i, i + n))) for i in range(0, prod(shape[:-1]), n)]


def _forms(text: str | None, file: AwqFile) -> dict[str, Form]:
    """Return the form of each layer, by its name."""
    if text is None:
        return {}
    try:
        said = parse_object(text)
        default = said["default"]
        return {name: Form(**said["layers"].get(name, default)) for name in file.keys()}  # noqa: SIM118  # not a mapping
    except (Refused, KeyError, TypeError, AttributeError) as error:
        raise AwqError("E_META", "META", FORMS, expected="the forms of layers", got=error) from None


def entries(model: Model) -> dict[str, str]:
    """Return META for a model: its configuration, where it comes from, and what gives the same directory back.

    Raises:
        AwqError: E_LIMIT if that is more than META can hold.
    """
    found = {_TEXTS[name]: text for name, text in model.texts.items()} | dict(model.metadata)
    if model.origin is not None:
        found[DIALECT] = model.origin
    forms = {layer.name: layer.form for layer in model.layers if layer.form is not None}
    if forms:
        ((default, _),) = Counter(forms.values()).most_common(1)
        others = {name: asdict(form) for name, form in forms.items() if form != default}
        found[FORMS] = json.dumps({"default": asdict(default), "layers": others})
    found |= _quantization(model.texts)
    size = len(meta.encode(found)) if found else 0
    if size > Limit.META_MAX:
        raise AwqError("E_LIMIT", "META", "size", expected=f"at most {int(Limit.META_MAX)} bytes", got=size)
    return found


def _quantization(texts: Mapping[str, str]) -> dict[str, str]:
    """Return how the codes were chosen and by what, where the configuration tells."""
    config = parse_config(texts)
    found = {}
    if config is not None and config.method in ("awq", "gptq"):
        found["quantization.method"] = config.method
    if config is not None and config.tool is not None:
        found["quantization.tool"] = config.tool
    return found


def deferred(model: Model) -> dict[str, Deferred]:
    """Return the tensors of the file, each to be read when its turn comes.

    Raises:
        AwqError: E_NAME, E_ENUM .. for whatever a file cannot hold.
    """
    tensors: dict[str, Deferred] = {}
    for item in model.items:
        check_name(item.name)
        if isinstance(item, Layer):
            zero_dtype = Dtype.NONE if item.symmetric else Dtype.U4
            tensors[item.name] = Deferred(
                item.blocks, Dtype.U4, item.shape, item.scale_dtype, zero_dtype, item.group_size
            )
        else:
            if item.dtype not in Dtype.__members__:
                raise AwqError("E_ENUM", item.name, "dtype", expected="an element type of .awq", got=item.dtype)
            tensors[item.name] = Deferred(partial(_values, item), Dtype[item.dtype], item.shape)
    return tensors


def _values(item: Plain) -> Tensor:
    array: np.ndarray[Any, Any] = np.frombuffer(item.load(), dtypes.NUMPY[Dtype[item.dtype]]).reshape(item.shape)
    return array


def file_size(tensors: Mapping[str, Deferred], metadata: Mapping[str, str]) -> int:
    """Return the size of the file in bytes.

    Raises:
        AwqError: for whatever a file cannot hold.
    """
    return plan_file(tensors, metadata).file_size
