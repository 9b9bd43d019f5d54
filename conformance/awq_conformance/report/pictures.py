"""Pictures of evidence: where an output is wrong, and how far off it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from awq_conformance.report.record import Record

_CELL: Final = 12  # pixels
_SHADES: Final = (3, 6, 9, 12, 15)  # of the sixteen that a cell can have; fewer paths, and the eye sees no more
_BAR: Final = 128  # pixels


def heat_of(evidence: Record) -> dict[str, Any]:
    """Return the heat map as a path for each shade, with its size, and a text that says the same."""
    grid: list[str] = evidence["heat"]
    rows, columns = len(grid), max(map(len, grid), default=0)
    paths = dict.fromkeys(_SHADES, "")
    for y, row in enumerate(grid):
        for x, digit in enumerate(row):
            share = int(digit, 16)
            if share:
                paths[next(shade for shade in _SHADES if share <= shade)] += f"M{x} {y}h1v1h-1z"
    return {
        "paths": [(f"{shade / 15:.1f}", path) for shade, path in paths.items() if path],
        "columns": columns,
        "rows": rows,
        "width": _CELL * columns,
        "told": _told(evidence),
    }


def bars_of(evidence: Record) -> list[dict[str, Any]]:
    """Return the histogram as bars, the longest of which fills the width there is."""
    most = max((count for _, count in evidence["histogram"]), default=1)
    return [
        {"label": label, "count": count, "width": max(2, round(_BAR * count / most))}
        for label, count in evidence["histogram"]
    ]


def _told(evidence: Record) -> str:
    grid: list[str] = evidence["heat"]
    *leading, last = evidence["shape"] or [1]
    height = 1
    for size in leading:
        height *= size
    rows = [y for y, row in enumerate(grid) if row.strip("0")]
    columns = [x for x in range(max(map(len, grid), default=0)) if any(row[x : x + 1] not in ("", "0") for row in grid)]
    where = ""
    if rows and columns:
        where = f", in {_span('row', rows, len(grid), height)} and {_span('column', columns, len(grid[0]), last)}"
    shape = " x ".join(map(str, evidence["shape"]))
    return f"{evidence['wrong']} of {evidence['total']} elements ({shape}) are wrong{where}"


def _span(noun: str, touched: list[int], cells: int, size: int) -> str:
    """Return the first and the last index that the touched cells of an axis stand for."""
    # Cell c holds the indices i with i * cells // size == c.
    first = -(-touched[0] * size // cells)
    last = -(-(touched[-1] + 1) * size // cells) - 1
    if first == last:
        return f"{noun} {first}"
    if len(touched) == cells:
        return f"all {size} {noun}s"
    return f"{noun}s {first} to {last}" + (" with gaps" if len(touched) <= touched[-1] - touched[0] else "")
