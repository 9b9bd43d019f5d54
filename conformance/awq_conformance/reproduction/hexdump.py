"""Regions of a file as people read them: a hexdump with a name and a value for all bytes, for terminals and pages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from awq_conformance.reproduction.region import Region

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_LINE: Final = 16  # bytes on a line
_BYTES: Final = 32  # of one region that are shown


def around(regions: Sequence[Region], limit: int) -> tuple[Region, ...]:
    """Return at most about ``limit`` regions, the guilty ones and as many as possible around them.

    Each run of regions that are left out is one region.
    """
    guilty = [i for i, region in enumerate(regions) if region.guilty][: limit // 2] or [0]
    kept = set(guilty)
    for reach in range(1, len(regions)):
        wider = {i for at in guilty for i in range(max(at - reach, 0), min(at + reach + 1, len(regions)))}
        gaps = sum(i - 1 not in wider for i in wider) + 1
        if len(wider) + gaps > limit:
            break
        kept = wider
    result: list[Region] = []
    left: list[Region] = []
    for i, region in enumerate(regions):
        if i in kept:
            result += _elided(left)
            result.append(region)
            left = []
        else:
            left.append(region)
    return (*result, *_elided(left))


def text(regions: Iterable[Region], data: bytes) -> str:
    """Return an annotated hexdump of ``data``: offset, bytes, field = value; guilty lines begin with >>."""
    lines = []
    for region in regions:
        if region.left_out:
            lines.append(f"{'':11}... {region.left_out} fields, {region.size} bytes: {region.field}")
            continue
        told = f"{region.field} = {region.value}"
        shown = data[region.offset : region.offset + min(region.size, _BYTES)]
        rows = [shown[i : i + _LINE] for i in range(0, len(shown), _LINE)] or [b""]
        for i, row in enumerate(rows):
            mark = ">>" if region.guilty else "  "
            more = " .." if i == len(rows) - 1 and region.size > _BYTES else ""
            line = f"{mark} {region.offset + _LINE * i:#08x} {row.hex(' ') + more:<50}"
            lines.append(f"{line}  {told if i == 0 else ''}".rstrip())
    return "\n".join(lines) + "\n"


def records(regions: Iterable[Region], data: bytes) -> list[dict[str, Any]]:
    """Return regions as JSON values; ``hex`` holds the first bytes, none for what is left out."""
    return [
        {
            "offset": region.offset,
            "size": region.size,
            "hex": "" if region.left_out else _hex(data[region.offset : region.offset + region.size]),
            "field": f"... {region.left_out} fields" if region.left_out else region.field,
            "value": region.field if region.left_out else region.value,
            "guilty": region.guilty,
        }
        for region in regions
    ]


def _hex(piece: bytes) -> str:
    return piece[:_BYTES].hex() + (".." if len(piece) > _BYTES else "")


def _elided(left: list[Region]) -> list[Region]:
    if len(left) < 2:
        return left
    size = sum(region.size for region in left)
    return [Region(left[0].offset, size, f"{left[0].field} .. {left[-1].field}", "", left_out=len(left))]
