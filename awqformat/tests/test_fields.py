"""What is derived from the schema agrees with it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from construct import Bytes, GreedyBytes, Struct
from hypothesis import given
from hypothesis import strategies as st

from awqformat import schema
from awqformat.fields import numpy_dtype, walk

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("name", schema.STRUCTURES)
@given(data=st.data())
def test_numpy_and_construct_read_the_same(name: str, data: st.DataObject) -> None:
    """Both readings of any 64 bytes give the same value for every field."""
    structure = schema.STRUCTURES[name]
    raw = data.draw(st.binary(min_size=64, max_size=64))
    slow, fast = structure.parse(raw), np.frombuffer(raw, numpy_dtype(structure))[0]
    for field in walk(structure):
        value = slow[field.name]
        expected = int(value) if field.count is None else [int(element) for element in value]
        assert fast[field.name].tolist() == expected, field.name


def test_every_field_is_documented() -> None:
    """Every field says what it means, and enumerated fields name their enumeration."""
    fields = [field for structure in schema.STRUCTURES.values() for field in walk(structure)]
    assert all(field.doc for field in fields)
    assert {field.name: field.values for field in fields if field.values} == {
        "type": schema.SectionType,
        "dtype": schema.Dtype,
        "scale_dtype": schema.Dtype,
        "zero_dtype": schema.Dtype,
        "layout": schema.Layout,
    }


def test_a_field_without_a_fixed_place_is_refused() -> None:
    """A structure whose size depends on its bytes has no offsets to derive."""
    with pytest.raises(TypeError, match=r"rest: .* has no fixed place"):
        walk(Struct("fixed" / Bytes(4), "rest" / GreedyBytes))


def test_derived_files_are_current() -> None:
    """The generator finds no stale file."""
    command = [sys.executable, "tools/generate.py", "--check"]
    result = subprocess.run(
        command, cwd=ROOT, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False
    )
    assert (result.returncode, result.stderr) == (0, "")
