"""Checkpoints that must be refused: each a valid one with a single fault in one of its files."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Final

import numpy as np

from awq_conformance.making.checkpoints import shards
from awq_conformance.making.checkpoints.dialects import COMPRESSED, GEMM, GEMV, GEMV_FAST, GPTQ, KINDS, OWN_FILE, Kind
from awq_conformance.making.checkpoints.fault import CONFIG, SHARD, Fault, Header, created, cut, header, scale, text
from awq_conformance.making.checkpoints.folder import json_file
from awq_conformance.making.checkpoints.model import GROUP_SIZE

_NEVER: Final = 4096
"""A group size that no checkpoint of the corpus has, nor one that is made at random."""


def _common(kind: Kind) -> Iterator[Fault]:
    fault = partial(Fault, kind)
    bits, group = f'"{kind.bits_key}": 4', f'"group_size": {GROUP_SIZE}'
    for other in (3, 8):
        yield fault(f"bits-{other}", f"{other} bits", "E_CONFIG", "AWQ-CHK-006", CONFIG,
                    text(bits, f'"{kind.bits_key}": {other}'))  # fmt: skip
    yield fault("bits-text", "bits are a text", "E_CONFIG", "AWQ-CHK-037", CONFIG,
                text(bits, f'"{kind.bits_key}": "4"'))  # fmt: skip
    yield fault("configuration-cut", "the last bytes of the configuration are missing", "E_CONFIG", "AWQ-CHK-037",
                CONFIG, cut(4))  # fmt: skip
    yield fault("codes-missing", "scales and zero points without codes", "E_DIALECT", "AWQ-CHK-038", SHARD,
                text(rf"\.{kind.codes}\"", f'.{kind.codes[:-1]}x"'))  # fmt: skip
    yield fault("group-size-missing", "no group size", "E_CONFIG", "AWQ-CHK-003", CONFIG,
                text(f",?\n *{group}", ""))  # fmt: skip
    yield fault("group-size-0", "group size 0", "E_CONFIG", "AWQ-CHK-003", CONFIG, text(group, '"group_size": 0'))
    yield fault("group-size-half", "half the group size that the scales are for",
                *(("E_GROUP", "AWQ-CHK-036") if kind in (GEMV, GEMV_FAST) else ("E_DIALECT", "AWQ-CHK-014")), CONFIG,
                text(group, f'"group_size": {GROUP_SIZE // 2}'))  # fmt: skip
    yield fault("group-size-divides-not", "a group size that does not divide K", "E_GROUP", "AWQ-CHK-036", CONFIG,
                text(group, '"group_size": 40'))  # fmt: skip
    for told, value in (("nan", 0x7E00), ("inf", 0x7C00), ("negative", 0xA000), ("minus-zero", 0x8000)):
        yield fault(
            f"scale-{told}",
            f"a scale that is {told.replace('-', ' ')}",
            "E_VALUE",
            "AWQ-CHK-019",
            SHARD,
            scale(kind, value),
        )
    yield fault("scales-missing", "the layer has no scales", "E_DIALECT", "AWQ-LAY-004", SHARD,
                text(rf"\.{kind.scales}\"", f".{kind.scales[:-1]}x\""))  # fmt: skip
    yield fault("configurations-differ", "another file says another group size", "E_CONFIG", "AWQ-CHK-002",
                OWN_FILE[0], created(json_file(kind.asks(_NEVER, symmetric=False))))  # fmt: skip
    yield fault("zero-points-transposed", "the shape of the zero points is transposed", "E_DIALECT", "AWQ-LAY-004",
                SHARD, header(partial(_transposed, kind)), twin="group-64", symmetric=False)  # fmt: skip
    yield fault("zero-points-retyped", "zero points of another dtype", "E_DIALECT", "AWQ-LAY-004", SHARD,
                header(partial(_retyped, kind)), symmetric=False)  # fmt: skip


def _zeros(kind: Kind, tensors: Header) -> Header:
    for name, entry in tensors.items():
        if name.endswith(f".{kind.zeros}"):
            found: Header = entry
            return found
    raise ValueError("no zero points")


def _transposed(kind: Kind, tensors: Header, data: bytes) -> bytes:
    entry = _zeros(kind, tensors)
    if entry["shape"][0] == entry["shape"][1]:
        raise ValueError("a square looks the same")
    entry["shape"].reverse()
    return data


def _between(tensors: Header, data: bytes) -> bytes:
    """Put -(s / 2) into the place of the first zero point."""
    scales = next(entry for name, entry in tensors.items() if name.endswith(f".{GEMV_FAST.scales}"))
    first, place = scales["data_offsets"][0], _zeros(GEMV_FAST, tensors)["data_offsets"][0]
    scale = np.frombuffer(data[first : first + 2], np.float16)
    return data[:place] + (-scale / 2).astype(np.float16).tobytes() + data[place + 2 :]


def _retyped(kind: Kind, tensors: Header, data: bytes) -> bytes:
    entry = _zeros(kind, tensors)
    entry["dtype"] = {"I32": "F32", "F16": "I16"}[entry["dtype"]]
    return data


def _awq(kind: Kind) -> Iterator[Fault]:
    version = str(kind.asks(GROUP_SIZE, symmetric=False)["version"])
    other = GEMV if kind is GEMM else GEMM
    told = str(other.asks(GROUP_SIZE, symmetric=False)["version"])
    yield Fault(kind, f"version-{told}", f"the tensors are of {version}, the version says {told}", "E_DIALECT",
                "AWQ-CHK-010", CONFIG, text(f'"version": "{version}"', f'"version": "{told}"'),
                refs=("https://github.com/huggingface/transformers/pull/42776",))  # fmt: skip
    yield Fault(kind, "version-unknown", "a version that does not exist", "E_DIALECT", "AWQ-CHK-010", CONFIG,
                text(f'"version": "{version}"', '"version": "gemm2"'))  # fmt: skip
    yield Fault(kind, "spellings-differ", "bits and w_bit contradict each other", "E_CONFIG", "AWQ-CHK-007", CONFIG,
                text('"bits": 4,', '"bits": 4, "w_bit": 8,'))  # fmt: skip
    yield Fault(kind, "zero-points-missing", "zero_point true, and no zero points", "E_DIALECT", "AWQ-CHK-016", SHARD,
                text(rf"\.{kind.zeros}\"", f'.{kind.zeros[:-1]}x"'), symmetric=False)  # fmt: skip


def _own() -> Iterator[Fault]:
    yield Fault(GEMM, "symmetric-ambiguous", "zero_point false, and no zero points: gemm or int4pack", "E_DIALECT",
                "AWQ-CHK-017", SHARD, text(r'\.qzeros"', '.qzerox"'), twin="zero-points-denied",
                symmetric=True, level="SHOULD", comment="A loader that knows of no int4pack reads gemm.")  # fmt: skip
    yield Fault(GEMV_FAST, "zero-point-between", "-(s * z) of no integer z", "E_LOSSY", "AWQ-CHK-018", SHARD,
                header(_between))  # fmt: skip
    yield Fault(GPTQ, "version-missing", "no checkpoint_format: v1 or v2", "E_DIALECT", "AWQ-CHK-012", CONFIG,
                text(r',\n *"checkpoint_format": "gptq_v2"', ""))  # fmt: skip
    yield Fault(GPTQ, "g-idx-reorders", "a g_idx that gives the first two groups to each other", "E_DIALECT",
                "AWQ-LAY-011", SHARD, _exchanged_groups)  # fmt: skip
    yield Fault(GPTQ, "dynamic-bits", "dynamic gives some layers 8 bits", "E_CONFIG", "AWQ-CHK-034", CONFIG,
                text('"desc_act": false', r'"desc_act": false, "dynamic": {"+:.*up.*": {"bits": 8}}'))  # fmt: skip
    yield Fault(GPTQ, "order-missing", "desc_act is true, and there is no g_idx", "E_DIALECT", "AWQ-CHK-035", CONFIG,
                text('"desc_act": false', '"desc_act": true'), twin="g-idx-absent", anywhere=False)  # fmt: skip
    yield Fault(COMPRESSED, "groups-differ", "a second group has another group size", "E_CONFIG", "AWQ-CHK-034",
                CONFIG, text('"config_groups": {', '"config_groups": {"group_1": {"targets": ["Head"], "weights": '
                             '{"num_bits": 4, "strategy": "group", "group_size": 4096}}, '))  # fmt: skip
    for kind in (GEMV, GEMV_FAST):
        yield Fault(kind, "version-absent", "no version, which means gemm", "E_DIALECT", "AWQ-CHK-010", CONFIG,
                    text(rf',\n *"version": "{kind.dialect}"', ""))  # fmt: skip
    yield Fault(COMPRESSED, "shape-differs", "weight_shape says another N", "E_DIALECT", "AWQ-LAY-014", SHARD,
                header(_taller))  # fmt: skip
    yield Fault(COMPRESSED, "format-absent", "no format", "E_DIALECT", "AWQ-CHK-010", CONFIG,
                text(r'"format": "pack-quantized",\n *', ""))  # fmt: skip
    yield Fault(COMPRESSED, "format-unknown", "another format of compressed-tensors", "E_DIALECT", "AWQ-CHK-010",
                CONFIG, text("pack-quantized", "pack-quantised"))  # fmt: skip
    yield Fault(COMPRESSED, "zero-points-missing", "symmetric false, and no zero points", "E_DIALECT", "AWQ-CHK-016",
                SHARD, text(rf"\.{COMPRESSED.zeros}\"", f'.{COMPRESSED.zeros[:-1]}x"'))  # fmt: skip


def _taller(tensors: Header, data: bytes) -> bytes:
    place = next(entry for name, entry in tensors.items() if name.endswith(".weight_shape"))["data_offsets"][0]
    rows = int.from_bytes(data[place : place + 8], "little") + 8
    return data[:place] + rows.to_bytes(8, "little") + data[place + 8 :]


def _exchanged_groups(data: bytes) -> bytes:
    first, second = (number.to_bytes(4, "little") * GROUP_SIZE for number in range(2))
    if data.count(first + second) != 1:
        raise ValueError("no g_idx")
    return data.replace(first + second, second + first)


CASES: Final = (
    *(fault for kind in KINDS for fault in (*_common(kind), *shards.of(kind))),
    *(fault for kind in (GEMM, GEMV, GEMV_FAST) for fault in _awq(kind)),
    *_own(),
)
