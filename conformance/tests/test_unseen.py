"""Checkpoints made for one run alone, or for a seed: random, the same everywhere, and what they claim to be."""

from __future__ import annotations

import hashlib
import sys
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import pytest

import awqformat
from awq_conformance.cases import Case, default_root, load
from awq_conformance.fresh import fresh_checkpoint, held_out_checkpoints
from awq_conformance.making import checkpoints
from awq_conformance.making.checkpoints import unseen
from awq_conformance.making.checkpoints.dialects import KINDS
from awq_conformance.making.checkpoints.faults import CASES as FAULTS
from awq_conformance.making.checkpoints.unseen import COUNT
from awq_conformance.profiles import profile_of
from awq_conformance.profiles.checkpoints import DIALECTS, Checkpoints
from awq_conformance.protocol import ONE_SHOT, RunnerExit
from awq_conformance.reproduction.shards import refusal
from awq_conformance.run import Request, certify
from awq_conformance.selection import Selection
from awq_conformance.verdict import Verdict
from tests.folders import files_of, hold_what_is_expected, read, repaired

FOLDER: Final = TemporaryDirectory(prefix="awqc-unseen-")
SEED: Final = 7
DIGESTS: Final = {
    "hf-gemm": "7b5ec3c44503a2b4",
    "hf-gemv": "98ebb7b5f889efeb",
    "hf-gemv-fast": "b55d2ba613073ce2",
    "gptq": "d10dc189b21a49e1",
    "ct-pack": "520bda4af8f0d04e",
}
"""Of the holdouts of the seed; they change only with the recipe."""

profiles = pytest.mark.parametrize("profile", DIALECTS)


@cache
def held_out(profile: str) -> tuple[Case, ...]:
    """Return a holdout, made once."""
    return tuple(held_out_checkpoints(Path(FOLDER.name) / profile, profile, SEED, (1, 8)))


def digest(cases: tuple[Case, ...]) -> str:
    """Return one digest of all that the cases say and hold."""
    return hashlib.sha256(repr([(case.id, case.files, case.expect) for case in cases]).encode()).hexdigest()[:16]


def test_every_profile_of_checkpoints_makes_them() -> None:
    """Those of the suite's own corpus, no others."""
    corpus = load(default_root())
    assert set(DIALECTS) == {kind.profile for kind in KINDS} == set(corpus.profiles) - {"core"}
    assert [profile_of(corpus, name) for name in DIALECTS] == [Checkpoints(name) for name in DIALECTS]


@profiles
def test_a_holdout_is_the_same_on_every_machine(profile: str) -> None:
    """To the last byte."""
    assert digest(held_out(profile)) == DIGESTS[profile]


@profiles
def test_no_weight_comes_twice(tmp_path: Path, profile: str) -> None:
    """Neither in the checkpoints of two seeds, nor in one of them and the holdout or the corpus."""
    corpus = {tensor.sha256 for case in load(default_root()).of(profile) for tensor in case.expect}
    fresh = [case for seed in range(3) for case in fresh_checkpoint(tmp_path / str(seed), profile, seed, (1, 8))]
    unseen = [tensor.sha256 for case in (*fresh, *held_out(profile)) for tensor in case.expect]
    assert len({*unseen}) == len(unseen) >= 3 + COUNT
    assert corpus.isdisjoint(unseen)


@profiles
def test_what_is_valid_is_read_as_expected(profile: str) -> None:
    """Bit for bit, by a reader that shares nothing with the oracle."""
    valid = [case for case in held_out(profile) if case.outcome == "accept"]
    assert len(valid) == COUNT
    for case in valid:
        hold_what_is_expected(case, read(case))


@pytest.mark.req("AWQ-CNF-036")
@profiles
def test_what_is_malformed_is_refused_and_its_twin_is_not(profile: str) -> None:
    """With the code of its record; one edit away from a valid checkpoint of the same holdout."""
    cases = {case.id: case for case in held_out(profile)}
    malformed = [case for case in cases.values() if case.outcome == "reject"]
    assert len(malformed) == COUNT
    for case in malformed:
        with pytest.raises(awqformat.AwqError) as caught:
            read(case)
        assert (caught.value.code,) == case.codes, f"{case.id}: {caught.value}"
        assert repaired(case) == files_of(cases[case.twin or ""])


@profiles
def test_every_fault_that_may_be_drawn_is_one_wherever_it_is_made(tmp_path: Path, profile: str) -> None:
    """Not those few alone that one seed draws: in every random checkpoint that has what the fault changes."""
    faults = [fault for fault in FAULTS if fault.kind.profile == profile and fault.anywhere]
    made = set()
    for seed in range(8):
        kind = unseen.kind_of(profile, f"test/{seed}")
        model = unseen.model_of(kind, f"test/{seed}", (1, 8))
        twin = {f"twin/{name}": data for name, data in checkpoints.written(kind, model).items()}
        for fault in faults:
            if unseen.works(fault, "twin", model, twin):
                record, files = checkpoints.malformed(fault, f"{seed}-{fault.name}", "twin", twin)
                folder = tmp_path / str(record["id"])
                folder.mkdir()
                for name, data in files.items():
                    (folder / Path(name).name).write_bytes(data)
                problem = refusal(folder)
                assert problem is not None, f"{fault.name} in checkpoint {seed} is none"
                assert problem.code == fault.code, f"{fault.name} in checkpoint {seed}: {problem}"
                made.add(fault.name)
    assert len(made) >= len(faults) - 4


@profiles
def test_a_holdout_is_varied(profile: str) -> None:
    """Group sizes, shards and places of the configuration; most faults that there are."""
    valid = [case for case in held_out(profile) if case.outcome == "accept"]
    sizes = {(tensor.group_size, tensor.shape[-1] == tensor.group_size) for case in valid for tensor in case.expect}
    assert {size for size, one_group in sizes if not one_group} >= {32, 64, 128}
    assert any(one_group for _, one_group in sizes)
    assert {len([name for name in files_of(case) if name.endswith(".safetensors")]) for case in valid} == {1, 2, 3}
    assert any(b"text_config" in files_of(case)["config.json"] for case in valid)
    assert len({case.title for case in held_out(profile) if case.outcome == "reject"}) >= 2 * COUNT // 3


@profiles
@pytest.mark.parametrize("align", [(7, 24), (16, 64), (32, 256)])
def test_shapes_follow_what_the_loader_needs(tmp_path: Path, profile: str, align: tuple[int, int]) -> None:
    """N and K are multiples of it, and never equal."""
    for seed in range(2):
        (case,) = fresh_checkpoint(tmp_path / str(seed), profile, seed, align)
        assert case.id == f"fresh/{seed}"
        for tensor in case.expect:
            n, k = tensor.shape
            assert (n % align[0], k % align[1], n == k) == (0, 0, False)


@pytest.mark.req("AWQ-CNF-022")
@profiles
def test_a_loader_that_remembers_the_corpus_fails(profile: str) -> None:
    """It knows every checkpoint that was ever published, and fails on the one that was not."""
    adapter = Path(__file__).with_name("remembering.py")
    command = (sys.executable, "-I", "-S", str(adapter), str(default_root()))
    selection = Selection((f"{profile}/bits-*", f"{profile}/sharded", f"{profile}/square"))
    request = Request(command, load(default_root()), profile, selection, jobs=2, timeout=60, seed=5, modes=(ONE_SHOT,))
    run = certify(request, lambda _: None)
    assert not run.inconclusive
    assert {name: result.verdict for name, result in run.results.items() if result.finding.failed} == {
        "fresh/5": Verdict.OVER_REJECT
    }
    assert len(run.results) == 7
    assert run.exit is RunnerExit.NOT_CONFORMANT
