"""Valid files for the container chapter: tensors of every kind, names, alignment, META, versions, sections."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np

from awq_conformance.making.valid.accept import VALUES, Accept, small_model
from awq_conformance.making.values import plain, quantised, random_bytes
from awqformat import Contents, Tensor
from awqformat.dtypes import NUMPY
from awqformat.schema import Dtype, Limit


def _rules(first: int, last: int) -> tuple[str, ...]:
    """Return the requirements first..last of the chapter."""
    return tuple(f"AWQ-CON-{number:03d}" for number in range(first, last + 1))


_TABLE: Final = (*_rules(10, 36), *_rules(39, 42))  # stage P, but for META and the largest file
_INDEX: Final = _rules(44, 68)
_DATA: Final = _rules(69, 71)
_TOGETHER: Final = _rules(65, 67)  # stage I, about all tensors together
_ALIGNED: Final = ("AWQ-CON-020", "AWQ-CON-032", "AWQ-CON-042", "AWQ-CON-064", "AWQ-CON-070")
_UNKNOWN: Final = (*_rules(24, 26), "AWQ-CON-040", "AWQ-CON-041", "AWQ-CON-087")


def _plain_dtypes(seed: str) -> Contents:
    return Contents({f"p.{dtype.name}": plain(f"{seed}/{dtype.name}", (3, 5), numpy) for dtype, numpy in NUMPY.items()})


def _plain_bits(_: str) -> Contents:
    """Return what a reader may be tempted to tidy up: BOOL bytes 2..255, -0, NaNs quiet, signalling, with payload."""
    every_byte = np.arange(256, dtype=np.uint8)
    odd = {
        Dtype.F16: [0x8000, 0x7C01, 0x7E00, 0xFE42, 0xFFFF, 0xFC00],
        Dtype.BF16: [0x8000, 0x7F81, 0x7FC0, 0xFFC2, 0xFFFF, 0xFF80],
        Dtype.F32: [0x8000_0000, 0x7F80_0001, 0x7FC0_0000, 0xFFC0_0042, 0xFFFF_FFFF, 0xFF80_0000],
        Dtype.F64: [1 << 63, 0x7FF << 52 | 1, 0x7FF8 << 48, 0xFFF8 << 48 | 42, 2**64 - 1, 0xFFF << 52],
    }
    tensors: dict[str, Tensor] = {
        dtype.name: np.array(bits, f"<u{dtype.bits // 8}").view(NUMPY[dtype]) for dtype, bits in odd.items()
    }
    for dtype in (Dtype.BOOL, Dtype.F8_E4M3, Dtype.F8_E5M2):
        tensors[dtype.name] = every_byte.view(NUMPY[dtype])
    return Contents(tensors)


def _plain_ranks(seed: str) -> Contents:
    return Contents({f"rank{ndim}": plain(f"{seed}/{ndim}", (2,) * ndim, np.uint16) for ndim in range(9)})


def _aligned(align_log2: int) -> Callable[[str], Contents]:
    def make(seed: str) -> Contents:
        tensors: dict[str, Tensor] = {
            "few": quantised(f"{seed}/few", (3, 40), 8),
            "bias": plain(f"{seed}/bias", (5,), np.float32),
            "symmetric": quantised(f"{seed}/symmetric", (2, 16), 16, symmetric=True),
        }
        return Contents(tensors, align_log2=align_log2)

    return make


def _names(seed: str) -> Contents:
    names = ["A", "a", "_", "0", "__class__", "a.b-c_d", "A.B", "z" * 255, "keys", "a.", "a-", "a.a"]
    return Contents({name: plain(f"{seed}/{name}", (3,), np.uint8) for name in names})


def _many(seed: str) -> Contents:
    quantised_ones = {f"layers.{i}.weight": quantised(f"{seed}/{i}", (i % 3 + 1, 16), 8) for i in range(12)}
    plain_ones = {f"layers.{i}.bias": plain(f"{seed}/b{i}", (i % 5 + 1,), np.float16) for i in range(48)}
    return Contents({**plain_ones, **quantised_ones})


def _with_sections(sections: dict[int, int]) -> Callable[[str], Contents]:
    def make(seed: str) -> Contents:
        bodies = {kind: random_bytes(f"{seed}/{kind}", size) for kind, size in sections.items()}
        return Contents(small_model(seed).tensors, {"model.name": "small"}, sections=bodies)

    return make


def _all_sections(seed: str) -> Contents:
    """Return as many sections as a file may have, META with letters beyond ASCII among them."""
    bodies = {0x8000_0000 + i: random_bytes(f"{seed}/{i}", 3 + i) for i in range(Limit.SECTIONS_MAX - 5)}
    return Contents({"w": quantised(seed, (5, 48), 8)}, {"model.name": "größer als 量化"}, sections=bodies)


_BLOCK: Final = 64  # bytes of a block of SHA-256; the last one has to hold a length of 8 bytes and a bit before it
_LENGTHS: Final = (0, 1, _BLOCK - 9, _BLOCK - 8, _BLOCK - 7, _BLOCK - 1, _BLOCK, _BLOCK + 1, 2 * _BLOCK - 8)

_CONTRADICTION: Final = {
    "model.config": '{"hidden_size": ',
    "quantization.method": "gptq",
    "quantization.bits": "8",
    "quantization.group_size": "128",
    "w.shape": "[64, 64]",
}
_META: Final = {
    "model.config": '{"hidden_size": 64,\n\t"path": "C:\\\\x"}',
    "control": "\x00\x01\b\t\n\x0b\f\r\x1f\x7f",
    "unicode": "żółw 量化 😀 \u2028",
    "": "empty key, then empty value",
    "empty": "",
    "\ufb33": "after the surrogates in code points, before them nowhere",
    "😀": "sorts before U+FB33 in UTF-16 code units",
}

CASES: Final = (
    Accept(
        "container/small",
        "two quantised and two plain tensors, stored in order of use, with META",
        small_model,
        req=("AWQ-CON-006", *_TABLE, "AWQ-CON-038", *_INDEX, *_DATA, "AWQ-MOD-016", *VALUES),
    ),
    Accept(
        "container/empty",
        "no tensors and no META",
        lambda _: Contents({}),
        req=(*_TABLE, *_TOGETHER),
    ),
    Accept(
        "container/empty-with-meta",
        "no tensors, META alone",
        lambda _: Contents({}, {"a": "b"}),
        req=("AWQ-CON-038", "AWQ-CON-068"),
    ),
    Accept(
        "container/plain-dtypes",
        "one plain tensor of each element type, random bytes",
        _plain_dtypes,
        req=("AWQ-MOD-015", "AWQ-CON-050", "AWQ-CON-069"),
    ),
    Accept(
        "container/plain-bits",
        "plain tensors of BOOL bytes other than 0 and 1, -0, NaNs with payload",
        _plain_bits,
        req=("AWQ-MOD-015", "AWQ-CON-069"),
    ),
    Accept(
        "container/plain-ranks",
        "plain tensors of rank 0 to 8",
        _plain_ranks,
        req=("AWQ-MOD-016", "AWQ-CON-049", "AWQ-CON-059", "AWQ-CON-060", "AWQ-CON-061"),
    ),
    *(
        Accept(
            f"container/align-{1 << log2}",
            f"extents aligned to {1 << log2} bytes, most of it padding",
            _aligned(log2),
            req=_ALIGNED,
        )
        for log2 in range(6, 13)
    ),
    Accept(
        "container/names",
        "names that differ in case, look like attributes, have 255 bytes",
        _names,
        req=_rules(44, 48),
    ),
    Accept(
        "container/many",
        "sixty tiny tensors",
        _many,
        req=_TOGETHER,
    ),
    Accept(
        "container/meta-canonical",
        "META with every escape and keys that sort by UTF-16 code units",
        lambda s: Contents({"w": quantised(s, (3, 16), 8)}, _META),
        req=("AWQ-CON-001", "AWQ-CON-068"),
    ),
    Accept(
        "container/meta-contradicts",
        "META that contradicts the tensors and does not hold what its keys promise",
        lambda s: Contents({"w": quantised(s, (3, 48), 8)}, _CONTRADICTION),
        req=("AWQ-CON-001", *VALUES),
    ),
    Accept(
        "container/minor-7",
        "minor version 7 is information only",
        lambda s: Contents(small_model(s).tensors, minor=7),
        req=("AWQ-CON-086",),
    ),
    Accept(
        "container/minor-65535",
        "the largest minor version",
        lambda s: Contents(small_model(s).tensors, minor=65535),
        req=("AWQ-CON-086",),
    ),
    Accept(
        "container/private-section",
        "a private section between DIGEST and DATA",
        _with_sections({0x8000_0001: 77}),
        req=_UNKNOWN,
    ),
    Accept(
        "container/unknown-sections",
        "sections of unknown, non-critical types, one of them empty",
        _with_sections({0x0: 5, 0x11: 64, 0x61: 0, 0x101: 1, 0x7FFF_FFFF: 130, 0xFFFF_FFFF: 3}),
        req=_UNKNOWN,
    ),
    Accept(
        "container/sections-16",
        "sixteen sections, the most there may be",
        _all_sections,
        req=("AWQ-CON-013", *_UNKNOWN),
    ),
    Accept(
        "container/sections-hashed",
        "sections that leave 0, 1, 55, 56, 57 or 63 bytes to their last block of SHA-256",
        _with_sections({0x8000_0000 + length: length for length in _LENGTHS}),
        req=("AWQ-CON-041",),
    ),
)
