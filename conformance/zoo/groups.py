"""Wrong groups: how a row is divided among its scales and zero points."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np

from zoo import container
from zoo.loader import Loader
from zoo.mutant import mutant

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from zoo.container import Record


def fixed(t: Record, group_size: int) -> NDArray[np.intp]:
    """Return the group of each k (K,) for a group size of one's own, within the groups that are there."""
    return np.minimum(np.arange(t.columns) // group_size, t.groups - 1)


@mutant(
    "group-size-128",
    "group-size-fixed",
    "The group size is 128, whatever the record says.",
    "mit-han-lab/llm-awq#21",
    "InternLM/lmdeploy#1066",
    "InternLM/lmdeploy#1560",
)
class GroupSize128(Loader):
    def groups(self, t: Record) -> NDArray[np.intp]:
        return fixed(t, 128)


@mutant("group-size-32", "group-size-fixed", "The group size is 32, whatever the record says.")
class GroupSize32(Loader):
    def groups(self, t: Record) -> NDArray[np.intp]:
        return fixed(t, 32)


@mutant(
    "group-size-of-first-tensor",
    "group-size-fixed",
    "The group size of the file's first quantised tensor is used for all.",
    "InternLM/lmdeploy#1305",
)
class GroupSizeOfFirstTensor(Loader):
    def groups(self, t: Record) -> NDArray[np.intp]:
        return fixed(t, next(record.group_size for record in self.records() if record.quantised))


@mutant(
    "group-size-from-padded-row",
    "group-size-fixed",
    "The group size is K divided by the number of scales in a row, rounded up to 8, as if rows were padded.",
    "casper-hansen/AutoAWQ#452",
)
class GroupSizeFromPaddedRow(Loader):
    def groups(self, t: Record) -> NDArray[np.intp]:
        return fixed(t, max(t.columns // (-(-t.groups // 8) * 8), 1))


@mutant(
    "group-size-of-meta",
    None,
    "The group size is what META says, where it says one.",
    why="it fails the case that says by its title what is wrong",
    single="it takes META that contradicts the tensors, which one case has for that purpose",
)
class GroupSizeOfMeta(Loader):
    def groups(self, t: Record) -> NDArray[np.intp]:
        meta = container.sections(self.data).get(container.META)
        words = json.loads(self.data[meta.offset : meta.offset + meta.size]) if meta else {}
        return fixed(t, int(words.get("quantization.group_size", t.group_size)))


@mutant("group-size-power-of-two", "group-size-fixed", "The group of k is found by a shift, which wants powers of two.")
class GroupSizePowerOfTwo(Loader):
    def groups(self, t: Record) -> NDArray[np.intp]:
        return fixed(t, 1 << (t.group_size.bit_length() - 1))


@mutant("groups-start-early", "group-boundary", "The step to the next group is taken one code too early.")
class GroupsStartEarly(Loader):
    def groups(self, t: Record) -> NDArray[np.intp]:
        return np.minimum((np.arange(t.columns) + 1) // t.group_size, t.groups - 1)


@mutant("groups-start-late", "group-boundary", "The step to the next group is taken one code too late.")
class GroupsStartLate(Loader):
    def groups(self, t: Record) -> NDArray[np.intp]:
        return np.maximum(np.arange(t.columns) - 1, 0) // t.group_size


@mutant("first-group-only", "scales-wrong-group", "The first group of a row is used for all of it.")
class FirstGroupOnly(Loader):
    def groups(self, t: Record) -> NDArray[np.intp]:
        return np.zeros(t.columns, np.intp)


@mutant(
    "group-counted-over-matrix",
    "scales-wrong-group",
    "Groups are counted over the whole matrix as [K/G, N] would have it: the group is k // G of row n in column order.",
)
class GroupsInterleaved(Loader):
    def groups(self, t: Record) -> NDArray[np.intp]:
        return np.arange(t.columns) % t.groups


@mutant(
    "groups-reversed",
    "scales-wrong-group",
    "Groups are taken from the end of the row.",
)
class GroupsReversed(Loader):
    def groups(self, t: Record) -> NDArray[np.intp]:
        return t.groups - 1 - np.arange(t.columns) // t.group_size
