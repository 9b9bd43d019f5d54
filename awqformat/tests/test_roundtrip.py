"""What is written is read, and what is read is written again byte for byte."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings

from awqformat import Contents, QuantizedTensor, Tensor, dequantize, load_file, safe_open, save_file, write
from awqformat.tests import damage, strategies

TWO: dict[str, Tensor] = {
    "w": QuantizedTensor.from_codes(np.arange(16).reshape(2, 8), np.array([[1], [2]], np.float16)),
    "a.bias": np.array([1, -2], np.float16),
}


def stored(tensor: Tensor) -> tuple[Any, ...]:
    """Return all that a tensor is, as values that compare."""
    if isinstance(tensor, np.ndarray):
        return tensor.dtype, tensor.shape, tensor.tobytes()
    zeros = tensor.packed_zero_points
    codes = stored(tensor.packed_codes)
    return codes, stored(tensor.scales), None if zeros is None else stored(zeros)


@pytest.mark.req("AWQ-CON-002")
@settings(max_examples=200)
@given(contents=strategies.contents())
def test_nothing_is_lost(contents: Contents, scratch: Path) -> None:
    """Tensors bit for bit, their order, metadata, alignment, minor and foreign sections come back."""
    with safe_open(damage.written(scratch, contents), verify="all") as file:
        result = file.contents()
    assert list(result.tensors) == list(contents.tensors)
    assert {name: stored(tensor) for name, tensor in result.tensors.items()} == {
        name: stored(tensor) for name, tensor in contents.tensors.items()
    }
    assert (result.metadata, result.sections) == (contents.metadata, contents.sections)
    assert (result.align_log2, result.minor) == (contents.align_log2, contents.minor)


@pytest.mark.req("AWQ-CON-002")
@settings(max_examples=200)
@given(contents=strategies.contents())
def test_there_is_one_file_for_each_content(contents: Contents, scratch: Path) -> None:
    """Writing what was read gives the same bytes, and replaces the file while it is mapped."""
    before = damage.written(scratch, contents).read_bytes()
    with safe_open(scratch) as file:
        write(file.contents(), scratch)
        assert scratch.read_bytes() == before


def test_the_writer_writes_the_bytes_of_the_format(tmp_path: Path) -> None:
    """A file put together by hand, from the specification, and the writer's are the same."""
    assert damage.written(tmp_path / "f").read_bytes() == damage.small()


def test_the_empty_file(tmp_path: Path) -> None:
    """No tensors and no metadata make 384 bytes."""
    save_file({}, tmp_path / "f")
    expected = damage.assembled((0x20, 1, b""), (0x30, 1, b""), (0x60, 1, b""), (0x100, 1, b""))
    assert (tmp_path / "f").read_bytes() == expected
    assert len(expected) == 384
    assert load_file(tmp_path / "f") == {}


def test_the_names_people_know(tmp_path: Path) -> None:
    """save_file, load_file and safe_open do what their namesakes do."""
    save_file(TWO, tmp_path / "f", {"model.name": "two"})
    loaded = load_file(tmp_path / "f", np.float16)
    assert list(loaded) == ["a.bias", "w"]
    assert loaded["w"].tolist() == (np.array([[*range(-8, 0)], [*range(0, 16, 2)]])).tolist()
    with safe_open(tmp_path / "f") as file:
        assert (file.keys(), len(file), "w" in file, "x" in file) == (["a.bias", "w"], 2, True, False)
        assert file.metadata() == {"model.name": "two"}
        assert file.get_tensor("a.bias").tolist() == [1, -2]
        assert (file.get_tensor("w", np.float16) == loaded["w"]).all()
        assert (dequantize(file.get_quantized("w")) == loaded["w"]).all()
        assert (file.is_quantized("w"), file.is_quantized("a.bias")) == (True, False)


@pytest.mark.parametrize("order", [["w", "a.bias"], ["a.bias", "w"]])
def test_data_lies_in_the_order_given(order: list[str], tmp_path: Path) -> None:
    """The index is sorted by name, the data is not."""
    save_file({name: TWO[name] for name in order}, tmp_path / "f")
    with safe_open(tmp_path / "f") as file:
        assert file.keys() == sorted(order)
        assert sorted(order, key=lambda name: file.info(name).offset) == order


@pytest.mark.parametrize("align_log2", range(6, 13))
def test_extents_are_aligned(align_log2: int, tmp_path: Path) -> None:
    """Every extent starts and ends at a multiple of the alignment."""
    save_file(TWO, tmp_path / "f", align_log2=align_log2)
    with safe_open(tmp_path / "f", verify="all") as file:
        places = [number for name in file.keys() for number in (file.info(name).offset, file.info(name).size)]  # noqa: SIM118
    assert [number % (1 << align_log2) for number in places] == [0] * 4


def test_memory_order_and_byte_order_do_not_show(tmp_path: Path) -> None:
    """Arrays are stored as they look, row-major and little-endian, and masked by nothing."""
    array = np.arange(12, dtype=np.float32).reshape(3, 4)
    save_file({"a": array}, tmp_path / "plain")
    for view in (np.asfortranarray(array), array.astype(">f4"), np.repeat(array, 2, axis=1)[:, ::2]):
        save_file({"a": view}, tmp_path / "view")
        assert (tmp_path / "view").read_bytes() == (tmp_path / "plain").read_bytes()


def test_a_tensor_of_several_chunks(tmp_path: Path) -> None:
    """DIGEST has one row for each started MiB of an extent."""
    array = np.arange(2**20 + 1, dtype=np.uint16)
    save_file({"a": array, "b": np.zeros(2**20, np.uint8), "c": np.array([1], np.uint8)}, tmp_path / "f")
    assert (load_file(tmp_path / "f")["a"] == array).all()
    with safe_open(tmp_path / "f", verify="all") as file:
        assert [section.size // 32 for section in file.preamble.sections if section.name == "DIGEST"] == [3 + 1 + 1]


def test_the_same_bytes_in_every_process(tmp_path: Path) -> None:
    """Hash seed, locale and number of threads do not show in a file."""
    program = (
        "import sys; from awqformat.tests.damage import written; from pathlib import Path; written(Path(sys.argv[1]))"
    )
    for seed, locale in (("0", "C"), ("1", "C.UTF-8"), ("4242", "tr_TR.UTF-8")):
        environment = os.environ | {"PYTHONHASHSEED": seed, "LC_ALL": locale, "OMP_NUM_THREADS": seed}
        environment["PYTHONPATH"] = str(Path(__file__).parents[2])
        subprocess.run([sys.executable, "-c", program, str(tmp_path / seed)], env=environment, check=True)
    assert {path.read_bytes() for path in tmp_path.iterdir()} == {bytes(damage.small())}
