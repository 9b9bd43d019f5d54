"""Output files are untrusted: every way of being wrong has a name, and none costs memory."""

from __future__ import annotations

import io
import os
import pickle
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from awq_conformance.outputs import Name, collect, parse_name, read_matrix
from awq_conformance.verdict import OutputError, Verdict

NPY = Name(0, "W", "nk")
VALUES = np.arange(12, dtype=np.float32).reshape(3, 4)


def npy(array: Any) -> bytes:
    """Return what np.save writes."""
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def header(text: str, *, version: int = 1, body: bytes = b"") -> bytes:
    """Return an .npy file with a header of any text."""
    length = len(text).to_bytes(2 if version == 1 else 4, "little")
    return b"\x93NUMPY" + bytes([version, 0]) + length + text.encode() + body


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("0.W.nk.npy", Name(0, "W", "nk")),
        ("12.s.kn.npy", Name(12, "s", "kn")),
        ("3.q.nk.u8.3x4.bin", Name(3, "q", "nk", "u8", (3, 4))),
        ("3.W.kn.bf16.2x3x4.bin", Name(3, "W", "kn", "bf16", (2, 3, 4))),
        ("7.P.bin", Name(7, "P")),
        ("00.W.nk.npy", None),
        ("-1.W.nk.npy", None),
        ("0.w.nk.npy", None),
        ("0.W.npy", None),
        ("0.W.nk.npy.tmp", None),
        ("0.W.nk.npy\n", None),
        ("0.W.nk.i4.3x4.bin", None),
        ("0.W.nk.f32.3.bin", None),
        ("0.W.nk.f32.0x4.bin", None),
        ("0.W.nk.f32.3x4.npy", None),
        ("0.P.npy", None),
        ("\u0661.P.bin", None),
    ],
)
def test_names(name: str, parts: Name | None) -> None:
    """A name is read in full or not at all."""
    assert parse_name(name) == parts


@pytest.mark.parametrize(
    ("name", "data", "dtype"),
    [
        (NPY, npy(VALUES), "f32"),
        (NPY, npy(np.asfortranarray(VALUES)), "f32"),
        (NPY, npy(VALUES.astype(np.float16)), "f16"),
        (NPY, npy(VALUES.astype(np.float64)), "f64"),
        (NPY, npy(VALUES.astype(np.uint8)), "u8"),
        (Name(0, "W", "kn"), npy(np.ascontiguousarray(VALUES.T)), "f32"),
        (Name(0, "W", "nk", "f32", (3, 4)), VALUES.tobytes(), "f32"),
        (Name(0, "W", "kn", "f32", (4, 3)), VALUES.T.tobytes(), "f32"),
        (NPY, header("{'shape':(3,4),'descr':'<f4','fortran_order':False}", version=3, body=VALUES.tobytes()), "f32"),
    ],
)
def test_matrices(name: Name, data: bytes, dtype: str) -> None:
    """Every allowed way of writing the same matrix gives the same matrix, [N, K]."""
    matrix = read_matrix(name, data, (3, 4))
    assert matrix.dtype == dtype
    assert (matrix.values == VALUES).all()


def test_kn_swaps_the_last_two_dims_only() -> None:
    """Leading dims (experts) stay in front."""
    experts = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    matrix = read_matrix(Name(0, "W", "kn"), npy(experts.swapaxes(1, 2)), (2, 3, 4))
    assert (matrix.values == experts).all()


def test_bf16_is_carried_as_bits() -> None:
    """bf16 exists only as raw little-endian words."""
    matrix = read_matrix(Name(0, "W", "nk", "bf16", (1, 2)), b"\x80\x3f\x00\xc0", (1, 2))
    assert (matrix.dtype, matrix.values.tolist()) == ("bf16", [[0x3F80, 0xC000]])


BAD = [
    (NPY, npy(VALUES.T), Verdict.SHAPE),
    (NPY, npy(VALUES.ravel()), Verdict.SHAPE),
    (NPY, npy(VALUES[None]), Verdict.SHAPE),
    (NPY, npy(np.float32(1)), Verdict.SHAPE),
    (Name(0, "W", "kn"), npy(VALUES), Verdict.SHAPE),
    (Name(0, "W", "nk", "f32", (4, 3)), VALUES.tobytes(), Verdict.SHAPE),
    (NPY, npy(VALUES.astype(np.int32)), Verdict.DTYPE),
    (NPY, npy(VALUES.astype(">f4")), Verdict.DTYPE),
    (NPY, npy(VALUES.astype(np.uint16).view("V2")), Verdict.DTYPE),
    (NPY, npy(np.array([[None] * 4] * 3)), Verdict.DTYPE),
    (NPY, npy(np.zeros((3, 4), [("a", "<f4")])), Verdict.DTYPE),
    (NPY, npy(VALUES)[:-1], Verdict.TRUNCATED_OUTPUT),
    (NPY, npy(VALUES)[:128], Verdict.TRUNCATED_OUTPUT),
    (Name(0, "W", "nk", "f16", (3, 4)), VALUES.tobytes(), Verdict.MALFORMED_OUTPUT),
    (NPY, npy(VALUES) + b"\0", Verdict.MALFORMED_OUTPUT),
    (NPY, b"", Verdict.MALFORMED_OUTPUT),
    (NPY, npy(VALUES)[:9], Verdict.MALFORMED_OUTPUT),
    (NPY, npy(VALUES)[:50], Verdict.MALFORMED_OUTPUT),
    (NPY, pickle.dumps(VALUES), Verdict.MALFORMED_OUTPUT),
    (NPY, b"\x93NUMPY\x02\x00\xff\xff\xff\xff" + bytes(64), Verdict.MALFORMED_OUTPUT),
    (NPY, header("("*4000), Verdict.MALFORMED_OUTPUT),
    (NPY, header("-"*4000 + "1"), Verdict.MALFORMED_OUTPUT),
    (NPY, header("__import__('os').system('true')"), Verdict.MALFORMED_OUTPUT),
    (NPY, header("{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4)}".ljust(5000), body=VALUES.tobytes()),
     Verdict.MALFORMED_OUTPUT),
    (NPY, header("[]"), Verdict.MALFORMED_OUTPUT),
    (NPY, header("{'descr': '<f4', 'fortran_order': False}"), Verdict.MALFORMED_OUTPUT),
    (NPY, header("{'descr': '<f4', 'fortran_order': 1, 'shape': (3, 4)}"), Verdict.MALFORMED_OUTPUT),
    (NPY, header("{'descr': '<f4', 'fortran_order': False, 'shape': (3, -4)}"), Verdict.MALFORMED_OUTPUT),
    (NPY, header("{'descr': '<f4', 'fortran_order': False, 'shape': (True, 4)}"), Verdict.MALFORMED_OUTPUT),
    (NPY, header("{'descr': '<f4', 'fortran_order': False, 'shape': (1048576, 1048576)}"), Verdict.SHAPE),
]  # fmt: skip


@pytest.mark.parametrize(("name", "data", "verdict"), BAD)
def test_bad_matrices(name: Name, data: bytes, verdict: Verdict) -> None:
    """Each fault has its own verdict; nothing is unpickled or evaluated."""
    with pytest.raises(OutputError) as caught:
        read_matrix(name, data, (3, 4))
    assert caught.value.verdict is verdict


def test_a_lying_header_costs_no_memory() -> None:
    """A terabyte claimed in 100 bytes is refused by arithmetic."""
    data = header("{'descr': '<f4', 'fortran_order': False, 'shape': (1048576, 1048576)}")
    tracemalloc.start()
    with pytest.raises(OutputError) as caught:
        read_matrix(NPY, data, (1 << 20, 1 << 20))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert caught.value.verdict is Verdict.TRUNCATED_OUTPUT
    assert peak < 1 << 20


def test_collect_returns_files_by_name(tmp_path: Path) -> None:
    """What an adapter wrote comes back as bytes."""
    (tmp_path / "a").write_bytes(b"1")
    (tmp_path / "b").write_bytes(b"")
    assert collect(tmp_path, file_limit=1, count_limit=2) == {"a": b"1", "b": b""}


@pytest.mark.parametrize(
    ("make", "verdict"),
    [
        (lambda path: path.symlink_to("/dev/zero"), Verdict.MALFORMED_OUTPUT),
        (os.mkfifo, Verdict.EXTRA_OUTPUT),
        (Path.mkdir, Verdict.EXTRA_OUTPUT),
        (lambda path: path.write_bytes(bytes(101)), Verdict.MALFORMED_OUTPUT),
    ],
    ids=["link", "pipe", "folder", "too large"],
)
def test_collect_opens_only_regular_files_of_bounded_size(tmp_path: Path, make: Any, verdict: Verdict) -> None:
    """Links, pipes and folders are refused at once, and so is a file no case can ask for."""
    make(tmp_path / "0.W.nk.npy")
    with pytest.raises(OutputError) as caught:
        collect(tmp_path, file_limit=100, count_limit=10)
    assert caught.value.verdict is verdict


def test_collect_bounds_the_number_of_files(tmp_path: Path) -> None:
    """A flood of files is no output."""
    for number in range(4):
        (tmp_path / str(number)).touch()
    with pytest.raises(OutputError, match="more than 3 files"):
        collect(tmp_path, file_limit=100, count_limit=3)
