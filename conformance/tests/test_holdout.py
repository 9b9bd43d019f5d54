"""The holdout of .awq files: random, the same for a seed everywhere, and each what it claims to be."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import numpy as np
import pytest

import awqformat
from awq_conformance.cases import Case, default_root, load
from awq_conformance.compare import expected
from awq_conformance.fresh import held_out_files
from awq_conformance.making import core, faults, unseen
from awq_conformance.making.faults.fault import SMALL
from awq_conformance.making.unseen import COUNT, FIXED

SEED: Final = 7
DIGEST: Final = "3fbfaed8df3c4fb5"
"""Of the holdout of the seed; it changes only with the recipe."""


@pytest.fixture(scope="module")
def cases() -> Iterator[dict[str, Case]]:
    """Yield a holdout by id."""
    with TemporaryDirectory(prefix="awqc-holdout-") as folder:
        yield {case.id: case for case in held_out_files(Path(folder), SEED, (1, 8))}


def test_a_holdout_is_the_same_on_every_machine(cases: dict[str, Case]) -> None:
    """To the last byte."""
    said = repr([(case.id, case.files, case.expect) for case in cases.values()])
    assert hashlib.sha256(said.encode()).hexdigest()[:16] == DIGEST


def test_no_weight_is_one_of_the_corpus_or_of_another_seed(cases: dict[str, Case], tmp_path: Path) -> None:
    """Nobody can have seen one."""
    own = [tensor.sha256 for case in cases.values() for tensor in case.expect if tensor.quantised]
    other = {tensor.sha256 for case in held_out_files(tmp_path, SEED + 1, (1, 8)) for tensor in case.expect}
    known = {tensor.sha256 for case in load(default_root()).of("core") for tensor in case.expect}
    assert len(own) == len({*own}) >= COUNT
    assert {*own}.isdisjoint(other | known)


def test_what_is_valid_is_read_as_expected(cases: dict[str, Case]) -> None:
    """Bit for bit, by a reader that shares nothing with the oracle."""
    valid = [case for case in cases.values() if case.outcome == "accept"]
    assert len(valid) == COUNT
    for case in valid:
        with awqformat.safe_open(case.input, verify="all") as file:
            assert list(file.keys()) == [tensor.name for tensor in case.expect]
            for tensor in case.expect:
                if tensor.quantised:
                    found = awqformat.dequantize(file.get_quantized(tensor.name))
                    assert np.array_equal(found, expected(case, tensor, "W").values)


def test_what_is_malformed_is_refused_and_its_twin_is_not(cases: dict[str, Case]) -> None:
    """With the code of its record."""
    malformed = [case for case in cases.values() if case.outcome == "reject"]
    assert len({case.title for case in malformed}) == len(malformed) == COUNT
    for case in malformed:
        assert cases[case.twin or ""].outcome == "accept"
        assert (_refusal(case.input),) == case.codes, case.title


def test_a_holdout_is_varied(cases: dict[str, Case]) -> None:
    """Group sizes, scale dtypes, experts, plain tensors, symmetric ones."""
    tensors = [tensor for case in cases.values() for tensor in case.expect]
    assert {tensor.group_size for tensor in tensors} >= {8, 16, 24, 32, 64, 128}
    assert {tensor.scale_dtype for tensor in tensors} == {"", "F16", "BF16", "F32"}
    assert {len(tensor.shape) for tensor in tensors if tensor.quantised} == {2, 3, 4}


@pytest.mark.parametrize("align", [(16, 64), (7, 24)])
def test_shapes_follow_what_the_loader_needs(tmp_path: Path, align: tuple[int, int]) -> None:
    """N and K are multiples of it, and never equal."""
    for case in held_out_files(tmp_path, SEED, align):
        for tensor in case.expect:
            if tensor.quantised:
                n, k = tensor.shape[-2:]
                assert (n % align[0], k % align[1], n == k) == (0, 0, False)


def test_every_fault_that_may_be_drawn_is_one_in_every_twin(cases: dict[str, Case], tmp_path: Path) -> None:
    """Not those few alone that this seed has drawn."""
    path = tmp_path / "malformed.awq"
    for number in range(unseen.TWINS):
        twin = cases[f"holdout/{SEED}/valid-{number}"]
        for fault in faults.CASES:
            if fault.twin == SMALL and fault.id not in FIXED:
                _, files = core.malformed_file(fault, "malformed", twin.id, twin.input.read_bytes())
                path.write_bytes(files["malformed.awq"])
                assert _refusal(path) == fault.code, f"{fault.id} of {twin.id}"


def _refusal(path: Path) -> str:
    """Return the code with which the library refuses a file, or an empty string."""
    try:
        with awqformat.safe_open(path, verify="all") as file:
            for name in file.keys():  # noqa: SIM118
                if file.is_quantized(name):
                    file.get_quantized(name)
    except awqformat.AwqError as error:
        return error.code
    return ""
