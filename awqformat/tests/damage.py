"""One small file, and ways to damage it. Places are numbers from the specification, not from the code."""

from __future__ import annotations

import hashlib
import struct
from pathlib import Path
from typing import Final

import numpy as np

from awqformat import Contents, QuantizedTensor, write

Edit = tuple[int, str, int | bytes]
"""Where to write, how (a format of the struct module, or "" for bytes), and what."""

# fmt: off
SMALL: Final = Contents(
    {
        "b": QuantizedTensor.from_codes(  # 2 rows of 3 groups of 8
            np.arange(48).reshape(2, 24) % 16,
            np.array([[1, 2, 3], [0.5, 0.25, 0.125]], np.float16),
            np.array([[1, 2, 3], [15, 8, 9]]),
        ),
        "a": np.array([1, 2, 3], np.float32),
        "c": QuantizedTensor.from_codes(  # 2 experts, symmetric
            np.arange(32).reshape(2, 1, 16) % 16, np.array([[[1, 2]], [[3, 4]]], np.float32)
        ),
    },
    metadata={"k": "v"},
    sections={0x8000_0001: b"private!"},
)

# Where its parts are:                          the section entries,
META, STRINGS, INDEX, DIGEST, DATA, PRIVATE = 64, 128, 192, 256, 320, 384
TYPE, FLAGS, OFFSET, SIZE, RESERVED, SHA = 0, 4, 8, 16, 24, 32  # in an entry
TAIL, MAC = 448, 480
META_AT, STRINGS_AT, PRIVATE_AT = 512, 576, 960  # the sections,
ROW_A, ROW_B, ROW_C = 832, 864, 896  # the rows of DIGEST,
A, B, C = 640, 704, 768  # the records,
NAME_OFF, NAME_LEN, NDIM, DTYPE, SCALE, ZERO, LAYOUT, BYTE_11, GROUP, DIMS, DATA_OFF, EXTENT = (
    0, 4, 6, 7, 8, 9, 10, 11, 12, 16, 48, 56)  # in a record
B_AT, A_AT, C_AT = 1024, 1216, 1280  # the extents,
B_SCALES, B_ZEROS = 1088, 1152
END = 1408  # and the end of the file.
# fmt: on


def sha256(data: bytes | bytearray) -> bytes:
    """Return the digest of some bytes."""
    return hashlib.sha256(data).digest()


def small() -> bytearray:
    """Return the bytes of the small file, as this module states them and not as the writer writes them."""
    codes = bytes(range(0x10, 0x100, 0x22))  # 10 32 54 76 98 BA DC FE
    scales = struct.pack("<6e", 1, 2, 3, 0.5, 0.25, 0.125)
    extents = {
        "a": struct.pack("<3f", 1, 2, 3).ljust(64, b"\0"),
        "b": (codes * 3).ljust(64, b"\0") + scales.ljust(64, b"\0") + bytes.fromhex("21038f09").ljust(64, b"\0"),
        "c": (codes * 2).ljust(64, b"\0") + struct.pack("<4f", 1, 2, 3, 4).ljust(64, b"\0"),
    }
    records = [
        struct.pack("<IHBBBBBBI8IQQ", *fields)
        for fields in [
            (0, 1, 1, 12, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 1216, 64),
            (1, 1, 2, 16, 10, 16, 0, 0, 8, 2, 24, 0, 0, 0, 0, 0, 0, 1024, 192),
            (2, 1, 3, 16, 12, 0, 0, 0, 8, 2, 1, 16, 0, 0, 0, 0, 0, 1280, 128),
        ]
    ]
    digest = b"".join(sha256(extents[name]) for name in "abc")
    data = extents["b"] + extents["a"] + extents["c"]
    return assembled(
        (0x10, 0, b'{"k":"v"}'),
        (0x20, 1, b"abc"),
        (0x30, 1, b"".join(records)),
        (0x60, 1, digest),
        (0x100, 1, data),
        (0x8000_0001, 0, b"private!"),
        tensors=3,
    )


def damaged(*edits: Edit, refresh: bool = True, rows: bool = False) -> bytearray:
    """Return the small file after some edits, its digests made right again unless they are to stay stale.

    ``rows`` says whether DIGEST is refreshed as well, so that damage to DATA gets past it.
    """
    file = small()
    for at, form, value in edits:
        patch = value if isinstance(value, bytes) else struct.pack(form, value)
        file[at : at + len(patch)] = patch
    if rows:
        for row, start, end in ((ROW_A, A_AT, C_AT), (ROW_B, B_AT, A_AT), (ROW_C, C_AT, END)):
            file[row : row + 32] = sha256(file[start:end])
    return refreshed(file) if refresh else file


def refreshed(file: bytearray) -> bytearray:
    """Return ``file`` with the digests of its sections and the root recomputed."""
    (count,) = struct.unpack_from("<H", file, 20)
    tail = 64 * (min(count, 16) + 1)  # more is refused before anything is hashed
    for entry in range(64, tail, 64):
        kind, _, offset, size = struct.unpack_from("<IIQQ", file, entry)
        if kind != 0x100:
            file[entry + 32 : entry + 64] = sha256(file[offset : offset + size])
    file[tail : tail + 32] = sha256(file[:tail])
    return file


def assembled(
    *sections: tuple[int, int, bytes | int], tensors: int = 0, features: int = 0, align_log2: int = 6
) -> bytearray:
    """Return a file of (type, flags, body) in table order, everything in its derived place.

    A body may be a number: then it is that many zeros.
    """
    end = 64 * (len(sections) + 2)
    places = {}
    for kind, _, body in sorted(sections, key=lambda section: section[0] == 0x100):
        size = body if isinstance(body, int) else len(body)
        alignment = 1 << align_log2 if kind == 0x100 else 64
        start = -(-end // alignment) * alignment
        end = start + size
        places[kind] = start, size
    file = bytearray(end)
    struct.pack_into("<8sHHIIHBBQ", file, 0, b"\x89AWQ\r\n\x1a\n", 1, 0, features, tensors,
                     len(sections), align_log2, 1, end)  # fmt: skip
    for i, (kind, flags, body) in enumerate(sections, 1):
        start, size = places[kind]
        struct.pack_into("<IIQQ", file, 64 * i, kind, flags, start, size)
        if isinstance(body, bytes):
            file[start : start + size] = body
    return refreshed(file)


def written(path: Path, contents: Contents = SMALL) -> Path:
    """Write ``contents`` with the library and return the path."""
    write(contents, path)
    return path


def stored(path: Path, data: bytes | bytearray) -> Path:
    """Write bytes as they are and return the path."""
    path.write_bytes(data)
    return path
