"""Files of .awq nobody can have seen: random contents, and faults in some of them."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from math import lcm
from typing import Any, Final

import ml_dtypes
import numpy as np

from awq_conformance.making import core, faults
from awq_conformance.making.faults.fault import SMALL
from awq_conformance.making.record import Files, Record
from awq_conformance.making.valid.accept import Accept
from awq_conformance.making.values import ORDINARY, WIDE, chosen, plain, quantised, random_bytes
from awqformat import Contents, QuantizedTensor, Tensor

HOLDOUT: Final = "holdout"
COUNT: Final = 24
"""How many files of a holdout are valid, and how many malformed."""

FIXED: Final = frozenset(
    f"container/{name}"
    for name in ("group-size-128", "group-size-24", "group-size-short", "group-size-other", "out-features-max",
                 "in-features-huge", "plain-padding")
)  # fmt: skip
"""Faults that are one, or the same one, in the usual twin only: they depend on its sizes."""

TWINS: Final = 4
"""How many of the valid ones have the tensors that faults are made in."""
_GROUPS: Final = (8, 16, 24, 32, 64, 128)
_LEADS: Final = ((), (), (), (2,), (3, 2))
_PLAIN: Final = (np.float16, ml_dtypes.bfloat16, np.float32, np.int64, np.uint8)


def holdout(seed: int, align: tuple[int, int]) -> Iterator[tuple[Record, Files]]:
    """Yield the record and the files of random .awq files, the valid ones first; N and K are multiples of ``align``."""
    whole = f"awqformat/holdout/{seed}"
    twins = {}
    for number in range(COUNT):
        name = f"{HOLDOUT}/{seed}/valid-{number}"
        make = partial(_small if number < TWINS else _model, align=align)
        case = Accept(name, "a random file", make)
        entry, files = core.valid_file(case, f"{whole}/{number}", HOLDOUT)
        if number < TWINS:
            twins[name] = files[f"{name}.awq"]
        yield entry, files
    known = sorted(
        (fault for fault in faults.CASES if fault.twin == SMALL and fault.id not in FIXED),
        key=lambda fault: random_bytes(f"{whole}/{fault.id}", 8),
    )
    for number, fault in enumerate(known[:COUNT]):
        twin = chosen(f"{whole}/{fault.id}/twin", list(twins))
        name = f"{HOLDOUT}/{seed}/malformed-{number}-{fault.id.rpartition('/')[2]}"
        yield core.malformed_file(fault, name, twin, twins[twin], recipe=HOLDOUT)


def _small(origin: str, align: tuple[int, int]) -> Contents:
    """Return tensors as those of the usual twin, of other shapes and values."""
    tensors: dict[str, Tensor] = {
        "z.first.weight": _weight(f"{origin}/first", align, symmetric=False),
        "z.first.bias": plain(f"{origin}/bias", (chosen(f"{origin}/bias/n", range(9, 40)),), ml_dtypes.bfloat16),
        "a.second.weight": _weight(f"{origin}/second", align, symmetric=True),
        "norm.weight": plain(f"{origin}/norm", (chosen(f"{origin}/norm/n", range(17, 40)),), np.float32),
    }
    return Contents(tensors, {"model.name": "small", "quantization.method": random_bytes(origin, 3).hex()})


def _model(origin: str, align: tuple[int, int]) -> Contents:
    """Return up to five tensors of any kind, in an order that is not that of their names."""
    tensors: dict[str, Tensor] = {}
    for number in chosen(f"{origin}/count", ((3,), (3, 10, 2), (20, 3, 1, 100), (5, 4, 3, 2, 1))):
        own = f"{origin}/{number}"
        is_plain = chosen(f"{own}/kind", (False, False, True))
        if tensors and is_plain:
            shape = chosen(f"{own}/shape", ((), (7,), (3, 5), (2, 3, 1)))
            tensors[f"layers.{number}.bias"] = plain(own, shape, chosen(f"{own}/dtype", _PLAIN))
        else:
            lead = chosen(f"{own}/lead", _LEADS)
            symmetric = chosen(f"{own}/symmetric", (False, False, True))
            tensors[f"layers.{number}.weight"] = _weight(own, align, symmetric=symmetric, lead=lead)
    return Contents(tensors, align_log2=chosen(f"{origin}/align", (6, 7, 12)))


def _weight(origin: str, align: tuple[int, int], *, symmetric: bool, lead: tuple[int, ...] = ()) -> QuantizedTensor:
    """Return a weight of a small random shape, never square, with at least two groups in a row."""
    group_size = chosen(f"{origin}/group size", _GROUPS)
    columns = lcm(group_size, align[1])
    n = align[0] * chosen(f"{origin}/n", range(-(-3 // align[0]), -(-20 // align[0]) + 1))
    k = columns * chosen(f"{origin}/k", range(-(-2 * group_size // columns), -(-5 * group_size // columns) + 1))
    n += align[0] * (n == k)
    dtype: Any = chosen(f"{origin}/dtype", ("F16", "F16", "BF16", "F32"))
    bits = chosen(f"{origin}/bits", (ORDINARY[dtype], WIDE[dtype]))
    return quantised(origin, (*lead, n, k), group_size, dtype=dtype, bits=bits, symmetric=symmetric)
