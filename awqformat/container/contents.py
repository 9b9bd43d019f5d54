"""Everything a file says, as one value (spec: container, "Canonical form")."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from awqformat.model import QuantizedTensor

Tensor = QuantizedTensor | np.ndarray[Any, Any]


@dataclass(frozen=True)
class Contents:
    """Everything a file says; there is one file for each value, byte for byte.

    Attributes:
        tensors: name -> tensor, in the order of the extents in DATA.
        metadata: META; empty means the section is absent.
        align_log2: A = 1 << align_log2 aligns every extent, 6..12.
        minor: minor version.
        sections: private and unknown non-critical sections, type -> bytes.
    """

    tensors: dict[str, Tensor]
    metadata: dict[str, str] = field(default_factory=dict)
    align_log2: int = 6
    minor: int = 0
    sections: dict[int, bytes] = field(default_factory=dict)
