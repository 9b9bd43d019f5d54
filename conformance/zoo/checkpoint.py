"""Right loaders of checkpoint directories, one for each layout, each step a method of its own.

The checks are those of awqformat; shards and configuration are read, and words taken apart, here, as spec/ says.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final

import ml_dtypes
import numpy as np

from awqformat.checkpoints.directory import Directory
from awqformat.checkpoints.importing import directory_model
from awqformat.checkpoints.losses import MEANINGS, Losses
from zoo import container
from zoo.container import Record
from zoo.loader import Array, Loader

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

AWQ: Final = (0, 2, 4, 6, 1, 3, 5, 7)  # nibble p of a word of AutoAWQ holds element AWQ[p]
SEQUENCE: Final = tuple(range(8))
_DTYPES: Final[dict[str, Any]] = {"F16": "<f2", "BF16": ml_dtypes.bfloat16, "F32": "<f4", "I16": "<i2", "I32": "<i4",
                                  "I64": "<i8"}  # fmt: skip
_FILES: Final = ("config.json", "quant_config.json", "quantize_config.json")


@dataclass(frozen=True)
class Roles:
    """What the tensors of a layer are called."""

    codes: str = "qweight"
    scales: str = "scales"
    zeros: str = "qzeros"


class Checkpoint(Loader):
    """Reads one directory after the other; subclasses know a layout."""

    roles: ClassVar[Roles] = Roles()

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path()
        self.tensors: dict[str, Array] = {}
        self.config: dict[str, Any] = {}

    def check(self, path: str, op: str) -> None:  # noqa: ARG002  # wrong loaders use it
        """Read everything rightly; ``op`` makes no difference."""
        with Directory(path) as directory:
            for layer in directory_model(directory, Losses(MEANINGS)).layers:
                layer.load()

    def open(self, path: str) -> None:
        """Read shards and configuration."""
        self.folder = Path(path)
        self.tensors = {name: tensor for shard in self.shards() for name, tensor in tensors_of(shard).items()}
        self.config = self.configuration()

    def shards(self) -> list[Path]:
        """Return the files that hold tensors: those that the index names, or the only one."""
        index = self.folder / "model.safetensors.index.json"
        if not index.exists():
            return list(self.folder.glob("*.safetensors"))
        return [self.folder / name for name in sorted({*json.loads(index.read_text("utf-8"))["weight_map"].values()})]

    def configuration(self) -> dict[str, Any]:
        """Return what is said of the quantisation."""
        for name in _FILES:
            if (self.folder / name).exists():
                said: dict[str, Any] = json.loads((self.folder / name).read_text("utf-8"))
                for place in (said, said.get("text_config", {})):
                    if "quantization_config" in place:
                        return dict(place["quantization_config"])
                if "bits" in said:
                    return said
        raise ValueError("no configuration")

    def group_size(self, columns: int) -> int:
        """Return G for K."""
        size = int(self.config["group_size" if "group_size" in self.config else "q_group_size"])
        return columns if size == -1 else size

    def names(self) -> list[str]:
        """Return the layers in the order of their numbers."""
        ending = f".{self.roles.codes}"
        return sorted(name.removesuffix(ending) for name in self.tensors if name.endswith(ending))

    def records(self) -> list[Record]:
        """Return the layers, numbered."""
        found = []
        for number, name in enumerate(self.names()):
            words = self.tensors[f"{name}.{self.roles.codes}"]
            shape = (*words.shape[:-2], *self.shape(words if words.ndim == 2 else words[0]))
            zeros = container.U4 if f"{name}.{self.roles.zeros}" in self.tensors else 0
            size = self.group_size(shape[-1])
            found.append(Record(number, name, shape, container.U4, container.F16, zeros, size, 0, 0))
        return found

    def part(self, t: Record, role: str) -> Array:
        """Return a tensor of a layer."""
        return self.tensors[f"{t.name}.{role}"]

    def shape(self, words: Array) -> tuple[int, int]:
        """Return N and K of a layer with these codes."""
        raise NotImplementedError

    # What a layer holds

    def codes(self, t: Record) -> NDArray[np.int16]:
        """Return q (N, K)."""
        return stacked(self.matrix, self.part(t, self.roles.codes))

    def matrix(self, words: Array) -> NDArray[np.int16]:
        """Return the codes (N, K) in words."""
        raise NotImplementedError

    def zeros(self, t: Record) -> NDArray[np.int16]:
        """Return z (N, K / G)."""
        if t.symmetric:
            return self.absent_zeros(t)
        return stacked(partial(self.stored_zeros, t), self.part(t, self.roles.zeros))

    def stored_zeros(self, t: Record, words: Array) -> NDArray[np.int16]:
        """Return z (N, K / G) in words."""
        raise NotImplementedError

    def scales(self, t: Record) -> NDArray[np.float32]:
        """Return s (N, K / G), widened."""
        return stacked(partial(self.per_group, t), self.part(t, self.roles.scales))

    def per_group(self, t: Record, part: Array) -> NDArray[np.float32]:
        """Return what lies as the scales do, (N, K / G)."""
        return part[: t.groups].T.astype(np.float32)


class Gemm(Checkpoint):
    """AutoAWQ's gemm: words of eight rows, [K, N/8]."""

    profile = "hf-gemm"
    order: ClassVar[tuple[int, ...]] = AWQ

    def shape(self, words: Array) -> tuple[int, int]:
        return 8 * words.shape[1], words.shape[0]

    def matrix(self, words: Array) -> NDArray[np.int16]:
        return across(words, self.order).T

    def stored_zeros(self, _t: Record, words: Array) -> NDArray[np.int16]:
        return across(words, self.order).T


class Gemv(Checkpoint):
    """AutoAWQ's gemv: words of eight columns, [N, K/8]; rows of scales and zero points are padded."""

    profile = "hf-gemv"

    def shape(self, words: Array) -> tuple[int, int]:
        return words.shape[0], 8 * words.shape[1]

    def matrix(self, words: Array) -> NDArray[np.int16]:
        return across(words, SEQUENCE)

    def stored_zeros(self, t: Record, words: Array) -> NDArray[np.int16]:
        return across(words, SEQUENCE)[:, : t.groups]

    def per_group(self, t: Record, part: Array) -> NDArray[np.float32]:
        return part[:, : t.groups].astype(np.float32)


class GemvFast(Checkpoint):
    """AutoAWQ's gemv_fast: words of 16 bits, four rows interleaved; -(s * z) in place of zero points."""

    profile = "hf-gemv-fast"

    def shape(self, words: Array) -> tuple[int, int]:
        return 4 * words.shape[0], words.shape[1]

    def matrix(self, words: Array) -> NDArray[np.int16]:
        rows, columns = self.shape(words)
        tiles = words.view(np.uint16).reshape(rows // 4, columns // 64, 4, 2, 8)
        nibbles = np.stack([tiles >> 4 * p & 15 for p in range(4)], axis=4).astype(np.int16)
        return self.placed(nibbles).reshape(rows, columns)

    def placed(self, nibbles: NDArray[np.int16]) -> NDArray[np.int16]:
        """Return nibbles [N/4, K/64, row, half, nibble, word] in the order of the matrix."""
        return nibbles.transpose(0, 2, 1, 3, 4, 5)

    def products(self, t: Record) -> NDArray[np.float32]:
        """Return -(s * z) (N, K / G), as it is stored."""
        names = (f"{t.name}.{role}" for role in (self.roles.zeros, "scaled_zeros"))
        part = next(self.tensors[name] for name in names if name in self.tensors)
        return stacked(partial(self.per_group, t), part)

    def zeros(self, t: Record) -> NDArray[np.int16]:
        return np.rint(-self.products(t) / self.scales(t)).astype(np.int16)


class Gptq(Checkpoint):
    """GPTQ: words of eight columns, [K/8, N]; zero points less 1 where the format is v1."""

    profile = "gptq"

    def shape(self, words: Array) -> tuple[int, int]:
        return words.shape[1], 8 * words.shape[0]

    def matrix(self, words: Array) -> NDArray[np.int16]:
        return across(words.T, SEQUENCE)

    def stored_zeros(self, _t: Record, words: Array) -> NDArray[np.int16]:
        return self.unbiased(across(words, SEQUENCE)).T

    def unbiased(self, zeros: NDArray[np.int16]) -> NDArray[np.int16]:
        """Return z, of what is stored."""
        return zeros + 1 & 15 if self.config["checkpoint_format"] == "gptq" else zeros


class CompressedTensors(Gemv):
    """compressed-tensors: codes as in gemv, nothing padded, zero points in words of eight rows, [N/8, K/G]."""

    profile = "ct-pack"
    roles = Roles("weight_packed", "weight_scale", "weight_zero_point")

    def group_size(self, columns: int) -> int:
        weights = self.config["config_groups"]["group_0"]["weights"]
        return columns if weights["strategy"] == "channel" else int(weights["group_size"])

    def configuration(self) -> dict[str, Any]:
        said = json.loads((self.folder / "config.json").read_text("utf-8"))
        return dict(said.get("text_config", said)["quantization_config"])

    def stored_zeros(self, t: Record, words: Array) -> NDArray[np.int16]:
        return across(words.T, SEQUENCE).T[: t.rows]


RIGHT: Final = (Gemm, Gemv, GemvFast, Gptq, CompressedTensors)


def stacked(read: Callable[[Array], Array], part: Array) -> Array:
    """Return what ``read`` makes of a tensor; where there are experts, of each of them, below each other."""
    return np.concatenate([read(expert) for expert in part]) if part.ndim == 3 else read(part)


def across(words: Array, order: tuple[int, ...]) -> NDArray[np.int16]:
    """Return numbers [R, 8 C] of words [R, C]: nibble p of each, the lowest first, is element order[p] of eight."""
    numbers = np.empty((words.shape[0], 8 * words.shape[1]), np.int16)
    for p, element in enumerate(order):
        numbers[:, element::8] = words >> 4 * p & 15
    return numbers


def tensors_of(path: Path) -> dict[str, Array]:
    """Return the tensors of a valid safetensors file."""
    raw = path.read_bytes()
    start = 8 + int.from_bytes(raw[:8], "little")
    found = {}
    for name, said in json.loads(raw[8:start]).items():
        if name != "__metadata__":
            first, last = said["data_offsets"]
            values = np.frombuffer(raw[start + first : start + last], _DTYPES[said["dtype"]])
            found[name] = values.reshape(said["shape"])
    return found
