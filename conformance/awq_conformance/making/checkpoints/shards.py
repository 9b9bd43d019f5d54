"""Faults of shards and of their index."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Final

import numpy as np

from awq_conformance.making.checkpoints.dialects import Kind
from awq_conformance.making.checkpoints.fault import SHARD, Fault, Header, created, cut, header, text
from awq_conformance.making.checkpoints.folder import INDEX, json_file, safetensors

FIRST: Final = "model-00001-of-00003.safetensors"


def of(kind: Kind) -> Iterator[Fault]:
    """Yield those of a profile."""
    fault = partial(Fault, kind)
    yield fault("dtype-wider", "a dtype for which there are not enough bytes", "E_SHARD", "AWQ-CHK-001", SHARD,
                text(rf'(\.{kind.codes}":{{"dtype":")I(16|32)', r"\g<1>I64"))  # fmt: skip
    yield fault("shard-truncated", "the last 64 bytes of the file are missing", "E_SHARD", "AWQ-CHK-001", SHARD,
                cut(64))  # fmt: skip
    yield fault("shard-missing", "the index names a file that is not there", "E_SHARD", "AWQ-CHK-001", INDEX,
                text(r'(lm_head\.weight": "model-0000)1', r"\g<1>4"), twin="sharded")  # fmt: skip
    yield fault("index-escapes", "the index names a file outside of the folder", "E_SHARD", "AWQ-CHK-001", INDEX,
                text(r'(lm_head\.weight": ")model-00001-of-00003', r"\g<1>../model-00001-of-00003"),
                twin="sharded")  # fmt: skip
    yield fault("index-lacks-tensor", "a shard holds a tensor that the index does not name", "E_SHARD", "AWQ-CHK-001",
                INDEX, text(r' *"lm_head\.weight": "[^"]*",\n', ""), twin="sharded")  # fmt: skip
    yield fault("index-names-another", "the index names a tensor that its shard does not hold", "E_SHARD",
                "AWQ-CHK-001", INDEX, text(r"lm_head\.weight", "lm_head.weighs"), twin="sharded")  # fmt: skip
    yield fault("shard-longer", "eight bytes follow the last tensor", "E_SHARD", "AWQ-CHK-001", SHARD,
                lambda data: data + bytes(8))  # fmt: skip
    yield fault("shard-hole", "eight bytes before the first tensor belong to none", "E_SHARD", "AWQ-CHK-001", SHARD,
                header(_moved))  # fmt: skip
    yield fault("header-too-long", "the header is said to be longer than the file", "E_SHARD", "AWQ-CHK-001", SHARD,
                lambda data: (1 << 20).to_bytes(8, "little") + data[8:])  # fmt: skip
    yield fault("shards-without-index", "a second shard, and no index", "E_SHARD", "AWQ-CHK-001", "more.safetensors",
                created(safetensors({"model.more.weight": np.ones(4, np.float16)})))  # fmt: skip
    yield fault("indexes-two", "a second index", "E_SHARD", "AWQ-CHK-001", "more.safetensors.index.json",
                created(json_file({"weight_map": {"model.more.weight": FIRST}})), twin="sharded")  # fmt: skip
    yield fault("tensor-twice", "a tensor that two shards hold", "E_SHARD", "AWQ-CHK-001", FIRST, header(_held_twice),
                twin="sharded")  # fmt: skip


def _moved(tensors: Header, data: bytes) -> bytes:
    for entry in tensors.values():
        entry["data_offsets"] = [8 + offset for offset in entry["data_offsets"]]
    return bytes(8) + data


def _held_twice(tensors: Header, data: bytes) -> bytes:
    name = "model.embed_tokens.weight"
    if name in tensors:
        raise ValueError("the tensor is there")
    tensors[name] = {"dtype": "F16", "shape": [4], "data_offsets": [len(data), len(data) + 8]}
    return data + bytes(8)
