"""transformers' from_pretrained: files, configuration and loading are its own, arithmetic is its quantisers' backends'.

These are GPTQModel's torch layers for AWQ and GPTQ, and compressed-tensors. The checkpoints describe no whole
architecture, so the model that from_pretrained fills is made from the names and shapes of their tensors, with a head
beside them, for the last layer of a model is never taken for a quantised one. The dtype asked for is F16
throughout, as W may have one only; weights with scales in BF16 are rounded twice for it.
"""

import os
import sys
from pathlib import Path
from typing import Any

from peer import Layers, Peer, grown, prefixes, run, shapes

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TORCH_COMPILE_DISABLE"] = "1"  # GPTQModel would compile the same arithmetic for each shape, for seconds


def read(folder: Path, op: str) -> Layers:
    """Return W of each layer; there is no other ``op``."""
    import torch
    from transformers import AutoConfig, AwqConfig, CompressedTensorsConfig, GPTQConfig, PreTrainedModel

    class Model(PreTrainedModel):  # type: ignore[misc]
        """The modules that the checkpoint's tensors name."""

        def __init__(self, config: Any) -> None:
            super().__init__(config)
            grown(self, {name: torch.nn.Linear(k, n, bias=f"{name}.bias" in stored) for name, (n, k) in linear.items()})
            if "lm_head" not in dict(self.named_children()):
                n, k = stored.get("lm_head.weight", (8, 8))
                self.lm_head = torch.nn.Linear(k, n, bias=False)
            self.post_init()

    del op
    stored = shapes(folder)
    config = AutoConfig.from_pretrained(folder)
    quantization = getattr(config, "quantization_config", None) or {}
    method = quantization.get("quant_method")
    linear = _dimensions(stored, method)
    asked = {
        "awq": lambda: AwqConfig(backend="torch_awq"),
        "gptq": lambda: GPTQConfig(bits=4, backend="torch"),
        "compressed-tensors": lambda: CompressedTensorsConfig(dequantize=True),
    }
    more = {"quantization_config": asked[method]()} if method in asked else {}
    model = Model.from_pretrained(folder, config=config, dtype=torch.float16, device_map="cpu", **more)
    modules = dict(model.named_modules())
    return {name: {"W.nk": _weight(modules[name]).detach().numpy()} for name in linear}


def _dimensions(stored: dict[str, tuple[int, ...]], method: str | None) -> dict[str, tuple[int, int]]:
    """Return N and K of each layer."""
    if method == "compressed-tensors":
        names = prefixes(stored, "weight_packed")
        return {name: (stored[f"{name}.weight_packed"][0], stored[f"{name}.weight_packed"][1] * 8) for name in names}
    factor = 8 if method == "gptq" else 1
    names = prefixes(stored, "qweight")
    return {name: (stored[f"{name}.scales"][-1], stored[f"{name}.qweight"][0] * factor) for name in names}


def _weight(module: Any) -> Any:
    if not hasattr(module, "qweight"):
        return module.weight
    if module.QUANT_TYPE == "awq_torch":
        from gptqmodel.quantization.awq.utils.packing_utils import dequantize_gemm

        return dequantize_gemm(module.qweight, module.qzeros, module.scales, module.bits, module.group_size).t()
    return module.dequantize_weight().t()


if __name__ == "__main__":
    sys.exit(
        run(
            Peer(
                "transformers",
                ("hf-gemm", "gptq", "ct-pack"),
                "f16",
                "nk",
                read,
                checks=("transformers", "gptqmodel", "compressed_tensors", "pydantic", "torch/nn"),
                errors=("pydantic_core._pydantic_core.ValidationError",),
                policies={"torch.compile": "off"},
            )
        )
    )
