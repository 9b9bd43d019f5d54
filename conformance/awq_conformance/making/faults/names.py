"""Faults of STRINGS and META: stage I where it reads text."""

from __future__ import annotations

from typing import Final

from awq_conformance.making.faults.fault import (
    NORM,
    SYMMETRIC,
    WEIGHT,
    Fault,
    add,
    body,
    both,
    end_of,
    in_record,
    name_of,
    put,
    section,
)
from awqformat.schema import SectionType

_STRINGS: Final = SectionType.STRINGS
_CHARACTERS: Final = {
    "nul": (3, b"\0"),
    "space": (3, b" "),
    "slash": (3, b"/"),
    "backslash": (3, b"\\"),
    "newline": (3, b"\n"),
    "newline-at-the-end": (13, b"\n"),
    "slash-at-the-end": (13, b"/"),
    "escape": (3, b"\x1b"),
    "delete": (3, b"\x7f"),
    "colon": (3, b":"),
    "utf-8": (3, b"\xc3\xa9"),
    "invalid-utf-8": (3, b"\xff"),
    "leading-dot": (0, b"."),
    "leading-dash": (0, b"-"),
    "byte-order-mark": (0, b"\xef\xbb\xbf"),
    "parent-folder": (0, b"../"),
}
_TEXTS: Final = {
    "no-entries": b"{}",
    "unsorted": b'{"b":"1","a":"2"}',
    "code-point-order": '{"\ufb33":"","😀":""}'.encode(),
    "duplicate": b'{"a":"1","a":"1"}',
    "space": b'{"a": "1"}',
    "newline": b'{"a":"1"}\n',
    "number": b'{"a":1}',
    "float": b'{"a":1.5}',
    "nan": b'{"a":NaN}',
    "null": b'{"a":null}',
    "nested": b'{"a":{"b":"c"}}',
    "deep": b"[" * 4096 + b"]" * 4096,
    "array": b'["a","b"]',
    "string": b'"a"',
    "byte-order-mark": b'\xef\xbb\xbf{"a":"1"}',
    "invalid-utf-8": b'{"a":"\xff"}',
    "overlong-utf-8": b'{"a":"\xc1\x81"}',
    "surrogate-utf-8": b'{"a":"\xed\xa0\x80"}',
    "lone-surrogate": b'{"a":"\\ud800"}',
    "surrogate-pair": b'{"a":"\\ud83d\\ude00"}',
    "escaped-letter": b'{"a":"\\u0041"}',
    "escaped-slash": b'{"a":"\\/"}',
    "escaped-tab": b'{"a":"\\u0009"}',
    "upper-hex": b'{"a":"\\u001F"}',
    "raw-control": b'{"a":"\x1f"}',
    "truncated": b'{"a":"1"',
    "trailing-comma": b'{"a":"1",}',
    "trailing-nul": b'{"a":"1"}\0',
}

CASES: Final = (
    *(
        Fault(
            f"container/name-len-{size}",
            f"a name of {size} bytes",
            "E_NAME",
            "AWQ-CON-044",
            in_record(SYMMETRIC, "name_len", size),
            stale=size == 0,
        )
        for size in (0, 256, 65535)
    ),
    Fault(
        "container/name-past-strings",
        "the last name ends one byte past STRINGS",
        "E_NAME",
        "AWQ-CON-046",
        in_record(WEIGHT, "name_len", 15),
    ),
    *(
        Fault(
            f"container/name-{name}",
            f"the second name starts at {start} instead of 15",
            "E_NAME",
            "AWQ-CON-045",
            in_record(NORM, "name_off", start),
            also=("AWQ-CON-006",) if name == "wrap" else (),
        )
        for name, start in {"overlap": 14, "gap": 16, "wrap": 2**32 - 11}.items()
    ),
    Fault(
        "container/strings-left-over",
        "one byte after the last name in STRINGS",
        "E_NAME",
        "AWQ-CON-065",
        both(put(end_of(_STRINGS), b"x"), add(section(_STRINGS), "size", 1)),
    ),
    *(
        Fault(
            f"container/name-{name}",
            f"the last name has an illegal byte: {name.replace('-', ' ')}",
            "E_NAME",
            "AWQ-CON-047",
            put(name_of(WEIGHT, place), new),
            stale=name == "slash",
        )
        for name, (place, new) in _CHARACTERS.items()
    ),
    Fault(
        "container/name-twice",
        "two tensors are named a-",
        "E_NAME_ORDER",
        "AWQ-CON-048",
        put(name_of(7), b"a-"),
        twin="container/names",
        refs=("https://github.com/ggml-org/llama.cpp/issues/6836",),
    ),
    Fault(
        "container/names-descending",
        "the name a. stands before a-",
        "E_NAME_ORDER",
        "AWQ-CON-048",
        put(name_of(6), b"a.a-"),
        twin="container/names",
        stale=True,
    ),
    *(
        Fault(
            f"container/meta-{name}",
            f"META is not canonical: {name.replace('-', ' ')}",
            "E_META",
            "AWQ-CON-068",
            body(SectionType.META, text),
            stale=name == "unsorted",
        )
        for name, text in _TEXTS.items()
    ),
)
