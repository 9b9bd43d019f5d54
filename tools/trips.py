"""Layers that are converted from one dialect to another and back, singly and as real folders."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import ml_dtypes
import numpy as np

from awqformat import AwqError, QuantizedTensor, safe_open, save_file
from awqformat.checkpoints import Conversion
from awqformat.checkpoints.directory import Directory
from awqformat.checkpoints.export_config import EXPORTABLE
from awqformat.checkpoints.importing import directory_model
from awqformat.checkpoints.losses import Losses
from awqformat.dialects import DIALECTS, decode, encode, fit

AWQ: Final = ".awq"
FORMATS: Final = (AWQ, *DIALECTS)
FOLDERS: Final = (AWQ, *EXPORTABLE)
LAYER: Final = "model.layers.0.mlp.up_proj.weight"

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Sample:
    """A layer that is converted, under a letter."""

    letter: str
    what: str
    tensor: QuantizedTensor


def sample(
    letter: str,
    what: str,
    *,
    n: int = 64,
    k: int = 512,
    group_size: int = 128,
    zeros: Any = "1..15",
    scales: Any = None,
) -> Sample:
    """Return a layer whose codes, zero points and scales follow from their places.

    Args:
        letter, what: what it is called.
        n, k, group_size: its shape.
        zeros: which zero points there are: "1..15", "0..15" or "none".
        scales: the numbers that alternate, in their dtype; None for usual ones in F16.
    """
    groups = k // group_size
    row, column, group = np.arange(n)[:, None], np.arange(k), np.arange(groups)
    usual = np.array([2.0**-9, 1.25 * 2.0**-8, 1.7 * 2.0**-7, 1.9 * 2.0**-6, 3.3 * 2.0**-8], np.float16)
    values = usual if scales is None else scales
    points = (7 * row + 5 * group) % 16
    return Sample(
        letter,
        what,
        QuantizedTensor.from_codes(
            (3 * row + 5 * column + row * column // 8) % 16,
            values[(row + 3 * group) % len(values)],
            None if zeros == "none" else np.maximum(points, 1 if zeros == "1..15" else 0),
        ),
    )


SAMPLES: Final = (
    sample("a", "usual: N = 64, K = 512, G = 128, zero points 1 to 15, F16 scales"),
    sample("b", "symmetric: no zero points, so all are 8", zeros="none"),
    sample("c", "zero points 0 to 15, 0 beside others", zeros="0..15"),
    sample("d", "K/G odd: K = 640, five groups in a row", k=640),
    sample("e", "N = 21, which is no multiple of 8", n=21),
    sample("f", "G = 16", group_size=16),
    sample("g", "G = K, one group in a row", group_size=512),
    sample("h", "BF16 scales, some of them beyond F16", scales=np.array([1e-3, 3e-10, 0.7, 1e6], ml_dtypes.bfloat16)),
    sample("i", "F32 scales that no half holds", scales=np.array([1e-3, 0.1, 1 / 3], np.float32)),
    sample("j", "subnormal F16 scales", scales=np.array([1, 11, 0x3FF, 0x200], np.uint16).view(np.float16)),
    sample("k", "F16 scales of 0 beside others", scales=np.array([0, 2**-7, 2**-8], np.float16)),
    sample("l", "the largest F16 scale, 65504", scales=np.array([65504, 2**-7], np.float16)),
)

KEPT: Final = "kept"
"""The weight is the same bit for bit in both dialects, and so are the tensors that came back."""

VALUES: Final = "values"
"""The weight is, and the tensors that came back are others: zero points of 8 are stored that were not."""


class ChangedError(Exception):
    """A conversion gave another weight, and did not refuse."""


class NotHeldError(Exception):
    """The layer has no form in the dialect that the trip would begin with."""


def same(a: QuantizedTensor, b: QuantizedTensor) -> bool:
    """Return whether codes, zero points and scales are equal bit for bit; zero points that are absent are 8."""
    one, other = (np.full(t.scales.shape, 8) if t.zero_points is None else t.zero_points for t in (a, b))
    return (
        np.array_equal(a.codes, b.codes)
        and np.array_equal(one, other)
        and (a.scales.dtype, a.scales.tobytes()) == (b.scales.dtype, b.scales.tobytes())
    )


class ByCodec:
    """Trips of single layers through `awqformat.dialects`, and through .awq files."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "layer.awq"

    def trip(self, tensor: QuantizedTensor, first: str, second: str) -> str:
        """Convert there and back; return KEPT or VALUES.

        Raises:
            NotHeldError: if the first dialect does not hold the layer.
            AwqError: if the second does not.
            ChangedError: if one of them gives another weight.
        """
        try:
            begin, form = self._stored(first, tensor)
        except AwqError as error:
            raise NotHeldError from error
        there, _ = self._stored(second, self._read(first, begin, tensor))
        middle = self._read(second, there, tensor)
        end, _ = self._stored(first, middle, form)
        if not same(tensor, middle) or not same(tensor, self._read(first, end, tensor)):
            raise ChangedError(f"{first} to {second}: other values")
        return KEPT if facts(begin) == facts(end) else VALUES

    def _stored(self, name: str, tensor: QuantizedTensor, form: Any = None) -> tuple[dict[str, Array], Any]:
        """Return the tensors of a layer, and what the dialect leaves open."""
        if name == AWQ:
            save_file({LAYER: tensor}, self._path)
            return held(self._path), None
        parts = encode(DIALECTS[name], tensor, form)
        specs = {role: (part.dtype, part.shape) for role, part in parts.items()}
        return parts, fit(DIALECTS[name], specs, tensor.group_size, matrix(tensor)).form

    def _read(self, name: str, parts: dict[str, Array], like: QuantizedTensor) -> QuantizedTensor:
        if name == AWQ:
            return QuantizedTensor(parts["codes"], parts["scales"], parts.get("zero points"))
        specs = {role: (part.dtype, part.shape) for role, part in parts.items()}
        layer = fit(DIALECTS[name], specs, like.group_size, matrix(like))
        return decode(DIALECTS[name], parts, layer).tensor


class InFolders:
    """Trips of real folders and files through `awqformat.checkpoints`, as `awqformat convert` makes them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._number = 0

    def trip(self, tensor: QuantizedTensor, first: str, second: str) -> str:
        """Convert as :meth:`ByCodec.trip`."""
        origin = self._new(AWQ)
        save_file({LAYER: tensor}, origin)
        try:
            begin = origin if first == AWQ else self._converted(origin, first)
        except AwqError as error:
            raise NotHeldError from error
        middle = self._converted(begin, second)
        end = self._converted(middle, first)
        if not same(tensor, value(middle)) or not same(tensor, value(end)):
            raise ChangedError(f"{first} to {second}: other values")
        return KEPT if facts(contents(begin)) == facts(contents(end)) else VALUES

    def _new(self, name: str) -> Path:
        self._number += 1
        return self._folder / f"{self._number}{AWQ if name == AWQ else ''}"

    def _converted(self, source: Path, to: str) -> Path:
        target = self._new(to)
        with Conversion(source, target, to=None if to == AWQ else to) as conversion:
            conversion.run()
        return target


def matrix(tensor: QuantizedTensor) -> tuple[int, int]:
    """Return N and K."""
    n, k = tensor.shape
    return n, k


def held(path: Path) -> dict[str, Array]:
    """Return what an .awq file holds of the layer."""
    with safe_open(path) as file:
        tensor = file.get_quantized(LAYER)
        found = {"codes": tensor.packed_codes, "scales": tensor.scales, "zero points": tensor.packed_zero_points}
    return {role: np.array(part) for role, part in found.items() if part is not None}


def contents(place: Path) -> dict[str, Array]:
    """Return the tensors of a folder or .awq file."""
    if place.suffix == AWQ:
        return held(place)
    with Directory(place) as directory:
        return {name: np.array(stored.read()) for name, stored in directory.tensors.items()}


def value(place: Path) -> QuantizedTensor:
    """Return the weight that a folder or .awq file holds."""
    if place.suffix == AWQ:
        with safe_open(place, mode="pread") as file:
            return file.get_quantized(LAYER)
    with Directory(place) as directory:
        return directory_model(directory, Losses()).layers[0].load()


def facts(parts: Mapping[str, Array]) -> dict[str, tuple[str, tuple[int, ...], bytes]]:
    """Return what is compared of tensors: dtype, shape and bytes."""
    return {role: (part.dtype.name, part.shape, part.tobytes()) for role, part in parts.items()}
