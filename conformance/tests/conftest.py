"""A corpus in a toy format, and the zoo of loaders that read it (see breeds.py)."""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from awq_conformance.cases import load
from awq_conformance.run import Certification, Request, certify
from awq_conformance.selection import Selection

ZOO = Path(__file__).with_name("breeds.py")


def quantised(n: int, k: int, group_size: int) -> dict[str, Any]:
    """Return one quantised tensor whose last weight is zero."""
    random = np.random.default_rng(n * k)
    q = random.integers(0, 16, (n, k), np.uint8)
    z = random.integers(0, 16, (n, k // group_size), np.uint8)
    q[-1, -1] = z[-1, -1]
    s = random.uniform(0.5, 1, z.shape).astype(np.float16).astype(np.float32)
    w = (q.astype(np.float32) - z.repeat(group_size, 1)) * s.repeat(group_size, 1) + np.float32(0)
    return {"W": w, "q": q, "z": z, "s": s}


SMALL = [quantised(2, 16, 8)]
BIG = [quantised(4, 16, 8), {"P": b"\1\2\3\4\5"}, quantised(3, 32, 8)]


def toy(tensors: list[dict[str, Any]], *, small: bool = False, fault: str | None = None) -> bytes:
    """Return a file in the toy format."""
    plain = [
        {what: value.hex() if isinstance(value, bytes) else value.tolist() for what, value in tensor.items()}
        for tensor in tensors
    ]
    return json.dumps({"small": small, "fault": fault, "tensors": plain}).encode()


class Maker:
    """Writes cases into a folder, then the manifest."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.cases: list[dict[str, Any]] = []

    def add(self, name: str, data: bytes, tensors: list[dict[str, Any]], **facts: Any) -> None:
        files = [self._file(f"{name}.toy", data)]
        expect = []
        for number, tensor in enumerate(tensors):
            outputs = {}
            for what, value in tensor.items():
                path = f"{name}.expected/{number}.P.bin" if what == "P" else f"{name}.expected/{number}.{what}.nk.npy"
                files.append(self._file(path, value))
                outputs[what] = path
            kind, shape = ("plain", [len(tensor["P"])]) if "P" in tensor else ("quantised", list(tensor["W"].shape))
            expect.append(
                {
                    "number": number,
                    "name": f"t{number}",
                    "kind": kind,
                    "shape": shape,
                    "sha256": "",
                    "overflow_f16": 0,
                    "scale_dtype": "F32",
                    "group_size": 8,
                }
                | {"outputs": outputs}
            )
        case: dict[str, Any] = {
            "id": f"toy/{name}",
            "title": f"the {name} one",
            "req": ["AWQ-TOY-001"],
            "level": "MUST",
        }
        case |= {"profile": "core", "outcome": "accept", "twin": None, "mutation": None, "codes": [], "flags": []}
        case |= {
            "since": "0.1.0",
            "recipe": name,
            "seed": "",
            "made": False,
            "files": files,
            "expect": expect,
            "refs": [],
        }
        self.cases.append(case | {"comment": ""} | facts)

    def add_valid(self) -> None:
        self.add("small", toy(SMALL, small=True), SMALL)
        self.add_big()

    def add_big(self, number: int = 0) -> None:
        self.add(f"big-{number}" if number else "big", toy(BIG), BIG)

    def _file(self, path: str, value: Any) -> dict[str, Any]:
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(value, bytes):
            target.write_bytes(value)
        else:
            np.save(target, value)
        data = target.read_bytes()
        return {"path": path, "sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}

    def manifest(self, suite: str = "toy") -> Path:
        text = json.dumps({"suite": suite, "version": "1", "profile": "core", "cases": self.cases})
        (self.root / "manifest.json").write_text(text)
        return self.root


def make_corpus(root: Path) -> Path:
    """Write the toy corpus."""
    maker = Maker(root)
    add_cases(maker)
    return maker.manifest()


def add_cases(maker: Maker) -> None:
    """Add two valid files, two faults of which one is read before it is found, one free choice."""
    maker.add_valid()
    mutation = {"what": "a fault", "edits": [{"offset": 17, "old": "6e756c6c", "new": "22"}], "refreshed": True}
    fault: dict[str, Any] = {"outcome": "reject", "twin": "toy/big", "codes": ["E_MAGIC"], "mutation": mutation}
    maker.add("fault", toy(BIG, fault="E_MAGIC"), [], **fault)
    maker.add("torn", toy(SMALL)[:-9], [], outcome="reject", twin="toy/small", codes=["E_TRUNCATED", "E_SIZE"])
    maker.add("either", toy(SMALL, small=True), SMALL, outcome="either", level="SHOULD")


@pytest.fixture(scope="session")
def corpus_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The toy corpus; tests that alter it make their own."""
    return make_corpus(tmp_path_factory.mktemp("corpus"))


class Zoo:
    """Runs the suite against one breed of the zoo."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def command(self, breed: str) -> list[str]:
        return [sys.executable, "-I", "-S", str(ZOO), breed]

    def run(self, breed: str, *, timeout: float = 60, globs: tuple[str, ...] = (), jobs: int = 2) -> Certification:
        command = tuple(self.command(breed))
        request = Request(command, load(self.root), "core", Selection(globs), jobs=jobs, timeout=timeout)
        return certify(request, lambda _: None)


@pytest.fixture
def zoo(corpus_root: Path) -> Zoo:
    """Return the zoo, in front of the toy corpus."""
    return Zoo(corpus_root)


@pytest.fixture
def own_corpus(tmp_path: Path) -> Path:
    """A copy of the toy corpus that a test may alter."""
    return make_corpus(tmp_path / "corpus")


@pytest.fixture
def maker(tmp_path: Path) -> Maker:
    """An empty corpus to fill."""
    return Maker(tmp_path / "corpus")
