"""The whole corpus as files: recipes of every profile in, inputs, expected outputs and manifest out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from awq_conformance.making import checkpoints, core, flags
from awq_conformance.making.record import VERSION, Files

MANIFEST: Final = "manifest.json"
PROFILES: Final = (core, checkpoints)
"""One module for each kind of input: ``cases()`` yields the record and the files of each case, ``large()`` of large
ones."""


def generate() -> Files:
    """Return every file of the corpus that is committed, path -> bytes, the manifest included."""
    files: Files = {}
    records = []
    for profile in PROFILES:
        for record, own in profile.cases():
            records.append(record)
            files |= {} if record["made"] else own
    files[MANIFEST] = _manifest(sorted(records, key=lambda record: str(record["id"])))
    return files


def generate_large() -> Files:
    """Return the files of the cases that are too large to commit, path -> bytes; the manifest pins them too."""
    return {path: data for profile in PROFILES for _, own in profile.large() for path, data in own.items()}


def _manifest(cases: list[dict[str, Any]]) -> bytes:
    """Return the manifest, one case a line, so that a difference in version control names its case."""
    lines = ",\n".join(json.dumps(case, ensure_ascii=False) for case in cases)
    head = json.dumps({"suite": "awqformat", "version": VERSION})[:-1]
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
