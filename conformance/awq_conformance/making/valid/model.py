"""Valid files for the model chapter: groups, zero points, scales, experts."""

from __future__ import annotations

from functools import partial
from typing import Final

import numpy as np

from awq_conformance.making.valid.accept import VALUES, Accept, one
from awq_conformance.making.values import nibbles, quantised, scales, scales_of
from awqformat import Contents, QuantizedTensor

_GROUPS: Final = ("AWQ-MOD-001", "AWQ-MOD-002", "AWQ-CON-062", "AWQ-CON-063", *VALUES)
_SCALES: Final = ("AWQ-MOD-005", "AWQ-CON-053", "AWQ-CON-071", *VALUES)
_EDGES: Final = ("AWQ-MOD-005", "AWQ-MOD-009", "AWQ-MOD-011", "AWQ-MOD-013", "AWQ-CON-071", *VALUES)
_RANKS: Final = ("AWQ-CON-049", *VALUES)


def _borrow(seed: str) -> Contents:
    zeros = np.tile(np.array([0, 8, 0, 0, 5, 0, 7, 15], np.uint8), (6, 1))
    return one(
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


def _ties_of_f32(seed: str, *, above: bool) -> Contents:
    """Return products that are no tie, but round in F32 to one of F16 or of BF16: to even means to the other side then.

    ``above``: the product lies above the tie and the even neighbour below it; else the other way round.
    """
    bits = []
    for unit in (2.0**-10, 2.0**-7):  # of F16 and of BF16, from 1 on
        for d in (3, 5, 7, 9, 11, 13):
            for i in range(0 if above else 1, 128, 2):
                tie = 1 + (i + 0.5) * unit
                s = np.float32(tie / d)
                product = d * float(s)  # exact: 28 bits
                if product != tie and (product > tie) is above and np.float32(product) == np.float32(tie):
                    bits.append(int(s.view(np.uint32)))
                    break
    return _edges(seed, bits, "F32")


def _all_equal(seed: str) -> Contents:
    zeros = nibbles(f"{seed}/z", (9, 5))
    codes = np.repeat(zeros, 16, axis=1)
    return one(QuantizedTensor.from_codes(codes, scales(f"{seed}/s", (9, 5), "F16", (0x0001, 0x7C00)), zeros))


def _last_differs(seed: str) -> Contents:
    alike = {f"{name}.weight": quantised(f"{seed}/{name}", (16, 96), 32, symmetric=True) for name in "ab"}
    return Contents({**alike, "c.weight": quantised(f"{seed}/c", (5, 72), 8, dtype="BF16")})


CASES: Final = (
    # Group sizes and shapes. Never square, never one group only, but where that is the point.
    Accept(
        "model/group-32",
        "96 x 128, group size 32, F16 scales",
        lambda s: one(quantised(s, (96, 128), 32)),
        req=_GROUPS,
    ),
    Accept(
        "model/group-8",
        "group size 8, the smallest",
        lambda s: one(quantised(s, (17, 48), 8)),
        req=_GROUPS,
    ),
    Accept(
        "model/group-64",
        "group size 64, five groups",
        lambda s: one(quantised(s, (12, 320), 64)),
        req=_GROUPS,
    ),
    Accept(
        "model/group-128",
        "group size 128, three groups",
        lambda s: one(quantised(s, (24, 384), 128)),
        req=_GROUPS,
    ),
    Accept(
        "model/group-256",
        "group size 256, three groups",
        lambda s: one(quantised(s, (7, 768), 256)),
        req=_GROUPS,
    ),
    Accept(
        "model/group-24",
        "a group size that is no power of two",
        lambda s: one(quantised(s, (10, 120), 24)),
        req=_GROUPS,
    ),
    Accept(
        "model/group-40",
        "another group size that is no power of two, and an odd number of groups",
        lambda s: one(quantised(s, (9, 200), 40)),
        req=_GROUPS,
    ),
    Accept(
        "model/per-channel",
        "group size = K: one scale per row",
        lambda s: one(quantised(s, (19, 72), 72)),
        req=_GROUPS,
    ),
    Accept("model/one-row", "N = 1", lambda s: one(quantised(s, (1, 64), 16))),
    Accept(
        "model/smallest",
        "N = 1, K = G = 8",
        lambda s: one(quantised(s, (1, 8), 8)),
        req=_GROUPS,
    ),
    Accept(
        "model/square", "K = N, where a transposed read has the right shape", lambda s: one(quantised(s, (64, 64), 16))
    ),
    Accept(
        "model/groups-equal-rows",
        "K / G = N, where transposed scales have the right shape",
        lambda s: one(quantised(s, (6, 96), 16)),
    ),
    Accept(
        "model/last-tensor-differs",
        "three tensors: what is taken from the first fits the second, and nothing of the last",
        _last_differs,
        req=_GROUPS,
    ),
    # Zero points.
    Accept(
        "model/symmetric",
        "no zero points: 8 everywhere",
        lambda s: one(quantised(s, (15, 96), 32, symmetric=True)),
        req=("AWQ-MOD-006", "AWQ-CON-054", *VALUES),
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
        lambda s: one(quantised(s, (13, 80), 16)),
        req=("AWQ-CON-070", *VALUES),
    ),
    Accept(
        "model/codes-equal-zero-points",
        "every weight is zero, whatever its scale",
        _all_equal,
        req=("AWQ-MOD-012", *VALUES),
    ),
    # Scales: dtypes and edges.
    Accept(
        "model/scales-bf16",
        "BF16 scales",
        lambda s: one(quantised(s, (21, 96), 32, dtype="BF16")),
        req=_SCALES,
    ),
    Accept(
        "model/scales-f32",
        "F32 scales with full mantissas: the product is rounded",
        lambda s: one(quantised(s, (21, 96), 32, dtype="F32")),
        req=("AWQ-MOD-010", "AWQ-MOD-014", *_SCALES),
    ),
    Accept(
        "model/scales-f16-edges",
        "F16 scales +0, smallest and largest subnormal, smallest normal, largest",
        lambda s: _edges(s, [0x0000, 0x0001, 0x000B, 0x03FF, 0x0400, 0x2001, 0x6C44, 0x7BFF], "F16"),
        req=("AWQ-MOD-012", "AWQ-MOD-014", *_EDGES),
    ),
    Accept(
        "model/scales-bf16-edges",
        "BF16 scales +0, subnormal, largest: the F32 product overflows",
        lambda s: _edges(s, [0x0000, 0x0001, 0x007F, 0x0080, 0x3F81, 0x7D80, 0x7F7F], "BF16"),
        req=_EDGES,
    ),
    *(
        Accept(
            f"model/scales-f32-ties-{where}",
            f"F32 scales whose products are ties in F16 or BF16 once they are rounded to F32, from {where}",
            partial(_ties_of_f32, above=where == "above"),
            req=("AWQ-MOD-009", *VALUES),
        )
        for where in ("above", "below")
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
                0x3340_0000,
                0x3280_0001,
                0x477F_F000,
                0x477F_EFFF,
                0x7F7F_FFFF,
            ],
            "F32",
        ),
        req=_EDGES,
    ),
    Accept(
        "model/scales-subnormal",
        "F16 scales below 2^-14: flushing them to zero loses every weight",
        lambda s: one(quantised(s, (11, 64), 16, bits=(0x0001, 0x0400))),
        req=("AWQ-MOD-011", *VALUES),
    ),
    Accept(
        "model/scales-large",
        "F16 scales so large that F16 weights overflow to Inf",
        lambda s: one(quantised(s, (11, 64), 16, bits=(0x6C00, 0x7C00))),
        req=("AWQ-MOD-009", "AWQ-MOD-013", *VALUES),
    ),
    # Experts.
    Accept(
        "model/experts",
        "three experts of 5 x 32 with scales of their own",
        lambda s: one(quantised(s, (3, 5, 32), 8)),
        req=_RANKS,
    ),
    Accept(
        "model/experts-odd-groups",
        "experts, an odd number of groups, BF16 scales",
        lambda s: one(quantised(s, (2, 7, 48), 16, dtype="BF16")),
        req=_RANKS,
    ),
    Accept(
        "model/experts-rank-4",
        "two leading dimensions",
        lambda s: one(quantised(s, (2, 3, 4, 24), 8, symmetric=True)),
        req=_RANKS,
    ),
    Accept(
        "model/experts-rank-8",
        "six leading dimensions",
        lambda s: one(quantised(s, (1, 2, 1, 2, 1, 2, 3, 16), 8)),
        req=_RANKS,
    ),
)
