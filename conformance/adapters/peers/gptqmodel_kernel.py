"""GPTQModel's AVX512 layer: its C++ packer reads AutoAWQ's words, and its dequantize_weight computes from what that packed.

The configuration is GPTQModel's; finding the files and filling the layer is glue. Needs a CPU with AVX512-BF16.
"""

import sys
from pathlib import Path
from typing import Any

from peer import Layers, Peer, prefixes, run, tensors


def read(folder: Path, op: str) -> Layers:
    """Return W of each layer; there is no other ``op``."""
    from gptqmodel.quantization import QuantizeConfig

    del op
    config = QuantizeConfig.from_pretrained(str(folder))
    stored = tensors(folder)
    return {name: {"W.kn": _layer(name, stored, config)} for name in prefixes(stored, "qweight")}


def _layer(name: str, stored: dict[str, Any], config: Any) -> Any:
    import torch
    from gptqmodel.nn_modules.qlinear.torch_cpu_avx512_awq import TorchCpuAvx512AwqLinear

    k, n = stored[f"{name}.qweight"].shape[0], stored[f"{name}.scales"].shape[1]
    bias = f"{name}.bias" in stored
    module = TorchCpuAvx512AwqLinear(
        bits=config.bits, group_size=config.group_size, sym=config.sym, desc_act=False, in_features=k, out_features=n,
        bias=bias,
    )  # fmt: skip
    parts = {key.removeprefix(f"{name}."): value for key, value in stored.items() if key.startswith(f"{name}.")}
    module.load_state_dict(parts, strict=False)
    module.transform("cpu")
    return module.dequantize_weight().to(torch.float16).numpy()


if __name__ == "__main__":
    sys.exit(
        run(
            Peer(
                distribution="gptqmodel",
                profiles=("hf-gemm",),
                dtype="f16",
                layout="kn",
                read=read,
                checks=("gptqmodel", "torch/nn"),
                align=(32, 2),
            )
        )
    )
