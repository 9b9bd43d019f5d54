"""The files an adapter writes: their names, and how they are read without trusting a byte of them."""

from __future__ import annotations

import ast
import os
import re
import stat
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from awq_conformance.verdict import OutputError, Verdict

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

DTYPES: Final[dict[str, np.dtype[Any]]] = {
    "u8": np.dtype("u1"),
    "f16": np.dtype("<f2"),
    "bf16": np.dtype("<u2"),  # numpy has no bfloat16: its bits are carried
    "f32": np.dtype("<f4"),
    "f64": np.dtype("<f8"),
}
_NPY_DTYPES: Final = {"|u1": "u8", "<f2": "f16", "<f4": "f32", "<f8": "f64"}
_NPY_MAGIC: Final = b"\x93NUMPY"
_NPY_HEADER_MAX: Final = 4096  # eight dimensions need less than 300 bytes
_NUMBER: Final = r"(?P<number>0|[1-9][0-9]{0,6})"
_NAME: Final = re.compile(
    rf"{_NUMBER}\.(?:(?P<raw>P)\.bin"
    r"|(?P<what>[Wqzs])\.(?P<layout>nk|kn)\.(?:npy"
    r"|(?P<dtype>u8|f16|bf16|f32|f64)\.(?P<shape>[1-9][0-9]{0,11}(?:x[1-9][0-9]{0,11}){1,7})\.bin))"
)


@dataclass(frozen=True)
class Name:
    """The parts of an output's file name; ``dtype`` and ``shape`` are None where the file itself tells (.npy)."""

    number: int
    what: str  # W, q, z, s, or P for the raw bytes of a plain tensor
    layout: str | None = None
    dtype: str | None = None
    shape: tuple[int, ...] | None = None


@dataclass(frozen=True)
class Matrix:
    """One output in the layout of the spec, [.., N, K] or [.., N, K/G]; bf16 values are their bits, as u16."""

    values: NDArray[Any]
    dtype: str


def parse_name(name: str) -> Name | None:
    """Read ``NUMBER.WHAT.LAYOUT.npy``, ``NUMBER.WHAT.LAYOUT.DTYPE.D0xD1.bin`` or ``NUMBER.P.bin``, else None."""
    match = _NAME.fullmatch(name)
    if match is None:
        return None
    number = int(match["number"])
    if match["raw"]:
        return Name(number, "P")
    shape = tuple(int(dim) for dim in match["shape"].split("x")) if match["shape"] else None
    return Name(number, match["what"], match["layout"], match["dtype"], shape)


def collect(folder: Path, *, file_limit: int, count_limit: int) -> dict[str, bytes]:
    """Return every file of an output folder by name; raise OutputError for what no adapter has reason to write.

    A file may have at most ``file_limit`` bytes and the folder ``count_limit`` entries, so that a runaway adapter
    costs no memory here. Links and pipes are never opened.
    """
    files: dict[str, bytes] = {}
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if len(files) == count_limit:
                    raise OutputError(Verdict.EXTRA_OUTPUT, f"more than {count_limit} files in the output folder")
                files[entry.name] = _read_file(folder / entry.name, file_limit)
    except OSError as error:
        raise OutputError(Verdict.MALFORMED_OUTPUT, f"the output folder cannot be read: {error.strerror}") from error
    return files


def _read_file(path: Path, limit: int) -> bytes:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        raise OutputError(Verdict.MALFORMED_OUTPUT, f"{path.name!r} cannot be read: {error.strerror}") from error
    try:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode):
            raise OutputError(Verdict.EXTRA_OUTPUT, f"{path.name!r} is not a regular file")
        if status.st_size > limit:
            detail = f"{path.name!r} has {status.st_size} bytes, no output of this case needs more than {limit}"
            raise OutputError(Verdict.MALFORMED_OUTPUT, detail)
        with os.fdopen(fd, "rb", closefd=False) as file:
            return file.read(limit)
    finally:
        os.close(fd)


def read_matrix(name: Name, data: bytes, shape: tuple[int, ...] | None = None) -> Matrix:
    """Return the matrix in ``data`` as [.., N, K], its layout undone; the bytes of P as u8 [size].

    Raises OutputError: SHAPE when it does not have ``shape`` (None: any), DTYPE, TRUNCATED_OUTPUT, MALFORMED_OUTPUT.
    """
    start, column_major, swapped = 0, False, name.layout == "kn"
    if name.what == "P":
        dtype, stored = "u8", (len(data),) if shape is None else shape
    elif name.dtype is not None and name.shape is not None:
        dtype, stored = name.dtype, name.shape
    else:
        dtype, stored, column_major, start = _npy_header(data)
    if len(stored) < 2 and name.what != "P":
        raise OutputError(Verdict.SHAPE, f"expected at least 2 dimensions, got {len(stored)}")
    actual = (*stored[:-2], stored[-1], stored[-2]) if swapped else stored
    if shape is not None and actual != shape:
        raise OutputError(Verdict.SHAPE, f"expected {_shape(shape)}, got {_shape(actual)} (layout {name.layout})")
    need, have = prod(stored) * DTYPES[dtype].itemsize, len(data) - start
    if have != need:
        verdict = Verdict.TRUNCATED_OUTPUT if have < need else Verdict.MALFORMED_OUTPUT
        raise OutputError(verdict, f"expected {need} bytes of {dtype} {_shape(stored)}, got {have}")
    values = np.frombuffer(data, DTYPES[dtype], offset=start).reshape(stored, order="F" if column_major else "C")
    return Matrix(values.swapaxes(-1, -2) if swapped else values, dtype)


def _npy_header(data: bytes) -> tuple[str, tuple[int, ...], bool, int]:
    """Return dtype, shape, column-major order and the offset of the data; nothing is allocated by what it claims."""
    if data[:6] != _NPY_MAGIC or len(data) < 10 or data[6] not in (1, 2, 3):
        raise OutputError(Verdict.MALFORMED_OUTPUT, "not an .npy file")
    width = 2 if data[6] == 1 else 4
    start = 8 + width + int.from_bytes(data[8 : 8 + width], "little")
    if start - 8 - width > _NPY_HEADER_MAX or start > len(data):
        raise OutputError(Verdict.MALFORMED_OUTPUT, "the .npy header ends nowhere near its start")
    try:
        header = ast.literal_eval(data[8 + width : start].decode("latin-1").strip())
        descr, column_major, shape = header["descr"], header["fortran_order"], header["shape"]
    except (ValueError, TypeError, KeyError, SyntaxError, RecursionError, MemoryError) as error:
        raise OutputError(Verdict.MALFORMED_OUTPUT, "the .npy header cannot be read") from error
    if not (isinstance(descr, str) and descr in _NPY_DTYPES):
        known = ", ".join(_NPY_DTYPES)
        raise OutputError(Verdict.DTYPE, f".npy of {str(descr)[:40]!r}, expected one of {known} (bf16 goes into .bin)")
    dims_fit = isinstance(shape, tuple) and len(shape) <= 8 and all(type(dim) is int and dim >= 0 for dim in shape)
    if not (isinstance(column_major, bool) and dims_fit):
        raise OutputError(Verdict.MALFORMED_OUTPUT, "the .npy header cannot be read")
    return _NPY_DTYPES[descr], shape, column_major, start


def _shape(shape: tuple[int, ...]) -> str:
    return "x".join(str(dim) for dim in shape) or "scalar"
