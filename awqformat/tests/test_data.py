"""Stage D: digests, padding and scales of the data, each fault alone."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from awqformat import AwqError, Dtype, QuantizedTensor, safe_open, save_file
from awqformat.tests import damage, strategies
from awqformat.tests.damage import A_AT, B_AT, B_SCALES, B_ZEROS, C_AT, ROW_A, ROW_B, Edit


def refusal(path: Path, data: bytes | bytearray) -> str:
    """Return the message with which full verification refuses these bytes."""
    with safe_open(damage.stored(path, data)) as file, pytest.raises(AwqError) as caught:
        file.verify()
    return str(caught.value)


@pytest.mark.parametrize(
    ("at", "message"),
    [
        (B_AT, "E_DIGEST b: chunk 0, at byte 1024, expected "),
        (B_AT + 23, "E_DIGEST b"),
        (B_AT + 24, "E_DIGEST b"),
        (B_SCALES, "E_DIGEST b"),
        (B_ZEROS, "E_DIGEST b"),
        (A_AT - 1, "E_DIGEST b"),
        (A_AT, "E_DIGEST a: chunk 0, at byte 1216, expected "),
        (C_AT - 1, "E_DIGEST a"),
        (C_AT, "E_DIGEST c: chunk 0, at byte 1280, expected "),
        (damage.END - 1, "E_DIGEST c"),
    ],
)
def test_a_stale_digest_comes_first(at: int, message: str, tmp_path: Path) -> None:
    """Any changed byte is E_DIGEST, in codes, scales, zero points and padding, whatever it breaks besides."""
    assert refusal(tmp_path / "f", damage.damaged((at, "B", 0xFF), refresh=False)).startswith(message)


@pytest.mark.parametrize(
    ("edits", "message"),
    [
        ([(B_AT + 24, "B", 1)], "E_PADDING b: padding after codes, at byte 1048, expected 0, got 1"),
        ([(B_SCALES - 1, "B", 255)], "E_PADDING b: padding after codes, at byte 1087, expected 0, got 255"),
        ([(B_SCALES + 12, "B", 1)], "E_PADDING b: padding after scales, at byte 1100, expected 0, got 1"),
        ([(B_ZEROS - 1, "B", 1)], "E_PADDING b: padding after scales, at byte 1151, expected 0, got 1"),
        ([(B_ZEROS + 1, "B", 0x13)], "E_PADDING b: odd zero point, at byte 1153, expected 0, got 1"),
        ([(B_ZEROS + 3, "B", 0xF9)], "E_PADDING b: odd zero point, at byte 1155, expected 0, got 15"),
        ([(B_ZEROS + 4, "B", 1)], "E_PADDING b: padding, at byte 1156, expected 0, got 1"),
        ([(A_AT - 1, "B", 1)], "E_PADDING b: padding, at byte 1215, expected 0, got 1"),
        ([(A_AT + 12, "B", 1)], "E_PADDING a: padding, at byte 1228, expected 0, got 1"),
        ([(C_AT + 16, "B", 1)], "E_PADDING c: padding after codes, at byte 1296, expected 0, got 1"),
        ([(C_AT + 80, "B", 1)], "E_PADDING c: padding after scales, at byte 1360, expected 0, got 1"),
        ([(damage.END - 1, "B", 1)], "E_PADDING c: padding after scales, at byte 1407, expected 0, got 1"),
        ([(B_SCALES, "<H", 0x7C00)],
         "E_VALUE b: scale 0, at byte 1088, expected finite, sign bit clear, got 0x7c00"),
        ([(B_SCALES + 10, "<H", 0x8000)],
         "E_VALUE b: scale 5, at byte 1098, expected finite, sign bit clear, got 0x8000"),
        ([(C_AT + 68, "<I", 0x7F800001)],
         "E_VALUE c: scale 1, at byte 1348, expected finite, sign bit clear, got 0x7f800001"),
        ([(B_SCALES, "<H", 0xFFFF), (A_AT - 1, "B", 1)], "E_PADDING b"),
        ([(B_SCALES, "<H", 0xFFFF), (A_AT + 12, "B", 1)], "E_PADDING a"),
    ],
)  # fmt: skip
def test_faults_under_right_digests(edits: Sequence[Edit], message: str, tmp_path: Path) -> None:
    """Padding before scales, tensors in index order, each at its byte."""
    assert refusal(tmp_path / "f", damage.damaged(*edits, rows=True)).startswith(message)


def test_swapped_rows_of_digest(tmp_path: Path) -> None:
    """A row of DIGEST stands for one chunk of one tensor and no other."""
    data = damage.small()
    rows = bytes(data[ROW_A:ROW_B]), bytes(data[ROW_B : ROW_B + 32])
    data = damage.damaged((ROW_A, "", rows[1]), (ROW_B, "", rows[0]))
    assert refusal(tmp_path / "f", data) == (
        f"E_DIGEST a: chunk 0, at byte 1216, expected {rows[0].hex()}, got {rows[1].hex()}"
    )


@pytest.mark.parametrize("chunk", [0, 1, 2])
def test_each_chunk_has_its_digest(chunk: int, tmp_path: Path) -> None:
    """A fault in a large tensor is found in the chunk where it is."""
    save_file({"w": np.zeros(5 * 2**19, np.uint8)}, tmp_path / "f")
    data = bytearray((tmp_path / "f").read_bytes())
    at = 640 + chunk * 2**20 + 1000
    data[at] ^= 1
    assert refusal(tmp_path / "f", data).startswith(f"E_DIGEST w: chunk {chunk}, at byte {640 + chunk * 2**20}, ")


@pytest.mark.req("AWQ-MOD-005", "AWQ-CON-071")
@pytest.mark.parametrize("dtype", strategies.SCALES, ids=lambda dtype: dtype.name)
@given(data=st.data())
def test_illegal_scales(dtype: Dtype, data: st.DataObject, scratch: Path) -> None:
    """Every pattern that is not a finite number without sign is E_VALUE, in every scale dtype."""
    numpy, bits, _ = strategies.SCALES[dtype]
    scales = np.ones((2, 3), numpy)
    save_file({"w": QuantizedTensor.from_codes(np.zeros((2, 24), int), scales)}, scratch)
    file = bytearray(scratch.read_bytes())
    illegal, place = data.draw(strategies.illegal_scale_bits(dtype)), data.draw(st.integers(0, 5))
    (extent,) = struct.unpack_from("<Q", file, 448 + 48)
    at = extent + 64 + place * bits.itemsize
    file[at : at + bits.itemsize] = illegal.to_bytes(bits.itemsize, "little")
    file[512:544] = damage.sha256(file[extent:])
    message = refusal(scratch, damage.refreshed(file))
    assert message.startswith(f"E_VALUE w: scale {place}, at byte {at}, expected finite, sign bit clear, got 0x")
    assert message.endswith(f"{illegal:x}")


@pytest.mark.req("AWQ-MOD-005", "AWQ-CON-071")
@pytest.mark.parametrize("bits", [0x0000, 0x0001, 0x03FF, 0x7BFF])
def test_extreme_scales_are_legal(bits: int, tmp_path: Path) -> None:
    """Zero, subnormals and the largest number are scales like any other."""
    data = damage.damaged((B_SCALES, "<H", bits), rows=True)
    with safe_open(damage.stored(tmp_path / "f", data), verify="all") as file:
        assert file.get_quantized("b").scales.view(np.uint16)[0, 0] == bits


@pytest.mark.req("AWQ-MOD-015")
@pytest.mark.parametrize("bits", [0x7F800001, 0xFFC01234, 0x80000000, 0x00000001])
def test_plain_values_are_never_interpreted(bits: int, tmp_path: Path) -> None:
    """NaN payloads, -0 and subnormals of plain tensors come out as they went in."""
    data = damage.damaged((A_AT, "<I", bits), rows=True)
    with safe_open(damage.stored(tmp_path / "f", data), verify="all") as file:
        assert file.get_tensor("a").view(np.uint32)[0] == bits
        assert bytes(file.plain_bytes("a"))[:4] == struct.pack("<I", bits)
