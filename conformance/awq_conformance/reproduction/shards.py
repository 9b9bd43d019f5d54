"""The bytes of a checkpoint that a failure is about: what was made wrong, or what a wrong element is made of.

Only loaded where a checkpoint is to be taken apart: it needs awqformat, which the rest of the runner must not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from awq_conformance.diagnosis.packed import layers_in
from awq_conformance.reproduction.region import Region
from awqformat import AwqError
from awqformat.checkpoints.directory import Directory
from awqformat.checkpoints.importing import directory_model
from awqformat.checkpoints.losses import MEANINGS, Losses

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from awq_conformance.cases import Edit
    from awq_conformance.diagnosis.packed import Packed
    from awqformat.dialects.packing import Packing


@dataclass(frozen=True)
class Piece:
    """Bytes of one file of a checkpoint."""

    file: str
    region: Region
    data: bytes


def edited(folder: Path, edits: tuple[Edit, ...]) -> Iterator[Piece]:
    """Yield what was made wrong in a malformed checkpoint."""
    for edit in edits:
        told = "added" if not edit.old else f"was {_shown(edit.old)}"
        what = "the whole file" if not edit.offset and not edit.old else "bytes"
        size = len(edit.new)
        if not size:
            told, what = f"{len(edit.old)} bytes are missing here", "the place"
        data = (folder / edit.file).read_bytes()
        value = f"{_shown(edit.new)}, {told}" if size else told
        yield Piece(edit.file, Region(edit.offset, size, what, value, guilty=True), data)


def element(folder: Path, number: int, index: tuple[int, ...], what: str) -> Iterator[Piece]:
    """Yield what an element of an output of a valid checkpoint is made of; nothing where that cannot be told."""
    layer = layers_in(folder).get(number)
    if layer is None or len(layer.shape) != 2 or len(index) != 2:
        return
    n, last = index
    grouped = what in "zs"
    g = last if grouped else last // layer.group_size
    if not grouped:
        packing = layer.dialect.packing
        yield _nibble(folder, layer, layer.dialect.codes, packing, (n, last), f"q = {layer.codes[n, last]}")
    if what in "Wz" and layer.zero_role is not None:
        if layer.zero_packing is not None:
            yield _nibble(folder, layer, layer.zero_role, layer.zero_packing, (n, g), f"z = {layer.zeros[n, g]}")
        elif layer.products is not None:
            yield _number(folder, layer, layer.zero_role, (n, g), f"{layer.products[n, g]!s}, z = {layer.zeros[n, g]}")
    if what in "Ws":
        yield _number(folder, layer, layer.dialect.scales.role, (n, g), f"s = {layer.scales[n, g]!s}")


def refusal(folder: Path) -> AwqError | None:
    """Return why a reader refuses a checkpoint, None where it does not."""
    try:
        with Directory(folder) as directory:
            for layer in directory_model(directory, Losses(MEANINGS)).layers:
                layer.load()
    except AwqError as error:
        return error
    return None


def _nibble(folder: Path, layer: Packed, role: str, packing: Packing, place: tuple[int, int], value: str) -> Piece:
    """Return the word that holds a code or a zero point, and say which nibble it is."""
    words = layer.parts[role]
    tile_row, tile_column = place[0] // packing.tile[0], place[1] // packing.tile[1]
    in_tile = place[0] % packing.tile[0] * packing.tile[1] + place[1] % packing.tile[1]
    width = 2 * words.itemsize
    word, nibble = divmod(packing.order.index(in_tile), width)
    if packing.by_columns:
        at = (tile_column, tile_row * packing.words + word)
    else:
        at = (tile_row, tile_column * packing.words + word)
    biased = f", stored with {packing.bias - 16 if packing.bias > 8 else packing.bias:+d}" if packing.bias else ""
    told = f"{value}: nibble {nibble} of the word, bits {4 * nibble} to {4 * nibble + 3}{biased}"
    return _piece(folder, layer, role, at, told)


def _number(folder: Path, layer: Packed, role: str, place: tuple[int, int], value: str) -> Piece:
    return _piece(folder, layer, role, place[::-1] if layer.dialect.scales.by_groups else place, value)


def _piece(folder: Path, layer: Packed, role: str, at: tuple[int, int], value: str) -> Piece:
    part, (shard, start) = layer.parts[role], layer.places[role]
    offset = start + (at[0] * part.shape[1] + at[1]) * part.itemsize
    field = f"{layer.name}.{role}[{at[0]}, {at[1]}]"
    return Piece(shard, Region(offset, part.itemsize, field, value, guilty=True), (folder / shard).read_bytes())


def _shown(piece: bytes) -> str:
    text = piece.decode("ascii", "replace")
    return repr(text[:40]) if text.isprintable() and piece else piece[:16].hex(" ") or "nothing"
