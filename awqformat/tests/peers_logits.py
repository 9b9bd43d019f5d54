"""Print the largest difference of the logits of two causal models, and whether they choose alike.

peers_logits.py DENSE QUANTIZED, in the peers' environment. Of pack-quantized models the weights are made dense while
they are loaded: left packed, compressed-tensors 0.20.0 takes no zero points.
"""

import json
import sys

import torch
from transformers import AutoConfig, AutoModelForCausalLM, CompressedTensorsConfig


def logits(folder: str) -> torch.Tensor:
    """Return what the model in ``folder`` makes of some tokens."""
    stored = getattr(AutoConfig.from_pretrained(folder), "quantization_config", {})
    packed = stored.get("quant_method") == "compressed-tensors"
    how = {"quantization_config": CompressedTensorsConfig(dequantize=True)} if packed else {}
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float16, device_map="cpu", **how)
    found: torch.Tensor = model(tokens).logits.float()
    return found


tokens = torch.arange(48).view(2, 24) % 64
dense, other = map(logits, sys.argv[1:])
same = bool((dense.argmax(-1) == other.argmax(-1)).all())
print(json.dumps({"difference": float((dense - other).abs().max()), "spread": float(dense.std()), "same": same}))
