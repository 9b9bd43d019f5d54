"""Cosine similarity and mean squared error, layer by layer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from awqformat import quantize, safe_open, save_file
from awqformat.compare import Comparison, compare, distance

NAN = float("nan")


@pytest.mark.parametrize(
    ("a", "b", "cosine", "mse"),
    [
        ([1, 2, 3], [1, 2, 3], 1, 0),
        ([1, 0], [0, 1], 0, 1),
        ([1, 1], [-1, -1], -1, 4),
        ([3, 4], [6, 8], 1, 12.5),
        ([0, 0], [0, 0], 1, 0),
        ([0, 0], [1, 1], 0, 1),
        ([1, 1], [0, 0], 0, 1),
        ([NAN, 1], [NAN, 1], NAN, NAN),
        ([np.inf, 1], [np.inf, 1], NAN, NAN),
        ([1, 1], [np.inf, 1], NAN, np.inf),
        ([1e200, 0], [1e200, 0], NAN, 0),
        ([True, False], [True, False], 1, 0),
        (5, 5, 1, 0),
        (5, 7, 1, 4),
    ],
)
def test_distances(a: Any, b: Any, cosine: float, mse: float) -> None:
    """Both figures, worked out by hand; what is not finite gives NaN and never a good figure."""
    result = distance(np.array(a), np.array(b))
    assert result == pytest.approx((cosine, mse), nan_ok=True, abs=1e-15)


def test_blocks_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sums over many blocks are sums over all values, in float64."""
    a, b = np.random.default_rng(0).standard_normal((2, 1000)).astype(np.float16)
    whole = distance(a, b)
    monkeypatch.setattr("awqformat.compare._BLOCK", 7)
    assert distance(a, b) == pytest.approx(whole, rel=1e-12)
    exact = a.astype(np.float64) - b.astype(np.float64)
    assert whole[1] == pytest.approx((exact**2).mean(), rel=1e-12)


@pytest.mark.parametrize(
    ("comparison", "passes"),
    [
        (Comparison("w", quantized=True, cosine=0.99, mse=1e-3), True),
        (Comparison("w", quantized=True, cosine=0.9899, mse=1e-3), False),
        (Comparison("w", quantized=True, cosine=0.99, mse=1.1e-3), False),
        (Comparison("w", quantized=True, cosine=NAN, mse=0), False),
        (Comparison("w", quantized=True, cosine=1, mse=NAN), False),
        (Comparison("w", quantized=True, cosine=1, mse=0, problem="missing"), False),
    ],
)
def test_thresholds(comparison: Comparison, *, passes: bool) -> None:
    """Both figures must exist and be within the thresholds, bounds included; NaN never is."""
    assert comparison.passes(0.99, 1e-3) is passes


def test_every_tensor_of_the_original_is_compared(tmp_path: Path) -> None:
    """Quantised ones by value, plain ones too, and missing or reshaped ones are named."""
    weight = np.random.default_rng(0).standard_normal((4, 32)).astype(np.float32)
    original = {"a": weight, "b": weight, "c": weight, "d": weight}
    save_file({"a": quantize(weight, 8), "b": weight, "c": weight.T, "extra": weight}, tmp_path / "f")
    with safe_open(tmp_path / "f") as file:
        results = {result.name: result for result in compare(original, file)}
    assert list(results) == list(original)
    assert [result.quantized for result in results.values()] == [True, False, False, False]
    assert [result.problem for result in results.values()] == [None, None, "shape (32, 4), original (4, 32)", "missing"]
    assert results["a"].cosine > 0.99
    assert 0 < results["a"].mse < 0.02
    assert results["b"].cosine == pytest.approx(1)
    assert results["b"].mse == 0


def test_a_plain_tensor_kept_bit_for_bit_passes_whatever_it_holds(tmp_path: Path) -> None:
    """A plain tensor with NaN or Inf passes when it is stored as it was."""
    mask = np.array([0, -np.inf, np.nan], np.float32)
    save_file({"mask": mask}, tmp_path / "f")
    with safe_open(tmp_path / "f") as file:
        (result,) = compare({"mask": mask}, file)
    assert result.passes(0.99, 1e-3)
