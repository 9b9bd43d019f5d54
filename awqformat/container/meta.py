"""META: canonical JSON of strings to strings (spec: container, "META")."""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Mapping
from typing import Final

from awqformat.errors import AwqError

_PIECE: Final = 1 << 16  # bytes of text decoded at a time
_PLAIN: Final = re.compile(rb'[^"\\\x00-\x1f]*')
_ESCAPE: Final = re.compile(rb'\\(?:["\\bfnrt]|u00(?:0[0-7bef]|1[0-9a-f]))')


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


def check(text: bytes, offset: int) -> None:
    """Refuse a text that is not canonical, holding no more of it than one key at a time.

    The canonical texts of strings to strings are a small grammar, so nothing has to be built to know one.

    Args:
        text: the bytes of META.
        offset: where they lie in the file.

    Raises:
        AwqError: E_META, at the first byte that no canonical text has there.
    """

    def fault(at: int, expected: str) -> AwqError:
        got = repr(text[at : at + 16]) if at < len(text) else "the end"
        return AwqError("E_META", "META", "text", offset=offset + at, expected=expected, got=got)

    def literal(at: int, wanted: bytes) -> int:
        if not text.startswith(wanted, at):
            raise fault(at, repr(wanted.decode()))
        return at + len(wanted)

    def string(at: int) -> int:
        at = literal(at, b'"')
        while True:
            at = _PLAIN.match(text, at).end()  # type: ignore[union-attr]  # it matches nothing at least
            if text.startswith(b'"', at):
                return at + 1
            escape = _ESCAPE.match(text, at)
            if escape is None:
                raise fault(at, "a canonical escape or the end of the string")
            at = escape.end()

    decoder = codecs.getincrementaldecoder("utf-8")()
    start = 0
    try:
        for start in range(0, len(text) + 1, _PIECE):
            decoder.decode(text[start : start + _PIECE], final=start + _PIECE > len(text))
    except UnicodeDecodeError as error:
        raise fault(start + error.start, "UTF-8") from None
    at, before = literal(0, b"{"), b""
    while True:
        end = string(at)
        key = json.loads(text[at:end]).encode("utf-16-be")
        if at > 1 and key <= before:
            raise fault(at, "a key above the one before, by UTF-16 code units")
        at, before = string(literal(end, b":")), key
        if not text.startswith(b",", at):
            break
        at += 1
    if literal(at, b"}") != len(text):
        raise fault(at + 1, "the end")


def decode(text: bytes, offset: int) -> dict[str, str]:
    """Return the entries of ``text``, which lies at ``offset`` in the file.

    Raises:
        AwqError: E_META unless ``text`` is exactly what :func:`encode` makes of at least one entry.
    """
    check(text, offset)
    entries: dict[str, str] = json.loads(text)
    return entries
