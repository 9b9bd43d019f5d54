"""The accept cases: what each file holds and which wrong loaders it is there to expose."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import ml_dtypes
import numpy as np

from awq_conformance.making.values import nibbles, plain, quantised, random_bytes, scales, scales_of
from awqformat import Contents, QuantizedTensor, Tensor
from awqformat.dtypes import NUMPY


@dataclass(frozen=True)
class Accept:
    """A valid file: ``make`` turns the case's seed into its contents."""

    id: str
    title: str
    make: Callable[[str], Contents]
    flags: tuple[str, ...] = ()
    refs: tuple[str, ...] = ()
    comment: str = ""


def _one(tensor: QuantizedTensor) -> Contents:
    return Contents({"weight": tensor})


def _borrow(seed: str) -> Contents:
    zeros = np.tile(np.array([0, 8, 0, 0, 5, 0, 7, 15], np.uint8), (6, 1))
    return _one(
        QuantizedTensor.from_codes(
            nibbles(f"{seed}/q", (6, 128)), scales(f"{seed}/s", (6, 8), "F16", (0x1400, 0x2E00)), zeros
        )
    )


def _edges(seed: str, bits: list[int], dtype: str) -> Contents:
    """Every difference -15..15 meets every scale of ``bits``: z = 0 and z = 15 rows of codes 0..15."""
    rows, k = 2 * len(bits), 16
    codes = np.tile(np.arange(16, dtype=np.uint8), (rows, 1))
    zeros = np.repeat(np.array([0, 15], np.uint8), len(bits)).reshape(rows, 1)
    edges = QuantizedTensor.from_codes(codes, scales_of(bits, (rows, 1), dtype), zeros)
    return Contents({"edges": edges, "random": quantised(seed, (5, 3 * k), 16, dtype=dtype)})


def _all_equal(seed: str) -> Contents:
    zeros = nibbles(f"{seed}/z", (9, 5))
    codes = np.repeat(zeros, 16, axis=1)
    return _one(QuantizedTensor.from_codes(codes, scales(f"{seed}/s", (9, 5), "F16", (0x0001, 0x7C00)), zeros))


def _plain_dtypes(seed: str) -> Contents:
    return Contents({f"p.{dtype.name}": plain(f"{seed}/{dtype.name}", (3, 5), numpy) for dtype, numpy in NUMPY.items()})


def _plain_ranks(seed: str) -> Contents:
    return Contents({f"rank{ndim}": plain(f"{seed}/{ndim}", (2,) * ndim, np.uint16) for ndim in range(9)})


def _model(seed: str) -> Contents:
    """A small layer as models have it, in order of use, which is not the order of names."""
    return Contents(
        {
            "z.first.weight": quantised(f"{seed}/first", (24, 64), 16),
            "z.first.bias": plain(f"{seed}/bias", (24,), ml_dtypes.bfloat16),
            "a.second.weight": quantised(f"{seed}/second", (10, 24), 8, symmetric=True),
            "norm.weight": scales(f"{seed}/norm", (24,), "F32", (0x3F00_0000, 0x4000_0000)),
        },
        {"model.name": "small", "quantization.method": "random"},
    )


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
        return Contents(_model(seed).tensors, {"model.name": "small"}, sections=bodies)

    return make


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
    # Group sizes and shapes. Never square, never one group only, but where that is the point.
    Accept("model/group-32", "96 x 128, group size 32, F16 scales", lambda s: _one(quantised(s, (96, 128), 32))),
    Accept("model/group-8", "group size 8, the smallest", lambda s: _one(quantised(s, (17, 48), 8))),
    Accept("model/group-64", "group size 64, five groups", lambda s: _one(quantised(s, (12, 320), 64))),
    Accept("model/group-128", "group size 128, three groups", lambda s: _one(quantised(s, (24, 384), 128))),
    Accept("model/group-256", "group size 256, three groups", lambda s: _one(quantised(s, (7, 768), 256))),
    Accept("model/group-24", "a group size that is no power of two", lambda s: _one(quantised(s, (10, 120), 24))),
    Accept("model/per-channel", "group size = K: one scale per row", lambda s: _one(quantised(s, (19, 72), 72))),
    Accept("model/one-row", "N = 1", lambda s: _one(quantised(s, (1, 64), 16))),
    Accept("model/smallest", "N = 1, K = G = 8", lambda s: _one(quantised(s, (1, 8), 8))),
    Accept(
        "model/square", "K = N, where a transposed read has the right shape", lambda s: _one(quantised(s, (64, 64), 16))
    ),
    Accept(
        "model/groups-equal-rows",
        "K / G = N, where transposed scales have the right shape",
        lambda s: _one(quantised(s, (6, 96), 16)),
    ),
    # Zero points.
    Accept(
        "model/symmetric", "no zero points: 8 everywhere", lambda s: _one(quantised(s, (15, 96), 32, symmetric=True))
    ),
    Accept(
        "model/zero-points-borrow",
        "zero points 0 8 0 0 5 0 7 15, which borrow when 1 is taken off a packed word",
        _borrow,
        refs=("https://github.com/ModelCloud/GPTQModel/issues/2350",),
    ),
    Accept(
        "model/odd-groups",
        "an odd number of groups, the last zero point alone in its byte",
        lambda s: _one(quantised(s, (13, 80), 16)),
    ),
    Accept("model/codes-equal-zero-points", "every weight is zero, whatever its scale", _all_equal),
    # Scales: dtypes and edges.
    Accept("model/scales-bf16", "BF16 scales", lambda s: _one(quantised(s, (21, 96), 32, dtype="BF16"))),
    Accept(
        "model/scales-f32",
        "F32 scales with full mantissas: the product is rounded",
        lambda s: _one(quantised(s, (21, 96), 32, dtype="F32")),
    ),
    Accept(
        "model/scales-f16-edges",
        "F16 scales +0, smallest and largest subnormal, smallest normal, largest",
        lambda s: _edges(s, [0x0000, 0x0001, 0x000B, 0x03FF, 0x0400, 0x2001, 0x6C44, 0x7BFF], "F16"),
    ),
    Accept(
        "model/scales-bf16-edges",
        "BF16 scales +0, subnormal, largest: the F32 product overflows",
        lambda s: _edges(s, [0x0000, 0x0001, 0x007F, 0x0080, 0x3F81, 0x7D80, 0x7F7F], "BF16"),
    ),
    Accept(
        "model/scales-f32-edges",
        "F32 scales +0, subnormal, ties in F16 and BF16, largest",
        lambda s: _edges(
            s,
            [
                0x0,
                0x1,
                0x7F_FFFF,
                0x80_0000,
                0x3F80_1000,
                0x3F80_3000,
                0x3F80_8000,
                0x3F81_8000,
                0x3380_0000,
                0x3300_0000,
                0x477F_F000,
                0x477F_EFFF,
                0x7F7F_FFFF,
            ],
            "F32",
        ),
    ),
    Accept(
        "model/scales-subnormal",
        "F16 scales below 2^-14: flushing them to zero loses every weight",
        lambda s: _one(quantised(s, (11, 64), 16, bits=(0x0001, 0x0400))),
    ),
    Accept(
        "model/scales-large",
        "F16 scales so large that F16 weights overflow to Inf",
        lambda s: _one(quantised(s, (11, 64), 16, bits=(0x6C00, 0x7C00))),
    ),
    # Experts.
    Accept(
        "model/experts", "three experts of 5 x 32 with scales of their own", lambda s: _one(quantised(s, (3, 5, 32), 8))
    ),
    Accept(
        "model/experts-odd-groups",
        "experts, an odd number of groups, BF16 scales",
        lambda s: _one(quantised(s, (2, 7, 48), 16, dtype="BF16")),
    ),
    Accept(
        "model/experts-rank-4", "two leading dimensions", lambda s: _one(quantised(s, (2, 3, 4, 24), 8, symmetric=True))
    ),
    Accept(
        "model/experts-rank-8", "six leading dimensions", lambda s: _one(quantised(s, (1, 2, 1, 2, 1, 2, 3, 16), 8))
    ),
    # The file.
    Accept("container/small", "two quantised and two plain tensors, stored in order of use, with META", _model),
    Accept("container/empty", "no tensors and no META", lambda _: Contents({})),
    Accept("container/empty-with-meta", "no tensors, META alone", lambda _: Contents({}, {"a": "b"})),
    Accept("container/plain-dtypes", "one plain tensor of each element type, random bytes", _plain_dtypes),
    Accept("container/plain-ranks", "plain tensors of rank 0 to 8", _plain_ranks),
    *(
        Accept(
            f"container/align-{1 << log2}", f"extents aligned to {1 << log2} bytes, most of it padding", _aligned(log2)
        )
        for log2 in range(6, 13)
    ),
    Accept("container/names", "names that differ in case, look like attributes, have 255 bytes", _names),
    Accept("container/many", "sixty tiny tensors", _many),
    Accept(
        "container/meta-canonical",
        "META with every escape and keys that sort by UTF-16 code units",
        lambda s: Contents({"w": quantised(s, (3, 16), 8)}, _META),
    ),
    Accept("container/minor-7", "minor version 7 is information only", lambda s: Contents(_model(s).tensors, minor=7)),
    Accept("container/minor-65535", "the largest minor version", lambda s: Contents(_model(s).tensors, minor=65535)),
    Accept("container/private-section", "a private section between DIGEST and DATA", _with_sections({0x8000_0001: 77})),
    Accept(
        "container/unknown-sections",
        "sections of unknown, non-critical types, one of them empty",
        _with_sections({0x0: 5, 0x11: 64, 0x61: 0, 0x101: 1, 0x7FFF_FFFF: 130, 0xFFFF_FFFF: 3}),
    ),
)
