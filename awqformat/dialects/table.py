"""Every dialect as one row of parameters: all that tells one public layout from another (spec: layouts, "Summary")."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Final

from awqformat.dialects.packing import (
    AWQ_ORDER,
    Packing,
    along_columns,
    along_rows,
    fast_order,
    marlin_order,
)
from awqformat.schema import Dtype

IN_SEQUENCE: Final = tuple(range(8))


class Meaning(Enum):
    """What a zero point is stored as, where it is stored as a floating-point number."""

    MINUS_PRODUCT = "-(s * z), rounded to the dtype of the scales"
    EIGHT_MINUS = "8 - z"
    ITSELF = "z"


class Rule(Enum):
    """How the programs of a dialect compute values."""

    EXACT = "(q - z) * s, rounded once"
    EXPANDED = "q * s + c with a rounded c = -(s * z)"


@dataclass(frozen=True)
class Scales:
    """The matrix of scales (N, groups).

    Attributes:
        role: the last part of the tensor's name.
        by_groups: whether the tensor is [groups, N] instead of [N, groups].
        dtypes: what they may be.
        order: for a group size and K, the columns of a row in the order in which they are stored, of a block that
            repeats; None: as they are.
    """

    role: str
    by_groups: bool
    dtypes: tuple[Dtype, ...] = (Dtype.F16,)
    order: Callable[[int, int], tuple[int, ...]] | None = None


@dataclass(frozen=True)
class Zeros:
    """Zero points: packed 4-bit numbers, or floating-point numbers that lie as the scales do.

    Attributes:
        roles: names of the tensor, the one that is written first.
        packing: of the matrix (N, groups), or None.
        meaning: of floating-point numbers, or None.
        optional: whether their absence means 8.
    """

    roles: tuple[str, ...]
    packing: Packing | None = None
    meaning: Meaning | None = None
    optional: bool = True


@dataclass(frozen=True)
class Dialect:
    """One public layout.

    Attributes:
        name: as in the specification.
        codes: the role of the codes.
        packing: of the matrix of codes (N, K).
        scales, zeros: where the rest is; ``zeros`` is a tuple of the forms that occur, none where z is 8.
        rows, columns: what N and K must be multiples of.
        group_sizes: tells whether a group size exists in the dialect, for K.
        width: for K and a group size, the groups that a row has room for.
        rule: how values are computed by the programs that use it.
        cut_groups: whether codes have an axis for groups: [N, groups, bytes].
        shape: the role of a tensor that holds [N, K], or an empty string.
        g_idx: whether a tensor may name the group of each k.
    """

    name: str
    codes: str
    packing: Packing
    scales: Scales
    zeros: tuple[Zeros, ...] = ()
    rows: int = 1
    columns: int = 8
    group_sizes: Callable[[int, int], bool] = lambda _group_size, _k: True
    width: Callable[[int, int], int] = lambda k, group_size: k // group_size
    rule: Rule = Rule.EXACT
    cut_groups: bool = False
    shape: str = ""
    g_idx: bool = False


def _padded_width(k: int, group_size: int) -> int:
    """Return 8 ZW: the groups of a row rounded up to words, and these to 4, 2 or 1 (AWQ-LAY-007)."""
    multiple = {32: 4, 64: 2}.get(group_size, 1)
    words = -(-(k // group_size) // 8)
    return -(-words // multiple) * multiple * 8


def _gemv_sizes(group_size: int, _k: int) -> bool:
    return group_size in (32, 64) or group_size >= 128


def _powers_from_16(group_size: int, _k: int) -> bool:
    return group_size >= 16 and group_size & (group_size - 1) == 0


def _marlin_columns(group_size: int, k: int) -> tuple[int, ...]:
    """Return which column each position of a block of scales has (AWQ-LAY-013)."""
    if group_size < k:
        return tuple(i + 8 * j for i in range(8) for j in range(8))
    return tuple(2 * i + t for i in range(4) for t in (0, 1, 8, 9, 16, 17, 24, 25))


_HALVES: Final = (Dtype.F16, Dtype.BF16)
_FLOATS: Final = (Dtype.F16, Dtype.BF16, Dtype.F32)

_AWQ_ZEROS: Final = Packing("<i4", along_columns(8), AWQ_ORDER, by_columns=True)
_ROW_WORDS: Final = Packing("<i4", along_rows(8), IN_SEQUENCE)


def _gptq(name: str, bias: int) -> Dialect:
    return Dialect(
        name,
        codes="qweight",
        packing=Packing("<i4", along_rows(8), IN_SEQUENCE, by_columns=True),
        scales=Scales("scales", by_groups=True, dtypes=_HALVES),
        zeros=(Zeros(("qzeros",), Packing("<i4", along_columns(8), IN_SEQUENCE, by_columns=True, bias=bias)),),
        rows=8,
        g_idx=True,
    )


_TABLE: Final = (
    Dialect(
        "gemm",
        codes="qweight",
        packing=Packing("<i4", along_columns(8), AWQ_ORDER, by_columns=True),
        scales=Scales("scales", by_groups=True, dtypes=_FLOATS),
        zeros=(Zeros(("qzeros",), _AWQ_ZEROS),),
        rows=8,
    ),
    Dialect(
        "gemv",
        codes="qweight",
        packing=_ROW_WORDS,
        scales=Scales("scales", by_groups=False, dtypes=_FLOATS),
        zeros=(Zeros(("qzeros",), _ROW_WORDS),),
        group_sizes=_gemv_sizes,
        width=_padded_width,
    ),
    Dialect(
        "gemv_fast",
        codes="qweight",
        packing=Packing("<i2", (4, 64), fast_order()),
        scales=Scales("scales", by_groups=True, dtypes=_HALVES),
        zeros=(Zeros(("qzeros", "scaled_zeros"), meaning=Meaning.MINUS_PRODUCT, optional=False),),
        rows=8,
        columns=64,
        group_sizes=_gemv_sizes,
        width=_padded_width,
        rule=Rule.EXPANDED,
    ),
    _gptq("gptq", bias=15),
    _gptq("gptq_v2", bias=0),
    Dialect(
        "marlin",
        codes="qweight",
        packing=Packing("<i4", (64, 16), marlin_order(), by_columns=True),
        scales=Scales("scales", by_groups=True, order=_marlin_columns),
        rows=64,
        columns=16,
    ),
    Dialect(
        "ct-pack",
        codes="weight_packed",
        packing=_ROW_WORDS,
        scales=Scales("weight_scale", by_groups=False, dtypes=_FLOATS),
        zeros=(Zeros(("weight_zero_point",), Packing("<i4", along_columns(8), IN_SEQUENCE)),),
        shape="weight_shape",
        g_idx=True,
    ),
    Dialect(
        "int4pack",
        codes="qweight",
        packing=Packing("<i4", along_columns(8), IN_SEQUENCE, by_columns=True, bias=8),
        scales=Scales("scales", by_groups=True, dtypes=_HALVES),
        zeros=(Zeros(("qzeros",), meaning=Meaning.EIGHT_MINUS),),
        rows=8,
    ),
    Dialect(
        "mlx",
        codes="weight",
        packing=Packing("<u4", along_rows(8), IN_SEQUENCE),
        scales=Scales("scales", by_groups=False, dtypes=_FLOATS),
        zeros=(Zeros(("biases",), meaning=Meaning.MINUS_PRODUCT, optional=False),),
        rule=Rule.EXPANDED,
    ),
    Dialect(
        "matmulnbits",
        codes="B",
        packing=Packing("<u1", along_rows(2), (0, 1)),
        scales=Scales("scales", by_groups=False, dtypes=(Dtype.F16, Dtype.F32)),
        zeros=(
            Zeros(("zero_points",), Packing("<u1", along_rows(2), (0, 1))),
            Zeros(("zero_points",), meaning=Meaning.ITSELF),
        ),
        group_sizes=_powers_from_16,
        cut_groups=True,
    ),
)

DIALECTS: Final[dict[str, Dialect]] = {dialect.name: dialect for dialect in _TABLE}
"""Every dialect that is read and written, by its name in the specification."""
