"""Everything a file says, as one value (spec: container, "Canonical form")."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from awqformat.model import QuantizedTensor
from awqformat.schema import Dtype

Tensor = QuantizedTensor | np.ndarray[Any, Any]


@dataclass(frozen=True)
class Deferred:
    """A tensor whose shape and types are known and whose values are made when the writer comes to them.

    Attributes:
        load: makes the tensor, or yields a quantised one some rows at a time, (rows, K) each, in order and those of
            all experts one after another; called once, perhaps from another thread, and let go of once written.
        dtype: element type; U4 means quantised.
        shape: (.., N, K) when quantised.
        scale_dtype, zero_dtype, group_size: NONE, NONE and 0 when plain; zero_dtype is NONE when symmetric.
    """

    load: Callable[[], Tensor | Iterator[QuantizedTensor]]
    dtype: Dtype
    shape: tuple[int, ...]
    scale_dtype: Dtype = Dtype.NONE
    zero_dtype: Dtype = Dtype.NONE
    group_size: int = 0


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
