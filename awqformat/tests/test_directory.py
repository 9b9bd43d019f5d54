"""What is a checkpoint directory, and what is not quite one."""

from __future__ import annotations

import json
import secrets
from pathlib import Path

import fsspec
import numpy as np
import pytest

from awqformat import AwqError
from awqformat.checkpoints.directory import Directory
from awqformat.tests.checkpoint import AWQ, INDEX, Arrays, directory
from awqformat.tests.serving import serving

A = np.arange(6, dtype=np.float32).reshape(2, 3)
SHARDS: list[Arrays] = [{"a": A, "b": A + 1}, {"c": A + 2}]
FIRST, SECOND = "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"
RIGHT = {"a": FIRST, "b": FIRST, "c": SECOND}


def refusal(path: Path | str) -> str:
    """Return the message with which a directory is refused."""
    with pytest.raises(AwqError) as caught:
        Directory(path)
    return str(caught.value)


def values(path: Path | str) -> dict[str, float]:
    """Return the first number of every tensor."""
    with Directory(path) as opened:
        return {name: float(stored.read()[0, 0]) for name, stored in opened.tensors.items()}


def test_one_file_and_several(tmp_path: Path) -> None:
    """One file needs no index; several are one model, in the order of their names."""
    assert values(directory(tmp_path / "one", SHARDS[0])) == {"a": 0, "b": 1}
    assert values(directory(tmp_path / "two", *SHARDS)) == {"a": 0, "b": 1, "c": 2}


def test_one_file_may_have_an_index_and_another_name(tmp_path: Path) -> None:
    """What an index names is read, whatever else lies beside it."""
    folder = directory(tmp_path / "d", SHARDS[0], index={"a": "model.safetensors", "b": "model.safetensors"})
    (folder / "consolidated.safetensors").write_bytes(b"not read")
    assert values(folder) == {"a": 0, "b": 1}
    single = directory(tmp_path / "e", SHARDS[0])
    (single / "model.safetensors").rename(single / "weights.safetensors")
    assert values(single) == {"a": 0, "b": 1}


def test_texts_and_other_files(tmp_path: Path) -> None:
    """Configurations come as text, the names of the rest are known."""
    folder = directory(tmp_path / "d", *SHARDS, config=AWQ, quant_config="{}", tokenizer="[1]")
    with Directory(folder) as opened:
        assert list(opened.texts) == ["config.json", "quant_config.json"]
        assert json.loads(opened.texts["config.json"])["quantization_config"] == AWQ
        assert opened.others == ["tokenizer.json"]
        assert b"".join(opened.parts("tokenizer.json")) == b"[1]"
        assert opened.size == 3 * A.nbytes


def test_links_are_followed(tmp_path: Path) -> None:
    """A directory of links, as the cache of a hub is, is read like one of files."""
    folder = directory(tmp_path / "d", *SHARDS)
    (tmp_path / "links").mkdir()
    for file in folder.iterdir():
        (tmp_path / "links" / file.name).symlink_to(file)
    assert values(tmp_path / "links") == values(folder)


OUTSIDE = ["../model.safetensors", "/etc/model.safetensors", "a/model.safetensors", "a\\model.safetensors", "..",
           "", ".model.safetensors", "C:model.safetensors", "model.bin", "model.safetensors?x", "model\0.safetensors",
           "https://host/model.safetensors", "%2e%2e%2fmodel.safetensors"]  # fmt: skip


@pytest.mark.req("AWQ-CHK-001")
@pytest.mark.parametrize("name", OUTSIDE)
def test_file_names_that_lead_elsewhere(name: str, tmp_path: Path) -> None:
    """The files of an index lie beside it, so a path, or a name that is none of a shard, is refused unread."""
    (tmp_path / "model.safetensors").write_bytes(b"outside")
    message = refusal(directory(tmp_path / "d", *SHARDS, index=RIGHT | {"c": name}))
    assert message.startswith(f"E_SHARD {INDEX}: weight_map 'c', expected the name of a *.safetensors file beside the")


FAULTS: dict[str, tuple[dict[str, str], str]] = {
    "a tensor that is not there": (RIGHT | {"d": FIRST}, f"E_SHARD {INDEX}: weight_map 'd', expected a tensor of"),
    "a tensor in the other shard": (RIGHT | {"a": SECOND}, f"E_SHARD {INDEX}: weight_map 'a', expected its shard"),
    "a tensor not named": ({"a": FIRST, "c": SECOND}, f"E_SHARD {FIRST}: 'b', expected a tensor that {INDEX} names"),
    "a missing shard": (RIGHT | {"d": "model-3.safetensors"},
                        f"E_SHARD {INDEX}: weight_map, expected files that exist, got model-3.safetensors, which is"),
    "no tensor": ({}, f"E_SHARD {INDEX}: weight_map, expected an object of names, got {{}}"),
}  # fmt: skip


@pytest.mark.req("AWQ-CHK-001")
@pytest.mark.parametrize("what", FAULTS)
def test_an_index_that_disagrees(what: str, tmp_path: Path) -> None:
    """Shards and index say the same, or the directory is refused."""
    index, message = FAULTS[what]
    assert refusal(directory(tmp_path / "d", *SHARDS, index=index)).startswith(message)


@pytest.mark.req("AWQ-CHK-001")
def test_a_tensor_in_two_shards(tmp_path: Path) -> None:
    """Which of two tensors of one name is meant cannot be known."""
    message = refusal(directory(tmp_path / "d", SHARDS[0], {"b": A, "c": A}, index=RIGHT))
    assert message == f"E_SHARD 'b': place, expected one shard that holds it, got {FIRST} and {SECOND}"


@pytest.mark.req("AWQ-CHK-001")
@pytest.mark.parametrize("text", [b"", b"[]", b"{", b'{"weight_map": 1}', b'{"weight_map": {"a": 1}}', b"{}", b'{"\xff',
                                  b'{"weight_map": {"a": "x.safetensors", "a": "y.safetensors"}}'])  # fmt: skip
def test_an_index_that_is_none(text: bytes, tmp_path: Path) -> None:
    """A text that is no index is refused as such, not taken for an absent one."""
    folder = directory(tmp_path / "d", SHARDS[0])
    (folder / INDEX).write_bytes(text)
    assert refusal(folder).startswith(f"E_SHARD {INDEX}: ")


@pytest.mark.req("AWQ-CHK-001")
def test_a_cut_shard(tmp_path: Path) -> None:
    """A shard that has lost its end is named."""
    folder = directory(tmp_path / "d", *SHARDS)
    (folder / SECOND).write_bytes((folder / SECOND).read_bytes()[:-1])
    assert refusal(folder).startswith(f"E_SHARD {SECOND}: size, expected at least ")


def test_which_file_is_not_guessed(tmp_path: Path) -> None:
    """Several files without an index, two indexes, and no file at all are refused."""
    folder = directory(tmp_path / "d", *SHARDS)
    (folder / INDEX).rename(folder / "other.safetensors.index.json")
    assert values(folder) == {"a": 0, "b": 1, "c": 2}
    (folder / INDEX).write_text("{}")
    assert "index, expected at most one, got model.safetensors.index.json, other.safetensors.index" in refusal(folder)
    for index in folder.glob("*.index.json"):
        index.unlink()
    assert f"shards, expected one file, or an index that names them, got {FIRST}, {SECOND} and no" in refusal(folder)
    (tmp_path / "e").mkdir()
    assert refusal(tmp_path / "e") == f"E_SHARD {tmp_path}/e: shards, expected a *.safetensors file, got none"


@pytest.mark.req("AWQ-CHK-013")
@pytest.mark.parametrize(("name", "kind"), [("model.gguf", "GGUF"), ("pytorch_model.bin", "PyTorch pickle"),
                                            ("model.onnx", "ONNX")])  # fmt: skip
def test_other_formats_are_refused_by_name(name: str, kind: str, tmp_path: Path) -> None:
    """A directory of another format is told from an empty one."""
    (tmp_path / name).write_bytes(b"")
    assert refusal(tmp_path).endswith(f"expected safetensors, got {kind}, which is recognised but not read")


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("none", "none: No such file or directory"),
        ("file", "file: Not a directory"),
        ("a\0b", "embedded null byte"),
    ],
)
def test_what_is_no_directory(path: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A path that is no directory is E_FILE."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    got = refusal(path)
    assert got.startswith("E_FILE file: path, expected a readable directory, got ")
    assert got.endswith(message)


@pytest.mark.req("AWQ-CHK-037")
def test_texts_that_are_no_text(tmp_path: Path) -> None:
    """A configuration that is no UTF-8 is refused with the place of the byte."""
    folder = directory(tmp_path / "d", SHARDS[0])
    (folder / "config.json").write_bytes(b'{"\xff')
    assert refusal(folder) == "E_CONFIG config.json: text, at byte 2, expected UTF-8, got invalid start byte"


@pytest.mark.parametrize("ranges", [True, False])
def test_over_http(ranges: bool, tmp_path: Path) -> None:
    """A directory behind a URL is found by the usual names; where ranges are served, tensors are read one by one."""
    directory(tmp_path / "one", SHARDS[0], config=AWQ)
    directory(tmp_path / "two", *SHARDS)
    with serving(tmp_path, ranges=ranges) as (url, _):
        assert values(f"{url}/one") == {"a": 0, "b": 1}
        assert values(f"{url}/two") == {"a": 0, "b": 1, "c": 2}
        with Directory(f"{url}/one/") as opened:
            assert list(opened.texts) == ["config.json"]
        assert refusal(f"{url}/none").startswith(
            f"E_FILE file: path, expected a readable file, got {url}/none/model.safe"
        )


def test_in_memory(tmp_path: Path) -> None:
    """A directory in the memory of this process is listed and read."""
    folder = f"memory://{secrets.token_hex(8)}/model"
    for file in directory(tmp_path / "d", *SHARDS, config=AWQ).iterdir():
        with fsspec.open(f"{folder}/{file.name}", "wb") as target:
            target.write(file.read_bytes())
    assert values(folder) == {"a": 0, "b": 1, "c": 2}
    assert refusal(f"{folder}/none").startswith("E_FILE file: path")
