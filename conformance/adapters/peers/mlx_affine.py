"""mlx-lm's load_model: files, configuration, conversion of AutoAWQ's tensors and arithmetic are mlx-lm's and MLX's.

The checkpoints describe no whole architecture, so the model that load_model fills is made from the names and shapes
of their tensors. The result is in the expanded form.
"""

import sys
from pathlib import Path
from typing import Any

from peer import Layers, Peer, prefixes, run, shapes


def read(folder: Path, op: str) -> Layers:
    """Return W of each layer; there is no other ``op``."""
    import mlx.core as mx
    import mlx.nn as nn
    import numpy as np
    from mlx_lm.utils import load_model

    class Arguments:
        """What an architecture takes from the configuration: nothing."""

        @classmethod
        def from_dict(cls, config: dict[str, Any]) -> "Arguments":
            """Return the same for any ``config``."""
            del config
            return cls()

    class Model(nn.Module):  # type: ignore[misc]
        """The modules that the checkpoint's tensors name."""

        def __init__(self, _: Arguments) -> None:
            super().__init__()
            for name, dimensions in linear.items():
                _put(self, name.split("."), nn.Linear(*dimensions, bias=f"{name}.bias" in stored), nn.Module)

    del op
    stored = shapes(folder)
    linear = {
        name: (stored[f"{name}.qweight"][0], stored[f"{name}.scales"][-1]) for name in prefixes(stored, "qweight")
    }
    model, _ = load_model(folder, strict=False, get_model_classes=lambda config: (Model, Arguments))  # noqa: ARG005
    modules = dict(model.named_modules())
    layers = {}
    for name in linear:
        layer = modules[name]
        w = mx.dequantize(layer.weight, layer.scales, layer.biases, group_size=layer.group_size, bits=layer.bits)
        layers[name] = {"W.nk": np.array(w)}
    return layers


def _put(parent: Any, path: list[str], module: Any, make: Any) -> None:
    """Hang ``module`` into the tree; numbers in its path are places in lists."""
    first, *rest = path
    if isinstance(parent, list):
        parent.extend(make() for _ in range(len(parent), int(first) + 1))
    if not rest:
        parent[int(first) if isinstance(parent, list) else first] = module
        return
    key = int(first) if isinstance(parent, list) else first
    if not isinstance(parent, list) and first not in parent:
        parent[first] = [] if rest[0].isdigit() else make()
    _put(parent[key], rest, module, make)


if __name__ == "__main__":
    sys.exit(
        run(
            Peer(
                "mlx-lm",
                ("hf-gemm",),
                "f16",
                "nk",
                read,
                checks=("mlx_lm", "mlx"),
                errors=("builtins.ValueError", "builtins.RuntimeError"),
            )
        )
    )
