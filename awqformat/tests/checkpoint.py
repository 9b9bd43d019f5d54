"""Checkpoint directories as other programs write them: made of tensors, with or without faults."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import numpy.typing as npt
from safetensors.numpy import save_file as save_safetensors

from awqformat import QuantizedTensor
from awqformat.dialects import DIALECTS, Form, encode

Arrays = Mapping[str, np.ndarray[Any, Any]]

INDEX = "model.safetensors.index.json"
AWQ: dict[str, Any] = {"quant_method": "awq", "bits": 4, "group_size": 32, "zero_point": True, "version": "gemm"}


def directory(
    folder: Path, *shards: Arrays, config: Any = None, index: Mapping[str, str] | None = None, **files: str
) -> Path:
    """Write a directory and return it.

    Args:
        folder: where; it is made.
        shards: the tensors of each file; one file has no index unless ``index`` is given.
        config: the quantization_config of config.json, or None for no config.json.
        index: the weight_map, if not the right one.
        files: the texts of more files, by name without ``.json``.
    """
    folder.mkdir(parents=True, exist_ok=True)
    weight_map: dict[str, str] = {}
    for number, tensors in enumerate(shards, 1):
        name = "model.safetensors" if len(shards) == 1 else f"model-{number:05}-of-{len(shards):05}.safetensors"
        save_safetensors(dict(tensors), folder / name, {"format": "pt"})
        weight_map |= dict.fromkeys(tensors, name)
    if len(shards) > 1 or index is not None:
        weight_map = dict(weight_map if index is None else index)
        (folder / INDEX).write_text(json.dumps({"metadata": {"total_size": 0}, "weight_map": weight_map}))
    if config is not None:
        members = {"quantization_config": config} if "quant_method" in config else {"quantization": config}
        text = json.dumps({"model_type": "llama"} | members)
        (folder / "config.json").write_text(text)
    for name, text in files.items():
        (folder / f"{name}.json").write_text(text)
    return folder


def weight(
    n: int = 64,
    k: int = 128,
    group_size: int = 32,
    *,
    scale_dtype: npt.DTypeLike = np.float16,
    symmetric: bool = False,
    seed: int = 0,
) -> QuantizedTensor:
    """Return a weight of random codes and zero points, with scales that F16 and BF16 both hold."""
    random = np.random.default_rng(seed)
    groups = k // group_size
    return QuantizedTensor.from_codes(
        random.integers(0, 16, (n, k)),
        (random.integers(1, 256, (n, groups)) / 2**12).astype(ml_dtypes.bfloat16).astype(scale_dtype),
        None if symmetric else random.integers(0, 16, (n, groups)),
    )


def layer(dialect: str, tensor: QuantizedTensor, prefix: str = "fc", form: Form | None = None) -> dict[str, Any]:
    """Return the tensors of a weight in a dialect, by name."""
    parts = encode(DIALECTS[dialect], tensor, form)
    return {f"{prefix}.{role}" if prefix else role: part for role, part in parts.items()}


CONFIGS: dict[str, dict[str, Any]] = {
    "gemm": AWQ,
    "gemv": AWQ | {"version": "gemv"},
    "gemv_fast": AWQ | {"version": "gemv_fast"},
    "marlin": AWQ | {"version": "marlin", "zero_point": False},
    "int4pack": AWQ,
    "gptq": {"quant_method": "gptq", "bits": 4, "group_size": 32, "sym": False, "checkpoint_format": "gptq"},
    "gptq_v2": {"quant_method": "gptq", "bits": 4, "group_size": 32, "sym": False, "checkpoint_format": "gptq_v2"},
    "ct-pack": {"quant_method": "compressed-tensors", "format": "pack-quantized", "config_groups": {"group_0": {
        "targets": ["Linear"], "weights": {"num_bits": 4, "type": "int", "symmetric": False, "strategy": "group",
                                           "group_size": 32}}}},
    "mlx": {"bits": 4, "group_size": 32},
}  # fmt: skip
"""The quantization_config that goes with a dialect, for groups of 32."""


def tensors_in(folder: Path) -> dict[str, tuple[str, tuple[int, ...], bytes]]:
    """Return dtype, shape and bytes of every tensor of a directory, read by this test alone."""
    found: dict[str, tuple[str, tuple[int, ...], bytes]] = {}
    for path in sorted(folder.glob("*.safetensors")):
        data = path.read_bytes()
        start = 8 + int.from_bytes(data[:8], "little")
        header = json.loads(data[8:start])
        header.pop("__metadata__", None)
        for name, entry in header.items():
            begin, end = entry["data_offsets"]
            found[name] = entry["dtype"], tuple(entry["shape"]), data[start + begin : start + end]
    return found
