"""Which tensors of a directory make up one quantised layer, and which are plain (spec: checkpoints)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from awqformat.checkpoints.shard import Stored
from awqformat.errors import AwqError

# The tensor that makes a prefix a layer -> what else belongs to it. MLX names its codes like an ordinary weight.
_ROLES: Final = {
    "qweight": ("qzeros", "scaled_zeros", "scales", "g_idx"),
    "weight_packed": ("weight_scale", "weight_zero_point", "weight_shape", "weight_g_idx"),
    "weight": ("scales", "biases"),
}

# Formats that are recognised by their tensors, so that they can be refused by their name.
_FOREIGN: Final = {
    "absmax": "bitsandbytes",
    "quant_map": "bitsandbytes",
    "W_q": "HQQ",
}
_NEEDS_CODES: Final = ("qzeros", "scaled_zeros", "g_idx")


@dataclass(frozen=True)
class Layers:
    """The tensors of a directory, sorted out.

    Attributes:
        quantized: prefix -> role (the last part of the name) -> tensor.
        plain: name -> tensor.
    """

    quantized: dict[str, dict[str, Stored]]
    plain: dict[str, Stored]


def sort_out(tensors: Mapping[str, Stored]) -> Layers:
    """Group tensors by prefix; only names and types are looked at, never a list of exceptions.

    Raises:
        AwqError: E_DIALECT for a format that is recognised and not read, or zero points without codes; E_NAME for
            a name that begins with its only dot.
    """
    by_prefix: dict[str, dict[str, Stored]] = {}
    for name, stored in tensors.items():
        prefix, dot, role = name.rpartition(".")
        if dot and not prefix:  # .qweight is not qweight, though their prefixes are the same
            raise AwqError("E_NAME", repr(name), "name", expected="a name without a dot in front", got=repr(name))
        if role in _FOREIGN or ".quant_state." in name:
            got = f"{_FOREIGN.get(role, 'bitsandbytes')}, which is recognised but not read"
            raise AwqError("E_DIALECT", name, "format", expected="a dialect of AWQ or GPTQ", got=got)
        by_prefix.setdefault(prefix, {})[role] = stored
    quantized: dict[str, dict[str, Stored]] = {}
    taken: set[str] = set()
    for prefix, members in by_prefix.items():
        for codes, others in _ROLES.items():
            if codes not in members or (codes == "weight" and not _is_mlx(members)):
                continue
            if prefix in quantized:
                got = f"{codes} beside {next(iter(quantized[prefix]))}"
                raise AwqError("E_DIALECT", prefix, "tensors", expected="one layout of codes", got=got)
            quantized[prefix] = {role: members[role] for role in (codes, *others) if role in members}
            taken.update(stored.name for stored in quantized[prefix].values())
        for role in _NEEDS_CODES:
            if role in members and members[role].name not in taken:
                raise AwqError("E_DIALECT", prefix, "tensors", expected=f"qweight beside {role}", got="none")
    return Layers(quantized, {name: stored for name, stored in tensors.items() if name not in taken})


def _is_mlx(members: Mapping[str, Stored]) -> bool:
    return members["weight"].dtype == "U32" and "scales" in members and "biases" in members
