"""Profiles of checkpoint directories: valid ones with their exact values, malformed ones with their one fault."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from awq_conformance.making.checkpoints import accept, faults
from awq_conformance.making.checkpoints.dialects import Kind
from awq_conformance.making.checkpoints.folder import files_of
from awq_conformance.making.checkpoints.model import Array, Model
from awq_conformance.making.core import expected
from awq_conformance.making.record import Files, Record, record, sha256
from awqformat import Contents, dialects

FLAG: Final = "checkpoint"
SHARED: Final = "checkpoint.expected"


def cases() -> Iterator[tuple[Record, Files]]:
    """Yield the record and the files of each case."""
    inputs: dict[str, Files] = {}
    for case in accept.CASES:
        seed = f"awqformat/checkpoint/{case.name}"
        model = case.make(seed)
        inputs[case.id] = own = _written(case.kind, model)
        outputs, expect = _shared(*expected(case.id, Contents(dict(model.layers))))
        files = _placed(case.id, own) | outputs
        yield record(case.id, case.title, files, profile=case.kind.profile, outcome="accept", recipe="checkpoint",
                     seed=seed, expect=expect, req=case.requirements, flags=(FLAG,), level=case.level, refs=case.refs,
                     comment=case.comment, folder=case.id), files  # fmt: skip
    for fault in faults.CASES:
        twin = f"{fault.kind.profile}/{fault.twin}"
        own = dict(inputs[twin])
        own[fault.file] = fault.change(own[fault.file])
        mutation = {
            "what": fault.title,
            "edits": [_edit(fault.file, inputs[twin][fault.file], own[fault.file])],
            "refreshed": True,
        }
        files = _placed(fault.id, own)
        yield record(fault.id, fault.title, files, profile=fault.kind.profile, outcome="reject",
                     recipe="checkpoint", seed="", twin=twin, mutation=mutation, codes=[fault.code], req=(fault.rule,),
                     flags=(FLAG,), level=fault.level, refs=fault.refs, comment=fault.comment,
                     folder=fault.id), files  # fmt: skip


def large() -> Iterator[tuple[Record, Files]]:
    """Yield nothing: no checkpoint is too large to commit."""
    return iter(())


def _written(kind: Kind, model: Model) -> Files:
    """Return the files of a checkpoint."""
    tensors: dict[str, Array] = dict(model.plain)
    for name, layer in model.layers.items():
        parts = dialects.encode(dialects.DIALECTS[kind.dialect], layer, kind.form)
        tensors |= {
            f"{name}.{model.renamed.get(role, role)}": part for role, part in parts.items() if role not in model.without
        }
    first = next(iter(model.layers.values()))
    asks = kind.asks(model.group_size or first.group_size, symmetric=first.symmetric) | dict(model.asks)
    return files_of(model, tensors, {key: value for key, value in asks.items() if value is not None})


def _shared(outputs: Files, expect: list[dict[str, Any]]) -> tuple[Files, list[dict[str, Any]]]:
    """Put outputs where equal ones of other cases are: every profile has the same weights in another layout."""
    folder = f"{SHARED}/{sha256(b''.join(outputs.values()))[:16]}"
    places = {path: f"{folder}/{path.rpartition('/')[2]}" for path in outputs}
    entries = [
        {**entry, "outputs": {what: places[path] for what, path in entry["outputs"].items()}} for entry in expect
    ]
    return {places[path]: data for path, data in outputs.items()}, entries


def _placed(folder: str, files: Files) -> Files:
    return {f"{folder}/{name}": data for name, data in files.items()}


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
