"""What a wrong output looks like as a whole: where it is wrong, and by how much."""

from __future__ import annotations

from dataclasses import dataclass


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
