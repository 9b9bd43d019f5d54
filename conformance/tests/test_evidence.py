"""What is told of a wrong output: where it is wrong, and by how much."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from awq_conformance.evidence import CELLS_MAX, of_codes, of_floats
from awq_conformance.grade import round_to
from awq_conformance.outputs import Matrix

INF, NAN = np.inf, np.nan
Array = np.ndarray[Any, Any]


def row(*values: float) -> Array:
    """Return an expected row."""
    return np.array([values], np.float32)


@pytest.mark.parametrize(
    ("got", "due", "histogram"),
    [
        ([1 + 2**-23, 2], row(1, 2), {"1 ulp": 1}),
        ([1 + 2**-22, 2 + 2**-20], row(1, 2), {"2 ulp": 1, "3-4 ulp": 1}),
        ([1 - 2**-24, 2], row(1, 2), {"1 ulp": 1}),
        ([1.5, 3], row(1, 2), {"over 65536 ulp": 2}),
        ([-1, -2], row(1, 2), {"sign": 2}),
        (
            [NAN, INF, -INF, 7],
            row(1, 2, 3, INF),
            {"over 65536 ulp": 0, "finite for infinity": 1, "infinity": 2, "NaN": 1},
        ),
        ([-INF, NAN], row(INF, -INF), {"infinity": 1, "NaN": 1}),
        ([2**-149, 1], row(0, 1), {"1 ulp": 1}),
    ],
)
def test_errors_are_counted_in_steps_of_the_output(got: list[float], due: Array, histogram: dict[str, int]) -> None:
    """A wrong sign, NaN and infinity are no numbers of steps, and have their own counts."""
    evidence = of_floats(Matrix(np.array([got], np.float32), "f32"), due)
    assert dict(evidence.histogram) == {label: count for label, count in histogram.items() if count}
    assert evidence.wrong == sum(histogram.values())


@pytest.mark.parametrize(("dtype", "step"), [("f16", 2**-10), ("bf16", 2**-7), ("f32", 2**-23), ("f64", 2**-23)])
def test_a_step_is_one_of_the_dtype_that_was_written(dtype: str, step: float) -> None:
    """An f64 output stands for an f32 one."""
    values = np.array([[1 + step, 1]])
    got = Matrix(values, "f64") if dtype == "f64" else round_to(values.astype(np.float32), dtype)
    assert of_floats(got, row(1, 1)).histogram == (("1 ulp", 1),)


def test_an_enormous_number_is_just_very_wrong() -> None:
    """What overflows while it is counted warns nobody."""
    evidence = of_floats(Matrix(np.array([[1e308, 1e-300]]), "f64"), row(0, 0))
    assert evidence.histogram == (("1 ulp", 1), ("over 65536 ulp", 1))


def test_only_what_falls_short_is_shown() -> None:
    """At grade bounded an element within the bound is no mistake."""
    below = np.array([[False, True, False]])
    evidence = of_floats(Matrix(row(1.5, 2.5, 3.5), "f32"), row(1, 2, 3), below)
    assert (evidence.wrong, evidence.total, evidence.heat) == (1, 3, ("0f0",))


def test_codes_are_counted_by_their_difference() -> None:
    """Up to 15 apart; plain bytes have one dimension, and up to 255."""
    due = np.array([[0, 1, 2, 15]], np.uint8)
    evidence = of_codes(Matrix(np.array([[0, 0, 4, 0]], np.uint8), "u8"), due)
    assert (evidence.heat, evidence.histogram) == (("0fff",), (("1 off", 1), ("2 off", 1), ("5-16 off", 1)))
    plain = of_codes(Matrix(np.array([9, 255], np.uint8), "u8"), np.array([9, 0], np.uint8))
    assert (plain.shape, plain.heat, plain.histogram) == ((2,), ("0f",), (("17-256 off", 1),))


@given(
    leading=st.lists(st.integers(1, 3), max_size=2),
    rows=st.integers(1, 70),
    columns=st.integers(1, 100),
    data=st.data(),
)
def test_each_cell_shows_its_share_of_wrong_elements(
    leading: list[int], rows: int, columns: int, data: st.DataObject
) -> None:
    """Every element lies in one cell; 0 means none wrong and f all, rounded up in between."""
    shape = (*leading, rows, columns)
    wrong = np.random.default_rng(data.draw(st.integers(0, 99))).random(shape) < data.draw(
        st.sampled_from([0.0, 0.01, 1.0])
    )
    wrong.reshape(-1)[data.draw(st.integers(0, wrong.size - 1))] = True
    evidence = of_codes(Matrix(wrong.astype(np.uint8), "u8"), np.zeros(shape, np.uint8))
    grid = wrong.reshape(-1, columns)
    height, width = (min(CELLS_MAX, size) for size in grid.shape)
    assert (evidence.wrong, evidence.total, evidence.shape) == (wrong.sum(), wrong.size, shape)
    assert [len(line) for line in evidence.heat] == [width] * height
    counts, sizes = np.zeros((2, height, width), int)
    for (y, x), one in np.ndenumerate(grid):
        cell = y * height // grid.shape[0], x * width // columns
        counts[cell] += one
        sizes[cell] += 1
    expected = [
        [-(-15 * c // s) for c, s in zip(*pair, strict=True)]
        for pair in zip(counts.tolist(), sizes.tolist(), strict=True)
    ]
    assert [[int(digit, 16) for digit in line] for line in evidence.heat] == expected
