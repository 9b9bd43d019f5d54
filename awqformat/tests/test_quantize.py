"""Round-to-nearest quantisation: its error bound, exactly, and what it refuses."""

from __future__ import annotations

from fractions import Fraction
from importlib import import_module
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from awqformat import AwqError, Dtype, dequantize, quantize

GREATEST = {Dtype.F16: 65504.0 * 6, Dtype.BF16: 1e38, Dtype.F32: 1e38}

cases = pytest.mark.parametrize(
    ("scale_dtype", "symmetric"),
    [(dtype, symmetric) for dtype in GREATEST for symmetric in (False, True)],
    ids=lambda value: value.name if isinstance(value, Dtype) else "symmetric" if value else "asymmetric",
)


def worst_excess(weights: np.ndarray[Any, Any], group_size: int, scale_dtype: Dtype, *, symmetric: bool) -> Fraction:
    """Return the largest |w - (q - z) * s| - s / 2 of any weight, in exact arithmetic."""
    tensor = quantize(weights, group_size, scale_dtype=scale_dtype, symmetric=symmetric)
    zeros = tensor.zero_points if tensor.zero_points is not None else np.full(tensor.scales.shape, 8)
    q = tensor.codes.reshape(-1, tensor.group_size).tolist()
    groups = zip(q, zeros.reshape(-1).tolist(), tensor.scales.astype(np.float64).reshape(-1).tolist(), strict=True)
    w = weights.reshape(-1, tensor.group_size).astype(np.float64).tolist()
    return max(  # type: ignore[no-any-return]
        abs(Fraction(value) - (code - z) * Fraction(s)) - Fraction(s) / 2
        for row, (codes, z, s) in zip(w, groups, strict=True)
        for value, code in zip(row, codes, strict=True)
    )


def matrices(greatest: float, dtype: Any = np.float32) -> st.SearchStrategy[np.ndarray[Any, Any]]:
    """Return float matrices (N, 32) of any magnitude, with ties, zeros, subnormals and one-sided rows."""
    width = 8 * np.dtype(dtype).itemsize
    bound = float(np.dtype(dtype).type(greatest))
    floats = st.floats(-bound, bound, width=width)
    halves = st.integers(-31, 31).map(lambda i: i / 2)
    positive = st.floats(0, bound, width=width)
    elements = st.sampled_from(
        [floats, halves, positive, st.sampled_from([0.0, -0.0, 2.0**-140 if width > 16 else 0.0])]
    )
    return elements.flatmap(lambda kind: npst.arrays(dtype, (2, 32), elements=kind))


@cases
@given(data=st.data(), group_size=st.sampled_from([8, 16, 32, -1]))
def test_no_weight_is_off_by_more_than_half_a_step(
    scale_dtype: Dtype, data: st.DataObject, group_size: int, *, symmetric: bool
) -> None:
    """For float32 weights the bound s / 2 holds exactly, whatever they are."""
    weights = data.draw(matrices(GREATEST[scale_dtype]))
    assert worst_excess(weights, group_size, scale_dtype, symmetric=symmetric) <= 0


@pytest.mark.parametrize("row", [
    [0.0] * 8, [-0.0] * 8, [0.0, -0.0] * 4, [1e-45] * 8, [-1e-45] * 8, [5.0] * 8, [-5.0] * 8, [1e-40, 1e30] * 4,
    [-1.5, 13.5, 0.5, 1.5, 2.5, 3.5, 12.5, 14.0], [-7.5, 7.5, 6.5, 5.5, 4.5, -6.5, -5.5, 0.5],
    [0, 0, 0, 3e38, 0, 0, 0, 0],
])  # fmt: skip
@pytest.mark.parametrize("symmetric", [False, True])
def test_special_groups(row: list[float], *, symmetric: bool) -> None:
    """All-zero, all-equal, one-sided, subnormal and huge groups and ties keep the bound too."""
    weights = np.array([row], np.float32)
    assert worst_excess(weights, 8, Dtype.F32, symmetric=symmetric) <= 0


@given(matrices(1e30, np.float64))
@example(np.array([[-1.5, 13.5 + 2**-49, *[0.0] * 6]]))
def test_float64_keeps_the_bound_but_for_its_own_rounding(weights: np.ndarray[Any, Any]) -> None:
    """For float64 weights the excess is at most what one float64 operation loses."""
    excess = worst_excess(weights, 8, Dtype.F32, symmetric=False)
    assert excess <= Fraction(float(np.abs(weights).max())) / 2**50 + Fraction(1, 2**1070)


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16, np.float64, np.dtype(">f4")])
def test_other_float_dtypes_give_the_same(dtype: Any) -> None:
    """Weights that two dtypes can hold are quantised alike."""
    weights = (np.arange(64).reshape(2, 32) - 20) / 4
    expected, tensor = quantize(weights.astype(np.float32), 16), quantize(weights.astype(dtype), 16)
    assert (dequantize(tensor) == dequantize(expected)).all()


@pytest.mark.parametrize("symmetric", [False, True])
def test_representable_weights_survive(*, symmetric: bool) -> None:
    """Weights that are codes times a power of two come back as they were."""
    steps = np.array([[-7, *range(-7, 8)]] if symmetric else [range(-8, 8)], np.float32)
    assert (dequantize(quantize(steps / 4, 16, symmetric=symmetric)) == steps / 4).all()


def test_scales_are_rounded_up() -> None:
    """The step is the smallest number of the scale dtype that lets 15 steps span the range."""
    weights = np.zeros((1, 8))
    weights[0, 0] = 15 * (1 + 2**-20)
    bits = {Dtype.F16: 0x3C01, Dtype.BF16: 0x3F81, Dtype.F32: 0x3F800008}
    for dtype, expected in bits.items():
        scales = quantize(weights, 8, scale_dtype=dtype).scales
        assert int.from_bytes(scales.tobytes(), "little") == expected


@pytest.mark.parametrize(
    ("shape", "group_size", "expected"),
    [((3, 24), -1, (3, 1)), ((3, 24), 8, (3, 3)), ((2, 3, 2, 48), 24, (2, 3, 2, 2))],
)
def test_shapes(shape: tuple[int, ...], group_size: int, expected: tuple[int, ...]) -> None:
    """Groups run along the last dimension; -1 means one per row."""
    tensor = quantize(np.ones(shape, np.float32), group_size)
    assert (tensor.shape, tensor.scales.shape) == (shape, expected)
    assert tensor.zero_points is not None
    assert quantize(np.ones(shape, np.float32), group_size, symmetric=True).symmetric


def test_memory_order_and_blocks_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    """A transposed matrix and small working blocks give the same tensor."""
    weights = np.random.default_rng(0).standard_normal((24, 10))
    whole = quantize(np.ascontiguousarray(weights.T), 8)
    monkeypatch.setattr(import_module("awqformat.quantize"), "_BLOCK", 24)
    parts = quantize(weights.T, 8)
    assert (parts.packed_codes == whole.packed_codes).all()
    assert (parts.scales == whole.scales).all()


ROW = [1.0] * 8


@pytest.mark.parametrize(
    ("weights", "group_size", "scale_dtype", "message"),
    [
        ([[np.nan, *ROW[1:]]], 8, Dtype.F16, "E_VALUE weights: value, expected finite, got nan"),
        ([[*ROW[1:], -np.inf]], 8, Dtype.F32, "E_VALUE weights: value, expected finite, got -inf"),
        (
            [[1e6] * 8],
            8,
            Dtype.F16,
            "E_VALUE weights: scale, expected a range that F16 can span, got a step of 66666.7",
        ),
        ([[1e39] * 8], 8, Dtype.F32, "E_VALUE weights: value, expected products within float32, got 1.0"),
        ([[3.4e38] * 8], 8, Dtype.BF16, "E_VALUE weights: value, expected products within float32, got "),
        (ROW, 8, Dtype.F16, "E_DIMS weights: shape"),
        (np.ones((2, 0)), 8, Dtype.F16, "E_DIMS weights: shape"),
        ([ROW * 2], 24, Dtype.F16, "E_GROUP weights: group_size, expected a multiple of 8 dividing K = 16, got 24"),
        ([ROW * 2], 0, Dtype.F16, "E_GROUP"),
        ([ROW * 2], -8, Dtype.F16, "E_GROUP"),
        ([ROW * 2], 12, Dtype.F16, "E_GROUP"),
        ([[1.0] * 12], 12, Dtype.F16, "E_GROUP"),
        ([[1.0] * 12], -1, Dtype.F16, "E_GROUP"),
        ([ROW], 8, Dtype.F64, "E_RECORD weights: scale_dtype, expected F16, BF16 or F32, got F64"),
    ],
)
def test_refusals(weights: Any, group_size: int, scale_dtype: Dtype, message: str) -> None:
    """What cannot be quantised is refused, never clamped."""
    with pytest.raises(AwqError) as caught:
        quantize(np.array(weights), group_size, scale_dtype=scale_dtype, symmetric="products" in message)
    assert str(caught.value).startswith(message)
