"""What the manifest says of a case, whatever its profile."""

from __future__ import annotations

import hashlib
from typing import Any, Final

VERSION: Final = "0.1.0"
COMMITTED_MAX: Final = 256 << 10
"""A case with a larger file is not committed but made when it is needed."""

Files = dict[str, bytes]
Record = dict[str, Any]


def record(
    case_id: str, title: str, own: Files, *, profile: str, outcome: str, recipe: str, seed: str, **more: Any
) -> Record:
    """Return the record of a case with files ``own``, path -> bytes, its input first.

    ``more``: req, level, twin, mutation, codes, flags, expect, refs, comment, as the manifest has them; empty
    if absent, level MUST. ``folder`` is the input where that is no file but a folder.
    """
    place = {"folder": more["folder"]} if "folder" in more else {}
    return {
        "id": case_id,
        "title": title,
        "req": list(more["req"]),
        "level": more.get("level", "MUST"),
        "profile": profile,
        "outcome": outcome,
        "twin": more.get("twin"),
        "mutation": more.get("mutation"),
        "codes": more.get("codes", []),
        "flags": list(more.get("flags", ())),
        "since": VERSION,
        "recipe": recipe,
        "seed": seed,
        "made": any(len(data) > COMMITTED_MAX for data in own.values()),
        "files": [{"path": path, "sha256": sha256(data), "bytes": len(data)} for path, data in own.items()],
        "expect": more.get("expect", []),
        "refs": list(more.get("refs", ())),
        "comment": more.get("comment", ""),
        **place,
    }


def sha256(data: bytes) -> str:
    """Return the digest of some bytes, hexadecimal."""
    return hashlib.sha256(data).hexdigest()
