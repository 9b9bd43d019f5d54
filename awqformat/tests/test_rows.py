"""A quantised tensor read some rows at a time is the tensor, verified."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from awqformat import AwqError, Dtype, QuantizedTensor, quantize, safe_open, save_file
from awqformat.container.source import Mode
from awqformat.schema import DIGEST_CHUNK

N, K = 1200, 4096  # codes of 2.3 chunks


def written(path: Path, *, symmetric: bool, scale_dtype: Dtype, experts: int) -> QuantizedTensor:
    """Write one tensor of two chunks and a bit, and return it."""
    weight = np.random.default_rng(0).standard_normal((experts, N // experts, K), np.float32)
    tensor = quantize(weight, 128, symmetric=symmetric, scale_dtype=scale_dtype)
    save_file({"before": np.arange(100), "w": tensor}, path)
    return tensor


@pytest.mark.parametrize("mode", ["mmap", "pread"])
@pytest.mark.parametrize(
    ("symmetric", "scale_dtype", "experts", "step"),
    [(False, Dtype.F16, 1, 7), (True, Dtype.BF16, 1, 64), (False, Dtype.F32, 3, 400), (True, Dtype.F32, 2, 1200)],
)
def test_rows_are_those_of_the_tensor(
    *, symmetric: bool, scale_dtype: Dtype, experts: int, step: int, mode: Mode, tmp_path: Path
) -> None:
    """Whatever the steps, codes, scales and zero points are those that were written, experts one after another."""
    tensor = written(tmp_path / "f", symmetric=symmetric, scale_dtype=scale_dtype, experts=experts)
    with safe_open(tmp_path / "f", mode=mode) as file:
        rows = file.get_rows("w")
        blocks = [rows[start : min(start + step, N)] for start in range(0, N, step)]
        with pytest.raises(AwqError, match=r"^E_RECORD before: dtype, "):
            file.get_rows("before")
    for field in ("packed_codes", "scales", "packed_zero_points"):
        whole, parts = getattr(tensor, field), [getattr(block, field) for block in blocks]
        assert parts == [None] * len(parts) if whole is None else np.concatenate(parts).tobytes() == whole.tobytes()


@pytest.mark.parametrize("mode", ["mmap", "pread"])
def test_a_row_is_verified_before_it_is_handed_out(mode: Mode, tmp_path: Path) -> None:
    """A changed byte is E_DIGEST in its own chunk only, when that is read, whatever the file was opened with."""
    written(tmp_path / "f", symmetric=False, scale_dtype=Dtype.F16, experts=1)
    with safe_open(tmp_path / "f") as file:
        at = file.info("w").offset + DIGEST_CHUNK + 5
    with (tmp_path / "f").open("r+b") as stored:
        stored.seek(at)
        (byte,) = stored.read(1)
        stored.seek(at)
        stored.write(bytes([byte ^ 1]))
    with safe_open(tmp_path / "f", verify="none", mode=mode) as file:
        rows = file.get_rows("w")
        assert rows[0:512].shape == (512, K)
        with pytest.raises(AwqError, match=r"^E_DIGEST w: chunk 1, at byte "):
            rows[512:513]


@pytest.mark.parametrize("segment", ["scales", "the end"])
def test_scales_are_verified_first(segment: str, tmp_path: Path) -> None:
    """Nothing is handed out of a tensor whose scales or padding are not what was written."""
    written(tmp_path / "f", symmetric=True, scale_dtype=Dtype.F16, experts=1)
    data = bytearray((tmp_path / "f").read_bytes())
    with safe_open(tmp_path / "f") as file:
        info = file.info("w")
    data[info.offset + (info.layout.scales_at if segment == "scales" else info.size - 1)] ^= 1
    (tmp_path / "f").write_bytes(data)
    with safe_open(tmp_path / "f", verify="none") as file, pytest.raises(AwqError, match=r"^E_DIGEST w: chunk 2, "):
        file.get_rows("w")
