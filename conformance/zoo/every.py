"""All wrong loaders, by name, and the right ones they are wrong copies of."""

from __future__ import annotations

from zoo import (
    arithmetic,
    behaviour,
    checkpoint,
    checks,
    codes,
    core_checks,
    core_use,
    core_values,
    directories,
    groups,
    layouts,
    refusals,
    scales,
    tensors,
    zeros,
)
from zoo.loader import Loader
from zoo.mutant import LOADERS

FAMILIES = (codes, zeros, scales, groups, arithmetic, tensors, checks, refusals, behaviour, layouts, directories)
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
    **{f"right-{loader.profile}": loader for loader in checkpoint.RIGHT},
}


def make(name: str) -> Loader:
    """Return a loader by name; raises KeyError when there is none."""
    return (RIGHT[name] if name in RIGHT else LOADERS[name])()


def profile_of(name: str) -> str:
    """Return the profile that a loader is put to; those made of the C++ core read .awq files."""
    loader = RIGHT.get(name) or LOADERS.get(name)
    return loader.profile if loader else Loader.profile


PROFILES = tuple(dict.fromkeys(profile_of(name) for name in (*RIGHT, *LOADERS)))
"""All that there are loaders for."""
