"""The file that is made for one run alone, and what is expected of it."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

import awqformat
from awq_conformance.cases import Case
from awq_conformance.compare import expected
from awq_conformance.fresh import fresh_case


@pytest.fixture
def case(tmp_path: Path) -> Case:
    """Return a random case."""
    return fresh_case(tmp_path, 8, (1, 8))


def test_every_output_of_a_fresh_file_is_known(case: Case) -> None:
    """W, q, z and s of each tensor are what the file holds, so that `unpack` and every grade can be judged."""
    with awqformat.safe_open(case.input, verify="all") as file:
        for tensor in case.expect:
            stored = file.get_quantized(tensor.name)
            z = np.full(stored.scales.shape, 8) if stored.zero_points is None else stored.zero_points
            wide = (stored.codes - z.repeat(tensor.group_size, -1).astype(np.float64)) * stored.scales.astype(
                np.float64
            ).repeat(tensor.group_size, -1)
            assert (tensor.scale_dtype, tensor.group_size) == (stored.scale_dtype.name, stored.group_size)
            for what, due in {"q": stored.codes, "z": z, "s": stored.scales, "W": wide.astype(np.float32)}.items():
                assert np.array_equal(expected(case, tensor, what).values, due.astype(np.float32))
            with np.errstate(over="ignore"):
                assert tensor.overflow_f16 == np.isinf(wide.astype(np.float32).astype(np.float16)).sum()


def test_a_fresh_file_has_scales_of_every_dtype_and_every_kind_of_zero_points(case: Case) -> None:
    """One tensor is symmetric; rows of the others have several zero points; some F16 results overflow."""
    assert [tensor.scale_dtype for tensor in case.expect] == ["F16", "BF16", "F32"]
    zeros = [expected(case, tensor, "z").values for tensor in case.expect]
    assert [bool((z == 8).all()) for z in zeros] == [False, True, False]
    assert all(any(len(set(row)) > 1 for row in z.tolist()) for z in (zeros[0], zeros[2]))
    assert case.expect[0].overflow_f16 > 0


def test_the_files_of_a_fresh_case_are_pinned(case: Case) -> None:
    """The input comes first, every output is listed, and digests are those of the files."""
    assert case.input.name == "fresh.awq"
    assert {file.path for file in case.files} == {path.name for path in case.root.iterdir()}
    for file in case.files:
        data = (case.root / file.path).read_bytes()
        assert (file.size, file.sha256) == (len(data), hashlib.sha256(data).hexdigest())
