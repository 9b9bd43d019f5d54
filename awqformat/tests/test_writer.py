"""The writer refuses what readers refuse, and leaves a whole file or none."""

from __future__ import annotations

import os
import subprocess
import sys
import weakref
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from awqformat import AwqError, Contents, Deferred, Dtype, QuantizedTensor, dtypes, safe_open, save_file, write
from awqformat.tests import damage, strategies

ONE = np.array([1], np.float32)
CODES = np.zeros((2, 4), np.uint8)  # N = 2, K = 8
STEPS = np.ones((2, 1), np.float16)


def quantized(codes: Any = CODES, scales: Any = STEPS, zeros: Any = None) -> QuantizedTensor:
    """Return a tensor of arrays as they lie in a file, without any check."""
    return QuantizedTensor(codes, scales, zeros)


REFUSED = {
    "empty name": (Contents({"": ONE}), "E_NAME tensor 0: name_len, expected 1..255, got 0"),
    "name of 256 bytes": (Contents({"n" * 256: ONE}), f"E_NAME {'n' * 256}: name, expected 1..255 bytes, got 256"),
    "name with a slash": (Contents({"a": ONE, "b/c": ONE}), "E_NAME tensor 1: name_off, expected [A-Za-z0-9_]"),
    "name with a newline": (Contents({"a\nb": ONE}), "E_NAME tensor 0: name_off, expected [A-Za-z0-9_]"),
    "hidden name": (Contents({".a": ONE}), "E_NAME tensor 0: name_off, expected [A-Za-z0-9_]"),
    "name beyond ASCII": (Contents({"é": ONE}), r"E_NAME '\xe9': name, expected [A-Za-z0-9_]"),
    "name with a surrogate": (Contents({"\udc80": ONE}), r"E_NAME '\\udc80': name, expected [A-Za-z0-9_]"),
    "complex numbers": (Contents({"w": np.zeros(1, complex)}), "E_ENUM w: tensor dtype, expected an element type"),
    "objects": (Contents({"w": np.array([None])}), "E_ENUM w: tensor dtype, expected an element type"),
    "4-bit integers": (Contents({"w": np.zeros(2, ml_dtypes.int4)}),
                       "E_ENUM w: tensor dtype, expected an element type"),
    "9 dimensions": (Contents({"w": np.zeros((1,) * 9)}), "E_DIMS w: ndim, expected at most 8, got 9"),
    "dimension of 0": (Contents({"w": np.zeros((2, 0, 3))}), "E_DIMS w: dims, expected 1..2^32-1, got (2, 0, 3)"),
    "dimension of 2^32": (Contents({"w": np.broadcast_to(np.uint8(0), 2**32)}), "E_DIMS w: dims, expected 1..2^32-1"),
    "2^40 + 2^20 elements": (Contents({"w": np.broadcast_to(np.uint8(0), (2**20 + 1, 2**20))}),
                             "E_OVERFLOW w: dims, expected at most 2^40 elements, got [1048577, 1048576, 0"),
    "9 quantised dimensions": (Contents({"w": quantized(CODES.reshape(2, *[1] * 7, 4), STEPS.reshape(2, *[1] * 8))}),
                               "E_DIMS w: ndim, expected at most 8, got 9"),
    "quantised vector": (Contents({"w": quantized(CODES[0], STEPS[0])}), "E_DIMS w: codes packed shape, expected "),
    "codes that are not packed": (Contents({"w": quantized(np.zeros((2, 4), np.int32))}),
                                  "E_RECORD w: codes packed dtype, expected uint8, got int32"),
    "K of 12": (Contents({"w": quantized(np.zeros((2, 6), np.uint8))}), "E_GROUP w: scales group_size"),
    "group size of 4": (Contents({"w": quantized(scales=np.ones((2, 2), np.float16))}), "E_GROUP w: scales group_size"),
    "float64 scales": (Contents({"w": quantized(scales=np.ones((2, 1)))}), "E_RECORD w: scales dtype"),
    "too few scales": (Contents({"w": quantized(scales=STEPS[:1])}),
                       "E_DIMS w: scales shape, expected (2, 'K / group_size')"),
    "NaN scale": (Contents({"w": quantized(scales=STEPS * np.float16("nan"))}),
                  "E_VALUE w: scales scale (0, 0), expected finite"),
    "infinite scale": (Contents({"w": quantized(scales=STEPS * np.float16("inf"))}), "E_VALUE w: scales scale (0, 0)"),
    "negative scale": (Contents({"w": quantized(scales=-STEPS)}), "E_VALUE w: scales scale (0, 0)"),
    "scale of -0": (Contents({"w": quantized(scales=STEPS * np.float16(-0.0))}), "E_VALUE w: scales scale (0, 0)"),
    "too many zero points": (Contents({"w": quantized(zeros=np.zeros((2, 2), np.uint8))}),
                             "E_DIMS w: zero_points packed shape, expected (2, 1), got (2, 2)"),
    "odd zero point": (Contents({"w": quantized(zeros=np.full((2, 1), 0x51, np.uint8))}),
                       "E_PADDING w: zero_points odd zero point, expected 0, got 5"),
    "metadata that is no text": (Contents({}, {"k": 1}), "E_META META: entry, expected str: str, got str: int"),  # type: ignore[dict-item]
    "metadata with a surrogate": (Contents({}, {"k": "\ud800"}), "E_META META: text, expected well-formed Unicode"),
    "metadata over 1 MiB": (Contents({}, {"k": "x" * 2**20}), "E_LIMIT META: size, at byte 80, expected 1..1048576"),
    "alignment of 32": (Contents({}, align_log2=5), "E_ALIGN header: align_log2, expected 6..12, got 5"),
    "alignment of 8192": (Contents({}, align_log2=13), "E_ALIGN header: align_log2, expected 6..12, got 13"),
    "minor of -1": (Contents({}, minor=-1), "E_LIMIT header: minor, expected 0..65535, got -1"),
    "minor of 65536": (Contents({}, minor=65536), "E_LIMIT header: minor, expected 0..65535, got 65536"),
    "section of our own": (Contents({}, sections={0x30: b""}),
                           "E_SECTION section 0x30: type, expected an unknown or private type"),
    "section of type 2^32": (Contents({}, sections={2**32: b""}), "E_SECTION section 0x100000000: type"),
    "section of type -1": (Contents({}, sections={-1: b""}), "E_SECTION section -0x1: type"),
    "17 sections": (Contents({}, sections={2**31 + i: b"" for i in range(13)}), "E_LIMIT header: section_count"),
    "sections over 64 MiB": (Contents({}, sections={2**31: bytes(2**26), 2**32 - 1: b"x"}),
                             "E_LIMIT section 0xffffffff: size, at byte 400, expected at most 67108864 together"),
}  # fmt: skip


@pytest.mark.req("AWQ-CON-083")
@pytest.mark.parametrize("what", REFUSED)
def test_refuses_what_readers_refuse(what: str, tmp_path: Path) -> None:
    """An illegal content gets the code a reader would give, no file, and no temporary file."""
    contents, message = REFUSED[what]
    with pytest.raises(AwqError) as caught:
        write(contents, tmp_path / "f")
    assert str(caught.value).startswith(message)
    assert list(tmp_path.iterdir()) == []


class Failing(np.ndarray[Any, Any]):
    """An array whose values cannot be read."""

    def astype(self, *_: Any, **__: Any) -> Any:
        """Fail as a file on a lost disk does."""
        raise OSError(5, "Input/output error")


@pytest.mark.req("AWQ-CON-084")
@pytest.mark.parametrize("old", [None, b"an older file"])
def test_a_failure_halfway_leaves_what_was_there(old: bytes | None, tmp_path: Path) -> None:
    """When a later tensor cannot be read, the file that was there is untouched, and there is no other."""
    path = tmp_path / "f"
    if old is not None:
        path.write_bytes(old)
    with pytest.raises(OSError, match="Input/output error"):
        save_file({"a": np.zeros(2**20), "b": ONE.view(Failing)}, path)
    assert [child.read_bytes() for child in tmp_path.iterdir()] == ([] if old is None else [old])


@pytest.mark.req("AWQ-CON-084")
def test_an_interrupt_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C during the last step removes the temporary file too."""

    def interrupt(_: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        save_file({"a": ONE}, tmp_path / "f")
    assert list(tmp_path.iterdir()) == []


FULL_DISK = """
import resource, sys
import numpy as np
from awqformat import save_file
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    save_file({"a": np.zeros(1_000_000, np.uint8)}, sys.argv[1])
except OSError as error:
    print(error.strerror, error.filename)
"""


def test_a_full_disk(tmp_path: Path) -> None:
    """When the disk fills up the caller gets the system's error, with the path, and the old file stays."""
    path = damage.written(tmp_path / "f")
    result = subprocess.run([sys.executable, "-c", FULL_DISK, str(path)], capture_output=True, text=True, check=True)
    assert result.stdout == f"File too large {path}\n"
    assert [child.read_bytes() for child in tmp_path.iterdir()] == [bytes(damage.small())]


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("none/f", FileNotFoundError),
        ("file/f", NotADirectoryError),
        ("directory", OSError),
        ("fifo", OSError),
        ("n" * 256, OSError),
    ],
)
def test_where_no_file_can_be(name: str, error: type[OSError], tmp_path: Path) -> None:
    """A path that cannot become a file is an OSError that names it, and nothing is replaced."""
    (tmp_path / "directory").mkdir()
    (tmp_path / "file").touch()
    os.mkfifo(tmp_path / "fifo")
    before = sorted((child, child.stat().st_mode) for child in tmp_path.rglob("*"))
    with pytest.raises(error) as caught:
        save_file({"a": ONE}, tmp_path / name)
    assert caught.value.filename == str(tmp_path / name)
    assert sorted((child, child.stat().st_mode) for child in tmp_path.rglob("*")) == before


def test_the_longest_file_name_works(tmp_path: Path) -> None:
    """The temporary name is legal whenever the final one is."""
    save_file({"a": ONE}, tmp_path / ("n" * 255))
    assert [len(child.name) for child in tmp_path.iterdir()] == [255]


def test_the_mapping_given_is_not_changed(tmp_path: Path) -> None:
    """Writing leaves tensors and metadata of the caller as they are."""
    tensors, metadata = {"a": ONE}, {"k": "v"}
    save_file(tensors, tmp_path / "f", metadata)
    assert (list(tensors), metadata) == (["a"], {"k": "v"})


def test_arrays_of_the_file_may_be_written_over_it(tmp_path: Path) -> None:
    """A file can be rewritten from its own mapped tensors."""
    path = damage.written(tmp_path / "f")
    with safe_open(path) as file:
        save_file({"a": file.get_tensor("a"), "b": file.get_quantized("b")}, path)
    with safe_open(path, verify="all") as file:
        assert file.keys() == ["a", "b"]
        assert file.get_tensor("a").tolist() == [1, 2, 3]


def deferred(
    tensor: QuantizedTensor | np.ndarray[Any, Any], calls: list[str] | None = None, name: str = ""
) -> Deferred:
    """Return a tensor that is made when asked for, and notes that in ``calls``."""

    def load() -> QuantizedTensor | np.ndarray[Any, Any]:
        if calls is not None:
            calls.append(name)
        return tensor

    if isinstance(tensor, QuantizedTensor):
        zeros = Dtype.NONE if tensor.symmetric else Dtype.U4
        return Deferred(load, Dtype.U4, tensor.shape, tensor.scale_dtype, zeros, tensor.group_size)
    return Deferred(load, dtypes.from_numpy(tensor.dtype), tensor.shape)


@given(strategies.quantized_tensors(), st.integers(1, 5))
def test_rows_give_the_same_file(scratch: Path, tensor: QuantizedTensor, step: int) -> None:
    """A quantised tensor that comes some rows at a time is written as the whole one is."""
    save_file({"w": tensor}, scratch)
    expected = scratch.read_bytes()
    save_file({"w": replace(deferred(tensor), load=lambda: in_rows(tensor, step))}, scratch)
    assert scratch.read_bytes() == expected


def in_rows(tensor: QuantizedTensor, step: int) -> Iterator[QuantizedTensor]:
    """Yield a tensor some rows at a time, those of all experts one after another."""
    codes = tensor.packed_codes.reshape(-1, tensor.packed_codes.shape[-1])
    scales, zeros = tensor.scales.reshape(len(codes), -1), tensor.packed_zero_points
    for start in range(0, len(codes), step):
        rows = slice(start, start + step)
        flat = None if zeros is None else zeros.reshape(len(codes), -1)[rows]
        yield QuantizedTensor(codes[rows], scales[rows], flat)


@given(strategies.contents(), st.integers(1, 4))
def test_deferred_tensors_give_the_same_file(scratch: Path, contents: Contents, workers: int) -> None:
    """A file does not depend on whether its tensors were there or were made on the way, nor by how many threads."""
    calls: list[str] = []
    save_file(contents.tensors, scratch, contents.metadata, align_log2=contents.align_log2)
    expected, written = scratch.read_bytes(), list[str]()
    later = {name: deferred(tensor, calls, name) for name, tensor in contents.tensors.items()}
    save_file(
        later, scratch, contents.metadata, align_log2=contents.align_log2, workers=workers, progress=written.append
    )
    assert scratch.read_bytes() == expected
    assert written == list(contents.tensors)
    assert sorted(calls) == sorted(contents.tensors)


def test_no_more_tensors_are_held_than_there_are_workers(tmp_path: Path) -> None:
    """What has been made and not yet written is at most one tensor per worker, all of it let go of at the end."""
    alive: list[weakref.ref[Any]] = []
    most = 0

    def load() -> np.ndarray[Any, Any]:
        nonlocal most
        array = np.zeros(1 << 16, np.uint8).view(Traced)
        alive.append(weakref.ref(array))
        most = max(most, sum(reference() is not None for reference in alive))
        return array

    tensors = {f"t{i}": Deferred(load, Dtype.U8, (1 << 16,)) for i in range(40)}
    save_file(tensors, tmp_path / "f", workers=3)
    assert len(alive) == 40
    assert most <= 3
    assert not any(reference() is not None for reference in alive)


class Traced(np.ndarray[Any, Any]):
    """An array whose end can be watched."""


WRONG: dict[str, tuple[Deferred, str]] = {
    "another shape": (Deferred(lambda: ONE, Dtype.F32, (2,)), "E_RECORD w: deferred tensor, expected (<Dtype.F32"),
    "another dtype": (Deferred(lambda: ONE, Dtype.I32, (1,)), "E_RECORD w: deferred tensor"),
    "plain for quantised": (Deferred(lambda: ONE, Dtype.U4, (2, 8), Dtype.F16, Dtype.NONE, 8), "E_RECORD w: deferred"),
    "zero points for none": (
        Deferred(lambda: quantized(zeros=np.zeros((2, 1), np.uint8)), Dtype.U4, (2, 8), Dtype.F16, Dtype.NONE, 8),
        "E_RECORD w: deferred tensor",
    ),
    "a NaN scale": (
        Deferred(lambda: quantized(scales=STEPS * np.float16("nan")), Dtype.U4, (2, 8), Dtype.F16, Dtype.NONE, 8),
        "E_VALUE w: scales scale (0, 0)",
    ),
    "a group size of 4": (
        Deferred(lambda: quantized(), Dtype.U4, (2, 8), Dtype.F16, Dtype.NONE, 4),
        "E_GROUP w: group_size",
    ),
    "a row too few": (
        Deferred(lambda: in_rows(quantized(), 1), Dtype.U4, (3, 8), Dtype.F16, Dtype.NONE, 8),
        "E_RECORD w: deferred rows, expected 3, got 2",
    ),
    "a row too many": (
        Deferred(lambda: in_rows(quantized(), 1), Dtype.U4, (1, 8), Dtype.F16, Dtype.NONE, 8),
        "E_RECORD w: deferred tensor",
    ),
    "rows of another group size": (
        Deferred(lambda: in_rows(quantized(), 1), Dtype.U4, (2, 16), Dtype.F16, Dtype.NONE, 16),
        "E_RECORD w: deferred tensor",
    ),
    "a quantised type without scales": (Deferred(lambda: quantized(), Dtype.U4, (2, 8)), "E_GROUP w: group_size"),
    "scales of integers": (
        Deferred(lambda: quantized(), Dtype.U4, (2, 8), Dtype.U8, Dtype.NONE, 8),
        "E_RECORD w: scale_dtype",
    ),
    "quantised numbers": (Deferred(lambda: quantized(), Dtype.U4, (), group_size=8), "E_GROUP w: group_size"),
}


@pytest.mark.parametrize("what", WRONG)
@pytest.mark.parametrize("workers", [1, 2])
def test_a_deferred_tensor_must_be_what_was_announced(what: str, workers: int, tmp_path: Path) -> None:
    """Its record is written before its values, so values of another kind leave no file."""
    tensor, message = WRONG[what]
    with pytest.raises(AwqError) as caught:
        save_file({"a": ONE, "w": tensor}, tmp_path / "f", workers=workers)
    assert str(caught.value).startswith(message)
    assert list(tmp_path.iterdir()) == []


def test_a_review_has_the_last_word(tmp_path: Path) -> None:
    """It sees the whole file under another name; if it raises, what was there before stays."""
    path = damage.written(tmp_path / "f")

    def review(finished: Path) -> None:
        assert finished != path
        with safe_open(finished, verify="all") as file:
            assert file.keys() == ["a"]
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        save_file({"a": ONE}, path, review=review)
    assert [child.read_bytes() for child in tmp_path.iterdir()] == [bytes(damage.small())]
    seen: list[Path] = []
    save_file({"a": ONE}, path, review=seen.append)
    assert len(seen) == 1
    assert list(tmp_path.iterdir()) == [path]
