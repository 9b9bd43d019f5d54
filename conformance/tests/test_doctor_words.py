"""The words of hello, one by one: all that is wrong with them is told, and what is right is kept."""

from __future__ import annotations

import pytest

from awq_conformance.doctor.words import read
from awq_conformance.protocol import Hello, HelloError, parse_hello

GOOD = "proto=1 name=cat version=2 ops=serve,dequant dtypes=f32 layouts=nk,kn align=8,32 policy.nan=keep"


@pytest.mark.parametrize("text", [GOOD, GOOD + "\n", "proto=1", "proto=1 ops=hello,dequant,matmul"])
def test_good_words_are_kept(text: str) -> None:
    """Nothing is said about them, and they mean what they mean in a run."""
    assert read(text.encode()) == (parse_hello(text), [])


@pytest.mark.parametrize(
    ("data", "got", "remedy"),
    [
        (b"\xff\xfep\x00r\x00o\x00t\x00o\x00=\x001\x00", "not UTF-8", "Write the words as UTF-8"),
        (b"\xef\xbb\xbfproto=1", "a byte order mark in front", "UTF-8 without it"),
        (b"proto=1\r\n", "a carriage return", "no Windows line end"),
        (b"proto=1\nname=cat\n", "2 lines", "on one line"),
        (b"proto=1\n\n", "2 lines", "on one line"),
        (b"", "an empty line", "proto=1 is always there"),
        (b'{"proto": 1}', "JSON", "one line of words key=value"),
        (b"proto=1  name=cat", "other spaces than single ones", "One space between two words"),
        (b" proto=1", "other spaces than single ones", "none before"),
        (b"proto=1\tname=cat", "other spaces than single ones", "One space"),
        (b"name=cat", "no word proto=", "the first word is proto=1"),
        (b"proto=2", "proto is 2, expected 1", "This suite speaks awqc/1"),
        (b"proto=1 dtypes=float32", "names 'float32'", "f16, bf16, f32 and f64"),
        (b"proto=1 layouts=NK", "names 'NK'", "nk, [.., N, K], and kn"),
        (b"proto=1 ops=unpack", "ops=unpack lacks dequant", "ops=dequant,unpack"),
        (b"proto=1 ops=dequant,,plain", "names ''", "with commas and without spaces"),
        (b"proto=1 align=8", "align=8 is not N,K", "N, out_features, and K, in_features"),
        (b"proto=1 align=512,8", "outside 1..256", "N, out_features"),
        (b"proto=1 my loader", "'my' is not key=value", "Each word is key=value"),
        (b"proto=1 name=cat name=dog", "name twice", "Give name once"),
        (b"proto=1 name=\x1b[2J", "is not key=value", "key=value"),
    ],
)
def test_each_slip_is_named(data: bytes, got: str, remedy: str) -> None:
    """Among all that is told is this, with what to do; a run would refuse such a hello."""
    slips = [slip for slip in read(data)[1] if not slip.harmless]
    assert any(got in slip.got and remedy in slip.remedy for slip in slips), slips
    with pytest.raises((HelloError, UnicodeDecodeError)):
        parse_hello(data.decode())


@pytest.mark.parametrize(
    ("text", "got", "remedy"),
    [
        ("proto=1 dtype=f32", "dtype=, which is ignored", "Is dtypes= meant?"),
        ("proto=1 ops=dequant,unpak", "operation unpak", "Is unpack meant?"),
        ("proto=1 ops=dequant,w8a8", "operation w8a8", "Operations are dequant, unpack"),
    ],
)
def test_what_is_ignored_may_be_a_slip(text: str, got: str, remedy: str) -> None:
    """It costs nothing, but is hardly what was meant."""
    hello, slips = read(text.encode())
    assert [(slip.harmless, got in slip.got, remedy in slip.remedy) for slip in slips] == [(True, True, True)]
    assert hello == parse_hello(text)


def test_all_slips_are_told_and_the_rest_is_kept() -> None:
    """One wrong word hides neither the next nor what is right."""
    hello, slips = read(b"proto=3 name=cat dtypes=half layouts=nk align=x ops=serve,dequant")
    assert [slip.got.split("=")[0].split(" ")[0] for slip in slips] == ["proto", "dtypes", "align"]
    assert (hello.name, hello.ops, hello.layouts) == ("cat", ("serve", "dequant"), ("nk",))
    assert (hello.dtypes, hello.align) == (Hello().dtypes, Hello().align)
