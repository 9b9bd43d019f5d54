"""A model as the files of a checkpoint directory, the same bytes on every machine."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from awq_conformance.making.checkpoints.model import Model
from awq_conformance.making.record import Files
from awqformat.dtypes import from_numpy

Array = np.ndarray[Any, Any]

INDEX: Final = "model.safetensors.index.json"
_HEADER_UNIT: Final = 8


def files_of(model: Model, tensors: Mapping[str, Array], asks: Mapping[str, Any]) -> Files:
    """Return name -> bytes of every file: configuration, shards and, where there are several, their index.

    Args:
        model: how many shards, and where the configuration stands.
        tensors: everything to be written, by name.
        asks: the quantisation part of the configuration.
    """
    names = sorted(tensors, reverse=model.backwards)
    if model.shards == 1:
        shards = {"model.safetensors": names}
    else:
        count = model.shards
        shards = {f"model-{i + 1:05}-of-{count:05}.safetensors": names[i::count] for i in range(count)}
    files = _configured(model.place, asks)
    files |= {shard: safetensors({name: tensors[name] for name in held}) for shard, held in shards.items()}
    if model.shards > 1:
        size = sum(array.nbytes for array in tensors.values())
        weight_map = {name: shard for shard, held in shards.items() for name in held}
        files[INDEX] = json_file({"metadata": {"total_size": size}, "weight_map": dict(sorted(weight_map.items()))})
    return files | dict(model.extra)


def safetensors(tensors: Mapping[str, Array]) -> bytes:
    """Return a safetensors file: eight bytes of length, a JSON header padded with spaces, the data without gaps."""
    header, data = {}, b""
    for name, array in tensors.items():
        raw = np.ascontiguousarray(array).tobytes()
        dtype = from_numpy(array.dtype).name
        header[name] = {"dtype": dtype, "shape": list(array.shape), "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % _HEADER_UNIT)
    return len(text).to_bytes(8, "little") + text + data


def _configured(place: tuple[str, ...], asks: Mapping[str, Any]) -> Files:
    file, *keys = place
    content: Any = dict(asks)
    for key in reversed(keys):
        content = {key: content}
    if file == "config.json":
        return {file: json_file({"architectures": ["LlamaForCausalLM"], "model_type": "llama", **content})}
    return {
        "config.json": json_file({"architectures": ["LlamaForCausalLM"], "model_type": "llama"}),
        file: json_file(content),
    }


def json_file(content: Mapping[str, Any]) -> bytes:
    """Return the bytes of a JSON file as programs write it."""
    return (json.dumps(content, indent=2) + "\n").encode()
