"""All wrong loaders, by name, and the right ones they are wrong copies of."""

from __future__ import annotations

from zoo import (
    arithmetic,
    behaviour,
    checks,
    codes,
    core_checks,
    core_use,
    core_values,
    groups,
    refusals,
    scales,
    tensors,
    zeros,
)
from zoo.loader import Loader
from zoo.mutant import LOADERS

FAMILIES = (codes, zeros, scales, groups, arithmetic, tensors, checks, refusals, behaviour)
CORE = (core_values, core_checks, core_use)


class Right16(Loader):
    """Right, with f16 output."""

    dtype = "f16"


class RightBf16(Loader):
    """Right, with bf16 output."""

    dtype = "bf16"


class Right64(Loader):
    """Right, with f64 output."""

    dtype = "f64"


class RightAll(Loader):
    """Right, with every operation."""

    ops = ("dequant", "unpack", "plain", "inspect")


RIGHT: dict[str, type[Loader]] = {
    "right": RightAll,
    "right-f16": Right16,
    "right-bf16": RightBf16,
    "right-f64": Right64,
}


def make(name: str) -> Loader:
    """Return a loader by name; raises KeyError when there is none."""
    return (RIGHT[name] if name in RIGHT else LOADERS[name])()
