"""META: canonical JSON of strings to strings (spec: container, "META")."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from awqformat.errors import AwqError


def encode(entries: Mapping[str, str]) -> bytes:
    """Return the one canonical text (RFC 8785) of ``entries``, in UTF-8.

    Raises:
        AwqError: E_META if a key or value is not a string that UTF-8 can hold.
    """
    for key, value in entries.items():
        if not isinstance(key, str) or not isinstance(value, str):
            raise AwqError("E_META", "META", "entry", expected="str: str",
                           got=f"{type(key).__name__}: {type(value).__name__}")  # fmt: skip
    try:
        ordered = dict(sorted(entries.items(), key=lambda entry: entry[0].encode("utf-16-be")))
        return json.dumps(ordered, ensure_ascii=False, separators=(",", ":")).encode()
    except UnicodeEncodeError as error:
        raise AwqError("E_META", "META", "text", expected="well-formed Unicode", got=error.reason) from None


def decode(text: bytes, offset: int) -> dict[str, str]:
    """Return the entries of ``text``, which lies at ``offset`` in the file.

    Raises:
        AwqError: E_META unless ``text`` is exactly what :func:`encode` makes of at least one entry.
    """
    fault = AwqError("E_META", "META", "text", offset=offset, expected="canonical JSON of strings to strings")
    try:
        entries: Any = json.loads(text.decode("utf-8"))
        canonical = encode(entries) if isinstance(entries, dict) and entries else None
    except (ValueError, RecursionError, AwqError) as error:
        fault.got = error.got if isinstance(error, AwqError) else error
        raise fault from None
    if canonical is None:
        fault.got = "no entries" if entries == {} else type(entries).__name__
        raise fault
    if canonical != text:
        same = next((i for i, (a, b) in enumerate(zip(canonical, text, strict=False)) if a != b), len(canonical))
        raise AwqError("E_META", "META", "text", offset=offset + same,
                       expected=repr(canonical[same : same + 16]), got=repr(text[same : same + 16]))  # fmt: skip
    result: dict[str, str] = entries
    return result
