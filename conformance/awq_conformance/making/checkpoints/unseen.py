"""Checkpoints nobody can have seen: random models in what their dialect can hold, and faults in some of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from math import lcm
from typing import Final

import numpy as np

from awq_conformance.making import checkpoints
from awq_conformance.making.checkpoints import faults
from awq_conformance.making.checkpoints.accept import Accept
from awq_conformance.making.checkpoints.dialects import GPTQ_V1, KINDS, Kind
from awq_conformance.making.checkpoints.fault import Fault
from awq_conformance.making.checkpoints.model import Model, beside
from awq_conformance.making.record import Files, Record
from awq_conformance.making.values import ORDINARY, WIDE, chosen, plain, quantised, random_bytes
from awqformat import QuantizedTensor
from awqformat.dialects import DIALECTS

FRESH: Final = "fresh"
HOLDOUT: Final = "holdout"
COUNT: Final = 24
"""How many checkpoints of a holdout are valid, and how many malformed."""

_ALL_KINDS: Final = (*KINDS, GPTQ_V1)
_PER_CHANNEL: Final = -1
_CHANNEL: Final = 128
"""What K is a multiple of where it is the group size: every dialect has such groups."""
_ROWS: Final = (12, 28)
_COLUMNS: Final = 7 * 128
"""About the fewest and the most rows, and the most columns, as far as what a loader needs allows."""
_GROUPS: Final = (3, 4, 6, 7)
"""How many a row may have; not 5, for the fault of a group size that does not divide K asks for 40."""


def fresh(profile: str, seed: int, align: tuple[int, int]) -> tuple[Record, Files]:
    """Return the record and the files of a random checkpoint; N and K are multiples of ``align``."""
    origin = f"awqformat/fresh/{profile}/{seed}"
    kind = kind_of(profile, origin)
    return _valid(f"{FRESH}/{seed}", kind, model_of(kind, origin, align), FRESH, seed)


def holdout(profile: str, seed: int, align: tuple[int, int]) -> Iterator[tuple[Record, Files]]:
    """Yield the record and the files of random checkpoints, the valid ones first; N and K as above."""
    whole = f"awqformat/holdout/{profile}/{seed}"
    models, files = {}, {}
    for number in range(COUNT):
        origin, name = f"{whole}/{number}", f"{HOLDOUT}/{seed}/valid-{number}"
        kind = kind_of(profile, origin)
        models[name] = model_of(kind, origin, align)
        entry, files[name] = _valid(name, kind, models[name], HOLDOUT, seed)
        yield entry, files[name]
    known = [fault for fault in faults.CASES if fault.kind.profile == profile and fault.anywhere]
    for number, (fault, twin) in enumerate(_spread(known, models, files, whole)):
        name = f"{HOLDOUT}/{seed}/malformed-{number}-{fault.name}"
        entry, own = checkpoints.malformed(fault, name, twin, files[twin], HOLDOUT)
        yield entry | {"seed": str(seed)}, own


def kind_of(profile: str, origin: str) -> Kind:
    """Return a random kind of a profile."""
    return chosen(f"{origin}/kind", [kind for kind in _ALL_KINDS if kind.profile == profile])


def _valid(name: str, kind: Kind, model: Model, recipe: str, seed: int) -> tuple[Record, Files]:
    case = Accept(kind, name, "a random checkpoint", lambda _: model)
    return checkpoints.valid(case, name, str(seed), recipe)


def _spread(
    known: Iterable[Fault], models: Mapping[str, Model], files: Mapping[str, Files], origin: str
) -> list[tuple[Fault, str]]:
    """Return faults with twins in which they are one: every fault that has one, then each with a second, and so on."""

    def drawn(*names: str) -> bytes:
        return random_bytes("/".join((origin, *names)), 8)

    pairs = []
    for fault in known:
        twins = [name for name, model in models.items() if works(fault, name, model, files[name])]
        twins.sort(key=lambda name: drawn(fault.name, name))
        pairs += [(turn, drawn(fault.name), fault, twin) for turn, twin in enumerate(twins)]
    return [(fault, twin) for _, _, fault, twin in sorted(pairs, key=lambda pair: pair[:2])[:COUNT]]


def works(fault: Fault, twin: str, model: Model, files: Files) -> bool:
    """Return whether a checkpoint, whose ``files`` are in ``twin``, has what a fault changes."""
    with suppress(KeyError, ValueError):
        checkpoints.malformed(fault, fault.id, twin, files)
        return fault.symmetric in (None, all(layer.symmetric for layer in model.layers.values()))
    return False


def model_of(kind: Kind, origin: str, align: tuple[int, int]) -> Model:
    """Return up to three layers of one group size; 2 comes before 10 in the order of numbers, not in that of bytes."""
    group_size = chosen(f"{origin}/group size", (*kind.group_sizes, _PER_CHANNEL))
    dtype = chosen(f"{origin}/dtype", kind.scale_dtypes)
    symmetric = chosen(f"{origin}/symmetric", (False, False, False, True))
    layers = {
        f"model.layers.{number}.{part}": _layer(
            kind, f"{origin}/{number}", align, group_size, dtype=dtype, symmetric=symmetric
        )
        for number in chosen(f"{origin}/layers", ((0,), (7,), (2, 10), (0, 2, 10)))
        for part in [chosen(f"{origin}/{number}/part", ("mlp.up_proj", "mlp.down_proj", "self_attn.q_proj"))]
    }
    biased = chosen(f"{origin}/biased", ((), tuple(layers)))
    biases = {f"{name}.bias": plain(f"{origin}/{name}", layers[name].shape[:1], np.float16) for name in biased}
    return Model(
        layers,
        {**biases, **beside(origin)},
        shards=chosen(f"{origin}/shards", (1, 1, 2, 3)),
        group_size=group_size,
        place=chosen(f"{origin}/place", kind.places),
    )


def _layer(
    kind: Kind, origin: str, align: tuple[int, int], group_size: int, *, dtype: str, symmetric: bool
) -> QuantizedTensor:
    """Return a layer of a small random shape, never square; a row has at least three groups, or one for all of it."""
    dialect, per_channel = DIALECTS[kind.dialect], group_size == _PER_CHANNEL
    rows = lcm(dialect.rows, align[0])
    columns = lcm(dialect.columns, align[1], _CHANNEL if per_channel else group_size)
    fewest, most = (-(-bound // rows) for bound in _ROWS)
    n = rows * chosen(f"{origin}/n", range(fewest, most + 1))
    counts = [count for count in ((1, 2, 3) if per_channel else _GROUPS) if count * columns <= _COLUMNS]
    k = columns * chosen(f"{origin}/k", counts or (1,))
    n += rows * (n == k)
    # -(s * z) tells z only where s is of an ordinary size.
    as_products = any(zeros.meaning for zeros in dialect.zeros)
    bits = ORDINARY[dtype] if as_products else chosen(f"{origin}/bits", (ORDINARY[dtype], WIDE[dtype]))
    return quantised(origin, (n, k), k if per_channel else group_size, dtype=dtype, bits=bits, symmetric=symmetric)
