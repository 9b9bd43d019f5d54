"""OpenVINO: its PyTorch front end makes a graph of AutoAWQ's module, and its CPU plugin computes W.

The module is filled as in autoawq.py, by accelerate; the subgraph before the product is evaluated, so that no
activation is quantised and no infinity meets a zero.
"""

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from peer import Layers, Peer, grown, prefixes, run, shapes


def read(folder: Path, op: str) -> Layers:
    """Return W of each layer; there is no other ``op``."""
    import torch
    from accelerate import load_checkpoint_in_model
    from awq.models._config import AwqConfig
    from awq.modules.linear import WQLinear_GEMM

    del op
    config = AwqConfig.from_pretrained(str(folder))
    kind = {"gemm": WQLinear_GEMM}[config.version]
    stored = shapes(folder)
    modules = {}
    for name in prefixes(stored, "qweight"):
        k, n = stored[f"{name}.qweight"][0], stored[f"{name}.scales"][1]
        linear = torch.nn.Linear(k, n, bias=f"{name}.bias" in stored, device="meta")
        modules[name] = kind.from_linear(linear, config.w_bit, config.q_group_size, init_only=True)
    model = grown(torch.nn.Module(), modules)
    load_checkpoint_in_model(model, str(folder), device_map={"": "cpu"}, dtype=torch.float16)
    return {name: {"W.kn": _weights(model.get_submodule(name))} for name in modules}


def _weights(module: Any) -> Any:
    import openvino as ov
    import torch

    class Model(torch.nn.Module):  # type: ignore[misc]
        """One layer, with the configuration by which the front end knows what it is."""

        def __init__(self) -> None:
            super().__init__()
            self.config = SimpleNamespace(quantization_config=SimpleNamespace(quant_method="awq"))
            self.layer = module

        def forward(self, x: Any) -> Any:
            """Return what the layer makes of ``x``."""
            return self.layer(x)

    graph = ov.convert_model(Model().eval(), example_input=torch.zeros(1, module.in_features))
    (product,) = (node for node in graph.get_ordered_ops() if node.get_type_name() == "MatMul")
    weights = ov.Model([product.input_value(1)], [])
    compiled = ov.Core().compile_model(weights, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    found = compiled([])[0]
    return found.T if product.get_attributes()["transpose_b"] else found


if __name__ == "__main__":
    sys.exit(
        run(
            Peer(
                distribution="openvino",
                profiles=("hf-gemm",),
                dtype="f32",
                layout="kn",
                read=read,
                checks=("openvino", "awq", "accelerate", "torch/nn"),
                policies={"INFERENCE_PRECISION_HINT": "f32"},
            )
        )
    )
