"""What a valid file is, and the contents that several cases share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import ml_dtypes

from awq_conformance.making.values import plain, quantised, scales
from awqformat import Contents, QuantizedTensor

VALUES: Final = ("AWQ-MOD-008",)
"""What every file with a quantised tensor is for: its values."""


@dataclass(frozen=True)
class Accept:
    """A valid file.

    Attributes:
        id: of the case.
        title: what the file holds, in one line.
        make: turns the case's seed into the contents of the file.
        req: the requirements it is there to show, and that a loader which gets it wrong violates.
        flags: kinds of bugs it finds.
        refs: where such a bug was seen in the wild.
        comment: more.
    """

    id: str
    title: str
    make: Callable[[str], Contents]
    req: tuple[str, ...] = VALUES
    flags: tuple[str, ...] = ()
    refs: tuple[str, ...] = ()
    comment: str = ""


def one(tensor: QuantizedTensor) -> Contents:
    """Return contents of one tensor."""
    return Contents({"weight": tensor})


def small_model(seed: str) -> Contents:
    """Return a small layer as models have it, in order of use, which is not the order of names."""
    return Contents(
        {
            "z.first.weight": quantised(f"{seed}/first", (24, 64), 16),
            "z.first.bias": plain(f"{seed}/bias", (24,), ml_dtypes.bfloat16),
            "a.second.weight": quantised(f"{seed}/second", (10, 24), 8, symmetric=True),
            "norm.weight": scales(f"{seed}/norm", (24,), "F32", (0x3F00_0000, 0x4000_0000)),
        },
        {"model.name": "small", "quantization.method": "random"},
    )
