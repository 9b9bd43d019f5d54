"""Wrong tensors: which extent is whose, which number, what experts are, where padding ends."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from zoo import container
from zoo.container import Record
from zoo.loader import Array, Loader
from zoo.mutant import mutant

if TYPE_CHECKING:
    from numpy.typing import NDArray


def matrices(t: Record) -> tuple[int, ...]:
    """Return the leading dimensions, before N and K."""
    return t.shape[:-2]


@mutant(
    "numbered-by-place",
    "tensors-renumbered",
    "Tensors are numbered in the order of their extents, not of the index.",
)
class NumberedByPlace(Loader):
    def records(self) -> list[Record]:
        found = sorted(super().records(), key=lambda record: record.at)
        return [replace(record, number=number) for number, record in enumerate(found)]


@mutant(
    "numbered-among-quantised",
    "tensors-renumbered",
    "Only quantised tensors are counted when outputs are numbered.",
)
class NumberedAmongQuantised(Loader):
    def records(self) -> list[Record]:
        found = [record for record in super().records() if record.quantised]
        return [replace(record, number=number) for number, record in enumerate(found)]


@mutant(
    "extents-in-index-order",
    "tensors-renumbered",
    "data_off is ignored: extents are believed to follow each other in the order of the index.",
)
class ExtentsInIndexOrder(Loader):
    def records(self) -> list[Record]:
        found, at = [], container.sections(self.data)[container.DATA].offset
        for record in super().records():
            found.append(replace(record, at=at))
            at += record.extent_size
        return found


@mutant("first-tensor-only", None, "Only the first quantised tensor is written.", why="MISSING-OUTPUT says it")
class FirstTensorOnly(Loader):
    def records(self) -> list[Record]:
        return [record for record in super().records() if record.quantised][:1]


@mutant(
    "first-extent-for-all",
    "tensors-renumbered",
    "Every tensor is read from the extent of the first quantised one.",
)
class FirstExtentForAll(Loader):
    def records(self) -> list[Record]:
        found = super().records()
        first = [record.at for record in found if record.quantised][:1]
        return [replace(record, at=at) for record in found for at in first if record.quantised]


@mutant(
    "segments-aligned-to-extents",
    "padding-as-data",
    "Scales and zero points are believed to start at multiples of A, so that padding is read for them.",
)
class SegmentsAlignedToExtents(Loader):
    def scales(self, t: Record) -> NDArray[np.float32]:
        size = t.rows * t.groups * container.SCALE_BYTES[t.scale_dtype]
        at = container.up(t.rows * t.columns // 2, container.alignment(self.data))
        return np.nan_to_num(self.widen(self.read(t.at + at, size), t)).reshape(t.rows, t.groups)


@mutant(
    "plain-with-padding",
    "padding-as-data",
    "The whole extent of a plain tensor is handed out, with the padding at its end.",
)
class PlainWithPadding(Loader):
    ops = ("dequant", "plain")

    def plain(self, t: Record) -> bytes:
        return self.data[t.at : t.at + t.extent_size]


@mutant(
    "extents-aligned-64",
    "padding-as-data",
    "Extents are believed to follow each other at multiples of 64, whatever A is.",
)
class ExtentsAligned64(Loader):
    def records(self) -> list[Record]:
        found = super().records()
        places, at = {}, container.sections(self.data)[container.DATA].offset
        for record in sorted(found, key=lambda record: record.at):
            places[record.number] = at
            at += self._bytes(record)
        return [replace(record, at=places[record.number]) for record in found]

    def _bytes(self, t: Record) -> int:
        if not t.quantised:
            return container.up(t.plain_size)
        return container.up(t.zeros_at + (0 if t.symmetric else t.rows * ((t.groups + 1) // 2)))


@mutant("bool-tidied", None, "BOOL bytes other than 0 and 1 become 1.", why="WRONG on plain bytes says it",
        single="it takes BOOL bytes other than 0 and 1, which one case has, all of them")  # fmt: skip
class BoolTidied(Loader):
    ops = ("dequant", "plain")

    def plain(self, t: Record) -> bytes:
        stored = super().plain(t)
        return bytes(map(bool, stored)) if t.dtype == 1 else stored


@mutant("nan-canonical", None, "NaNs of plain tensors lose their payload.", why="WRONG on plain bytes says it")
class NanCanonical(Loader):
    ops = ("dequant", "plain")

    def plain(self, t: Record) -> bytes:
        values = np.frombuffer(super().plain(t), {10: "<f2", 12: "<f4", 13: "<f8"}.get(t.dtype, "u1"))
        kept = values if values.dtype.kind == "u" else np.where(np.isnan(values), values.dtype.type(np.nan), values)
        return kept.astype(values.dtype).tobytes()


@mutant("expert-0-for-all", "experts-first-only", "Every expert is read as the first one.")
class Expert0ForAll(Loader):
    def weights(self, t: Record) -> NDArray[np.float32]:
        weights = super().weights(t).reshape(-1, t.shape[-2], t.columns)
        return weights[:1].repeat(len(weights), 0).reshape(t.rows, t.columns)


@mutant(
    "scales-of-expert-0",
    "experts-first-only",
    "Every expert has the scales and zero points of the first one.",
    "vllm-project/vllm#50196",
)
class ScalesOfExpert0(Loader):
    def scales(self, t: Record) -> NDArray[np.float32]:
        return self._first(super().scales(t), t)

    def zeros(self, t: Record) -> NDArray[np.int16]:
        return self._first(super().zeros(t), t)

    def _first(self, values: Array, t: Record) -> Array:
        return np.resize(values[: t.shape[-2]], values.shape)


@mutant(
    "leading-dims-reversed",
    "experts-merged",
    "The first of several leading dimensions is taken for the one that varies fastest.",
)
class LeadingDimsReversed(Loader):
    def weights(self, t: Record) -> NDArray[np.float32]:
        weights = super().weights(t)
        lead = matrices(t)
        order = (*reversed(range(len(lead))), len(lead), len(lead) + 1)
        return weights.reshape(*reversed(lead), *t.shape[-2:]).transpose(order).reshape(weights.shape)


@mutant(
    "experts-interleaved",
    "experts-merged",
    "Rows of [E, N, K] are read as [N, E, K].",
)
class ExpertsInterleaved(Loader):
    def weights(self, t: Record) -> NDArray[np.float32]:
        weights = super().weights(t)
        if len(t.shape) == 2:
            return weights
        experts = weights.reshape(t.shape[-2], -1, t.columns)
        return experts.transpose(1, 0, 2).reshape(weights.shape)
