"""The readers under comparison: what each makes of one file."""

from __future__ import annotations

import ctypes
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np

from awqformat import AwqError, safe_open, write
from awqformat.container.source import Mode
from awqformat.errors import CODES

ACCEPT: Final = "accept"


@dataclass(frozen=True)
class Outcome:
    """``verdict`` is "accept" or a code of the spec; anything else is what no reader may do.

    ``values``, where the reader was asked for them: name -> bytes of W as F32 (with one zero), or of a plain tensor.
    """

    verdict: str
    values: dict[str, bytes] | None = field(default=None, repr=False)


Reader = Callable[[Path, Mode], Outcome]


def one_zero(weights: np.ndarray[Any, Any]) -> bytes:
    """Return the bytes of ``weights`` with every -0 made +0: a zero result may carry either sign."""
    positive: bytes = (weights + np.float32(0)).tobytes()
    return positive


def python_reader(path: Path, mode: Mode) -> Outcome:
    """Open with the Python reader, verify everything, and write what was read; the bytes must be the same."""
    try:
        with safe_open(path, verify="all", mode=mode) as file:
            values = {
                name: one_zero(file.get_tensor(name)) if file.is_quantized(name) else bytes(file.plain_bytes(name))
                for name in file.keys()  # noqa: SIM118  # not a mapping
            }
            contents = file.contents()
    except AwqError as error:
        return Outcome(error.code)
    except Exception as error:  # whatever it is, it is a finding
        return Outcome(f"{type(error).__name__}: {error}")
    copy = path.with_suffix(".copy")
    try:
        write(contents, copy)
        same = copy.read_bytes() == path.read_bytes()
    except Exception as error:  # a valid file must be writable
        return Outcome(f"accepted, but write raised {type(error).__name__}: {error}")
    return Outcome(ACCEPT, values) if same else Outcome("accepted, but write(read(f)) != f")


class Loader:
    """awq-loader, started once for each file."""

    def __init__(self, command: str) -> None:
        self._command = command

    def __call__(self, path: Path, mode: Mode) -> Outcome:  # noqa: ARG002  # the adapter has one mode
        """Return what `awq-loader inspect` says."""
        out = path.with_suffix(".out")
        out.mkdir(exist_ok=True)
        reject = out / "reject.txt"
        reject.unlink(missing_ok=True)
        done = subprocess.run([self._command, "inspect", path, out], stderr=subprocess.DEVNULL, check=False)
        if done.returncode == 0:
            return Outcome(ACCEPT)
        if done.returncode in (65, 69) and reject.is_file():
            return Outcome(reject.read_text(encoding="utf-8").split()[0])
        return Outcome("UNSUPPORTED" if done.returncode == 69 else f"exit {done.returncode}")


class _Error(ctypes.Structure):
    _fields_ = (
        ("code", ctypes.c_int32),
        ("has_offset", ctypes.c_int32),
        ("offset", ctypes.c_uint64),
        ("name", ctypes.c_char * 16),
        ("where", ctypes.c_char * 256),
        ("field", ctypes.c_char * 64),
        ("message", ctypes.c_char * 1024),
    )


class _Tensor(ctypes.Structure):
    _fields_ = (
        ("number", ctypes.c_uint64),
        ("name", ctypes.c_char * 256),
        ("dtype", ctypes.c_int32),
        ("scale_dtype", ctypes.c_int32),
        ("zero_dtype", ctypes.c_int32),
        ("ndim", ctypes.c_uint32),
        ("dims", ctypes.c_uint32 * 8),
        ("rows", ctypes.c_uint64),
        ("in_features", ctypes.c_uint64),
        ("group_size", ctypes.c_uint64),
        ("groups", ctypes.c_uint64),
        ("stored_bytes", ctypes.c_uint64),
    )


# The arguments of each function, structures passed by address; awq.h names them.
_ARGUMENTS: Final[dict[str, tuple[Any, ...]]] = {
    "awq_open": (ctypes.c_char_p, ctypes.c_int, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p),
    "awq_open_memory": (ctypes.c_char_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p),
    "awq_close": (ctypes.c_void_p,),
    "awq_tensor_count": (ctypes.c_void_p,),
    "awq_tensor_info": (ctypes.c_void_p, ctypes.c_uint64, ctypes.c_void_p, ctypes.c_void_p),
    "awq_dequantize": (ctypes.c_void_p, *[ctypes.c_uint64] * 3, ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t,
                       ctypes.c_void_p),
    "awq_plain": (ctypes.c_void_p, ctypes.c_uint64, ctypes.c_uint64, ctypes.c_size_t, ctypes.c_void_p,
                  ctypes.c_void_p),
}  # fmt: skip


class Library:
    """libawq, loaded into this process."""

    _ALL, _F32 = 2, 12

    def __init__(self, path: str) -> None:
        self._library = ctypes.CDLL(path)
        for name, arguments in _ARGUMENTS.items():
            self._library[name].argtypes = arguments
        self._library.awq_tensor_count.restype = ctypes.c_uint64
        self._library.awq_close.restype = None

    def __call__(self, path: Path, mode: Mode) -> Outcome:
        """Open the file, mapped or from memory where Python maps, else by ordinary reads, and read every tensor."""
        file, error, library = ctypes.c_void_p(), _Error(), self._library
        if mode == "pread":
            code = library.awq_open(bytes(path), self._ALL, 1, ctypes.byref(file), ctypes.byref(error))
        else:
            data = path.read_bytes()
            code = library.awq_open_memory(data, len(data), self._ALL, ctypes.byref(file), ctypes.byref(error))
        if code:
            return self._failed(error)
        try:
            values = {}
            for number in range(library.awq_tensor_count(file)):
                tensor = _Tensor()
                if library.awq_tensor_info(file, number, ctypes.byref(tensor), ctypes.byref(error)):
                    return self._failed(error)
                quantised = tensor.rows > 0
                size = tensor.rows * tensor.in_features * 4 if quantised else tensor.stored_bytes
                buffer = ctypes.create_string_buffer(size)
                if quantised:
                    code = library.awq_dequantize(file, number, 0, tensor.rows, self._F32, buffer, size,
                                                  ctypes.byref(error))  # fmt: skip
                else:
                    code = library.awq_plain(file, number, 0, size, buffer, ctypes.byref(error))
                if code:
                    return self._failed(error)
                values[tensor.name.decode("ascii")] = (
                    one_zero(np.frombuffer(buffer.raw, "<f4")) if quantised else buffer.raw
                )
            return Outcome(ACCEPT, values)
        finally:
            library.awq_close(file)

    def _failed(self, error: _Error) -> Outcome:
        name = bytes(error.name).decode("ascii")
        return Outcome(name if name in CODES else f"{name}: {bytes(error.message).decode('ascii')}")
