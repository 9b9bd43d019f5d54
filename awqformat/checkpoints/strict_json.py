"""JSON texts of which nothing is guessed: UTF-8, an object, and no key of it twice."""

from __future__ import annotations

import json
from typing import Any


class Refused(ValueError):  # noqa: N818  # it says why a text is refused
    """A text that is no JSON object, or has a key twice."""


def parse_object(text: str | bytes) -> dict[str, Any]:
    """Return the object that ``text`` is.

    Raises:
        Refused: if it is none, in one line.
    """
    try:
        if isinstance(text, bytes):
            text = text.decode()  # json.loads would take UTF-16 and UTF-32 as well
        value = json.loads(text, object_pairs_hook=_unique)
    except RecursionError:
        raise Refused("nested too deeply") from None
    except ValueError as error:  # JSONDecodeError, UnicodeDecodeError, Refused
        raise Refused(str(error)) from None
    if not isinstance(value, dict):
        raise Refused(f"a JSON {type(value).__name__}, not an object")
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise Refused(f"the key {key!r} twice")
        found[key] = value
    return found
