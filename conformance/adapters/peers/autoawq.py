"""AutoAWQ: its configuration, its modules, its unpacking and, for gemm, its arithmetic.

Files are read by accelerate, called as AutoAWQ does; the model that it fills is made from the names and shapes of the
tensors, for the checkpoints describe no whole architecture. AutoAWQ computes gemv and gemv_fast in CUDA only: for
gemv, (q - z) * s and the cut to K/G columns are glue; for gemv_fast its packer is read backwards, on the digits of a
running number, and q * s + zeros, rounded once as in its kernel, is glue. With --fast the adapter is one for
gemv_fast, which stores no z, else for the other two.
"""

import sys
from pathlib import Path
from typing import Any

from peer import Layers, Peer, grown, prefixes, run, shapes


def read(folder: Path, op: str) -> Layers:
    """Return W, or q, z and s, of each layer."""
    import torch
    from accelerate import load_checkpoint_in_model
    from awq.models._config import AwqConfig
    from awq.modules.linear import WQLinear_GEMM, WQLinear_GEMV, WQLinear_GEMVFast

    config = AwqConfig.from_pretrained(str(folder))
    kind, compute = {
        "gemm": (WQLinear_GEMM, _gemm),
        "gemv": (WQLinear_GEMV, _gemv),
        "gemv_fast": (WQLinear_GEMVFast, _gemv_fast),
    }[config.version]
    stored = shapes(folder)
    modules = {}
    for name in prefixes(stored, "qweight"):
        rows, columns = stored[f"{name}.qweight"]
        k, n = {_gemm: (rows, columns * 8), _gemv: (columns * 8, rows), _gemv_fast: (columns, rows * 4)}[compute]
        linear = torch.nn.Linear(k, n, bias=f"{name}.bias" in stored, device="meta")
        modules[name] = kind.from_linear(linear, config.w_bit, config.q_group_size, init_only=True)
    model = grown(torch.nn.Module(), modules)
    load_checkpoint_in_model(model, str(folder), device_map={"": "cpu"}, dtype=torch.float16)
    return {name: compute(model.get_submodule(name), op) for name in modules}


def _gemm(module: Any, op: str) -> dict[str, Any]:
    from awq.utils.packing_utils import dequantize_gemm, reverse_awq_order, unpack_awq

    if op == "dequant":
        w = dequantize_gemm(module.qweight, module.qzeros, module.scales, module.w_bit, module.group_size)
        return {"W.kn": w.numpy()}
    q, z = reverse_awq_order(*unpack_awq(module.qweight, module.qzeros, module.w_bit), module.w_bit)
    return {"q.kn": _codes(q), "z.kn": _codes(z), "s.kn": module.scales.float().numpy()}


def _gemv(module: Any, op: str) -> dict[str, Any]:
    from awq.utils.packing_utils import unpack_awq

    q, z = (codes & 15 for codes in unpack_awq(module.qweight, module.qzeros, module.w_bit))
    groups = module.in_features // module.group_size
    z, s = z[:, :groups], module.scales[:, :groups]
    if op == "unpack":
        return {"q.kn": _codes(q.t()), "z.kn": _codes(z.t()), "s.kn": s.t().float().numpy()}
    z, s = (part.repeat_interleave(module.group_size, dim=1) for part in (z, s))
    return {"W.kn": ((q - z) * s).t().numpy()}


def _gemv_fast(module: Any, op: str) -> dict[str, Any]:
    import torch
    from awq.modules.linear.gemv_fast import pack_intweight

    del op
    n, k = module.out_features, module.in_features
    nibbles = torch.arange(0, 16, 4)
    places = torch.arange(n * k, dtype=torch.int32).view(n, k)
    digits = [pack_intweight(places >> shift & 15, interleave=4, kstride=64) for shift in range(0, 28, 4)]
    origin = sum((words[..., None] >> nibbles & 15).long() << 4 * i for i, words in enumerate(digits))
    q = torch.empty(n * k, dtype=torch.float64)
    q[origin.flatten()] = (module.qweight[..., None] >> nibbles & 15).double().flatten()
    groups = torch.arange(k) // module.group_size
    return {"W.kn": (q.view(n, k).t() * module.scales[groups] + module.qzeros[groups]).half().numpy()}  # rounded once


def _codes(codes: Any) -> Any:
    import numpy as np

    return (codes & 15).numpy().astype(np.uint8)


if __name__ == "__main__":
    fast = "--fast" in sys.argv
    sys.exit(
        run(
            Peer(
                distribution="autoawq",
                profiles=("hf-gemv-fast",) if fast else ("hf-gemm", "hf-gemv"),
                dtype="f16",
                layout="kn",
                read=read,
                checks=("awq", "accelerate", "torch/nn"),
                unpacks=not fast,
            )
        )
    )
