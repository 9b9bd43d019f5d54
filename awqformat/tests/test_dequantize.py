"""The fast dequantiser equals the oracle, bit for bit."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings

from awqformat import AwqError, QuantizedTensor, dequantize, reference
from awqformat.tests import strategies

OUTPUTS: dict[str, tuple[Any, Any]] = {
    "F32": (np.float32, np.uint32),
    "F16": (np.float16, np.uint16),
    "BF16": (ml_dtypes.bfloat16, np.uint16),
}

ONE = QuantizedTensor.from_codes(np.arange(16).reshape(2, 8), np.array([[1], [2]], np.float16), np.array([[0], [8]]))


@pytest.mark.req("AWQ-MOD-006", "AWQ-MOD-008", "AWQ-MOD-009", "AWQ-MOD-011", "AWQ-MOD-013")
@pytest.mark.parametrize("output", OUTPUTS)
@settings(max_examples=150)
@given(tensor=strategies.quantized_tensors())
def test_equals_the_oracle(output: str, tensor: QuantizedTensor) -> None:
    """Every weight has the bits the oracle gives it, for all scale dtypes and outputs; zeros lose their sign."""
    bits = strategies.SCALES[tensor.scale_dtype][1]
    zeros = tensor.zero_points
    expected = reference.dequantize(
        tensor.codes.reshape(-1, tensor.shape[-1]).tolist(),
        None if zeros is None else zeros.reshape(-1, tensor.groups).tolist(),
        tensor.scales.view(bits).reshape(-1, tensor.groups).tolist(),
        tensor.scale_dtype.name,
        output,
    )
    dtype, unsigned = OUTPUTS[output]
    result = dequantize(tensor, dtype)
    assert result.shape == tensor.shape
    same = _positive_zero(result.view(unsigned)) == _positive_zero(np.array(expected, unsigned).reshape(tensor.shape))
    assert same.all()


def _positive_zero(bits: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return ``bits``, those of -0 replaced by those of +0."""
    return np.where(bits == 1 << (8 * bits.itemsize - 1), 0, bits)


@pytest.mark.parametrize("output", OUTPUTS)
def test_writes_into_the_given_buffer(output: str) -> None:
    """The result is ``out`` itself, whatever it held before."""
    out = np.full(ONE.shape, np.nan, OUTPUTS[output][0])
    assert dequantize(ONE, OUTPUTS[output][0], out) is out
    assert (out == dequantize(ONE)).all()


@pytest.mark.parametrize("rows", [1, 2, 3, 64])
def test_blocks_meet_without_a_seam(rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The number of rows worked on at a time does not show."""
    rng = np.random.default_rng(rows)
    tensor = QuantizedTensor.from_codes(
        rng.integers(0, 16, (5, 7, 24)), rng.random((5, 7, 3), np.float32), rng.integers(0, 16, (5, 7, 3))
    )
    whole = dequantize(tensor)
    module = import_module("awqformat.dequantize")  # the package shows the function under this name
    monkeypatch.setattr(module, "_BLOCK", 24 * rows)
    assert (dequantize(tensor) == whole).all()


@pytest.mark.parametrize("dtype", [np.float64, np.int8, np.dtype(">f4"), ml_dtypes.float8_e4m3fn])
def test_other_outputs_are_refused(dtype: Any) -> None:
    """Only float32, float16 and bfloat16 are outputs."""
    with pytest.raises(AwqError, match=r"^E_ENUM tensor: dtype, expected F32, F16 or BF16, got "):
        dequantize(ONE, dtype)


@pytest.mark.parametrize(
    "out",
    [
        np.empty((8, 2), np.float32),
        np.empty((2, 8), np.float16),
        np.empty((8, 2), np.float32).T,
        np.empty((2, 16), np.float32)[:, ::2],
        np.broadcast_to(np.float32(0), (2, 8)),
        np.frombuffer(bytes(64), np.float32).reshape(2, 8),
    ],
    ids=["shape", "dtype", "transposed", "strided", "broadcast", "read-only"],
)
def test_other_buffers_are_refused(out: np.ndarray[Any, Any]) -> None:
    """A buffer of another shape, dtype or memory order, or that cannot be written, is refused."""
    with pytest.raises(AwqError, match=r"^E_DIMS out: array, expected writable, C-contiguous float32 \(2, 8\), got "):
        dequantize(ONE, np.float32, out)
