"""A quantised weight as a profile's files hold it: what every wrong way of reading one starts from."""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import cached_property
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from awq_conformance.grade import round_to
from awq_conformance.outputs import Matrix

Array = NDArray[Any]


class Weight(ABC):
    """One quantised tensor of a valid input, read rightly; subclasses know where its bytes are.

    Attributes:
        shape: [.., N, K].
        group_size: G; ``first_group_size`` is that of the first tensor of the file.
        scale_dtype: F16, BF16 or F32.
        symmetric: whether no zero points are stored.
    """

    shape: tuple[int, ...]
    group_size: int
    first_group_size: int
    scale_dtype: str
    symmetric: bool

    @property
    @abstractmethod
    def codes(self) -> Array:
        """Return q (R, K)."""

    @property
    @abstractmethod
    def zeros(self) -> Array:
        """Return z (R, K / G), 8 where none are stored."""

    @property
    @abstractmethod
    def scales(self) -> Array:
        """Return s (R, K / G), widened to f32."""

    @property
    def rows(self) -> int:
        """Return R, the product of all dimensions but the last."""
        return prod(self.shape[:-1])

    @property
    def columns(self) -> int:
        """Return K."""
        return self.shape[-1]

    @property
    def groups(self) -> int:
        """Return K / G."""
        return self.columns // self.group_size

    @cached_property
    def group_of(self) -> Array:
        """Return the group of each k (K,)."""
        return np.arange(self.columns) // self.group_size


def product(q: Array, z: Array, s: Array, _t: Weight) -> Array:
    """Return (q - z) * s, all of them (R, K), in f32."""
    return (q - z).astype(np.float32) * s


def narrow(weights: Array, dtype: str) -> Matrix:
    """Return W in the output's dtype, rounded to nearest even."""
    return round_to(weights.astype(np.float32), dtype)


def signed(values: Array) -> Array:
    """Return numbers of 4 bits as two's complement."""
    result: Array = (values ^ 8) - 8
    return result


def rounded(values: Array, dtype: str) -> Array:
    """Return f32 rounded to f16 or bf16 and widened again."""
    narrowed = round_to(values, dtype).values
    if dtype == "bf16":
        return (narrowed.astype(np.uint32) << 16).view(np.float32)
    wide: Array = narrowed.astype(np.float32)
    return wide
