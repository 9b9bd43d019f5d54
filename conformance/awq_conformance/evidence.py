"""What a wrong output looks like as a whole: where it is wrong, and by how much."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from awq_conformance.grade import differing, ulp, widen

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import NDArray

    from awq_conformance.outputs import Matrix

CELLS_MAX: Final = 32
_STEPS: Final = ((1, "1"), (2, "2"), (4, "3-4"), (16, "5-16"), (256, "17-256"), (65536, "257-65536"))


@dataclass(frozen=True)
class Evidence:
    """Of one output of ``shape``: ``wrong`` of ``total`` elements fall short of what was asked for.

    ``heat`` is a grid over the last two dimensions (leading ones stacked as rows), at most 32 by 32 cells, a text for
    each row of it: a hexadecimal digit for each cell, the share of wrong elements from 0 (none) to f (all).
    ``histogram`` counts wrong elements by the size of the error, in label order, such as ("1 ulp", 12); the right
    value with the wrong sign, NaN and infinity have labels of their own. Its counts add up to ``wrong``.
    """

    shape: tuple[int, ...]
    wrong: int
    total: int
    heat: tuple[str, ...]
    histogram: tuple[tuple[str, int], ...]


def of_floats(actual: Matrix, expected: NDArray[np.float32], below: NDArray[np.bool_] | None = None) -> Evidence:
    """Return what is to be seen of a wrong W or s; errors are counted in ulps of the output's dtype.

    ``below`` tells which elements fall short; without it, those that are not exact.
    """
    wrong, _, due = differing(actual, expected)
    if below is not None:
        wrong = below
    got, right = widen(actual)[wrong], widen(due)[wrong]
    ordinary = np.isfinite(got) & np.isfinite(right)
    sign = ordinary & (got == -right)
    ordinary &= ~sign
    unit = ulp(right[ordinary], "f32" if actual.dtype == "f64" else actual.dtype)
    with np.errstate(over="ignore"):  # an f64 output may be anything
        counts = _sizes(np.abs(got[ordinary] - right[ordinary]) / unit, "ulp")
    counts += [
        ("sign", int(sign.sum())),
        ("finite for infinity", int((np.isfinite(got) & ~np.isfinite(right)).sum())),
        ("infinity", int(np.isinf(got).sum())),
        ("NaN", int(np.isnan(got).sum())),
    ]
    return _evidence(wrong, counts)


def of_codes(actual: Matrix, expected: NDArray[np.uint8]) -> Evidence:
    """Return what is to be seen of wrong codes, zero points or plain bytes; errors are counted as differences."""
    wrong = actual.values != expected
    errors = np.abs(actual.values[wrong].astype(np.float64) - expected[wrong])
    return _evidence(wrong, _sizes(errors, "off"))


def _evidence(wrong: NDArray[np.bool_], counts: list[tuple[str, int]]) -> Evidence:
    grid = np.atleast_2d(wrong).reshape(-1, wrong.shape[-1] if wrong.ndim else 1)
    sums: NDArray[Any] = grid.astype(np.int64)
    sizes: NDArray[Any] = np.ones(1, np.int64)
    for axis, size in enumerate(grid.shape):
        starts = _starts(size)
        sums = np.add.reduceat(sums, starts, axis)
        sizes = sizes[..., None] * np.diff(starts, append=size)
    # In whole numbers and rounded up: one wrong element is to be seen.
    heat = tuple("".join(f"{cell:x}" for cell in row) for row in (-(-15 * sums // sizes[0])).tolist())
    return Evidence(wrong.shape, int(wrong.sum()), wrong.size, heat, tuple((name, n) for name, n in counts if n))


def _starts(size: int) -> NDArray[np.int64]:
    """Return where each cell of a dimension starts."""
    cells = min(CELLS_MAX, size)
    return -(-np.arange(cells, dtype=np.int64) * size // cells)


def _sizes(errors: NDArray[np.float64], unit: str) -> list[tuple[str, int]]:
    """Count errors by size; an error below one unit counts as one."""
    edges = [0.0, *(float(edge) for edge, _ in _STEPS), np.inf]
    labels = [*(label for _, label in _STEPS), f"over {_STEPS[-1][0]}"]
    return [
        (f"{label} {unit}", int(((errors > low) & (errors <= high)).sum()))
        for label, low, high in zip(labels, edges[:-1], edges[1:], strict=True)
    ]
