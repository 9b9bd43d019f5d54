"""Checkpoint directories of cases: their files, what the library reads in them, and what it should."""

from __future__ import annotations

from pathlib import Path

import numpy as np

import awqformat
from awq_conformance.cases import Case
from awqformat.checkpoints.directory import Directory
from awqformat.checkpoints.importing import directory_model
from awqformat.checkpoints.losses import MEANINGS, Losses


def files_of(case: Case) -> dict[str, bytes]:
    """Return the files of the folder by their names."""
    return {Path(file.path).name: (case.root / file.path).read_bytes() for file in case.parts}


def repaired(case: Case) -> dict[str, bytes]:
    """Return the files with the one edit of a malformed case undone, which must have changed something.

    A file that is empty then was not there.
    """
    assert case.mutation is not None
    (edit,) = case.mutation.edits
    files = files_of(case)
    data = files[edit.file]
    assert data[edit.offset : edit.offset + len(edit.new)] == edit.new != edit.old
    files[edit.file] = data[: edit.offset] + edit.old + data[edit.offset + len(edit.new) :]
    return {name: data for name, data in files.items() if data}


def read(case: Case) -> list[awqformat.QuantizedTensor]:
    """Return the layers in the order of their names."""
    with Directory(case.input) as directory:
        layers = directory_model(directory, Losses(MEANINGS)).layers
        return [layer.load() for layer in sorted(layers, key=lambda layer: layer.prefix.encode())]


def hold_what_is_expected(case: Case, tensors: list[awqformat.QuantizedTensor]) -> None:
    """Compare codes, zero points, scales and weights, bit for bit."""
    assert len(tensors) == len(case.expect)
    for tensor, expected in zip(tensors, case.expect, strict=True):
        outputs = {what: (case.root / path).read_bytes() for what, path in expected.outputs.items()}
        zeros = np.full(tensor.scales.shape, 8, np.uint8) if tensor.zero_points is None else tensor.zero_points
        assert tensor.codes.tobytes() == outputs["q"]
        assert zeros.tobytes() == outputs["z"]
        assert tensor.scales.astype("<f4").tobytes() == outputs["s"]
        assert (awqformat.dequantize(tensor) + 0.0).tobytes() == outputs["W"]
