"""The checkpoint directories of the corpus: one fault a case, and read by the library as they are meant."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
import pytest

import awqformat
from awq_conformance.cases import Case, default_root, load
from awqformat.checkpoints.directory import Directory
from awqformat.checkpoints.importing import directory_model
from awqformat.checkpoints.losses import MEANINGS, Losses
from awqformat.errors import CHECKPOINT_CODES, CODES

CASES: Final = {case.id: case for case in load(default_root()).cases.values() if case.folder}
ACCEPT: Final = [case for case in CASES.values() if case.outcome == "accept"]
REJECT: Final = [case for case in CASES.values() if case.outcome == "reject"]


def files_of(case: Case) -> dict[str, bytes]:
    """Return the files of the folder by their names."""
    return {Path(file.path).name: (case.root / file.path).read_bytes() for file in case.parts}


def read(case: Case) -> list[awqformat.QuantizedTensor]:
    """Return the layers in the order of their names."""
    with Directory(case.input) as directory:
        layers = directory_model(directory, Losses(MEANINGS)).layers
        return [layer.load() for layer in sorted(layers, key=lambda layer: layer.prefix.encode())]


@pytest.mark.req("AWQ-CNF-036")
@pytest.mark.parametrize("case", REJECT, ids=lambda case: str(case.id))
def test_undoing_the_edit_gives_the_twin(case: Case) -> None:
    """A reject case differs from its valid twin by one edit of one file and by nothing else."""
    assert case.mutation is not None
    assert case.twin is not None
    repaired = files_of(case)
    (edit,) = case.mutation.edits
    data = repaired[edit.file]
    assert data[edit.offset : edit.offset + len(edit.new)] == edit.new != edit.old
    repaired[edit.file] = data[: edit.offset] + edit.old + data[edit.offset + len(edit.new) :]
    assert repaired == files_of(CASES[case.twin])


@pytest.mark.parametrize("case", REJECT, ids=lambda case: str(case.id))
def test_the_library_refuses_with_the_stated_code(case: Case) -> None:
    """On one line, with a code of the lists."""
    with pytest.raises(awqformat.AwqError) as caught:
        read(case)
    assert (caught.value.code,) == case.codes, str(caught.value)
    assert caught.value.code in CODES | CHECKPOINT_CODES
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("case", ACCEPT, ids=lambda case: str(case.id))
def test_the_library_reads_the_expected_values(case: Case) -> None:
    """Codes, zero points, scales and weights, bit for bit; the expected ones come from the oracle."""
    tensors = read(case)
    assert len(tensors) == len(case.expect)
    for tensor, expected in zip(tensors, case.expect, strict=True):
        outputs = {what: (case.root / path).read_bytes() for what, path in expected.outputs.items()}
        zeros = np.full(tensor.scales.shape, 8, np.uint8) if tensor.zero_points is None else tensor.zero_points
        assert tensor.codes.tobytes() == outputs["q"]
        assert zeros.tobytes() == outputs["z"]
        assert tensor.scales.astype("<f4").tobytes() == outputs["s"]
        assert (awqformat.dequantize(tensor) + 0.0).tobytes() == outputs["W"]


def test_every_profile_has_its_share_of_malformed_directories() -> None:
    """At least a third of the cases of each are to be refused."""
    for profile in {case.profile for case in CASES.values()}:
        outcomes = [case.outcome for case in CASES.values() if case.profile == profile]
        assert 3 * outcomes.count("reject") >= len(outcomes), profile
