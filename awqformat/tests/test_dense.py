"""Models in safetensors files and directories, quantised."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from safetensors.numpy import save_file as save_safetensors

from awqformat import AwqError, Dtype, QuantizedTensor, dequantize, load_file, quantize, safe_open, save_file
from awqformat.checkpoints import NOT_LINEAR, linear_layers, open_checkpoint, quantize_checkpoint
from awqformat.tests import damage

RNG = np.random.default_rng(0)
WEIGHT = RNG.standard_normal((6, 64)).astype(np.float32)
MODEL: dict[str, np.ndarray[Any, Any]] = {
    "fc.weight": WEIGHT,
    "half.weight": WEIGHT.astype(np.float16),
    "brain.weight": WEIGHT.astype(ml_dtypes.bfloat16),
    "narrow.weight": WEIGHT[:, :24].copy(),
    "odd.weight": WEIGHT[:, :20].copy(),
    "fc.bias": np.arange(6, dtype=np.float16),
    "Embeddings.weight": WEIGHT,
    "LM_Head.weight": WEIGHT,
    "final_norm.weight": WEIGHT,
    "conv.weight": WEIGHT.reshape(6, 8, 8),
    "position_ids": np.arange(12).reshape(2, 6),
    "mask": np.eye(8, dtype=np.bool_),
}


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """Return a small model with a tensor of every sort."""
    save_safetensors(MODEL, tmp_path / "model.safetensors")
    return tmp_path / "model.safetensors"


def test_a_checkpoint_is_a_mapping(model: Path) -> None:
    """Names are sorted, tensors read when asked for, and shapes known without reading."""
    with open_checkpoint(model) as checkpoint:
        assert list(checkpoint) == sorted(MODEL)
        assert (len(checkpoint), "fc.bias" in checkpoint, "x" in checkpoint) == (len(MODEL), True, False)
        assert (checkpoint.shape("conv.weight"), checkpoint.is_float("mask")) == ((6, 8, 8), False)
        assert all((checkpoint[name] == MODEL[name]).all() for name in MODEL)
        with pytest.raises(KeyError, match="x"):
            checkpoint["x"]


def test_linear_layers_are_the_float_matrices_that_no_pattern_names(model: Path) -> None:
    """Embeddings, norms and the head are left out whatever the case of their names; patterns may be given."""
    with open_checkpoint(model) as checkpoint:
        expected = ["brain.weight", "fc.weight", "half.weight", "narrow.weight", "odd.weight"]
        assert linear_layers(checkpoint) == expected
        assert linear_layers(checkpoint, ["*NORM*", "fc*"]) == [
            "Embeddings.weight", "LM_Head.weight", *[name for name in expected if name != "fc.weight"]
        ]  # fmt: skip


@pytest.mark.parametrize(
    ("group_size", "layers"),
    [
        (32, ["brain.weight", "fc.weight", "half.weight"]),
        (8, ["brain.weight", "fc.weight", "half.weight", "narrow.weight"]),
        (-1, ["brain.weight", "fc.weight", "half.weight", "narrow.weight"]),
        (128, []),
    ],
)
def test_layers_the_group_size_divides_are_quantised(group_size: int, layers: list[str], model: Path) -> None:
    """The others, and all that is no layer, are kept as they are."""
    with open_checkpoint(model) as checkpoint:
        tensors = quantize_checkpoint(checkpoint, group_size)
        assert [name for name, tensor in tensors.items() if tensor.dtype is Dtype.U4] == layers
        for name, tensor in tensors.items():
            made = tensor.load()
            assert isinstance(made, np.ndarray | QuantizedTensor)
            assert made.shape == tensor.shape == MODEL[name].shape
            if isinstance(made, np.ndarray):
                assert (made == MODEL[name]).all()
                assert made.dtype == MODEL[name].dtype
            else:
                assert (made.symmetric, made.group_size) == (False, tensor.group_size)


def test_a_model_becomes_a_file(model: Path, tmp_path: Path) -> None:
    """Written and read again, each layer is what quantising it alone gives, and the rest is bit-identical."""
    seen: list[str] = []
    with open_checkpoint(model) as checkpoint:
        tensors = quantize_checkpoint(checkpoint, 16, symmetric=True, scale_dtype=Dtype.BF16)
        save_file(tensors, tmp_path / "f", progress=seen.append)
    loaded = load_file(tmp_path / "f")
    assert seen == sorted(MODEL) == list(loaded)
    alone = quantize(WEIGHT, 16, symmetric=True, scale_dtype=Dtype.BF16)
    assert (loaded["fc.weight"] == dequantize(alone)).all()
    assert loaded["final_norm.weight"].tobytes() == WEIGHT.tobytes()
    with safe_open(tmp_path / "f") as file:
        assert file.info("fc.weight").scale_dtype is Dtype.BF16
        assert file.info("fc.weight").zero_dtype is Dtype.NONE


def test_a_fault_names_the_layer(tmp_path: Path) -> None:
    """A weight that cannot be quantised is reported with the layer's name."""
    save_safetensors({"a": WEIGHT, "b": WEIGHT * np.float32("nan")}, tmp_path / "m")
    with open_checkpoint(tmp_path / "m") as checkpoint, pytest.raises(AwqError) as caught:
        save_file(quantize_checkpoint(checkpoint, 8), tmp_path / "f")
    assert str(caught.value) == "E_VALUE b: value, expected finite, got nan"
    assert not (tmp_path / "f").exists()


@pytest.mark.parametrize("group_size", [0, 4, 12, -2])
def test_illegal_group_sizes(group_size: int, model: Path) -> None:
    """A group size that no layer could have is refused, not ignored."""
    with open_checkpoint(model) as checkpoint, pytest.raises(AwqError, match=r"^E_GROUP group_size: value, expected "):
        quantize_checkpoint(checkpoint, group_size)


@pytest.mark.parametrize("dtype", [ml_dtypes.bfloat16, ml_dtypes.float8_e4m3fn, ml_dtypes.float8_e5m2])
def test_dtypes_that_numpy_lacks_are_kept_bit_for_bit(dtype: Any, tmp_path: Path) -> None:
    """Such tensors come out as they went in, NaNs of every sort among them."""
    bits = np.arange(256, dtype=np.uint8).repeat(np.dtype(dtype).itemsize)
    save_safetensors({"w": bits.view(dtype)}, tmp_path / "m")
    with open_checkpoint(tmp_path / "m") as checkpoint:
        assert checkpoint["w"].dtype == dtype
        assert checkpoint["w"].tobytes() == bits.tobytes()


def test_a_dtype_that_awq_lacks_is_refused(tmp_path: Path) -> None:
    """Such a tensor is named, in one line."""
    save_safetensors({"w": np.zeros(8, np.complex64)}, tmp_path / "m")
    with open_checkpoint(tmp_path / "m") as checkpoint, pytest.raises(AwqError) as caught:
        quantize_checkpoint(checkpoint, 8)
    assert str(caught.value) == "E_ENUM w: dtype, expected an element type of .awq, got C64"


def test_a_model_in_several_files(tmp_path: Path) -> None:
    """A directory with an index is one model, whichever file a tensor is in."""
    names = sorted(MODEL)
    shards = {"a.safetensors": names[::2], "b.safetensors": names[1::2]}
    for shard, held in shards.items():
        save_safetensors({name: MODEL[name] for name in held}, tmp_path / shard)
    index = {"weight_map": {name: shard for shard, held in shards.items() for name in held}}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))
    with open_checkpoint(tmp_path) as checkpoint:
        assert list(checkpoint) == names
        assert all((checkpoint[name] == MODEL[name]).all() for name in MODEL)


def test_what_is_not_a_checkpoint(model: Path, tmp_path: Path) -> None:
    """Missing paths, empty directories, FIFOs, and files cut, empty or of another format are refused at once."""
    os.mkfifo(tmp_path / "fifo")
    whole = model.read_bytes()
    cases = {
        tmp_path / "none": "E_FILE",
        tmp_path / "fifo": "E_FILE",
        damage.stored(tmp_path / "empty", b""): "E_SHARD",
        damage.stored(tmp_path / "cut header", whole[:100]): "E_SHARD",
        damage.stored(tmp_path / "cut data", whole[:-1]): "E_SHARD",
        damage.written(tmp_path / "awq"): "E_SHARD",
        damage.stored(tmp_path / "gguf", b"GGUF" + bytes(60)): "E_DIALECT",
    }
    for path, code in cases.items():
        with pytest.raises(AwqError, match=rf"^{code} .*{path}") as caught, open_checkpoint(path):
            pass
        assert caught.value.code == code
    (tmp_path / "folder").mkdir()
    with (
        pytest.raises(AwqError, match=r"^E_SHARD .*folder: shards, expected a \*"),
        open_checkpoint(tmp_path / "folder"),
    ):
        pass


def test_what_is_never_quantised_unless_asked_for() -> None:
    """The patterns are those that the command shows as its default."""
    assert NOT_LINEAR == ("*embed*", "*norm*", "*lm_head*")
