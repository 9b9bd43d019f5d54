"""A safetensors file is read whole and bit for bit, or refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import safetensors
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save_file as save_safetensors

from awqformat import AwqError
from awqformat.checkpoints.shard import BITS, HEADER_MAX, Stored, read_shard
from awqformat.container.source import Source
from awqformat.tests import strategies


def packed(header: Any, data: bytes = b"") -> bytes:
    """Return a file with this header, which may be any object, or bytes."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


def tensors_of(path: Path) -> dict[str, Stored]:
    """Read a file that stays open no longer than this call."""
    with Source(path, "pread") as source:
        return read_shard(path.name, source)


@given(st.dictionaries(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8),
                       strategies.plain_tensors(), max_size=4).filter(lambda d: "__metadata__" not in d))  # fmt: skip
def test_what_safetensors_writes(scratch: Path, tensors: dict[str, Any]) -> None:
    """Names, dtypes, shapes and bytes come back, whatever they are; only the order is the file's."""
    save_safetensors(tensors, scratch, {"format": "pt"})
    with Source(scratch, "pread") as source:
        found = read_shard("f", source)
        assert found.keys() == tensors.keys()
        for name, stored in found.items():
            assert stored.shape == tensors[name].shape
            assert stored.read().dtype == tensors[name].dtype
            assert bytes(stored.bytes()) == stored.read().tobytes() == tensors[name].tobytes()


@pytest.mark.parametrize("dtype", BITS)
def test_every_dtype_of_safetensors(dtype: str, tmp_path: Path) -> None:
    """The sizes are those of the library, which refuses any other."""
    size = 8 * BITS[dtype] // 8
    (tmp_path / "f").write_bytes(packed({"w": {"dtype": dtype, "shape": [8], "data_offsets": [0, size]}}, bytes(size)))
    assert tensors_of(tmp_path / "f")["w"].size == size
    with safetensors.safe_open(str(tmp_path / "f"), "np") as file:
        assert file.keys() == ["w"]


ONE = {"dtype": "U8", "shape": [2], "data_offsets": [0, 2]}
TWO = {"dtype": "U8", "shape": [2], "data_offsets": [2, 4]}

REFUSED: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "size, at byte 0, expected at least 8 bytes, got 0"),
    "a length alone": (bytes(8), "header, at byte 8, expected a JSON object, got Expecting value"),
    "a length beyond the end": (packed({})[:-1], "size, expected at least 10 bytes, got 9"),
    "a huge length": ((HEADER_MAX + 1).to_bytes(8, "little"), "size of the header, at byte 0, expected at most 100000"),
    "no JSON": (packed(b"{"), "header, at byte 8, expected a JSON object"),
    "no UTF-8": (packed(b'{"\xff":1}'), "header, at byte 8, expected a JSON object"),
    "UTF-16": (packed(json.dumps({"a": ONE}).encode("utf-16-le"), b"xy"), "header, at byte 8, expected a JSON object"),
    "a byte order mark": (packed(b"\xef\xbb\xbf{}"), "header, at byte 8, expected a JSON object"),
    "a list": (packed([]), "header, at byte 8, expected a JSON object, got a JSON list, not an object"),
    "nested without end": (packed(b"[" * 100_000), "header, at byte 8, expected a JSON object, got nested too deeply"),
    "a name twice": (packed(b'{"a":' + json.dumps(ONE).encode() + b',"a":' + json.dumps(ONE).encode() + b"}", b"xy"),
                     "header, at byte 8, expected a JSON object, got the key 'a' twice"),
    "metadata of numbers": (packed({"__metadata__": {"a": 1}}), "__metadata__, expected an object of strings"),
    "metadata of nothing": (packed({"__metadata__": []}), "__metadata__, expected an object of strings, got []"),
    "a number for a tensor": (packed({"a": 1}), "'a', expected an object of dtype, shape and data_offsets, got 1"),
    "a missing shape": (packed({"a": {"dtype": "U8", "data_offsets": [0, 0]}}), "'a', expected an object of dtype"),
    "an unknown member": (packed({"a": ONE | {"scale": 2}}, b"xy"), "'a', expected an object of dtype"),
    "an unknown dtype": (packed({"a": ONE | {"dtype": "U4"}}, b"xy"), "'a' dtype, expected a dtype of safetensors"),
    "a negative dimension": (packed({"a": ONE | {"shape": [-2]}}, b"xy"), "'a' shape, expected a list of numbers"),
    "a dimension of true": (packed({"a": ONE | {"shape": [2, True]}}, b"xy"), "'a' shape, expected a list of numbers"),
    "a dimension of 2.0": (packed({"a": ONE | {"shape": [2.0]}}, b"xy"), "'a' shape, expected a list of numbers"),
    "three offsets": (packed({"a": ONE | {"data_offsets": [0, 1, 2]}}, b"xy"), "'a' data_offsets, expected a begin"),
    "offsets the wrong way": (packed({"a": ONE | {"data_offsets": [2, 0]}}, b"xy"), "'a' data_offsets, expected a"),
    "too few bytes": (packed({"a": ONE | {"data_offsets": [0, 1]}}, b"x"), "'a' data_offsets, expected 2 bytes"),
    "a product that wraps": (packed({"a": ONE | {"shape": [2**32, 2**32, 2]}}, b"xy"), "'a' data_offsets"),
    "half a byte": (packed({"a": ONE | {"dtype": "F4", "shape": [3]}}, b"xy"), "'a' data_offsets, expected 1.5 bytes"),
    "a cut file": (packed({"a": ONE}, b"x"), "size, expected at least "),
    "bytes left over": (packed({"a": ONE}, b"xyz"), "size, expected "),
    "a hole": (packed({"b": TWO}, b"wxyz"), "'b' data_offsets, expected a start at byte "),
    "a hole between": (packed({"a": ONE, "b": TWO | {"data_offsets": [3, 5]}}, b"vwxyz"), "'b' data_offsets"),
    "an overlap": (packed({"a": ONE, "b": TWO | {"data_offsets": [1, 3]}}, b"xyz"), "'b' data_offsets"),
    "the same place twice": (packed({"a": ONE, "b": ONE}, b"xy"), "'b' data_offsets, expected a start at byte "),
}  # fmt: skip
STRICTER = {"a name twice", "an unknown member"}
"""What the library takes and this project does not: there a reader has to guess."""


@pytest.mark.req("AWQ-CHK-001")
@pytest.mark.parametrize("what", REFUSED)
def test_what_is_not_one_whole_file(what: str, tmp_path: Path) -> None:
    """Each fault is E_SHARD and names the file; the library refuses it too."""
    data, message = REFUSED[what]
    (tmp_path / "f").write_bytes(data)
    with pytest.raises(AwqError) as caught:
        tensors_of(tmp_path / "f")
    assert str(caught.value).startswith(f"E_SHARD f: {message}")
    if what not in STRICTER:
        with pytest.raises(safetensors.SafetensorError):
            safetensors.safe_open(str(tmp_path / "f"), "np")


@given(st.data())
def test_a_changed_byte_never_gives_another_answer(scratch: Path, data: st.DataObject) -> None:
    """Whatever one byte of the header is, the library agrees or the file is refused."""
    good = packed({"a": ONE, "b": TWO, "__metadata__": {"k": "v"}}, b"wxyz")
    at = data.draw(st.integers(0, len(good) - 5))
    scratch.write_bytes(good[:at] + bytes([data.draw(st.integers(0, 255))]) + good[at + 1 :])
    try:
        found = tensors_of(scratch)
    except AwqError as error:
        assert error.code == "E_SHARD"
        return
    with safetensors.safe_open(str(scratch), "np") as file:
        assert sorted(file.keys()) == sorted(found)
        for name, stored in found.items():
            assert tuple(file.get_slice(name).get_shape()) == stored.shape
            assert file.get_slice(name).get_dtype() == stored.dtype


def test_empty_tensors_and_an_empty_file(tmp_path: Path) -> None:
    """A tensor without elements lies anywhere; a file without tensors is whole."""
    empty = {"dtype": "F32", "shape": [0, 3], "data_offsets": [2, 2]}
    (tmp_path / "f").write_bytes(packed({"a": ONE, "e": empty}, b"xy"))
    assert [(t.name, t.size) for t in tensors_of(tmp_path / "f").values()] == [("a", 2), ("e", 0)]
    (tmp_path / "g").write_bytes(packed({}))
    assert tensors_of(tmp_path / "g") == {}


def test_a_file_that_shrinks_while_it_is_open(tmp_path: Path) -> None:
    """Reading what is gone is E_IO, with shard and tensor."""
    (tmp_path / "f").write_bytes(
        packed({"a": ONE, "big": TWO | {"shape": [5000], "data_offsets": [2, 5002]}}, bytes(5002))
    )
    with Source(tmp_path / "f", "pread") as source:
        tensors = read_shard("f", source)
        (tmp_path / "f").write_bytes(bytes(200))
        with pytest.raises(AwqError, match=r"^E_IO f: big, "):
            tensors["big"].bytes()


@pytest.mark.req("AWQ-CHK-013")
def test_gguf_is_refused_by_name(tmp_path: Path) -> None:
    """A GGUF file under whatever name is called what it is."""
    (tmp_path / "f").write_bytes(b"GGUF" + bytes(100))
    with pytest.raises(AwqError, match=r"^E_DIALECT f: format, expected safetensors, got GGUF, which is recognised"):
        tensors_of(tmp_path / "f")
