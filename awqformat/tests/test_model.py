"""Quantised tensors: built from values, refused when the format cannot hold them."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from awqformat import AwqError, Dtype, QuantizedTensor
from awqformat.layouts import Linear
from awqformat.tests import strategies

CODES, SCALES, ZEROS = np.zeros((2, 24), np.uint8), np.ones((2, 3), np.float16), np.zeros((2, 3), np.uint8)
PACKED, PACKED_ZEROS = np.zeros((2, 12), np.uint8), np.zeros((2, 2), np.uint8)


def test_values_come_back() -> None:
    """What was put in comes out, with the names of the format for its sizes."""
    codes, zeros = np.arange(48).reshape(2, 24) % 16, np.array([[1, 2, 3], [15, 0, 7]])
    tensor = QuantizedTensor.from_codes(codes, SCALES, zeros)
    assert (tensor.codes == codes).all()
    assert tensor.zero_points is not None
    assert (tensor.zero_points == zeros).all()
    assert (tensor.shape, tensor.groups, tensor.group_size, tensor.symmetric) == ((2, 24), 3, 8, False)
    assert tensor.scale_dtype is Dtype.F16
    assert tensor.layout == Linear(2, 24, 8, Dtype.F16, Dtype.U4)


def test_symmetric_means_no_zero_points() -> None:
    """Without zero points the tensor is symmetric and its layout has no third segment."""
    tensor = QuantizedTensor.from_codes(np.zeros((2, 3, 4, 8), int), np.ones((2, 3, 4, 1), np.float32))
    assert (tensor.symmetric, tensor.zero_points) == (True, None)
    assert tensor.layout == Linear(24, 8, 8, Dtype.F32, Dtype.NONE)


@given(strategies.quantized_tensors())
def test_codes_and_zero_points_rebuild_the_tensor(tensor: QuantizedTensor) -> None:
    """Unpacking and packing again changes nothing."""
    twin = QuantizedTensor.from_codes(tensor.codes, tensor.scales, tensor.zero_points)
    assert twin.packed_codes.tobytes() == tensor.packed_codes.tobytes()
    assert (twin.packed_zero_points is None) == (tensor.packed_zero_points is None)
    if twin.packed_zero_points is not None and tensor.packed_zero_points is not None:
        assert twin.packed_zero_points.tobytes() == tensor.packed_zero_points.tobytes()


@pytest.mark.req("AWQ-MOD-004")
@pytest.mark.parametrize(
    ("codes", "scales", "zeros", "message"),
    [
        (CODES + 16, SCALES, ZEROS, "E_VALUE codes: value (0, 0), expected 0..15, got 16"),
        (CODES.astype(int) - 1, SCALES, ZEROS, "E_VALUE codes: value (0, 0), expected 0..15, got -1"),
        (CODES.astype(np.float32), SCALES, ZEROS, "E_VALUE codes: dtype, expected integers, got float32"),
        (CODES, SCALES, ZEROS + 16, "E_VALUE zero_points: value (0, 0), expected 0..15, got 16"),
        (CODES, SCALES, ZEROS > 0, "E_VALUE zero_points: dtype, expected integers, got bool"),
        (CODES, SCALES, ZEROS[:, :2], "E_DIMS zero_points: shape, expected (2, 3), got (2, 2)"),
        (5, SCALES, None, "E_DIMS codes: shape, expected (.., N, K), none of them 0, got ()"),
        (CODES[0], SCALES[0], None, "E_DIMS codes: shape, expected (.., N, K), none of them 0, got (24,)"),
        (CODES[:0], SCALES[:0], None, "E_DIMS codes: shape, expected (.., N, K), none of them 0, got (0, 24)"),
        (CODES[:, :9], SCALES, None, "E_GROUP codes: in_features, expected a multiple of 8, got 9"),
        (CODES[:, :12], SCALES, None, "E_GROUP codes: in_features, expected a multiple of 8, got 12"),
        (CODES, SCALES[:1], None, "E_DIMS scales: shape, expected (2, 'K / group_size'), got (1, 3)"),
        (CODES, SCALES[..., None], None, "E_DIMS scales: shape"),
        (CODES, np.ones((2, 2), np.float16), None, "E_GROUP scales: group_size"),
        (CODES, np.ones((2, 6), np.float16), None, "E_GROUP scales: group_size"),
        (CODES, np.ones((2, 0), np.float16), None, "E_GROUP scales: group_size"),
        (CODES, SCALES.astype(np.float64), None, "E_RECORD scales: dtype, expected F16, BF16 or F32, got float64"),
        (CODES, SCALES.astype(">f2"), None, "E_RECORD scales: dtype, expected F16, BF16 or F32, got >f2"),
        (CODES, np.float16(1), 5, "E_DIMS zero_points: shape"),
    ],
)
def test_values_that_the_format_cannot_hold(codes: Any, scales: Any, zeros: Any, message: str) -> None:
    """Wrong values, shapes and dtypes are refused, never masked or converted."""
    with pytest.raises(AwqError) as caught:
        QuantizedTensor.from_codes(codes, np.asarray(scales), zeros)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    ("codes", "scales", "zeros", "message"),
    [
        (PACKED.astype(np.int32), SCALES, None, "E_RECORD codes: packed dtype, expected uint8, got int32"),
        (PACKED[0], SCALES, None, "E_DIMS codes: packed shape, expected (.., N, K // 2), none of them 0, got (12,)"),
        (PACKED, SCALES, PACKED_ZEROS.astype(np.int8), "E_RECORD zero_points: packed dtype, expected uint8, got int8"),
        (PACKED, SCALES, ZEROS, "E_DIMS zero_points: packed shape, expected (2, 2), got (2, 3)"),
        (PACKED, SCALES, PACKED_ZEROS + 0x10, "E_PADDING zero_points: odd zero point, expected 0, got 1"),
    ],
)
def test_arrays_as_they_lie_in_a_file_are_checked_too(codes: Any, scales: Any, zeros: Any, message: str) -> None:
    """A tensor made of packed arrays is held to the same rules."""
    with pytest.raises(AwqError) as caught:
        QuantizedTensor(codes, scales, zeros).check()
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize("dtype", strategies.SCALES, ids=lambda dtype: dtype.name)
@given(data=st.data())
def test_illegal_scales_are_refused(dtype: Dtype, data: st.DataObject) -> None:
    """NaN, infinities, negative numbers and -0 are refused, and the first of them is named."""
    numpy, bits, _ = strategies.SCALES[dtype]
    scales = np.zeros((2, 3), bits)
    scales[1, data.draw(st.integers(0, 2))] = data.draw(strategies.illegal_scale_bits(dtype))
    with pytest.raises(AwqError, match=r"^E_VALUE scales: scale \(1, \d\), expected finite, sign bit clear, got "):
        QuantizedTensor.from_codes(CODES, scales.view(numpy))


def test_scales_may_be_views() -> None:
    """Scales that are not contiguous are stored as they look."""
    wide = np.arange(12, dtype=np.float32).reshape(2, 6)
    tensor = QuantizedTensor.from_codes(CODES, wide[:, ::2].astype(ml_dtypes.bfloat16))
    assert tensor.scales.astype(int).tolist() == [[0, 2, 4], [6, 8, 10]]
