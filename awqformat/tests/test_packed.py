"""Layers that other projects' packers have packed (packed/README.md): what the importer makes of them."""

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from awqformat import dialects
from awqformat.checkpoints.directory import Directory
from awqformat.checkpoints.importing import directory_model
from awqformat.checkpoints.losses import Losses

PACKED = Path(__file__).with_name("packed")

# folder, dialect, numbers it was given
CASES = [
    ("autoawq-gemm", "gemm", "any"),
    ("autoawq-gemv", "gemv", "any"),
    ("autoawq-gemv_fast", "gemv_fast", "any"),
    ("gptqmodel-gemm", "gemm", "any"),
    ("gptqmodel-gptq", "gptq", "positive"),
    ("gptqmodel-gptq_v2", "gptq_v2", "any"),
    ("compressed-tensors", "ct-pack", "any"),
    ("compressed-tensors-symmetric", "ct-pack", "eight"),
]


@pytest.mark.req(
    "AWQ-LAY-005", "AWQ-LAY-006", "AWQ-LAY-008", "AWQ-LAY-009", "AWQ-LAY-010", "AWQ-LAY-014", "AWQ-LAY-017"
)
@pytest.mark.parametrize(("folder", "dialect", "numbers"), CASES)
def test_the_importer_finds_the_numbers_that_were_packed(folder: str, dialect: str, numbers: str) -> None:
    """Codes, zero points and scales are those that the packer was given, with nothing said to be lost."""
    known = load_file(PACKED / f"known-{numbers}.safetensors")
    with Directory(str(PACKED / folder)) as directory:
        model = directory_model(directory, Losses(()))
        (layer,) = model.layers
        tensor = layer.load()
    assert model.dialect == dialect
    zeros = np.full_like(known["z"], 8) if tensor.zero_points is None else tensor.zero_points
    np.testing.assert_array_equal(tensor.codes, known["q"])
    np.testing.assert_array_equal(zeros, known["z"])
    np.testing.assert_array_equal(tensor.scales, known["s"])


@pytest.mark.req("AWQ-CHK-026")
@pytest.mark.parametrize(("folder", "dialect"), [case[:2] for case in CASES])
def test_the_exporter_packs_as_the_packer_did(folder: str, dialect: str) -> None:
    """Encoding what was imported gives the packer's tensors again, every bit of them."""
    stored = load_file(PACKED / folder / "model.safetensors")
    with Directory(str(PACKED / folder)) as directory:
        (layer,) = directory_model(directory, Losses(())).layers
        again = dialects.encode(dialects.DIALECTS[dialect], layer.load(), layer.form)
    assert {name.rpartition(".")[2] for name in stored} == {*again}
    for name, array in stored.items():
        np.testing.assert_array_equal(again[name.rpartition(".")[2]], array, err_msg=name)
