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

CELLS_MAX: Final = 48
_STEPS: Final = ((1, "1"), (2, "2"), (4, "3-4"), (16, "5-16"), (256, "17-256"), (65536, "257-65536"))


@dataclass(frozen=True)
class Evidence:
    """Of one output of ``shape``: ``wrong`` of ``total`` elements differ.

    ``heat`` is a grid over the last two dimensions (leading ones stacked as rows), at most 48 by 48 cells: the share
    of wrong elements in each cell, 0 .. 1, row by row. ``histogram`` counts wrong elements by the size of the error,
    in label order, such as ("1 ulp", 12); NaN and infinity have their own labels.
    """

    shape: tuple[int, ...]
    wrong: int
    total: int
    heat: tuple[tuple[float, ...], ...]
    histogram: tuple[tuple[str, int], ...]


def of_floats(actual: Matrix, expected: NDArray[np.float32]) -> Evidence:
    """Return what is to be seen of a wrong W or s; errors are counted in ulps of the output's dtype."""
    wrong, _, due = differing(actual, expected)
    got, right = widen(actual)[wrong], widen(due)[wrong]
    finite = np.isfinite(got) & np.isfinite(right)
    unit = ulp(right[finite], "f32" if actual.dtype == "f64" else actual.dtype)
    counts = _sizes(np.abs(got[finite] - right[finite]) / unit, "ulp")
    counts += [
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
    rows, columns = (min(CELLS_MAX, size) for size in grid.shape)
    row_of, column_of = (
        np.arange(size) * cells // size for size, cells in zip(grid.shape, (rows, columns), strict=True)
    )
    sums: NDArray[Any] = np.zeros((rows, columns))
    np.add.at(sums, (row_of[:, None], column_of[None, :]), grid)
    sizes = np.bincount(row_of, minlength=rows)[:, None] * np.bincount(column_of, minlength=columns)[None, :]
    heat = tuple(tuple(round(float(cell), 3) for cell in row) for row in sums / sizes)
    return Evidence(wrong.shape, int(wrong.sum()), wrong.size, heat, tuple((name, n) for name, n in counts if n))


def _sizes(errors: NDArray[np.float64], unit: str) -> list[tuple[str, int]]:
    """Count errors by size; an error below one unit counts as one."""
    edges = [0.0, *(float(edge) for edge, _ in _STEPS), np.inf]
    labels = [*(label for _, label in _STEPS), f"over {_STEPS[-1][0]}"]
    return [
        (f"{label} {unit}", int(((errors > low) & (errors <= high)).sum()))
        for label, low, high in zip(labels, edges[:-1], edges[1:], strict=True)
    ]
