"""Grades below exact, against the sentences of the spec in slow fractions (spec: conformance, "Grades")."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from awq_conformance.grade import Parts, graded, round_to, within_bound
from awq_conformance.outputs import DTYPES, Matrix
from awq_conformance.verdict import Grade

Array = np.ndarray[Any, Any]
PRECISION = {"f16": (-14, 10), "bf16": (-126, 7), "f32": (-126, 23)}


def values_of(matrix: Matrix) -> Array:
    """Return a float matrix as float64."""
    if matrix.dtype == "bf16":  # numpy has none
        return np.asarray((matrix.values.astype(np.uint32) << np.uint32(16)).view(np.float32), np.float64)
    return np.asarray(matrix.values, np.float64)


def slow_ulp(value: Fraction, dtype: str) -> Fraction:
    """Return 2^(max(e, emin) - m) for 2^e <= |value| < 2^(e+1), counting e by hand."""
    emin, m = PRECISION[dtype]
    e = emin
    while abs(value) >= Fraction(2) ** (e + 1):
        e += 1
    return Fraction(2) ** (e - m)


def slow_bounded(y: float, right: float, q: int, z: int, s: float, scale_dtype: str, dtype: str) -> bool:
    """Say what the spec says of one element."""
    if y == right:
        return True
    if not (np.isfinite(y) and np.isfinite(right)):
        return False
    t = "f32" if dtype == "f64" else dtype
    w, zs = (q - z) * Fraction(s), z * Fraction(s)
    u = Fraction(0) if zs == 0 else max(slow_ulp(zs, scale_dtype), slow_ulp(zs, t))
    return abs(Fraction(y) - w) <= u / 2 + slow_ulp(max(abs(w), abs(Fraction(y))), t) / 2


def scales(dtype: str) -> st.SearchStrategy[float]:
    """Finite scales >= 0 of a dtype, edges and subnormals among them."""
    bits, most = {"f16": (np.uint16, 0x7BFF), "bf16": (np.uint16, 0x7F7F), "f32": (np.uint32, 0x7F7FFFFF)}[dtype]
    return st.integers(0, most).map(
        lambda word: float(
            values_of(
                Matrix(np.array([word], bits) if dtype == "bf16" else np.array([word], bits).view(DTYPES[dtype]), dtype)
            )[0]
        )
    )


def one(value: float, dtype: str) -> Matrix:
    """Return a matrix of one element, rounded to ``dtype``."""
    with np.errstate(over="ignore"):
        return round_to(np.array([[value]], np.float32), dtype)


def parts(q: int, z: int, s: float, scale_dtype: str) -> Parts:
    """Return the parts of one element."""
    return Parts(np.array([[float(q)]]), np.array([[float(z)]]), np.array([[s]]), scale_dtype.upper())


@given(data=st.data(), q=st.integers(0, 15), z=st.integers(0, 15))
@pytest.mark.parametrize("dtype", ["f16", "bf16", "f32", "f64"])
@pytest.mark.parametrize("scale_dtype", ["f16", "bf16", "f32"])
def test_the_bound_is_that_of_the_spec(dtype: str, scale_dtype: str, data: st.DataObject, q: int, z: int) -> None:
    """Around the edge of the bound, a few steps of the output's dtype off the right value."""
    s = data.draw(scales(scale_dtype))
    with np.errstate(over="ignore"):
        due = round_to(np.array([[(q - z) * s]], np.float64).astype(np.float32), dtype)
    steps = data.draw(st.integers(-40, 40))
    width = due.values.dtype.itemsize
    bits = due.values.view(f"<u{width}").astype(np.int64) + steps
    if bits[0, 0] < 0:
        bits = -bits
    actual = Matrix(bits.astype(f"<u{width}").view(due.values.dtype), dtype)
    with np.errstate(invalid="ignore"):
        y, right = float(values_of(actual)[0, 0]), float(values_of(due)[0, 0])
    if np.isnan(y):
        return
    expected = slow_bounded(y, right, q, z, s, scale_dtype, dtype)
    bounded = within_bound(actual, due, parts(q, z, s, scale_dtype))[0, 0] or y == right
    assert bounded == expected, (y, right, q, z, s)


def tensor(scale_dtype: str) -> Parts:
    """Return 4096 random elements with scales that have all their bits."""
    random = np.random.default_rng(7)
    q, z = random.integers(0, 16, (2, 64, 64)).astype(np.float64)
    s = round_to(random.uniform(0.01, 0.02, (64, 64)).astype(np.float32), scale_dtype)
    return Parts(q, z, values_of(s), scale_dtype.upper())


def of(p: Parts) -> Array:
    """Return the right values of all elements, float32."""
    return ((p.q - p.z) * p.s).astype(np.float32)


def expanded(p: Parts, dtype: str) -> Matrix:
    """Return q*s - z*s with z*s rounded to ``dtype`` first, as kernels with a fused multiply-add have it."""
    zs = values_of(round_to((p.z * p.s).astype(np.float32), dtype))
    return round_to((p.q * p.s - zs).astype(np.float32), dtype)


@pytest.mark.parametrize(("scale_dtype", "dtype"), [("f16", "f16"), ("bf16", "bf16"), ("f16", "bf16"), ("f32", "f32")])
def test_the_expanded_form_is_bounded_and_not_exact(scale_dtype: str, dtype: str) -> None:
    """This is what the grade is for."""
    p = tensor(scale_dtype)
    assert graded(expanded(p, dtype), of(p), lambda: p, Grade.BOUNDED).grade is Grade.BOUNDED


@pytest.mark.parametrize("dtype", ["f16", "f32"])
def test_scales_rounded_to_bf16_are_not_bounded(dtype: str) -> None:
    """They pass any relative tolerance of 1e-2, and are no more than functional."""
    p = tensor("f16")
    rough = Parts(p.q, p.z, values_of(round_to(p.s.astype(np.float32), "bf16")), "BF16")
    got = graded(round_to(of(rough), dtype), of(p), lambda: p, Grade.BOUNDED)
    assert got.grade is Grade.FUNCTIONAL
    assert got.mismatch is not None
    assert got.mismatch.wrong > 1000


@pytest.mark.req("AWQ-CNF-030")
@pytest.mark.parametrize("asked", [Grade.EXACT, Grade.BOUNDED, Grade.FUNCTIONAL])
@pytest.mark.parametrize(
    ("name", "dtype"), [(name, dtype) for name in ("nan", "all nan", "inf") for dtype in ("f16", "bf16", "f32", "f64")]
)
def test_what_is_not_finite_fails_at_every_grade(asked: Grade, name: str, dtype: str) -> None:
    """One NaN or infinity among right values is enough."""
    p = tensor("f16")
    values = of(p).copy()
    wrong = {"nan": np.nan, "all nan": np.nan, "inf": np.inf}[name]
    matrix = round_to(of(p), dtype)
    special = np.array([wrong], np.float32)
    word = (special.view(np.uint32) >> 16).astype(np.uint16) if dtype == "bf16" else special.astype(DTYPES[dtype])
    changed = matrix.values.copy()
    changed[... if name == "all nan" else (3, 5)] = word[0]
    got = graded(Matrix(changed, dtype), values, lambda: p, asked)
    assert got.grade is Grade.FAIL
    assert got.mismatch is not None
    assert got.mismatch.nonfinite


def test_an_overflow_must_be_infinite_at_every_grade() -> None:
    """The largest finite number where F16 overflows is a failure, infinity is exact."""
    p = parts(15, 0, 60000.0, "f16")
    assert graded(one(15 * 60000.0, "f16"), of(p), lambda: p, Grade.EXACT).grade is Grade.EXACT
    saturated = graded(one(65504.0, "f16"), of(p), lambda: p, Grade.FUNCTIONAL)
    assert (saturated.grade, saturated.mismatch is None) == (Grade.FAIL, False)


def test_the_functional_grade_is_a_share_of_the_whole_tensor() -> None:
    """2^-8 of the norm is the limit, both sides of it."""
    p = tensor("f32")
    for factor, grade in ((1 + 2**-8 * 0.99, Grade.FUNCTIONAL), (1 + 2**-8 * 1.01, Grade.FAIL)):
        values = (of(p).astype(np.float64) * factor).astype(np.float32)
        assert graded(Matrix(values, "f32"), of(p), lambda: p, Grade.FUNCTIONAL).grade is grade
