"""The Python reader through its adapter, on real files: the shortest path through the whole system."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ml_dtypes
import numpy as np
import pytest

import awqformat
from awq_conformance.cases import load
from awq_conformance.fresh import fresh_case
from awq_conformance.protocol import RunnerExit
from awq_conformance.run import Request, certify

if TYPE_CHECKING:
    from tests.conftest import Maker

ADAPTER = Path(__file__).parents[1] / "adapters" / "python_reader.py"


@pytest.fixture
def corpus(maker: Maker) -> Path:
    """Return a corpus of one valid file with every kind of tensor, and one flipped bit."""
    random = np.random.default_rng(1)
    q = random.integers(0, 16, (3, 40), np.uint8)
    z = random.integers(0, 16, (3, 5), np.uint8)
    s = random.uniform(0, 1, (3, 5)).astype(ml_dtypes.bfloat16)
    bias = np.arange(3, dtype=np.float32)
    tensors: dict[str, Any] = {
        "a": awqformat.QuantizedTensor.from_codes(q, s, z),
        "b": bias,
        "c": awqformat.QuantizedTensor.from_codes(q, s.astype(np.float16)),
    }
    expect = []
    for zeros, scales in ((z, s.astype(np.float32)), (np.full_like(z, 8), s.astype(np.float16).astype(np.float32))):
        w = (q.astype(np.float32) - zeros.repeat(8, 1)) * scales.repeat(8, 1) + np.float32(0)
        expect.append({"W": w, "q": q, "z": zeros, "s": scales})
    path = maker.root / "tensors.awq"
    maker.root.mkdir(parents=True)
    awqformat.save_file(tensors, path)
    good = path.read_bytes()
    maker.add("good", good, [expect[0], {"P": bias.tobytes()}, expect[1]])
    maker.add("flip", good[:-1] + b"\x01", [], outcome="reject", twin="toy/good", codes=["E_DIGEST"])
    return maker.manifest("awqformat")


@pytest.mark.req("AWQ-CNF-022")
def test_the_python_reader_is_conformant(corpus: Path) -> None:
    """Every operation on a valid file in both modes, a rejection with its code, and the fresh random file."""
    request = Request((sys.executable, str(ADAPTER)), load(corpus), "core", jobs=2, timeout=60, seed=11)
    run = certify(request, lambda _: None)
    assert (run.inconclusive, [result.finding for result in run.failures]) == ("", [])
    assert run.exit is RunnerExit.CONFORMANT
    assert list(run.results) == ["fresh/11", "toy/good", "toy/flip"]
    ops = ["dequant", "unpack", "plain", "inspect"]
    assert list(run.results["toy/good"].calls) == [*ops, *(f"serve {op}" for op in ops)]
    assert run.results["toy/flip"].code == "E_DIGEST"


@pytest.mark.parametrize("align", [(1, 8), (7, 24), (16, 64)])
def test_a_fresh_file_depends_on_its_seed_alone(tmp_path: Path, align: tuple[int, int]) -> None:
    """The same seed gives the same bytes, another one other bytes; shapes follow the declared multiples."""
    digests = []
    for number, seed in enumerate((1, 1, 2)):
        folder = tmp_path / str(number)
        folder.mkdir()
        case = fresh_case(folder, seed, align)
        digests.append([case.files[0].sha256, *(tensor.sha256 for tensor in case.expect)])
        for tensor in case.expect:
            n, k = tensor.shape
            assert (n % align[0], k % align[1], n == k) == (0, 0, False)
    assert digests[0] == digests[1]
    assert all(one != other for one, other in zip(digests[1], digests[2], strict=True))
