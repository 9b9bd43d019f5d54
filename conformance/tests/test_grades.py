"""Grades below exact, against the sentences of the spec in slow fractions (spec: conformance, "Grades")."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from awq_conformance.grade import Parts, functional, graded, round_to, within_bound
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


REACH = [0.0, *(sign * share for sign in (-1, 1) for share in (0.5, 0.995, 1.0, 1.005))]
"""How far off the right value to look, in bounds."""


@given(data=st.data(), q=st.integers(0, 15), z=st.integers(0, 15), reach=st.sampled_from(REACH))
@pytest.mark.parametrize("dtype", ["f16", "bf16", "f32", "f64"])
@pytest.mark.parametrize("scale_dtype", ["f16", "bf16", "f32"])
def test_the_bound_is_that_of_the_spec(
    dtype: str, scale_dtype: str, data: st.DataObject, q: int, z: int, reach: float
) -> None:
    """At the edge of the bound and on both sides of it, and a few steps of the output's dtype from there."""
    s = data.draw(scales(scale_dtype))
    p = parts(q, z, s, scale_dtype)
    with np.errstate(over="ignore"):
        due = round_to(of(p), dtype)
    w, zs, t = float(p.weights[0, 0]), Fraction(z) * Fraction(s), "f32" if dtype == "f64" else dtype
    u = max(slow_ulp(zs, scale_dtype), slow_ulp(zs, t)) if zs else Fraction(0)
    near = w + reach * float((u + slow_ulp(Fraction(w), t)) / 2)
    start = Matrix(np.array([[near]]), "f64") if dtype == "f64" else one(near, dtype)
    width = start.values.dtype.itemsize
    bits = start.values.view(f"<u{width}").astype(np.int64) + data.draw(st.integers(-3, 3))
    actual = Matrix(bits.astype(f"<u{width}").view(start.values.dtype), dtype)
    with np.errstate(invalid="ignore"):
        y, right = float(values_of(actual)[0, 0]), float(values_of(due)[0, 0])
    if np.isnan(y):
        return
    expected = slow_bounded(y, right, q, z, s, scale_dtype, dtype)
    bounded = within_bound(actual, due, p)[0, 0] or y == right
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


def rounded(values: Array, dtype: str) -> Matrix:
    """Round float64 to ``dtype`` once, to nearest even."""
    if dtype != "bf16":
        return Matrix(values.astype(DTYPES[dtype]), dtype)
    fraction, exponent = np.frexp(values)  # normal numbers only
    return round_to(np.ldexp(np.rint(np.ldexp(fraction, 8)), exponent - 8).astype(np.float32), "bf16")


def expanded(p: Parts, dtype: str) -> Matrix:
    """Return q*s - z*s with z*s rounded first and the rest once, as a fused multiply-add has it."""
    return rounded(p.q * p.s - values_of(rounded(p.z * p.s, dtype)), dtype)


def in_three_steps(p: Parts, dtype: str) -> Matrix:
    """Return q*s - z*s with each product rounded, and their difference."""
    qs, zs = (values_of(rounded(part * p.s, dtype)) for part in (p.q, p.z))
    return rounded(qs - zs, dtype)


PAIRS = [(scale, dtype) for scale in ("f16", "bf16", "f32") for dtype in ("f16", "bf16", "f32")]
NEVER_DIFFER = {("f16", "f32"), ("bf16", "f32")}
"""Scales so short that every product fits the output."""


@pytest.mark.parametrize(("scale_dtype", "dtype"), PAIRS)
def test_the_expanded_form_is_bounded_and_exact_only_where_it_does_not_differ(scale_dtype: str, dtype: str) -> None:
    """This is what the grade is for."""
    p = tensor(scale_dtype)
    due = Grade.EXACT if (scale_dtype, dtype) in NEVER_DIFFER else Grade.BOUNDED
    got = graded(expanded(p, dtype), of(p), lambda: p, Grade.BOUNDED)
    assert (got.grade, got.mismatch, got.below) == (due, None, None)
    asked_exact = graded(expanded(p, dtype), of(p), lambda: p, Grade.EXACT)
    assert (asked_exact.grade, asked_exact.mismatch is None) == (due, due is Grade.EXACT)


@pytest.mark.parametrize(("scale_dtype", "dtype"), [("f16", "f16"), ("bf16", "bf16"), ("f32", "f32")])
def test_rounding_both_products_is_beyond_the_bound(scale_dtype: str, dtype: str) -> None:
    """The bound knows of two roundings: that of z * s and the last one."""
    p = tensor(scale_dtype)
    got = graded(in_three_steps(p, dtype), of(p), lambda: p, Grade.BOUNDED)
    assert got.grade is Grade.FUNCTIONAL
    assert got.mismatch is not None


@pytest.mark.parametrize("dtype", ["f16", "f32"])
def test_scales_rounded_to_bf16_are_not_bounded(dtype: str) -> None:
    """They pass any relative tolerance of 1e-2, and are no more than functional."""
    p = tensor("f16")
    rough = Parts(p.q, p.z, values_of(round_to(p.s.astype(np.float32), "bf16")), "BF16")
    got = graded(round_to(of(rough), dtype), of(p), lambda: p, Grade.BOUNDED)
    assert got.grade is Grade.FUNCTIONAL
    assert got.mismatch is not None
    assert got.mismatch.wrong > 1000
    assert got.below is not None
    assert got.mismatch.wrong == got.below.sum()


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


def slow_functional(y: list[float], right: list[float], p: Parts) -> bool:
    """Say what the spec says of one tensor."""
    error = norm = Fraction(0)
    for one, due, q, z, s in zip(y, right, p.q.flat, p.z.flat, p.s.flat, strict=True):
        if np.isfinite(due):
            if not np.isfinite(one):
                return False
            w = (Fraction(q) - Fraction(z)) * Fraction(s)
            error, norm = error + (Fraction(one) - w) ** 2, norm + w**2
        elif one != due:
            return False
    return error <= norm / 2**16


ELEMENT = st.tuples(st.integers(0, 15), st.integers(0, 15), scales("f32"))


@given(
    elements=st.lists(ELEMENT, min_size=1, max_size=6),
    factor=st.sampled_from([1 + sign * 2.0**-8 * more for sign in (-1, 1) for more in (1, 0.9999999, 1.0000001)]),
    add=st.sampled_from([0.0, 5e-324, 1e-200, 1e200]),
)
@example(elements=[(3, 3, 1.0)], factor=1, add=0)
@example(elements=[(3, 3, 1.0)], factor=1, add=5e-324)
@example(elements=[(9, 8, 1.0)] * 4, factor=1 + 2**-8, add=0)
@example(elements=[(9, 8, 1.0)] * 4, factor=1 + 2**-8, add=1e-200)
@example(elements=[(15, 0, 3e38), (1, 0, 1.0)], factor=1, add=0)
def test_the_functional_grade_is_that_of_the_spec(
    elements: list[tuple[int, int, float]], factor: float, add: float
) -> None:
    """Around the limit, at it, and with errors whose squares vanish in floating point."""
    q, z, s = (np.array([column], np.float64) for column in zip(*elements, strict=True))
    p = Parts(q, z, s, "F32")
    with np.errstate(over="ignore"):
        due = Matrix(of(p).astype(np.float64), "f64")
    actual = Matrix(np.where(np.isfinite(due.values), p.weights * factor + add, due.values), "f64")
    expected = slow_functional(actual.values.ravel().tolist(), due.values.ravel().tolist(), p)
    assert functional(actual, due, p) is expected


def test_the_functional_grade_is_a_share_of_the_whole_tensor() -> None:
    """2^-8 of the norm is the limit, both sides of it."""
    p = tensor("f32")
    for factor, grade in ((1 + 2**-8 * 0.99, Grade.FUNCTIONAL), (1 + 2**-8 * 1.01, Grade.FAIL)):
        values = (of(p).astype(np.float64) * factor).astype(np.float32)
        assert graded(Matrix(values, "f32"), of(p), lambda: p, Grade.FUNCTIONAL).grade is grade


def test_codes_zero_points_and_scales_are_asked_for_only_where_they_matter() -> None:
    """An exact output costs no more than the comparison of its bits."""
    p = tensor("f16")

    def parts_of() -> Parts:
        raise AssertionError("nobody needs them")

    assert graded(round_to(of(p), "f32"), of(p), parts_of, Grade.BOUNDED).grade is Grade.EXACT
    with pytest.raises(AssertionError, match="nobody"):
        graded(expanded(p, "f16"), of(p), parts_of, Grade.BOUNDED)
