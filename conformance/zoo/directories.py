"""Checkpoint directories read wrongly: configuration, index, names, and what is not refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from awqformat import AwqError
from zoo.checkpoint import RIGHT, Checkpoint, Gemm, Gemv, GemvFast
from zoo.mutant import mutant

CODES = {
    "E_CONFIG": "what the configuration says is not checked",
    "E_DIALECT": "whether tensors and configuration fit each other is not checked",
    "E_GROUP": "whether the group size divides K is not checked",
    "E_SHARD": "shards and their index are not checked",
    "E_VALUE": "scales are not checked",
}


def _lenient(right: type[Checkpoint], code: str, bug: str, single: str = "") -> None:
    """Enter a loader that goes on, with nothing to show, where it should refuse with ``code``."""

    def perform(self: Checkpoint, op: str, path: str, out: Path) -> None:
        try:
            right.perform(self, op, path, out)
        except AwqError as error:
            if error.code != code or not (Path(path).is_dir() and any(Path(path).iterdir())):
                raise  # what is not there is no checkpoint for anyone

    name = f"{right.profile}-accepts-{code.removeprefix('E_').lower()}"
    lenient = type(name, (right,), {"perform": perform, "__module__": __name__})
    mutant(name, "check-missing", f"{bug[0].upper()}{bug[1:]}.", single=single)(lenient)


for _right in RIGHT:
    for _code, _bug in CODES.items():
        _few = _code == "E_GROUP" and _right not in (Gemv, GemvFast)
        _lenient(_right, _code, _bug, "one case has a group size that does not divide K" if _few else "")
_lenient(GemvFast, "E_LOSSY", "whether there is an integer z in -(s * z) is not checked", "one case has none")


def _refuse(code: str, what: str) -> AwqError:
    return AwqError(code, what, "place", expected="something else", got=what)


@mutant("only-config-json", "rejects-valid", "A configuration is looked for at the top of config.json alone.")
class OnlyConfigJson(Gemm):
    def configuration(self) -> dict[str, Any]:
        said = json.loads((self.folder / "config.json").read_text("utf-8"))
        if "quantization_config" not in said:
            raise _refuse("E_CONFIG", "no configuration")
        return dict(said["quantization_config"])


@mutant("only-one-shard", "rejects-valid", "A checkpoint of several shards is refused.")
class OnlyOneShard(Gemm):
    def shards(self) -> list[Path]:
        shards = super().shards()
        if len(shards) > 1:
            raise _refuse("E_SHARD", "shards")
        return shards


@mutant("group-size-positive", "rejects-valid", "A group size of -1, which stands for K, is refused.",
        single="only one checkpoint has group size -1")  # fmt: skip
class GroupSizePositive(Gemm):
    def group_size(self, columns: int) -> int:
        if self.config.get("group_size") == -1:
            raise _refuse("E_CONFIG", "group size -1")
        return super().group_size(columns)


@mutant("every-linear-quantised", "rejects-valid", "A layer that the configuration does not except must be quantised.",
        single="only one checkpoint has another plain layer than the head")  # fmt: skip
class EveryLinearQuantised(Gemm):
    def open(self, path: str) -> None:
        super().open(path)
        if any(name.endswith("_proj.weight") for name in self.tensors):
            raise _refuse("E_DIALECT", "a layer that is not quantised")


@mutant("all-scales-of-layers", "rejects-valid", "Whatever ends in scales is taken for a part of a layer.",
        "huggingface/transformers#29421", single="only one checkpoint has scales of an activation")  # fmt: skip
class AllScalesOfLayers(Gemm):
    def open(self, path: str) -> None:
        super().open(path)
        if any(name.endswith(".act.scales") for name in self.tensors):
            raise _refuse("E_DIALECT", "scales without codes")


@mutant("numbered-as-stored", "tensors-renumbered", "Layers are numbered as they come, not by their names.")
class NumberedAsStored(Gemm):
    def names(self) -> list[str]:
        return super().names()[::-1]


@mutant("bits-not-w-bit", "rejects-valid", "The spelling w_bit and q_group_size is not known.",
        single="only one checkpoint is spelled so")  # fmt: skip
class BitsNotWBit(Gemm):
    def configuration(self) -> dict[str, Any]:
        config = super().configuration()
        if "group_size" not in config:
            raise _refuse("E_CONFIG", "group_size")
        return config
