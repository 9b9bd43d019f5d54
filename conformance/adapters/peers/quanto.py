"""optimum-quanto: its unpack functions and, for gemv_fast, the arithmetic of its packed tensor.

It reads no files: finding them and the configuration is glue, and so is (q - z) * s. With --fast the adapter is one
for gemv_fast, which stores no z. Python must be run with -O then: unpack_v2 asserts that its input is on a CUDA device
and then computes with NumPy.
"""

import sys
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from peer import Layers, Peer, group_size_of, prefixes, quantization, run, tensors


def read(folder: Path, op: str) -> Layers:
    """Return W, or q, z and s, of each layer."""
    config = quantization(folder)
    stored = tensors(folder)
    layers = {}
    for name in prefixes(stored, "qweight"):
        q, z, s = (stored[f"{name}.{role}"] for role in ("qweight", "qzeros", "scales"))
        layers[name] = _VERSIONS[config.get("version", "gemm").lower()](q, z, s, config, op)
    return layers


def _gemm(qweight: Any, qzeros: Any, scales: Any, config: Mapping[str, Any], op: str) -> dict[str, Any]:
    from optimum.quanto.tensor.weights.awq.packed import unpack

    q, z = unpack(qweight, reorder=True), unpack(qzeros, reorder=True)
    return _computed(q.t(), z.t(), scales.t(), config, op)


def _gemv(qweight: Any, qzeros: Any, scales: Any, config: Mapping[str, Any], op: str) -> dict[str, Any]:
    from optimum.quanto.tensor.weights.awq.packed import unpack

    q, z = unpack(qweight), unpack(qzeros)
    groups = q.shape[1] // group_size_of(config, q.shape[1])
    return _computed(q, z[:, :groups], scales[:, :groups], config, op)


def _gemv_fast(qweight: Any, zeros: Any, scales: Any, config: Mapping[str, Any], op: str) -> dict[str, Any]:
    from optimum.quanto.tensor.weights.awq.packed import unpack_v2
    from optimum.quanto.tensor.weights.awq.qbits import AWQWeightQBitsDequantizer

    del op
    n, k = qweight.shape[0] * 4, qweight.shape[1]
    size = group_size_of(config, k)
    scale, shift = scales[: k // size], zeros[: k // size]
    packed = SimpleNamespace(unpack=lambda: unpack_v2(qweight))
    tensor = SimpleNamespace(_data=packed, _scale=scale, _shift=shift, _group_size=size, axis=0, shape=(n, k))
    return {"W.nk": AWQWeightQBitsDequantizer.forward(None, tensor).numpy()}


def _computed(q: Any, z: Any, s: Any, config: Mapping[str, Any], op: str) -> dict[str, Any]:
    if op == "unpack":
        return {"q.nk": q.numpy(), "z.nk": z.numpy(), "s.nk": s.float().numpy()}
    size = group_size_of(config, q.shape[1])
    z, s = (part.repeat_interleave(size, dim=1) for part in (z, s))
    return {"W.nk": ((q.float() - z.float()) * s.float()).numpy()}


_VERSIONS = {"gemm": _gemm, "gemv": _gemv, "gemv_fast": _gemv_fast}

if __name__ == "__main__":
    fast = "--fast" in sys.argv
    sys.exit(
        run(
            Peer(
                "optimum-quanto",
                ("hf-gemv-fast",) if fast else ("hf-gemm", "hf-gemv"),
                "f16" if fast else "f32",
                "nk",
                read,
                checks=("optimum/quanto",),
                unpacks=not fast,
                policies={"files": "adapter", "arithmetic": "adapter"},
            )
        )
    )
