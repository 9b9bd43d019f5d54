"""Profile ``core``: .awq files, valid ones with their exact values and malformed ones with their one fault."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import numpy as np

from awq_conformance.making import derived, faults, flags, valid
from awq_conformance.making import large as huge
from awq_conformance.making.editor import Editor
from awq_conformance.making.record import Files, Record, record, sha256
from awqformat import Contents, QuantizedTensor, reference, write
from awqformat.dtypes import scale_bits
from awqformat.schema import SectionType

PROFILE: Final = "core"


def cases() -> Iterator[tuple[Record, Files]]:
    """Yield the record and the files of each case."""
    return _cases((*valid.CASES, *derived.CASES, *huge.VALID), (*faults.CASES, *huge.FAULTS))


def large() -> Iterator[tuple[Record, Files]]:
    """Yield the record and the files of each case that is too large to commit."""
    return _cases(huge.VALID, huge.FAULTS)


def _cases(accept: Iterable[valid.Accept], reject: Iterable[faults.Fault]) -> Iterator[tuple[Record, Files]]:
    """Yield all cases; faults are made from the accept cases before them."""
    inputs: dict[str, bytes] = {}
    for case in accept:
        entry, own = valid_file(case, f"awqformat/{case.id}")
        inputs[case.id] = own[f"{case.id}.awq"]
        yield entry, own
    for fault in reject:
        yield malformed_file(fault, fault.id, fault.twin, inputs[fault.twin])
        if fault.stale:
            yield malformed_file(fault, f"{fault.id}-stale", fault.twin, inputs[fault.twin], stale=True)


def valid_file(case: valid.Accept, seed: str, recipe: str = "accept") -> tuple[Record, Files]:
    """Return the record and the files of a case that must be read."""
    contents = case.make(seed)
    outputs, expect = expected(case.id, contents)
    own = {f"{case.id}.awq": _written(contents), **outputs}
    overflows = any(entry.get("overflow_f16") for entry in expect)
    found = dict.fromkeys((*case.flags, *flags.of_contents(contents, overflows=overflows)))
    return record(case.id, case.title, own, profile=PROFILE, outcome="accept", recipe=recipe, seed=seed,
                  expect=expect, req=case.req, flags=found, refs=case.refs, comment=case.comment), own  # fmt: skip


def malformed_file(
    fault: faults.Fault, case_id: str, twin: str, data: bytes, *, stale: bool = False, recipe: str = "reject"
) -> tuple[Record, Files]:
    """Return the record and the files of a case that must be refused, made from its twin, which holds ``data``.

    ``stale``: no digest is recomputed, and that is found first.
    """
    editor = Editor(data)
    fault.edit(editor)
    refresh = fault.refresh and not stale
    if refresh:
        editor.refresh()
    own = {f"{case_id}.awq": bytes(editor.data)}
    edits = [{"offset": at, "old": old.hex(), "new": new.hex()} for at, old, new in editor.edits]
    mutation = {"what": fault.title, "edits": edits, "refreshed": refresh}
    title = f"{fault.title}; no digest refreshed" if stale else fault.title
    code, req = ("E_DIGEST", (_first_digest(fault, data),)) if stale else (fault.code, fault.req)
    found = flags.of_fault(fault, code, bytes(editor.data))
    return record(case_id, title, own, profile=PROFILE, outcome="reject", recipe=recipe, seed="", twin=twin,
                  mutation=mutation, codes=[code], req=req, flags=found, refs=fault.refs,
                  comment=fault.comment), own  # fmt: skip


def _written(contents: Contents) -> bytes:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "input.awq"
        write(contents, path)
        return path.read_bytes()


def expected(case: str, contents: Contents) -> tuple[Files, list[dict[str, Any]]]:
    """Return what a perfect adapter writes for ``contents``, and the manifest's account of it, tensor by tensor.

    The files lie in ``case``.expected.
    """
    files: Files = {}
    expect = []
    for number, name in enumerate(sorted(contents.tensors)):
        tensor = contents.tensors[name]
        entry: dict[str, Any] = {"number": number, "name": name}
        if isinstance(tensor, QuantizedTensor):
            arrays, judged = _quantised_outputs(tensor), "W"
            overflow = int(((_oracle(tensor, "F16") & 0x7FFF) == 0x7C00).sum())
            entry |= {"kind": "quantised", "scale_dtype": tensor.scale_dtype.name, "group_size": tensor.group_size}
            entry |= {"overflow_f16": overflow}
        else:
            arrays, judged = {"P": tensor}, "P"
            entry |= {"kind": "plain"}
        paths = {what: f"{case}.expected/{number}.{_suffix(what, array.shape)}" for what, array in arrays.items()}
        files |= {paths[what]: np.ascontiguousarray(array).tobytes() for what, array in arrays.items()}
        entry |= {"shape": list(tensor.shape), "sha256": sha256(files[paths[judged]]), "outputs": paths}
        expect.append(entry)
    return files, expect


def _suffix(what: str, shape: tuple[int, ...]) -> str:
    """Return the rest of the name that the adapter protocol gives an output."""
    if what == "P":
        return "P.bin"
    return f"{what}.nk.{'u8' if what in 'qz' else 'f32'}.{'x'.join(map(str, shape))}.bin"


def _quantised_outputs(tensor: QuantizedTensor) -> dict[str, Any]:
    z = np.full(tensor.scales.shape, 8, np.uint8) if tensor.zero_points is None else tensor.zero_points
    weights = _oracle(tensor, "F32").astype("<u4").reshape(tensor.shape)
    return {"W": weights, "q": tensor.codes, "z": z, "s": tensor.scales.astype("<f4")}


def _oracle(tensor: QuantizedTensor, dtype: str) -> Any:
    """Return the bits of every weight, from the slow oracle and from nothing else; shape (rows, K)."""
    k, groups = tensor.shape[-1], tensor.groups
    z = tensor.zero_points
    return np.array(
        reference.dequantize(
            tensor.codes.reshape(-1, k).tolist(),
            None if z is None else z.reshape(-1, groups).tolist(),
            scale_bits(tensor.scales).reshape(-1, groups).tolist(),
            tensor.scale_dtype.name,
            dtype,
        )
    )


def _first_digest(fault: faults.Fault, twin: bytes) -> str:
    """Return the rule that a fault breaks while no digest is refreshed: of the first digest that covers an edit."""
    editor = Editor(twin)
    fault.edit(editor)
    first = min(at for at, _, _ in editor.edits)
    original = Editor(twin)
    if first < original.tail()[1]:
        return "AWQ-CON-018"
    return "AWQ-CON-041" if first < original.offset(SectionType.DATA) else "AWQ-CON-069"
