"""Let the packers of AutoAWQ, GPTQModel and compressed-tensors pack known numbers: awqformat/tests/packed.

.build/peers/bin/python tools/packers.py [FOLDER]     one checkpoint directory for each (after make peers)

Beside them lie the codes, zero points and scales that they were given, q, z and s in the orientation [N, K]:
known-any.safetensors and two more. The numbers are made here, from a recurrence.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

os.environ["GPTQMODEL_FORCE_PACK_EXT"] = "1"  # its C++ packer, not the one in Python
os.environ["TORCH_COMPILE_DISABLE"] = "1"

import numpy as np
import torch
from safetensors.torch import save_file

FOLDER: Final = Path(__file__).resolve().parents[1] / "awqformat" / "tests" / "packed"
N, K, G = 64, 128, 32
LAYER: Final = "model.layers.0.mlp.up_proj"

Tensors = Mapping[str, Any]
Known = dict[str, Any]


def numbers(count: int, below: int, seed: int) -> np.ndarray[Any, Any]:
    """Return integers of 0 .. below - 1 from a linear congruence: the same everywhere, and for ever."""
    state, found = seed, []
    for _ in range(count):
        state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
        found.append((state >> 33) % below)
    return np.array(found)


def known(zeros: str = "any") -> Known:
    """Return q, z and s of one layer; ``zeros`` are of 0..15, of 1..15, or 8."""
    q = numbers(N * K, 16, 1).reshape(N, K)
    q[:, ::G], q[:, 1::G] = 0, 15  # both ends in each group
    every = {
        "any": numbers(N * K // G, 16, 2),
        "positive": 1 + numbers(N * K // G, 15, 2),
        "eight": 8 + numbers(N * K // G, 1, 2),
    }
    z = every[zeros].reshape(N, K // G)
    s = (1024 + numbers(N * K // G, 1024, 3)).reshape(N, K // G) * 2.0**-17  # full mantissas of F16
    tensors = {"q": q.astype(np.uint8), "z": z.astype(np.uint8), "s": s.astype(np.float16)}
    return {name: torch.from_numpy(array) for name, array in tensors.items()}


def linear(of: Known) -> Any:
    """Return torch's linear layer with the weight that these numbers stand for."""
    spread = {name: of[name].float().repeat_interleave(G, dim=1) for name in ("z", "s")}
    layer = torch.nn.Linear(K, N, bias=False, dtype=torch.float16)
    layer.weight.data = ((of["q"].float() - spread["z"]) * spread["s"]).half()
    return layer


def autoawq(version: str, of: Known) -> Tensors:
    """Return what AutoAWQ's from_linear packs."""
    from awq.modules.linear import WQLinear_GEMM, WQLinear_GEMV, WQLinear_GEMVFast

    kind = {"gemm": WQLinear_GEMM, "gemv": WQLinear_GEMV, "gemv_fast": WQLinear_GEMVFast}[version]
    s, z = of["s"], of["z"].float()
    if version == "gemm":
        s, z = s.t().contiguous(), z.t().contiguous()
    module: Tensors = kind.from_linear(linear(of), 4, G, scales=s, zeros=z).state_dict()
    return module


def gptqmodel(version: str, of: Known) -> Tensors:
    """Return what GPTQModel's C++ packer packs; v1 is made from v2 by its own function."""
    from gptqmodel.nn_modules.qlinear.torch import TorchLinear
    from gptqmodel.quantization import QuantizeConfig
    from gptqmodel.utils.model import convert_gptq_v2_to_v1_format_module

    module = TorchLinear(bits=4, group_size=G, sym=False, desc_act=False, in_features=K, out_features=N, bias=False)
    groups = (torch.arange(K) // G).to(torch.int32)
    module.pack_block(linear(of), of["s"].float(), of["z"].float(), groups)
    if version == "gptq":
        convert_gptq_v2_to_v1_format_module(module, QuantizeConfig(bits=4, group_size=G, sym=False, desc_act=False))
    return {role: getattr(module, role) for role in ("qweight", "qzeros", "scales", "g_idx")}


def gptqmodel_awq(of: Known) -> Tensors:
    """Return what GPTQModel's AWQ layer packs."""
    from gptqmodel.nn_modules.qlinear.torch_awq import AwqTorchLinear

    module = AwqTorchLinear(bits=4, group_size=G, sym=False, desc_act=False, in_features=K, out_features=N, bias=False)
    module.pack(linear(of), of["s"], of["z"].float())
    return {role: getattr(module, role) for role in ("qweight", "qzeros", "scales")}


def compressed_tensors(*, symmetric: bool, of: Known) -> Tensors:
    """Return what compressed-tensors' compressor packs."""
    from compressed_tensors.compressors import BaseCompressor
    from compressed_tensors.quantization import QuantizationArgs, QuantizationScheme

    weights = QuantizationArgs(num_bits=4, type="int", symmetric=symmetric, strategy="group", group_size=G)
    state = {"weight": linear(of).weight.data, "weight_scale": of["s"]}
    if not symmetric:
        state["weight_zero_point"] = (of["z"].to(torch.int8) - 8).to(torch.int8)
    compressor = BaseCompressor.get_value_from_registry("pack-quantized")
    packed: Tensors = compressor.compress(state, QuantizationScheme(targets=["Linear"], weights=weights))
    return packed


def awq(version: str) -> dict[str, Any]:
    """Return the quantisation part of a configuration, as AutoAWQ writes it."""
    return {"quant_method": "awq", "bits": 4, "group_size": G, "zero_point": True, "version": version}


def gptq(version: str) -> dict[str, Any]:
    """Return the quantisation part of a configuration, as GPTQModel writes it."""
    facts = {"quant_method": "gptq", "bits": 4, "group_size": G, "desc_act": False, "sym": False}
    return {**facts, "checkpoint_format": version}


def packed(*, symmetric: bool) -> dict[str, Any]:
    """Return the quantisation part of a configuration, as compressed-tensors writes it."""
    weights = {"num_bits": 4, "type": "int", "symmetric": symmetric, "strategy": "group", "group_size": G}
    groups = {"group_0": {"targets": ["Linear"], "weights": weights}}
    return {"quant_method": "compressed-tensors", "format": "pack-quantized", "config_groups": groups}


PACKERS: Final[Mapping[str, tuple[str, Callable[[Known], Tensors], dict[str, Any]]]] = {
    "autoawq-gemm": ("any", lambda of: autoawq("gemm", of), awq("gemm")),
    "autoawq-gemv": ("any", lambda of: autoawq("gemv", of), awq("gemv")),
    "autoawq-gemv_fast": ("any", lambda of: autoawq("gemv_fast", of), awq("gemv_fast")),
    "gptqmodel-gemm": ("any", gptqmodel_awq, awq("gemm")),
    "gptqmodel-gptq": ("positive", lambda of: gptqmodel("gptq", of), gptq("gptq")),
    "gptqmodel-gptq_v2": ("any", lambda of: gptqmodel("gptq_v2", of), gptq("gptq_v2")),
    "compressed-tensors": ("any", lambda of: compressed_tensors(symmetric=False, of=of), packed(symmetric=False)),
    "compressed-tensors-symmetric": (
        "eight",
        lambda of: compressed_tensors(symmetric=True, of=of),
        packed(symmetric=True),
    ),
}


def main(folder: Path = FOLDER) -> None:
    """Write all of them."""
    for name, (zeros, pack, config) in PACKERS.items():
        place = folder / name
        place.mkdir(parents=True, exist_ok=True)
        of = known(zeros)
        tensors = {f"{LAYER}.{role}": tensor.contiguous() for role, tensor in pack(of).items()}
        save_file(tensors, place / "model.safetensors", {"format": "pt"})
        save_file(of, folder / f"known-{zeros}.safetensors", {"format": "pt"})
        (place / "config.json").write_text(json.dumps({"quantization_config": config}, indent=2) + "\n")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:2]))
