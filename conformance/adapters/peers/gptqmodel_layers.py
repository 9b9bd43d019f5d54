"""GPTQModel's layers: for AWQ the AVX512 one, whose C++ packer reads the words; for GPTQ the torch one.

The configuration, v1's change to v2 and the arithmetic are GPTQModel's; finding the files and filling the layers is
glue. The AVX512 layer needs a CPU with AVX512-BF16, and N a multiple of 32.
"""

import os
import sys
from pathlib import Path
from typing import Any

from peer import Layers, Peer, prefixes, run, tensors

os.environ["TORCH_COMPILE_DISABLE"] = "1"  # it would compile the same arithmetic for each shape, for seconds


def read(folder: Path, op: str) -> Layers:
    """Return W of each layer; there is no other ``op``."""
    from gptqmodel.quantization import METHOD, QuantizeConfig

    del op
    config = QuantizeConfig.from_pretrained(str(folder))
    stored = tensors(folder)
    layer = _awq if config.quant_method == METHOD.AWQ else _gptq
    found = {}
    for name in prefixes(stored, "qweight"):
        parts = {key.removeprefix(f"{name}."): value for key, value in stored.items() if key.startswith(f"{name}.")}
        found[name] = {"W.kn": layer(parts, config).numpy()}
    return found


def _awq(parts: dict[str, Any], config: Any) -> Any:
    from gptqmodel.nn_modules.qlinear.torch_cpu_avx512_awq import TorchCpuAvx512AwqLinear

    module = _filled(TorchCpuAvx512AwqLinear, parts, config, parts["qweight"].shape[0])
    module.transform("cpu")
    return module.dequantize_weight().half()


def _gptq(parts: dict[str, Any], config: Any) -> Any:
    from gptqmodel.nn_modules.qlinear.torch import TorchLinear
    from gptqmodel.quantization import FORMAT
    from gptqmodel.utils.model import convert_gptq_v1_to_v2_format_module

    module = _filled(TorchLinear, parts, config, parts["qweight"].shape[0] * 8)
    if config.format == FORMAT.GPTQ:
        convert_gptq_v1_to_v2_format_module(module, config.bits, config.pack_dtype)
    module.post_init()
    return module.eval().dequantize_weight()


def _filled(kind: Any, parts: dict[str, Any], config: Any, k: int) -> Any:
    module = kind(
        bits=config.bits,
        group_size=config.group_size,
        sym=config.sym,
        desc_act=config.desc_act,
        in_features=k,
        out_features=parts["scales"].shape[1],
        bias="bias" in parts,
        register_buffers=True,
    )
    module.load_state_dict(parts, strict=False)
    return module


if __name__ == "__main__":
    sys.exit(
        run(
            Peer(
                distribution="gptqmodel",
                profiles=("hf-gemm", "gptq"),
                dtype="f16",
                layout="kn",
                read=read,
                checks=("gptqmodel", "torch/nn"),
                align=(32, 8),
                policies={"torch.compile": "off"},
            )
        )
    )
