"""Profiles of checkpoint directories: valid ones with their exact values, malformed ones with their one fault."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import numpy as np

from awq_conformance.making.checkpoints import accept, faults
from awq_conformance.making.checkpoints.dialects import Kind
from awq_conformance.making.checkpoints.fault import Fault
from awq_conformance.making.checkpoints.folder import INDEX, files_of
from awq_conformance.making.checkpoints.model import Array, Model
from awq_conformance.making.core import expected
from awq_conformance.making.record import Files, Record, record, sha256
from awqformat import Contents, QuantizedTensor, dialects

FLAG: Final = "checkpoint"
SHARED: Final = "checkpoint.expected"
RECIPE: Final = "checkpoint"


def cases() -> Iterator[tuple[Record, Files]]:
    """Yield the record and the files of each case."""
    made: dict[str, Files] = {}
    for case in accept.CASES:
        entry, made[case.id] = valid(case, case.id, f"awqformat/checkpoint/{case.name}")
        yield entry, made[case.id]
    for fault in faults.CASES:
        twin = f"{fault.kind.profile}/{fault.twin}"
        yield malformed(fault, fault.id, twin, made[twin])


def valid(case: accept.Accept, case_id: str, seed: str, recipe: str = RECIPE) -> tuple[Record, Files]:
    """Return the record and the files of a checkpoint that must be read."""
    model = case.make(seed)
    outputs, expect = _shared(*expected(case_id, Contents(dict(model.layers))))
    files = {f"{case_id}/{name}": data for name, data in written(case.kind, model).items()} | outputs
    return record(case_id, case.title, files, profile=case.kind.profile, outcome="accept", recipe=recipe, seed=seed,
                  expect=expect, req=case.requirements, flags=(FLAG,), level=case.level, refs=case.refs,
                  comment=case.comment, folder=case_id), files  # fmt: skip


def malformed(fault: Fault, case_id: str, twin: str, twin_files: Files, recipe: str = RECIPE) -> tuple[Record, Files]:
    """Return the record and the files of a checkpoint that must be refused, made from those of its twin.

    Raises KeyError or ValueError where the twin has nothing that the fault could change.
    """
    own = {path.removeprefix(f"{twin}/"): data for path, data in twin_files.items() if path.startswith(f"{twin}/")}
    if fault.file.endswith(".safetensors") and fault.file not in own and INDEX in own:
        raise ValueError("an index tells which shards there are")
    old = own.get(fault.file, b"")
    own[fault.file] = new = fault.change(old)
    mutation = {"what": fault.title, "edits": [_edit(fault.file, old, new)], "refreshed": True}
    files = {f"{case_id}/{name}": data for name, data in own.items()}
    return record(case_id, fault.title, files, profile=fault.kind.profile, outcome="reject", recipe=recipe, seed="",
                  twin=twin, mutation=mutation, codes=[fault.code], req=(fault.rule,), flags=(FLAG,),
                  level=fault.level, refs=fault.refs, comment=fault.comment, folder=case_id), files  # fmt: skip


def large() -> Iterator[tuple[Record, Files]]:
    """Yield nothing: no checkpoint is too large to commit."""
    return iter(())


def written(kind: Kind, model: Model) -> Files:
    """Return the files of a checkpoint."""
    tensors: dict[str, Array] = dict(model.plain)
    for name, layer in model.layers.items():
        parts = _parts(kind, layer)
        tensors |= {
            f"{name}.{model.renamed.get(role, role)}": part for role, part in parts.items() if role not in model.without
        }
    first = next(iter(model.layers.values()))
    asks = kind.asks(model.group_size or first.group_size, symmetric=first.symmetric) | dict(model.asks)
    return files_of(model, tensors, {key: value for key, value in asks.items() if value is not None})


def _parts(kind: Kind, layer: QuantizedTensor) -> dict[str, Array]:
    """Return the tensors of a layer by role; those of experts have a dimension more in front."""
    dialect = dialects.DIALECTS[kind.dialect]
    if len(layer.shape) == 2:
        return dialects.encode(dialect, layer, kind.form)
    zeros = layer.packed_zero_points
    experts = [
        QuantizedTensor(layer.packed_codes[e], layer.scales[e], None if zeros is None else zeros[e])
        for e in range(layer.shape[0])
    ]
    encoded = [dialects.encode(dialect, expert, kind.form) for expert in experts]
    return {role: np.stack([parts[role] for parts in encoded]) for role in encoded[0]}


def _shared(outputs: Files, expect: list[dict[str, Any]]) -> tuple[Files, list[dict[str, Any]]]:
    """Put outputs where equal ones of other cases are: every profile has the same weights in another layout."""
    folder = f"{SHARED}/{sha256(b''.join(outputs.values()))[:16]}"
    places = {path: f"{folder}/{path.rpartition('/')[2]}" for path in outputs}
    entries = [
        {**entry, "outputs": {what: places[path] for what, path in entry["outputs"].items()}} for entry in expect
    ]
    return {places[path]: data for path, data in outputs.items()}, entries


def _edit(file: str, old: bytes, new: bytes) -> dict[str, Any]:
    """Return the bytes that differ: what is between the longest common start and the longest common end."""
    start = next((i for i, (a, b) in enumerate(zip(old, new, strict=False)) if a != b), min(len(old), len(new)))
    most = min(len(old), len(new)) - start
    end = next((i for i in range(most) if old[-1 - i] != new[-1 - i]), most)
    return {
        "file": file,
        "offset": start,
        "old": old[start : len(old) - end].hex(),
        "new": new[start : len(new) - end].hex(),
    }
