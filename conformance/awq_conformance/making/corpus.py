"""The whole corpus as files: recipes in, inputs, expected outputs and manifest out."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import numpy as np

from awq_conformance.making import derived, faults, flags, large, valid
from awq_conformance.making.editor import Editor
from awqformat import Contents, QuantizedTensor, reference, write
from awqformat.dtypes import scale_bits
from awqformat.schema import SectionType

VERSION: Final = "0.1.0"
MANIFEST: Final = "manifest.json"
COMMITTED_MAX: Final = 256 << 10
"""A case with a larger file is not committed but made when it is needed."""

Files = dict[str, bytes]


def generate() -> Files:
    """Return every file of the corpus that is committed, path -> bytes, the manifest included."""
    files: Files = {}
    records = []
    for record, own in _cases((*valid.CASES, *derived.CASES, *large.VALID), (*faults.CASES, *large.FAULTS)):
        records.append(record)
        files |= {} if record["made"] else own
    files[MANIFEST] = _manifest(sorted(records, key=lambda record: str(record["id"])))
    return files


def generate_large() -> Files:
    """Return the files of the cases that are too large to commit, path -> bytes; the manifest pins them too."""
    return {path: data for record, own in _cases(large.VALID, large.FAULTS) for path, data in own.items()}


def _cases(accept: Iterable[valid.Accept], reject: Iterable[faults.Fault]) -> Iterator[tuple[dict[str, Any], Files]]:
    """Yield the record and the files of each case; faults are made from the accept cases before them."""
    inputs: dict[str, bytes] = {}
    for case in accept:
        seed = f"awqformat/{case.id}"
        contents = case.make(seed)
        inputs[case.id] = data = _written(contents)
        outputs, expect = _expected(case.id, contents)
        own = {f"{case.id}.awq": data, **outputs}
        overflows = any(entry.get("overflow_f16") for entry in expect)
        found = dict.fromkeys((*case.flags, *flags.of_contents(contents, overflows=overflows)))
        yield _case(case.id, case.title, own, outcome="accept", recipe="accept", seed=seed, expect=expect,
                    req=case.req, flags=found, refs=case.refs, comment=case.comment), own  # fmt: skip
    for fault in reject:
        for record, data in _faulty(fault, inputs[fault.twin]):
            own = {f"{record['case_id']}.awq": data}
            yield _case(**record, own=own), own


def _manifest(cases: list[dict[str, Any]]) -> bytes:
    """Return the manifest, one case a line, so that a difference in version control names its case."""
    lines = ",\n".join(json.dumps(case, ensure_ascii=False) for case in cases)
    head = json.dumps({"suite": "awqformat", "version": VERSION, "profile": "core"})[:-1]
    keys = ("bug_type", "effect", "description")
    kinds = ",\n".join(
        f"{json.dumps(name)}: {json.dumps(dict(zip(keys, words, strict=True)))}" for name, words in flags.FLAGS.items()
    )
    return f'{head}, "flags": {{\n{kinds}\n}}, "cases": [\n{lines}\n]}}\n'.encode()


def install(files: Files, folder: Path, *, write: bool) -> list[str]:
    """Make ``folder`` hold exactly ``files``, its README apart, and return what was different.

    Args:
        files: path -> bytes, as :func:`generate` returns them.
        folder: the corpus folder.
        write: whether to write; otherwise only say what differs.
    """
    found = {place.relative_to(folder).as_posix(): place for place in folder.rglob("*") if place.is_file()}
    found.pop("README.md", None)
    missing = [path for path in files if path not in found]
    stale = [path for path in files if path in found and found[path].read_bytes() != files[path]]
    extra = sorted(set(found) - set(files))
    if write:
        for path in (*missing, *stale):
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(files[path])
        for path in extra:
            found[path].unlink()
    return [
        *(f"missing {path}" for path in missing),
        *(f"stale {path}" for path in stale),
        *(f"extra {p}" for p in extra),
    ]


def _written(contents: Contents) -> bytes:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "input.awq"
        write(contents, path)
        return path.read_bytes()


def _case(case_id: str, title: str, own: Files, *, outcome: str, recipe: str, seed: str, **more: Any) -> dict[str, Any]:
    return {
        "id": case_id,
        "title": title,
        "req": list(more["req"]),
        "level": "MUST",
        "profile": "core",
        "outcome": outcome,
        "twin": more.get("twin"),
        "mutation": more.get("mutation"),
        "codes": more.get("codes", []),
        "flags": list(more.get("flags", ())),
        "since": VERSION,
        "recipe": recipe,
        "seed": seed,
        "made": any(len(data) > COMMITTED_MAX for data in own.values()),
        "files": [{"path": path, "sha256": _sha256(data), "bytes": len(data)} for path, data in own.items()],
        "expect": more.get("expect", []),
        "refs": list(more.get("refs", ())),
        "comment": more.get("comment", ""),
    }


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _expected(case: str, contents: Contents) -> tuple[Files, list[dict[str, Any]]]:
    """Return what a perfect adapter writes for ``contents``, and the manifest's account of it."""
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
        entry |= {"shape": list(tensor.shape), "sha256": _sha256(files[paths[judged]]), "outputs": paths}
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


def _faulty(fault: faults.Fault, twin: bytes) -> Iterator[tuple[dict[str, Any], bytes]]:
    """Yield the record and the bytes of each variant of a fault."""
    variants = [(fault.id, fault.title, fault.refresh, fault.code, fault.req)]
    if fault.stale:
        stale = (_first_digest(fault, twin),)
        variants.append((f"{fault.id}-stale", f"{fault.title}; no digest refreshed", False, "E_DIGEST", stale))
    for case, title, refresh, code, req in variants:
        editor = Editor(twin)
        fault.edit(editor)
        if refresh:
            editor.refresh()
        data = bytes(editor.data)
        edits = [{"offset": at, "old": old.hex(), "new": new.hex()} for at, old, new in editor.edits]
        record = {
            "case_id": case,
            "title": title,
            "outcome": "reject",
            "recipe": "reject",
            "seed": "",
            "twin": fault.twin,
            "mutation": {"what": fault.title, "edits": edits, "refreshed": refresh},
            "codes": [code],
            "req": req,
            "flags": flags.of_fault(fault, code),
            "refs": fault.refs,
        }
        yield record, data


def _first_digest(fault: faults.Fault, twin: bytes) -> str:
    """Return the rule that a fault breaks while no digest is refreshed: of the first digest that covers an edit."""
    editor = Editor(twin)
    fault.edit(editor)
    first = min(at for at, _, _ in editor.edits)
    original = Editor(twin)
    if first < original.tail()[1]:
        return "AWQ-CON-018"
    return "AWQ-CON-041" if first < original.offset(SectionType.DATA) else "AWQ-CON-069"
