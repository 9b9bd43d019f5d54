"""What each profile's checkpoints look like: the dialect, the usual configuration, what it can hold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Protocol

from awqformat.dialects import Form

Asks = dict[str, Any]
Place = tuple[str, ...]

TOP: Final = ("config.json", "quantization_config")
NESTED: Final = ("config.json", "text_config", "quantization_config")
OWN_FILE: Final = ("quant_config.json",)
"""Where the quantisation part of a configuration stands: a path of keys in config.json, or a file that it is."""


class Configure(Protocol):
    """Makes the quantisation part of a configuration."""

    def __call__(self, group_size: int, *, symmetric: bool) -> Asks:
        """Return what a model of this group size asks for."""


@dataclass(frozen=True)
class Kind:
    """One profile.

    Attributes:
        profile: its name.
        dialect: of the layers, a key of awqformat.dialects.DIALECTS.
        asks: makes the quantisation part of the configuration.
        zeros: the role of the zero points.
        scales: the role of the scales.
        codes: the role of the codes.
        bits_key: how the bits are called in ``asks``.
        group_sizes: those that its cases come in.
        scale_dtypes: those that every loader of the profile has to read.
        places: where its configuration may stand.
        form: what the dialect leaves open, as the programs of the profile write it; None: the usual one.
    """

    profile: str
    dialect: str
    asks: Configure
    zeros: str = "qzeros"
    scales: str = "scales"
    codes: str = "qweight"
    bits_key: str = "bits"
    group_sizes: tuple[int, ...] = (32, 64, 128)
    scale_dtypes: tuple[str, ...] = ("F16",)
    places: tuple[Place, ...] = (TOP, NESTED)
    form: Form | None = None


def _awq(version: str) -> Configure:
    def asks(group_size: int, *, symmetric: bool) -> Asks:
        facts = {"quant_method": "awq", "bits": 4, "group_size": group_size, "zero_point": not symmetric}
        return {**facts, "version": version}

    return asks


def _gptq(checkpoint_format: str) -> Configure:
    def asks(group_size: int, *, symmetric: bool) -> Asks:
        facts = {"quant_method": "gptq", "bits": 4, "group_size": group_size, "desc_act": False, "sym": symmetric}
        return {**facts, "checkpoint_format": checkpoint_format}

    return asks


def _compressed(group_size: int, *, symmetric: bool) -> Asks:
    strategy = {"strategy": "channel"} if group_size == -1 else {"strategy": "group", "group_size": group_size}
    return {
        "quant_method": "compressed-tensors",
        "format": "pack-quantized",
        "quantization_status": "compressed",
        "config_groups": {
            "group_0": {
                "targets": ["Linear"],
                "weights": {"num_bits": 4, "type": "int", "symmetric": symmetric, **strategy},
            }
        },
        "ignore": ["lm_head"],
    }


_AWQ_PLACES: Final = (TOP, NESTED, OWN_FILE)
_ZEROS: Final = Form("qzeros")
"""AutoAWQ and llm-awq write zero points of 8 too."""
_GROUPS_TOLD: Final = Form("qzeros", g_idx="g_idx")
"""GPTQModel writes the group of each k though it follows from k, and does not load a layer without it."""

GEMM: Final = Kind("hf-gemm", "gemm", _awq("gemm"), group_sizes=(16, 32, 64, 128), places=_AWQ_PLACES, form=_ZEROS)
GEMV: Final = Kind("hf-gemv", "gemv", _awq("gemv"), places=_AWQ_PLACES, form=_ZEROS)
GEMV_FAST: Final = Kind("hf-gemv-fast", "gemv_fast", _awq("gemv_fast"), places=_AWQ_PLACES, form=_ZEROS)
GPTQ: Final = Kind("gptq", "gptq_v2", _gptq("gptq_v2"), form=_GROUPS_TOLD)
GPTQ_V1: Final = Kind("gptq", "gptq", _gptq("gptq"), form=_GROUPS_TOLD)
COMPRESSED: Final = Kind(
    "ct-pack",
    "ct-pack",
    _compressed,
    zeros="weight_zero_point",
    scales="weight_scale",
    codes="weight_packed",
    bits_key="num_bits",
    scale_dtypes=("F16", "BF16"),
)

KINDS: Final = (GEMM, GEMV, GEMV_FAST, GPTQ, COMPRESSED)
