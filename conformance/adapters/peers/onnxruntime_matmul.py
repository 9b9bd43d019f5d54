"""ONNX Runtime's MatMulNBits, on an identity matrix in F32.

The tensors of gemv are its inputs byte for byte, but for columns of padding, which are cut off; finding files and the
configuration is glue.
"""

import sys
from pathlib import Path
from typing import Any

from peer import Layers, Peer, group_size_of, prefixes, quantization, run, tensors


def read(folder: Path, op: str) -> Layers:
    """Return W of each layer; there is no other ``op``."""
    del op
    config = quantization(folder)
    stored = tensors(folder)
    layers = {}
    for name in prefixes(stored, "qweight"):
        q, z, s = (stored[f"{name}.{role}"].numpy() for role in ("qweight", "qzeros", "scales"))
        layers[name] = {"W.kn": _product(q, z, s, config)}
    return layers


def _product(qweight: Any, qzeros: Any, scales: Any, config: dict[str, Any]) -> Any:
    import numpy as np
    import onnx
    import onnxruntime
    from onnx import helper, numpy_helper

    n, k = qweight.shape[0], qweight.shape[1] * 8
    size = group_size_of(config, k)
    groups = k // size
    inputs = {
        "B": qweight.view(np.uint8).reshape(n, groups, size // 2),
        "scales": np.ascontiguousarray(scales[:, :groups], np.float32),
        "zero_points": np.ascontiguousarray(qzeros.view(np.uint8)[:, : (groups + 1) // 2]),
    }
    node = helper.make_node(
        "MatMulNBits",
        ["A", *inputs],
        ["Y"],
        domain="com.microsoft",
        K=k,
        N=n,
        bits=4,
        block_size=size,
        accuracy_level=0,
    )
    a, y = (helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [k, w]) for name, w in (("A", k), ("Y", n)))
    graph = helper.make_graph(
        [node], "layer", [a], [y], [numpy_helper.from_array(array, name) for name, array in inputs.items()]
    )
    opsets = [helper.make_opsetid("", 21), helper.make_opsetid("com.microsoft", 1)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=10)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {"A": np.eye(k, dtype=np.float32)})[0]


if __name__ == "__main__":
    errors = ("Fail", "InvalidArgument", "InvalidGraph", "NotImplemented", "RuntimeException")
    sys.exit(
        run(
            Peer(
                "onnxruntime",
                ("hf-gemv",),
                "f32",
                "kn",
                read,
                checks=("onnxruntime", "onnx"),
                errors=tuple(f"onnxruntime.capi.onnxruntime_pybind11_state.{error}" for error in errors),
                policies={"files": "adapter"},
            )
        )
    )
