"""What each profile's checkpoints look like: the dialect, the usual configuration, what it can hold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Protocol

from awqformat.dialects import Form

Asks = dict[str, Any]


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


_GROUPS_TOLD: Final = Form("qzeros", g_idx="g_idx")
"""GPTQModel writes the group of each k though it follows from k, and does not load a layer without it."""

GEMM: Final = Kind("hf-gemm", "gemm", _awq("gemm"), group_sizes=(16, 32, 64, 128))
GEMV: Final = Kind("hf-gemv", "gemv", _awq("gemv"))
GEMV_FAST: Final = Kind("hf-gemv-fast", "gemv_fast", _awq("gemv_fast"))
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
)

KINDS: Final = (GEMM, GEMV, GEMV_FAST, GPTQ, COMPRESSED)
