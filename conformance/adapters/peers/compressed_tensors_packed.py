"""compressed-tensors: its configuration, its matching of layers, its compressor; for gemm its AutoAWQConverter before.

For ct-pack finding the files, and the configuration in them, is glue; for gemm convert_checkpoint reads them. Scales
are widened to F32 by the adapter, so that W is F32 whatever they were: compressed-tensors computes in their dtype.
"""

import sys
import tempfile
from pathlib import Path
from typing import Any

from peer import Layers, Peer, grown, prefixes, quantization, run, tensors


def read(folder: Path, op: str) -> Layers:
    """Return W, or q, z and s, of each layer."""
    if quantization(folder).get("quant_method") != "awq":
        return _packed(folder, op)
    from compressed_tensors.entrypoints.convert import AutoAWQConverter, convert_checkpoint

    with tempfile.TemporaryDirectory() as room:
        converter = AutoAWQConverter.from_pretrained(str(folder))
        convert_checkpoint(str(folder), room, converter, max_workers=1, device="cpu")
        return _packed(Path(room), op)


def _packed(folder: Path, op: str) -> Layers:
    import torch
    from compressed_tensors.quantization import QuantizationConfig, apply_quantization_config

    config = QuantizationConfig.model_validate(quantization(folder))
    stored = tensors(folder)
    names = prefixes(stored, "weight_packed")
    shapes = {name: stored[f"{name}.weight_shape"].tolist() for name in names}
    linear = {name: torch.nn.Linear(k, n, bias=False, device="meta") for name, (n, k) in shapes.items()}
    model = grown(torch.nn.Module(), linear)
    apply_quantization_config(model, config)
    return {name: _layer(name, stored, model.get_submodule(name).quantization_scheme, config, op) for name in names}


def _layer(name: str, stored: dict[str, Any], scheme: Any, config: Any, op: str) -> dict[str, Any]:
    import torch
    from compressed_tensors.compressors import BaseCompressor
    from compressed_tensors.compressors.pack_quantized.helpers import unpack_from_int32

    compressor = BaseCompressor.get_value_from_registry(scheme.format or config.format)
    parts = {key.removeprefix(f"{name}."): value for key, value in stored.items() if key.startswith(f"{name}.")}
    parts["weight_scale"] = parts["weight_scale"].float()
    dense = compressor.decompress(parts, scheme)
    if op == "dequant":
        return {"W.nk": dense["weight"].numpy()}
    q = unpack_from_int32(parts["weight_packed"], scheme.weights.num_bits, parts["weight_shape"])
    s = parts["weight_scale"]
    z = dense["weight_zero_point"] if not scheme.weights.symmetric else torch.zeros(s.shape, dtype=torch.int8)
    return {"q.nk": _codes(q), "z.nk": _codes(z), "s.nk": s.numpy()}


def _codes(signed: Any) -> Any:
    import numpy as np

    return (signed.numpy() + 8).astype(np.uint8)


if __name__ == "__main__":
    sys.exit(
        run(
            Peer(
                distribution="compressed-tensors",
                profiles=("hf-gemm", "ct-pack"),
                dtype="f32",
                layout="nk",
                read=read,
                checks=("compressed_tensors", "pydantic", "transformers"),
                errors=("pydantic_core._pydantic_core.ValidationError",),
                unpacks=True,
                align=(1, 1),
            )
        )
    )
