"""The configuration that goes with exported tensors, as the programs that read them expect it (spec: checkpoints)."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

from awqformat.checkpoints.config import NESTED, parse_config
from awqformat.checkpoints.strict_json import parse_object
from awqformat.errors import AwqError

_KEYS: Final = ("quantization_config", "quantization")


@dataclass(frozen=True)
class Exported:
    """What a configuration has to say of exported tensors.

    Attributes:
        dialect: the dialect of all quantised layers.
        group_sizes: group size and K of each layer, by its prefix.
        symmetric: whether zero points that are absent mean 8; some dialect has none to show.
        plain: the prefixes of matrices that are not quantised, which some programs have to be told.
    """

    dialect: str
    group_sizes: Mapping[str, tuple[int, int]]
    symmetric: bool
    plain: Collection[str]

    @property
    def group_size(self) -> int:
        """The group size that is right for every layer, -1 for K.

        Raises:
            AwqError: E_CONFIG if there is none, for a configuration knows one group size.
        """
        sizes = {size for size, _ in self.group_sizes.values()}
        if len(sizes) == 1:
            return sizes.pop()
        if all(size == k for size, k in self.group_sizes.values()):
            return -1
        got = ", ".join(map(str, sorted(sizes)))
        raise AwqError("E_CONFIG", "group_size", "value", expected="one for all layers", got=got)

    def agrees_with(self, texts: Mapping[str, str]) -> bool:
        """Return whether configuration files, by name and text, say this already."""
        try:
            config = parse_config(texts)
            named = () if config is None else config.dialects
        except AwqError:
            return False
        if config is None or (self.dialect if self.dialect != "int4pack" else "gemm") not in named:
            return False
        if self.symmetric and not config.symmetric:
            return False
        said = config.group_size
        return all(size == (k if said == -1 else said) for size, k in self.group_sizes.values())


def config_text(model: str | None, exported: Exported) -> str:
    """Return the text of a config.json that describes exported tensors.

    Args:
        model: the text of the model's config.json, whose other members are kept, or None.
        exported: what to describe.

    Raises:
        AwqError: E_CONFIG if no configuration can.
    """
    whole: dict[str, Any] = {} if model is None else parse_object(model)
    nested = [whole[key] for key in NESTED if isinstance(whole.get(key), dict)]
    holder = whole
    if "quantization_config" not in whole:
        holder = next((place for place in nested if "quantization_config" in place), whole)
    section = _SECTIONS[exported.dialect](exported)
    for place in (whole, *nested):
        for key in _KEYS:
            if place is not holder or key == "quantization":
                place.pop(key, None)
    if exported.dialect == "mlx":
        holder["quantization"] = section
    holder["quantization_config"] = section
    return json.dumps(whole, indent=2, ensure_ascii=False) + "\n"


def _awq(exported: Exported) -> dict[str, Any]:
    # AutoAWQ, transformers and vLLM match by substring: a name inside that of a quantised layer would switch it off.
    skipped = [name for name in exported.plain if not any(name in layer for layer in exported.group_sizes)]
    return {
        "quant_method": "awq",
        "bits": 4,
        "group_size": exported.group_size,
        "zero_point": not exported.symmetric,
        "version": "gemm" if exported.dialect == "int4pack" else exported.dialect,
        "modules_to_not_convert": skipped or None,
    }


def _gptq(exported: Exported) -> dict[str, Any]:
    return {
        "quant_method": "gptq",
        "bits": 4,
        "group_size": exported.group_size,
        "desc_act": False,
        "sym": exported.symmetric,
        "lm_head": "lm_head" in exported.group_sizes,
        "checkpoint_format": exported.dialect,
        "pack_dtype": "int32",
    }


def _compressed_tensors(exported: Exported) -> dict[str, Any]:
    channel = exported.group_size == -1
    weights = {
        "num_bits": 4,
        "type": "int",
        "symmetric": exported.symmetric,
        "strategy": "channel" if channel else "group",
        "group_size": None if channel else exported.group_size,
        "dynamic": False,
        "actorder": None,
    }
    group = {"targets": ["Linear"], "weights": weights, "input_activations": None, "output_activations": None}
    return {
        "quant_method": "compressed-tensors",
        "format": "pack-quantized",
        "quantization_status": "compressed",
        "config_groups": {"group_0": group},
        "ignore": list(exported.plain),
        "kv_cache_scheme": None,
    }


def _mlx(exported: Exported) -> dict[str, Any]:
    return {"group_size": exported.group_size, "bits": 4, "mode": "affine"}


_SECTIONS: Final = {
    "gemm": _awq,
    "gemv": _awq,
    "gemv_fast": _awq,
    "marlin": _awq,
    "int4pack": _awq,
    "gptq": _gptq,
    "gptq_v2": _gptq,
    "ct-pack": _compressed_tensors,
    "mlx": _mlx,
}
"""Dialect -> what makes its section; a dialect that is not here has no configuration and is not exported."""

EXPORTABLE: Final = tuple(_SECTIONS)
