"""Errors are data, and one line."""

from __future__ import annotations

import copy
import pickle

import pytest
from hypothesis import given

from awqformat import AwqError
from awqformat.errors import CHECKPOINT_CODES, CODES
from awqformat.tests import strategies

FULL = AwqError("E_SIZE", "fc.weight", "extent_size", offset=568, expected=192, got=191)


@pytest.mark.req("AWQ-CON-089")
@pytest.mark.parametrize(
    ("error", "line"),
    [
        (FULL, "E_SIZE fc.weight: extent_size, at byte 568, expected 192, got 191"),
        (AwqError("E_MAGIC", "header", "magic", offset=0), "E_MAGIC header: magic, at byte 0"),
        (AwqError("E_SECTION", "DATA", "presence", expected="present"), "E_SECTION DATA: presence, expected present"),
        (AwqError("E_VALUE", "w", "scale 0", got=0), "E_VALUE w: scale 0, got 0"),
    ],
)
def test_one_line_says_what_is_known(error: AwqError, line: str) -> None:
    """Code, place, byte offset, expected and got, and nothing for what is not known."""
    assert str(error) == line


@pytest.mark.parametrize("text", ["a\nb", "a\r\nb", "\x1b[31mred", "\x00", "\u202egnp", "\u2028", "\udc80", "é"])
def test_hostile_text_is_escaped(text: str) -> None:
    """No name or value breaks the line, moves the cursor or turns the text around."""
    line = str(AwqError("E_NAME", text, text, expected=text, got=text))
    assert line.isascii()
    assert line.isprintable()


@pytest.mark.req("AWQ-CON-089")
@given(strategies.texts(), strategies.texts())
def test_any_text_gives_one_printable_line(where: str, got: str) -> None:
    """Whatever a file holds, the message is one line of printable ASCII."""
    line = str(AwqError("E_META", where, "text", got=got))
    assert line.isascii()
    assert line.isprintable()


def test_unknown_codes_do_not_exist() -> None:
    """The list of codes is closed."""
    with pytest.raises(KeyError, match="E_OTHER"):
        AwqError("E_OTHER", "file", "field")


def test_the_list_of_codes() -> None:
    """The codes are those of the specification, each with its meaning; those of checkpoints are a list of their own."""
    names = (
        "FILE IO TRUNCATED MAGIC VERSION FEATURE TRAILING DIGEST ALIGN RESERVED SECTION LAYOUT BOUNDS COUNT LIMIT "
        "PADDING NAME NAME_ORDER ENUM RECORD DIMS OVERFLOW GROUP SIZE META VALUE CRYPT KEY AUTH"
    )
    assert list(CODES) == [*(f"E_{name}" for name in names.split()), "UNSUPPORTED"]
    assert all(CODES.values())
    assert list(CHECKPOINT_CODES) == ["E_CONFIG", "E_SHARD", "E_DIALECT", "E_LOSSY"]
    assert all(CHECKPOINT_CODES.values())


@pytest.mark.parametrize("again", [copy.copy, lambda error: pickle.loads(pickle.dumps(error))], ids=["copy", "pickle"])
def test_errors_travel_between_processes(again: type) -> None:
    """A copied or pickled error says the same."""
    twin = again(FULL)
    assert str(twin) == str(FULL)
    assert vars(twin) == vars(FULL)
