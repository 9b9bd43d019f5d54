"""optimum-quanto: its unpack functions.

It reads no files: finding them and the configuration is glue, and so is (q - z) * s, or q * s + zeros. With --fast the
adapter is one for gemv_fast, which stores no z. Python must be run with -O then: unpack_v2 asserts that its input is
on a CUDA device and then computes with NumPy.
"""

import json
import sys
from pathlib import Path
from typing import Any

from peer import Layers, Peer, prefixes, run, tensors


def read(folder: Path, op: str) -> Layers:
    """Return W, or q, z and s, of each layer."""
    config = json.loads((folder / "config.json").read_text())["quantization_config"]
    stored = tensors(folder)
    layers = {}
    for name in prefixes(stored, "qweight"):
        parts = (stored[f"{name}.{role}"] for role in ("qweight", "qzeros", "scales"))
        layers[name] = _VERSIONS[config["version"].lower()](*parts, config["group_size"], op)
    return layers


def _gemm(qweight: Any, qzeros: Any, scales: Any, group_size: int, op: str) -> dict[str, Any]:
    from optimum.quanto.tensor.weights.awq.packed import unpack

    q, z = unpack(qweight, reorder=True), unpack(qzeros, reorder=True)
    return _computed(q.t(), z.t(), scales.t(), group_size, op)


def _gemv(qweight: Any, qzeros: Any, scales: Any, group_size: int, op: str) -> dict[str, Any]:
    from optimum.quanto.tensor.weights.awq.packed import unpack

    q, z = unpack(qweight), unpack(qzeros)
    groups = q.shape[1] // (group_size if group_size > 0 else q.shape[1])
    return _computed(q, z[:, :groups], scales[:, :groups], group_size, op)


def _gemv_fast(qweight: Any, zeros: Any, scales: Any, group_size: int, op: str) -> dict[str, Any]:
    import torch
    from optimum.quanto.tensor.weights.awq.packed import unpack_v2

    del op  # z is not stored: only W can be asked for
    q = unpack_v2(qweight)
    rows = torch.arange(q.shape[1]) // (group_size if group_size > 0 else q.shape[1])
    return {"W.nk": (scales[rows].t() * q + zeros[rows].t()).numpy()}


def _computed(q: Any, z: Any, s: Any, group_size: int, op: str) -> dict[str, Any]:
    if op == "unpack":
        return {"q.nk": q.numpy(), "z.nk": z.numpy(), "s.nk": s.float().numpy()}
    size = group_size if group_size > 0 else q.shape[1]
    z, s = (part.repeat_interleave(size, dim=1) for part in (z, s))
    return {"W.nk": ((q.half() - z.half()) * s).numpy()}


_VERSIONS = {"gemm": _gemm, "gemv": _gemv, "gemv_fast": _gemv_fast}

if __name__ == "__main__":
    fast = "--fast" in sys.argv
    sys.exit(
        run(
            Peer(
                "optimum-quanto",
                ("hf-gemv-fast",) if fast else ("hf-gemm", "hf-gemv"),
                "f16",
                "nk",
                read,
                checks=("optimum/quanto",),
                unpacks=not fast,
                policies={"files": "adapter", "arithmetic": "adapter"},
            )
        )
    )
