"""Safetensors files that are written tensor by tensor are those that every reader reads."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import safetensors
from hypothesis import given
from hypothesis import strategies as st

from awqformat import AwqError
from awqformat.checkpoints.directory import INDEX, Directory
from awqformat.checkpoints.shard import BITS
from awqformat.checkpoints.shards import ShardWriter, Spec, plan_shards

SPECS = st.builds(
    Spec,
    st.text("abc.", min_size=1, max_size=4),
    st.sampled_from(["BOOL", "F8_E4M3", "BF16", "F16", "I32", "I64", "F64"]),
    st.lists(st.integers(0, 5), max_size=3).map(tuple),
)
ITEMS = st.lists(st.lists(SPECS, min_size=1, max_size=3), max_size=5).filter(
    lambda items: len({spec.name for item in items for spec in item}) == sum(map(len, items))
)


def content(spec: Spec) -> bytes:
    """Return bytes that no other tensor has."""
    return (spec.name.encode() * (spec.size + 1))[: spec.size]


def written(folder: Path, items: list[list[Spec]], limit: int, order: list[Spec] | None = None) -> Path:
    """Write a directory, the tensors in any order."""
    folder.mkdir()
    shards, index = plan_shards(items, limit)
    with ShardWriter(folder, shards, index) as writer:
        for spec in [spec for item in items for spec in item] if order is None else order:
            writer.write(spec.name, content(spec))
        writer.finish()
    return folder


@given(ITEMS, st.integers(1, 300), st.randoms())
def test_what_is_written_is_read(
    tmp_path_factory: pytest.TempPathFactory, items: list[list[Spec]], limit: int, random: Any
) -> None:
    """By this project and by the safetensors library, whatever the sizes, the limit and the order of writing."""
    order = [spec for item in items for spec in item]
    random.shuffle(order)
    folder = written(tmp_path_factory.mktemp("s") / "d", items, limit, order)
    with Directory(folder) as directory:
        assert {name: (t.dtype, t.shape, bytes(t.bytes())) for name, t in directory.tensors.items()} == {
            spec.name: (spec.dtype, spec.shape, content(spec)) for item in items for spec in item
        }
        for item in items:
            assert len({directory.tensors[spec.name].shard for spec in item}) == 1
        for stored in directory.tensors.values():
            assert stored.offset % (BITS[stored.dtype] // 8) == 0
        for shard in directory.shards:
            with safetensors.safe_open(str(folder / shard), "np") as file:
                assert file.metadata() == {"format": "pt"}
                assert len(file.keys()) == sum(stored.shard == shard for stored in directory.tensors.values())


@given(ITEMS, st.integers(1, 300))
def test_how_tensors_are_shared_out(items: list[list[Spec]], limit: int) -> None:
    """No file has more than the limit unless it has one item, and no two neighbours would fit into one."""
    shards, index = plan_shards(items, limit)
    sizes = [sum(size for _, size in shard.places.values()) for shard in shards]
    of = {tensor: shard.name for shard in shards for tensor in shard.places}
    for shard, size in zip(shards, sizes, strict=True):
        assert size <= limit or sum(of[item[0].name] == shard.name for item in items) == 1
    for item in items:
        first = of[item[0].name]
        number = [shard.name for shard in shards].index(first)
        alone = sum(spec.size for spec in item)
        if number and item[0].name == next(iter(i for i in items if of[i[0].name] == first))[0].name:
            assert sizes[number - 1] + alone > limit
    if index is not None:
        assert json.loads(index)["weight_map"] == of
        assert json.loads(index)["metadata"] == {"total_size": sum(sizes)}
    assert (index is None) == (len(shards) == 1)


def test_names_of_files(tmp_path: Path) -> None:
    """One file has the name that every program looks for; several are numbered, and have an index."""
    items = [[Spec(f"t{i}", "U8", (10,))] for i in range(3)]
    one = written(tmp_path / "one", items, 1000)
    assert [path.name for path in one.iterdir()] == ["model.safetensors"]
    several = written(tmp_path / "several", items, 20)
    assert sorted(path.name for path in several.iterdir()) == [
        "model-00001-of-00002.safetensors",
        "model-00002-of-00002.safetensors",
        INDEX,
    ]


def test_a_tensor_of_another_size_is_refused(tmp_path: Path) -> None:
    """Its place is as large as was planned."""
    shards, index = plan_shards([[Spec("a", "F32", (2,))]])
    with (
        ShardWriter(tmp_path, shards, index) as writer,
        pytest.raises(AwqError, match=r"^E_SIZE a: bytes, expected 8, g"),
    ):
        writer.write("a", b"1234567")
