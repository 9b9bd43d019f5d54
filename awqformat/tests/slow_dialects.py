"""Every dialect again, element by element from the sentences of the chapter layouts; shares nothing with the codec.

Tensors are lists: a word is a whole number, a floating-point number is its bits.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from awqformat.reference import FORMATS, Binary, decode, encode

Stored = dict[str, dict[tuple[int, ...], int]]
"""Role -> index -> word or bits; what is not there is zero."""

R: Final = (0, 4, 1, 5, 2, 6, 3, 7)


@dataclass(frozen=True)
class Weight:
    """q [N][K], z [N][K/G], bits of s [N][K/G]."""

    q: list[list[int]]
    z: list[list[int]]
    s: list[list[int]]
    scale_dtype: str

    @property
    def binary(self) -> Binary:
        """The format of the scales."""
        return FORMATS[self.scale_dtype]

    def minus_product(self, n: int, g: int) -> int:
        """Return the bits of -(s * z), rounded to the dtype of the scales; -0 where it is zero."""
        product = encode(decode(self.s[n][g], self.binary) * self.z[n][g], self.binary)
        return product | 1 << (self.binary.exponent + self.binary.fraction)

    def number(self, value: int) -> int:
        """Return the bits of a whole number in the dtype of the scales."""
        return encode(Fraction(value), self.binary)


def store(dialect: str, w: Weight) -> Stored:
    """Return the tensors of a weight in a dialect."""
    out: Stored = defaultdict(lambda: defaultdict(int))
    for n, row in enumerate(w.q):
        for k, q in enumerate(row):
            role, index, nibble, value = _code(dialect, n, k, q, len(row) // len(w.s[n]))
            out[role][index] |= value << 4 * nibble
        for g, scale in enumerate(w.s[n]):
            _group(dialect, w, n, g, scale, out)
    return {role: dict(values) for role, values in out.items()}


def _code(dialect: str, n: int, k: int, q: int, group_size: int) -> tuple[str, tuple[int, ...], int, int]:
    """Return role, index, nibble and stored value of a code."""
    match dialect:
        case "gemm":  # AWQ-LAY-005
            return "qweight", (k, n // 8), R[n % 8], q
        case "gemv":  # AWQ-LAY-006
            return "qweight", (n, k // 8), k % 8, q
        case "gemv_fast":  # AWQ-LAY-008
            column = k // 64 * 64 + n % 4 * 16 + k % 64 // 32 * 8 + k % 8
            return "qweight", (n // 4, column), k % 32 // 8, q
        case "gptq" | "gptq_v2":  # AWQ-LAY-009
            return "qweight", (k // 8, n), k % 8, q
        case "marlin":  # AWQ-LAY-012
            a, b = k % 16, n % 64
            e = 4 * (b % 16 // 8) + 2 * (a // 8) + a % 2
            return "qweight", (k // 16, n // 64 * 128 + (4 * (b % 8) + a % 8 // 2) * 4 + b // 16), R[e], q
        case "ct-pack":  # AWQ-LAY-014
            return "weight_packed", (n, k // 8), k % 8, q
        case "int4pack":  # AWQ-LAY-016
            return "qweight", (k, n // 8), n % 8, q ^ 8
        case "mlx":
            return "weight", (n, k // 8), k % 8, q
        case _:  # matmulnbits
            return "B", (n, k // group_size, k % group_size // 2), k % 2, q


def _marlin_column(n: int, per_channel: bool) -> int:
    """Return the position of the scale of column n (AWQ-LAY-013)."""
    if per_channel:
        order = (0, 1, 8, 9, 16, 17, 24, 25)
        return next(n // 32 * 32 + 8 * i + t for i in range(4) for t in range(8) if 2 * i + order[t] == n % 32)
    return next(n // 64 * 64 + 8 * i + j for i in range(8) for j in range(8) if i + 8 * j == n % 64)


def _group(dialect: str, w: Weight, n: int, g: int, scale: int, out: Stored) -> None:
    """Store scale and zero point of a group."""
    z = w.z[n][g]

    def by_group(role: str, value: int) -> None:
        out[role][g, n] = value

    def by_row(role: str, value: int) -> None:
        out[role][n, g] = value

    match dialect:
        case "gemm":
            by_group("scales", scale)
            out["qzeros"][g, n // 8] |= z << 4 * R[n % 8]
        case "gemv":
            by_row("scales", scale)
            out["qzeros"][n, g // 8] |= z << 4 * (g % 8)
        case "gemv_fast":
            by_group("scales", scale)
            by_group("qzeros", w.minus_product(n, g))
        case "gptq" | "gptq_v2":  # AWQ-LAY-010
            by_group("scales", scale)
            stored = z if dialect == "gptq_v2" else (z + 15) % 16
            out["qzeros"][g, n // 8] |= stored << 4 * (n % 8)
        case "marlin":
            out["scales"][g, _marlin_column(n, len(w.s[n]) == 1)] = scale
        case "ct-pack":  # AWQ-LAY-015
            out["weight_scale"][n, g] = scale
            out["weight_zero_point"][n // 8, g] |= z << 4 * (n % 8)
        case "int4pack":
            by_group("scales", scale)
            by_group("qzeros", w.number(8 - z))
        case "mlx":
            by_row("scales", scale)
            by_row("biases", w.minus_product(n, g))
        case _:
            by_row("scales", scale)
            out["zero_points"][n, g // 2] |= z << 4 * (g % 2)
