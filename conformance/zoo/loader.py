"""A right loader of .awq, each step a method of its own: a wrong one overrides one of them.

The checks are those of awqformat; codes, zero points, scales and index are decoded here, from bytes, as spec/ says.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

import awqformat
from zoo import container
from zoo.container import Record

if TYPE_CHECKING:
    from numpy.typing import NDArray

Array = np.ndarray[Any, Any]


class Loader:
    """Reads one file after the other; ``ops`` is what hello names, ``dtype`` what W is written in."""

    profile: ClassVar[str] = "core"
    ops: ClassVar[tuple[str, ...]] = ("dequant",)
    dtype: ClassVar[str] = "f32"

    def __init__(self) -> None:
        self.data = b""

    # One request

    def perform(self, op: str, path: str, out: Path) -> None:
        """Validate all of the file, then write what ``op`` asks for; raise AwqError and write nothing if it is bad."""
        self.check(path, op)
        self.open(path)
        for record in self.records():
            if record.quantised and op == "dequant":
                self.write_weights(record, out)
            elif record.quantised and op == "unpack":
                self.write_parts(record, out)
            elif not record.quantised and op == "plain":
                (out / f"{record.number}.P.bin").write_bytes(self.plain(record))

    def check(self, path: str, op: str) -> None:  # noqa: ARG002  # wrong loaders use it
        """Run stages P, I and D; ``op`` makes no difference."""
        awqformat.safe_open(path, verify="all").close()

    def open(self, path: str) -> None:
        """Read the file."""
        self.data = Path(path).read_bytes()

    def records(self) -> list[Record]:
        """Return the index in its order, numbered."""
        return container.records(self.data)

    # Outputs

    def write_weights(self, t: Record, out: Path) -> None:
        """Write W of one tensor."""
        values = self.narrow(self.weights(t))
        dims = "x".join(map(str, t.shape))
        (out / f"{t.number}.W.nk.{self.dtype}.{dims}.bin").write_bytes(np.ascontiguousarray(values).tobytes())

    def write_parts(self, t: Record, out: Path) -> None:
        """Write q, z and s of one tensor."""
        groups = "x".join(map(str, (*t.shape[:-1], t.groups)))
        codes = "x".join(map(str, t.shape))
        (out / f"{t.number}.q.nk.u8.{codes}.bin").write_bytes(self.codes(t).astype(np.uint8).tobytes())
        (out / f"{t.number}.z.nk.u8.{groups}.bin").write_bytes(self.zeros(t).astype(np.uint8).tobytes())
        (out / f"{t.number}.s.nk.f32.{groups}.bin").write_bytes(self.scales(t).tobytes())

    def plain(self, t: Record) -> bytes:
        """Return the bytes of a plain tensor, without padding."""
        return self.data[t.at : t.at + t.plain_size]

    def narrow(self, weights: NDArray[np.float32]) -> Array:
        """Round f32 to the output's dtype, to nearest even; bf16 as its bits."""
        if self.dtype == "bf16":
            bits = np.ascontiguousarray(weights).view(np.uint32)
            narrowed: Array = (bits + (0x7FFF + (bits >> 16 & 1)) >> 16).astype(np.uint16)
            return narrowed
        with np.errstate(over="ignore"):
            return weights.astype({"f16": np.float16, "f32": np.float32, "f64": np.float64}[self.dtype])

    # Decoding

    def read(self, at: int, size: int) -> NDArray[np.uint8]:
        """Return bytes of the file, followed by zeros where it ends: a wrong offset is to give wrong numbers."""
        found = np.frombuffer(self.data[max(at, 0) : max(at, 0) + size], np.uint8)
        return np.concatenate([found, np.zeros(size - len(found), np.uint8)])

    def nibbles(self, packed: NDArray[np.uint8]) -> NDArray[np.int16]:
        """Return two numbers for each byte of the last axis, the low nibble first."""
        pairs = np.stack([packed & 15, packed >> 4], axis=-1).astype(np.int16)
        return pairs.reshape(*packed.shape[:-1], -1)

    def codes(self, t: Record) -> NDArray[np.int16]:
        """Return q (R, K)."""
        return self.nibbles(self.packed_codes(t))

    def packed_codes(self, t: Record) -> NDArray[np.uint8]:
        """Return the bytes of the codes (R, K / 2)."""
        return self.read(t.at, t.rows * t.columns // 2).reshape(t.rows, -1)

    def zeros(self, t: Record) -> NDArray[np.int16]:
        """Return z (R, K / G)."""
        if t.symmetric:
            return self.absent_zeros(t)
        return self.nibbles(self.packed_zeros(t))[:, : t.groups]

    def packed_zeros(self, t: Record) -> NDArray[np.uint8]:
        """Return the bytes of the zero points (R, ceil(K / G / 2))."""
        width = (t.groups + 1) // 2
        return self.read(t.at + t.zeros_at, t.rows * width).reshape(t.rows, width)

    def absent_zeros(self, t: Record) -> NDArray[np.int16]:
        """Return the zero points of a symmetric tensor (R, K / G)."""
        return np.full((t.rows, t.groups), 8, np.int16)

    def scales(self, t: Record) -> NDArray[np.float32]:
        """Return s (R, K / G), widened."""
        size = t.rows * t.groups * container.SCALE_BYTES[t.scale_dtype]
        return self.widen(self.read(t.at + t.scales_at, size), t).reshape(t.rows, t.groups)

    def widen(self, raw: NDArray[np.uint8], t: Record) -> NDArray[np.float32]:
        """Return the numbers that ``raw`` holds in the tensor's scale dtype, as f32."""
        if t.scale_dtype == container.BF16:
            return (raw.view("<u2").astype(np.uint32) << 16).view(np.float32)
        return raw.view("<f2" if t.scale_dtype == container.F16 else "<f4").astype(np.float32)

    # Values

    def groups(self, t: Record) -> NDArray[np.intp]:
        """Return the group of each k (K,)."""
        return np.arange(t.columns) // t.group_size

    def weights(self, t: Record) -> NDArray[np.float32]:
        """Return W (R, K)."""
        columns = self.groups(t)
        with np.errstate(all="ignore"):  # infinity is a legal result
            return self.values(self.codes(t), self.zeros(t)[:, columns], self.scales(t)[:, columns], t)

    def values(
        self, q: NDArray[np.int16], z: NDArray[np.int16], s: NDArray[np.float32], _t: Record
    ) -> NDArray[np.float32]:
        """Return (q - z) * s, all of them (R, K)."""
        weights: NDArray[np.float32] = (q - z).astype(np.float32) * s
        return weights
