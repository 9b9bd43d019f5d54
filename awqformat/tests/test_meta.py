"""META: the one canonical text."""

from __future__ import annotations

import json
import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from awqformat import AwqError
from awqformat.container.meta import check, decode, encode
from awqformat.tests import strategies

CANONICAL = [
    ({"": ""}, b'{"":""}'),
    ({"k": "v"}, b'{"k":"v"}'),
    ({"b": "1", "a": "2", "A": "3", "ab": "4"}, b'{"A":"3","a":"2","ab":"4","b":"1"}'),
    ({"k": '"\\/'}, rb'{"k":"\"\\/"}'),
    ({"k": "\b\t\n\f\r"}, rb'{"k":"\b\t\n\f\r"}'),
    ({"k": "\0\x01\v\x1f"}, rb'{"k":"\u0000\u0001\u000b\u001f"}'),
    ({"k": "\x7f\u2028\uffff"}, b'{"k":"\x7f\xe2\x80\xa8\xef\xbf\xbf"}'),
    ({"é": "\U0001f600"}, b'{"\xc3\xa9":"\xf0\x9f\x98\x80"}'),
    # In UTF-16 order D800 DC00 comes before E000 and FFFD, although U+10000 is the larger number.
    ({"\ue000": "", "\ufffd": "", "\U00010000": ""}, '{"\U00010000":"","\ue000":"","\ufffd":""}'.encode()),
]

OTHERS = {
    "empty object": b"{}",
    "nothing": b"",
    "array": b'["k"]',
    "string": b'"k"',
    "number": b'{"k":1}',
    "float": b'{"k":1.5}',
    "NaN": b'{"k":NaN}',
    "null": b'{"k":null}',
    "nested object": b'{"k":{"a":"b"}}',
    "nested array": b'{"k":["a"]}',
    "deeply nested": b"[" * 100_000,
    "huge number": b'{"k":' + b"1" * 5000 + b"}",
    "space": b'{"k": "v"}',
    "newline at the end": b'{"k":"v"}\n',
    "bytes at the end": b'{"k":"v"}{}',
    "cut": b'{"k":"v"',
    "trailing comma": b'{"k":"v",}',
    "single quotes": b"{'k':'v'}",
    "not sorted": b'{"b":"","a":""}',
    "sorted by code point": '{"\ufffd":"","\U00010000":""}'.encode(),
    "duplicate key": b'{"k":"v","k":"v"}',
    "duplicate key after unescaping": rb'{"k":"v","\u006b":"v"}',
    "escaped slash": rb'{"k":"\/"}',
    "escaped letter": rb'{"k":"\u0061"}',
    "upper-case escape": rb'{"k":"\u000B"}',
    "long escape of newline": rb'{"k":"\u000a"}',
    "escaped DEL": rb'{"k":"\u007f"}',
    "raw control character": b'{"k":"\n"}',
    "lone surrogate": rb'{"k":"\ud800"}',
    "escaped pair": rb'{"k":"\ud83d\ude00"}',
    "surrogate in UTF-8": b'{"k":"\xed\xa0\x80"}',
    "overlong UTF-8": b'{"k":"\xc0\xaf"}',
    "beyond Unicode": b'{"k":"\xf4\x90\x80\x80"}',
    "invalid UTF-8": b'{"k":"\xff"}',
    "byte order mark": b'\xef\xbb\xbf{"k":"v"}',
    "UTF-16": '{"k":"v"}'.encode("utf-16"),
}


@pytest.mark.parametrize(("entries", "text"), CANONICAL, ids=lambda value: repr(value)[:30])
def test_one_text_for_one_meaning(entries: dict[str, str], text: bytes) -> None:
    """Entries have one text, and that text has those entries."""
    assert encode(entries) == text
    assert decode(text, 0) == entries


@pytest.mark.parametrize("name", OTHERS)
def test_every_other_text_is_refused(name: str) -> None:
    """What is not canonical is E_META, at a byte of the section, in one short line."""
    with pytest.raises(AwqError) as caught:
        decode(OTHERS[name], 1000)
    assert (caught.value.code, caught.value.where) == ("E_META", "META")
    assert caught.value.offset is not None
    assert 1000 <= caught.value.offset <= 1000 + len(OTHERS[name])
    assert len(str(caught.value)) < 300


def test_the_first_wrong_byte_is_named() -> None:
    """The offset is that of the byte, or of the key, that no canonical text has there."""
    with pytest.raises(AwqError, match=r"E_META META: text, at byte 1004, expected .* got "):
        decode(b'{"k" :"v"}', 1000)
    with pytest.raises(AwqError, match=r"at byte 1008"):
        decode(b'{"b":"","a":""}', 1000)


def test_a_long_value_does_not_fill_the_message() -> None:
    """The message stays short whatever the file holds."""
    with pytest.raises(AwqError) as caught:
        decode(b'{"k":["' + b"x" * 100_000 + b'"]}', 0)
    assert len(str(caught.value)) < 300


@given(strategies.metadata().filter(bool))
def test_decoding_undoes_encoding(entries: dict[str, str]) -> None:
    """Any Unicode but surrogates survives."""
    assert decode(encode(entries), 0) == entries


@given(strategies.metadata().filter(bool))
def test_the_order_of_insertion_does_not_show(entries: dict[str, str]) -> None:
    """The text depends on the entries alone."""
    assert encode(dict(reversed(entries.items()))) == encode(entries)


@pytest.mark.parametrize("entries", [{"k": 1}, {1: "v"}, {"k": b"v"}, {"k": None}, {"\ud800": "v"}, {"k": "\udfff"}])
def test_what_has_no_text_is_refused(entries: Any) -> None:
    """Keys and values are strings that UTF-8 can hold."""
    with pytest.raises(AwqError, match=r"^E_META META: "):
        encode(entries)


@pytest.mark.req("AWQ-CON-080")
@pytest.mark.parametrize("unit", ['"a', "\\n", "é", "\U0001f600", "plain text "])
def test_checking_takes_memory_for_one_key(unit: str) -> None:
    """The largest META is checked within a fraction of its own size, whatever is in it."""
    text = encode({"k": (unit * (2**20))[: (2**20 - 100) // (2 * len(unit.encode()))]})
    tracemalloc.start()
    check(text, 0)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**20


@given(strategies.metadata(), st.integers(0), st.binary(max_size=3), st.integers(0, 3))
def test_a_text_is_canonical_exactly_when_writing_it_again_gives_it(
    entries: dict[str, str], at: int, new: bytes, size: int
) -> None:
    """The grammar accepts what parsing and writing again leaves unchanged, and nothing else."""
    text = encode(entries or {"k": "v"})
    at %= len(text) + 1
    text = text[:at] + new + text[at + size :]
    try:
        parsed = json.loads(text.decode("utf-8"))
        canonical = isinstance(parsed, dict) and bool(parsed) and encode(parsed) == text
    except (ValueError, RecursionError, AwqError):
        canonical = False
    try:
        check(text, 0)
    except AwqError:
        assert not canonical
    else:
        assert canonical
