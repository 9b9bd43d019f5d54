"""Checkpoint directories as other programs write them: made of tensors, with or without faults."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file as save_safetensors

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
        text = json.dumps({"model_type": "llama", "quantization_config": config})
        (folder / "config.json").write_text(text)
    for name, text in files.items():
        (folder / f"{name}.json").write_text(text)
    return folder
