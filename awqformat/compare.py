"""How far a quantised model is from the original, layer by layer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from awqformat.container.reader import AwqFile

_BLOCK = 1 << 20  # values compared at a time, in float64


@dataclass(frozen=True)
class Comparison:
    """One tensor of the original against the tensor of the same name in the file.

    Attributes:
        name: the tensor's name.
        quantized: whether the file stores it quantised.
        cosine: cosine similarity of the flattened values; 1 if both are zero, NaN if a value is not finite or its
            square overflows float64.
        mse: mean squared error; NaN if a value is not finite.
        problem: why there are no figures ("missing", "shape ..."), or None.
    """

    name: str
    quantized: bool
    cosine: float
    mse: float
    problem: str | None = None

    def passes(self, cosine: float, mse: float) -> bool:
        """Return whether both figures exist and are within the thresholds; NaN never is."""
        return self.problem is None and self.cosine >= cosine and self.mse <= mse


def compare(original: Mapping[str, np.ndarray[Any, Any]], file: AwqFile) -> Iterator[Comparison]:
    """Compare every tensor of ``original`` with the file, one at a time, quantised ones dequantised to F32.

    Raises:
        AwqError: if a tensor of the file is not what was written.
    """
    nan = float("nan")
    for name in original:
        if name not in file:
            yield Comparison(name, quantized=False, cosine=nan, mse=nan, problem="missing")
            continue
        expected, got = original[name], file.get_tensor(name)
        quantized = file.is_quantized(name)
        if expected.shape != got.shape:
            problem = f"shape {got.shape}, original {expected.shape}"
            yield Comparison(name, quantized, cosine=nan, mse=nan, problem=problem)
            continue
        same = expected.dtype == got.dtype and np.array_equal(_bits(expected), _bits(got))
        cosine, mse = (1.0, 0.0) if same else distance(expected, got)  # bits: NaN and Inf may be kept as they are
        yield Comparison(name, quantized, cosine, mse)


def _bits(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return np.ascontiguousarray(array).reshape(-1).view(np.uint8)


def distance(a: np.ndarray[Any, Any], b: np.ndarray[Any, Any]) -> tuple[float, float]:
    """Return cosine similarity and mean squared error of two arrays of one shape, summed in float64."""
    dot = squares_a = squares_b = squares = 0.0
    flat_a, flat_b = a.reshape(-1), b.reshape(-1)
    for start in range(0, flat_a.size, _BLOCK):
        x = flat_a[start : start + _BLOCK].astype(np.float64)
        y = flat_b[start : start + _BLOCK].astype(np.float64)
        with np.errstate(invalid="ignore", over="ignore"):  # Inf - Inf: the NaN is the answer
            difference = x - y
            dot += float(x @ y)
            squares_a, squares_b = squares_a + float(x @ x), squares_b + float(y @ y)
            squares += float(difference @ difference)
    mse = squares / max(flat_a.size, 1)
    if squares_a == squares_b == 0:
        return 1.0, mse
    if squares_a == 0 or squares_b == 0:
        return 0.0, mse
    with np.errstate(invalid="ignore"):
        return float(np.float64(dot) / np.sqrt(np.float64(squares_a)) / np.sqrt(np.float64(squares_b))), mse
