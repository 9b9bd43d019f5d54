"""The words of hello."""

from __future__ import annotations

import pytest

from awq_conformance.protocol import Hello, HelloError, parse_hello


def test_hello_in_full() -> None:
    """Every word has its place; unknown words are kept, not judged."""
    text = (
        "proto=1 name=x version=2 ops=dequant,serve dtypes=bf16 layouts=kn profiles=core,npu align=16,64 policy.a=b\n"
    )
    hello = parse_hello(text)
    assert (hello.name, hello.version, hello.ops) == ("x", "2", ("dequant", "serve"))
    assert (hello.dtypes, hello.layouts, hello.profiles) == (("bf16",), ("kn",), ("core", "npu"))
    assert hello.align == (16, 64)
    assert hello.words["policy.a"] == "b"


def test_words_left_out_have_the_defaults_of_no_hello() -> None:
    """The word proto alone is enough."""
    assert parse_hello("proto=1") == Hello(words={"proto": "1"})


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "'' is not key=value"),
        ("name=x", "proto is missing, expected 1"),
        ("proto=2", "proto is 2, expected 1"),
        ("proto=1  name=x", "'' is not key=value"),
        ("proto=1 name", "'name' is not key=value"),
        ("proto=1 =x", "'=x' is not key=value"),
        ("proto=1 proto=1", "proto is given twice"),
        ("proto=1\nname=x", "is not key=value"),
        ("proto=1 ops=unpack", "ops=unpack lacks dequant"),
        ("proto=1 dtypes=f32,f8", "dtypes=f32,f8 names 'f8', expected some of f16,bf16,f32,f64"),
        ("proto=1 layouts=", "layouts= names ''"),
        ("proto=1 align=8", "align=8 is not N,K"),
        ("proto=1 align=0,8", "align=0,8 is outside 1..256"),
        ("proto=1 align=99999,8", "align=99999,8 is not N,K"),
        ("proto=1 align=-1,8", "align=-1,8 is not N,K"),
    ],
)
def test_bad_words(text: str, told: str) -> None:
    """What is not understood is refused, with the word in question."""
    with pytest.raises(HelloError) as caught:
        parse_hello(text)
    assert told in str(caught.value)
