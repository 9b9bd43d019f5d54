"""The worked examples of the chapters model and container, through the library and the oracle."""

from __future__ import annotations

from pathlib import Path

import ml_dtypes
import numpy as np
import pytest

from awqformat import Contents, QuantizedTensor, dequantize, reference, safe_open, write
from awqformat.container import meta
from awqformat.dtypes import scale_bits
from tools.tests.blocks import block

NUMPY = {"F16": np.dtype("<f2"), "BF16": np.dtype(ml_dtypes.bfloat16), "F32": np.dtype("<f4")}


def scale(dtype: str, bits: str) -> np.ndarray[tuple[int], np.dtype[np.generic]]:
    """Return one scale from its bits."""
    width = NUMPY[dtype].itemsize
    return np.frombuffer(int(bits, 16).to_bytes(width, "little"), NUMPY[dtype])


@pytest.mark.parametrize("row", block("values", "rounding").rows, ids="-".join)
def test_rounding(row: list[str]) -> None:
    """Oracle and fast path give the bits of each row, in every output dtype; zeros may differ in sign."""
    dtype, bits, q, z, *outputs = row
    dtype = dtype.upper()
    tensor = QuantizedTensor.from_codes(
        np.full((1, 8), int(q), np.uint8), scale(dtype, bits).reshape(1, 1), np.full((1, 1), int(z), np.uint8)
    )
    for out, expected in zip(("F32", "F16", "BF16"), outputs, strict=True):
        assert reference.weight(int(q) - int(z), int(bits, 16), dtype, out) == int(expected, 16)
        fast = scale_bits(dequantize(tensor, NUMPY[out])) & (np.uint32(0xFFFF_FFFF) if int(expected, 16) else 0x7FFF)
        assert set(fast.ravel().tolist()) == {int(expected, 16)}


def test_odd_groups(tmp_path: Path) -> None:
    """The extent holds the codes, scales and zero points its comments say, for the oracle and for the writer."""
    extent = block("hex", "nibbles-odd-groups").data
    codes = np.array([[*range(16), *range(8)], [15, 0, 0, 15] * 6], np.uint8)
    scales = np.array([[1, 2, 3], [0.5, 0.25, 0.125]], np.float16)
    zeros = np.array([[1, 2, 3], [15, 8, 9]], np.uint8)
    elements = np.array(list(reference.read(extent, 2, 24, 8, "F16", symmetric=False)))
    assert (elements[:, 0] == codes.ravel()).all()
    assert (elements[:, 1] == zeros.repeat(8, 1).ravel()).all()
    assert (elements[:, 2] == scale_bits(scales).repeat(8, 1).ravel()).all()
    path = tmp_path / "odd.awq"
    write(Contents({"w": QuantizedTensor.from_codes(codes, scales, zeros)}), path)
    with safe_open(path, verify="all") as file:
        info = file.info("w")
        assert path.read_bytes()[info.offset : info.offset + info.size] == extent


def test_meta() -> None:
    """META is read as its comments say, and made again byte for byte."""
    text = block("hex", "meta").data
    entries = {"model.name": "a\né", "\U00010000": "", "\ufffd": "\x1b"}
    assert meta.decode(text, 0) == entries
    assert meta.encode(entries) == text


def test_the_empty_file(tmp_path: Path) -> None:
    """384 bytes without a tensor; with A = 512 the same content has 512 bytes."""
    path = tmp_path / "empty.awq"
    data = block("hex", "container-empty").data
    path.write_bytes(data)
    with safe_open(path, verify="all") as file:
        assert (len(data), file.keys(), file.metadata()) == (384, [], {})
        write(file.contents(), tmp_path / "again.awq")
    assert (tmp_path / "again.awq").read_bytes() == data
    write(Contents({}, align_log2=9), path)
    assert (path.stat().st_size, path.read_bytes()[384:]) == (512, bytes(128))


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    """The example with two tensors as a file."""
    path = tmp_path / "tiny.awq"
    path.write_bytes(block("hex", "container-tiny").data)
    return path


def test_two_tensors(tiny: Path, tmp_path: Path) -> None:
    """The file is valid, holds what its comments say, and is written again byte for byte."""
    with safe_open(tiny, verify="all") as file:
        assert file.keys() == ["fc.bias", "fc.weight"]
        assert file.get_tensor("fc.bias").tolist() == [1, -0.5]
        assert file.get_tensor("fc.bias").dtype == ml_dtypes.bfloat16
        assert (file.info("fc.weight").shape, file.info("fc.weight").group_size) == ((2, 8), 8)
        write(file.contents(), tmp_path / "again.awq")
    assert (tmp_path / "again.awq").read_bytes() == tiny.read_bytes()


def test_values_of_two_tensors(tiny: Path) -> None:
    """Codes, zero point, scale and values of each row are those of the table, bit for bit."""
    with safe_open(tiny, verify="all") as file:
        tensor, weight = file.get_quantized("fc.weight"), file.get_tensor("fc.weight")
    assert tensor.zero_points is not None
    for n, (number, *words) in enumerate(block("values", "container-tiny").rows):
        codes, (z, dtype, bits), values = words[:8], words[8:11], words[11:]
        assert (int(number), dtype) == (n, "f16")
        assert tensor.codes[n].tolist() == [int(q) for q in codes]
        assert tensor.zero_points[n].tolist() == [int(z)]
        assert scale_bits(tensor.scales)[n].tolist() == [int(bits, 16)]
        assert weight[n].view("<u4").tolist() == [int(value, 16) for value in values]
