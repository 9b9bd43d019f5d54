"""GPTQModel's dequantize_model, which turns a checkpoint directory into a dense one: all of the reading is GPTQModel's.

The adapter reads W from the dense directory. W is asked for in F32, in which GPTQModel computes. It reads
pack-quantized directories too, but not with this version of compressed-tensors.
"""

import sys
import tempfile
from pathlib import Path

from peer import Layers, Peer, prefixes, run, shapes, tensors


def read(folder: Path, op: str) -> Layers:
    """Return W of each layer; there is no other ``op``."""
    import torch
    from gptqmodel.utils.model_dequant import dequantize_model

    del op
    with tempfile.TemporaryDirectory() as room:
        dense = Path(room) / "dense"
        dequantize_model(folder, dense, target_dtype=torch.float32)
        weights = tensors(dense)
        layers = prefixes(shapes(folder), "qweight")
        return {name: {"W.nk": weights[f"{name}.weight"].numpy().copy()} for name in layers}


if __name__ == "__main__":
    sys.exit(
        run(
            Peer(
                "gptqmodel",
                ("hf-gemm", "gptq"),
                "f32",
                "nk",
                read,
                checks=("gptqmodel",),
            )
        )
    )
