"""Layers taken in blocks of rows, or without their codes, say what they say as a whole."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from awqformat import AwqError, QuantizedTensor
from awqformat.checkpoints import blocks
from awqformat.checkpoints.blocks import decode_blocks, encode_blocks, expert_count
from awqformat.checkpoints.export_config import EXPORTABLE
from awqformat.checkpoints.groups import decode_groups, without_codes
from awqformat.checkpoints.model import Digest
from awqformat.dialects import DIALECTS, Form, decode, encode, layer_of
from awqformat.tests.checkpoint import weight

ROWS = {"ct-pack": 12, "gemv": 5, "mlx": 7, "marlin": 192}
"""Rows of a layer that are no multiple of 8 where the dialect allows it; 40 elsewhere."""


def made(dialect: str, seed: int = 0, **options: Any) -> QuantizedTensor:
    """Return a weight that a dialect can hold, with an odd number of groups."""
    return weight(ROWS.get(dialect, 40), 192, 64, symmetric=dialect == "marlin", seed=seed, **options)


def equal(a: dict[str, Any], b: dict[str, Any]) -> bool:
    """Return whether two layers have the same tensors."""
    return a.keys() == b.keys() and all(
        (a[role].dtype, a[role].shape, a[role].tobytes()) == (b[role].dtype, b[role].shape, b[role].tobytes())
        for role in a
    )


def in_blocks(tensor: QuantizedTensor) -> Iterator[QuantizedTensor]:
    """Yield a weight (N, K) as it comes from a file."""
    zeros = tensor.packed_zero_points
    for rows in blocks.row_blocks(tensor.shape):
        yield QuantizedTensor(tensor.packed_codes[rows], tensor.scales[rows], None if zeros is None else zeros[rows])


def digest_of(tensors: Iterable[QuantizedTensor]) -> bytes:
    """Return what tells weights apart, of experts that follow one another or of rows of one weight."""
    tensors = list(tensors)
    told = Digest((sum(tensor.shape[0] for tensor in tensors), tensors[0].shape[1]))
    for tensor in tensors:
        told.update(tensor)
    return told.digest()


@pytest.mark.parametrize("numbers", [1, 192 * 16, 1 << 20])
@pytest.mark.parametrize("dialect", EXPORTABLE)
def test_blocks_are_parts_of_the_whole(dialect: str, numbers: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Encoded and decoded some rows at a time, a layer has the same tensors and values as in one go."""
    monkeypatch.setattr(blocks, "_NUMBERS", numbers)
    row, tensor = DIALECTS[dialect], made(dialect)
    shape = layer_of(row, tensor, Form("qzeros", g_idx="g_idx") if dialect.startswith("gptq") else None)
    whole = encode(row, tensor, shape.form)
    losses: list[str] = []
    assert equal(encode_blocks(row, in_blocks(tensor), shape, None), whole)
    assert digest_of(decode_blocks(row, whole, shape, None, losses.append)) == digest_of([tensor])
    assert losses == []


@pytest.mark.parametrize("dialect", EXPORTABLE)
def test_experts_are_layers(dialect: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Several layers in tensors of one more dimension are read and written one by one."""
    monkeypatch.setattr(blocks, "_NUMBERS", 192 * 16)
    row, each = DIALECTS[dialect], [made(dialect, seed) for seed in range(3)]
    shape = layer_of(row, each[0])
    parts = [encode(row, one, shape.form) for one in each]
    together = {role: np.stack([part[role] for part in parts]) for role in parts[0]}
    decoded = list(decode_blocks(row, together, shape, 3, pytest.fail))
    assert digest_of(decoded) == digest_of(each)
    assert equal(encode_blocks(row, decoded, shape, 3), together)


def test_a_fault_is_told_at_its_place_in_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """A row that is named counts from the start of the layer, not of the block."""
    monkeypatch.setattr(blocks, "_NUMBERS", 1)
    row, tensor = DIALECTS["gemm"], made("gemm")
    parts = encode(row, tensor)
    parts["scales"][1, 33] = np.nan
    with pytest.raises(AwqError, match=r"^E_VALUE scales: scale \(33, 1\), "):
        list(decode_blocks(row, parts, layer_of(row, tensor), None, pytest.fail))


@given(st.sampled_from(EXPORTABLE), st.integers(0, 2**32 - 1))
def test_scales_and_zero_points_alone(dialect: str, seed: int) -> None:
    """Read without the codes they are those of the layer, and so is what would be lost."""
    row, tensor = DIALECTS[dialect], made(dialect, seed)
    shape = layer_of(row, tensor)
    parts = encode(row, tensor, shape.form)
    random = np.random.default_rng(seed)
    if random.integers(2) and dialect in ("gemv", "gemv_fast"):  # where there is padding, there may be something in it
        padded = parts["scales"] if dialect == "gemv" else parts["scales"].T
        padded[0, -1] = random.integers(2)
    whole = decode(row, parts, shape)
    ((alone,), losses) = decode_groups(row, {role: parts[role] for role in parts if role != row.codes}, shape, None)
    assert losses == whole.losses
    assert (alone.scales == tensor.scales).all()
    assert np.array_equal(alone.packed_zero_points, whole.tensor.packed_zero_points)  # type: ignore[arg-type]  # None too
    again = without_codes(tensor.scales, tensor.packed_zero_points)
    assert (again.group_size, again.scales.tobytes()) == (8, tensor.scales.tobytes())


@pytest.mark.parametrize(
    ("shapes", "expected"),
    [
        ({"qweight": (8, 1), "scales": (1, 8)}, None),
        ({"qweight": (3, 8, 1), "scales": (3, 1, 8)}, 3),
        ({"qweight": (3, 8, 1), "scales": (2, 1, 8)}, "as many experts in each tensor"),
        ({"qweight": (3, 8, 1), "scales": (8,)}, "as many experts in each tensor"),
        ({"qweight": (0, 8, 1), "scales": (0, 1, 8)}, "as many experts in each tensor"),
    ],
)
def test_counting_experts(shapes: dict[str, tuple[int, ...]], expected: int | str | None) -> None:
    """There are as many as every tensor of a layer says, at least one."""
    specs = {role: (np.dtype(np.int32), shape) for role, shape in shapes.items()}
    if isinstance(expected, str):
        with pytest.raises(AwqError, match=f"^E_DIALECT experts: shapes, expected {expected}, got qweight "):
            expert_count(specs, "qweight")
    else:
        assert expert_count(specs, "qweight") == expected


def test_what_a_digest_tells_apart() -> None:
    """Stored forms of one weight have one digest; every other difference has another."""
    tensor = weight()
    eights = QuantizedTensor.from_codes(tensor.codes, tensor.scales, np.full((64, 4), 8))
    symmetric = QuantizedTensor(tensor.packed_codes, tensor.scales)
    wider = QuantizedTensor(tensor.packed_codes, tensor.scales.astype(np.float32), tensor.packed_zero_points)
    assert digest_of([eights]) == digest_of([symmetric])
    assert digest_of([wider]) == digest_of(in_blocks(tensor)) == digest_of([tensor])
    turned = QuantizedTensor.from_codes(tensor.codes.reshape(128, 64), tensor.scales.reshape(128, 2))
    different = [tensor, symmetric, turned, weight(seed=1), weight(group_size=64)]
    assert len({digest_of([one]) for one in different}) == len(different)
