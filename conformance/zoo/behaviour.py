"""Loaders that read right and behave wrong: they keep state, change their mind, verify too late."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np

import awqformat
from zoo.container import Record
from zoo.loader import Array, Loader
from zoo.mutant import mutant

if TYPE_CHECKING:
    from numpy.typing import NDArray


@mutant("cached-by-name", "state-kept", "Weights are kept by the name of the tensor, from one file to the next.")
class CachedByName(Loader):
    def __init__(self) -> None:
        super().__init__()
        self._kept: dict[tuple[str, tuple[int, ...]], NDArray[np.float32]] = {}

    def weights(self, t: Record) -> NDArray[np.float32]:
        key = t.name, t.shape
        if key not in self._kept:
            self._kept[key] = super().weights(t)
        return self._kept[key]


@mutant("validated-by-header", "state-kept", "A file is not checked if one with the same header has passed.")
class ValidatedByHeader(Loader):
    def __init__(self) -> None:
        super().__init__()
        self._passed: set[bytes] = set()

    def check(self, path: str, op: str) -> None:
        header = Path(path).read_bytes()[:64] if Path(path).is_file() else b""
        if header not in self._passed:
            super().check(path, op)
            self._passed.add(header)


@mutant("scales-of-last-file", "state-kept", "Zero points of the file before are used where the file has none.")
class ZerosOfLastFile(Loader):
    def __init__(self) -> None:
        super().__init__()
        self._last: NDArray[np.int16] = np.full(1, 8, np.int16)

    def zeros(self, t: Record) -> NDArray[np.int16]:
        if t.symmetric:
            return np.resize(self._last, (t.rows, t.groups))
        self._last = super().zeros(t)
        return self._last


@mutant("every-other-time", "nondeterministic", "Every second call leaves the last row as the buffer was: zeros.")
class EveryOtherTime(Loader):
    def __init__(self) -> None:
        super().__init__()
        self._calls = 0

    def perform(self, op: str, path: str, out: Path) -> None:
        self._calls += 1
        super().perform(op, path, out)

    def narrow(self, weights: NDArray[np.float32]) -> Array:
        values = super().narrow(weights).copy()
        if self._calls % 2 == 0:
            values[-1] = 0
        return values


@mutant(
    "verifies-too-late",
    None,
    "Each tensor is verified when its turn comes; what was written before a fault stays.",
    why="OUTPUT-ON-REJECT says it",
)
class VerifiesTooLate(Loader):
    def perform(self, op: str, path: str, out: Path) -> None:
        with awqformat.safe_open(path, verify="none"):
            self.data = Path(path).read_bytes()
        with awqformat.safe_open(path, verify="touch") as file:
            for record in self.records():
                if not record.quantised:
                    file.plain_bytes(record.name)
                elif op == "dequant":
                    file.get_quantized(record.name)
                    self.write_weights(record, out)


@mutant(
    "leaves-a-log",
    None,
    "A rejected file leaves a log in the output folder.",
    why="OUTPUT-ON-REJECT says it",
    blanket=True,
)
class LeavesALog(Loader):
    def perform(self, op: str, path: str, out: Path) -> None:
        try:
            super().perform(op, path, out)
        except awqformat.AwqError as error:
            if error.code not in ("E_FILE", "E_TRUNCATED"):
                (out / "error.log").write_text(str(error))
            raise


@mutant(
    "inspects-nothing",
    "check-missing",
    "`inspect` accepts whatever there is: only what writes is careful.",
    blanket=True,
)
class InspectsNothing(Loader):
    ops: ClassVar[tuple[str, ...]] = ("dequant", "inspect")

    def perform(self, op: str, path: str, out: Path) -> None:
        if op != "inspect":
            super().perform(op, path, out)


@mutant("inspects-front-only", "check-missing", "`inspect` stops before the data.")
class InspectsFrontOnly(Loader):
    ops: ClassVar[tuple[str, ...]] = ("dequant", "inspect")

    def check(self, path: str, op: str) -> None:
        awqformat.safe_open(path, verify="none" if op == "inspect" else "all").close()


@mutant(
    "plain-unverified",
    "check-missing",
    "`dequant` verifies quantised tensors alone, since plain ones are not handed out.",
)
class PlainUnverified(Loader):
    def check(self, path: str, _op: str) -> None:
        with awqformat.safe_open(path, verify="touch") as file:
            for name in file.keys():  # noqa: SIM118  # not a mapping
                if file.is_quantized(name):
                    file.get_quantized(name)


@mutant(
    "opens-anything",
    "crashes",
    "The path is opened before anyone asks what it is: a named pipe is waited for, a directory is an exception.",
)
class OpensAnything(Loader):
    def check(self, path: str, op: str) -> None:
        with Path(path).open("rb") as file:
            file.read(1)
        super().check(path, op)


@mutant("extra-json", None, "An index.json is written beside the outputs.", why="EXTRA-OUTPUT says it")
class ExtraJson(Loader):
    def perform(self, op: str, path: str, out: Path) -> None:
        super().perform(op, path, out)
        if len(self.records()) > 1:
            (out / "index.json").write_text("{}")
