"""Outputs held against a case at a grade: the order of the checks, the worst grade, the evidence of what is wrong."""

from __future__ import annotations

import io
from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from awq_conformance.adapter import Observation
from awq_conformance.cases import Case, CorpusAlteredError
from awq_conformance.compare import compare, expected, parts_of
from awq_conformance.fresh import fresh_case
from awq_conformance.process import Execution
from awq_conformance.protocol import Hello
from awq_conformance.verdict import Finding, Grade, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable

Array = np.ndarray[Any, Any]
FOLDER = TemporaryDirectory()
LAST = 2  # the tensor with F32 scales: only there does the expanded form differ in f32


@cache
def case() -> Case:
    """Return a valid case of three tensors, made once."""
    return fresh_case(Path(FOLDER.name), 3, (1, 8))


def npy(values: Array) -> bytes:
    """Return a NumPy file."""
    file = io.BytesIO()
    np.save(file, values)
    return file.getvalue()


def right() -> dict[str, Array]:
    """Return the right W of each tensor, as its file name has it."""
    return {f"{t.number}.W.nk.npy": expected(case(), t, "W").values.copy() for t in case().expect}


def judged(files: dict[str, Array], grade: Grade, op: str = "dequant") -> Finding:
    """Compare what an accepting adapter wrote."""
    ended = Execution(0, None, timed_out=False, seconds=0, peak_rss=0, tail=b"")
    return compare(case(), Observation(op, ended, {name: npy(v) for name, v in files.items()}), Hello(), None, grade)


def changed(number: int, change: Callable[[Array], Array]) -> dict[str, Array]:
    """Return the right outputs but for those of one tensor."""
    name = f"{number}.W.nk.npy"
    files = right()
    return files | {name: change(files[name])}


def expanded(_: Array) -> Array:
    """Return W of the last tensor as q*s - round(z*s)."""
    p = parts_of(case(), case().expect[LAST])
    return (p.q * p.s - (p.z * p.s).astype(np.float32)).astype(np.float32)


def nearly(values: Array) -> Array:
    """Return all values a thousandth too large."""
    result: Array = (values.astype(np.float64) * 1.001).astype(np.float32)
    return result


def one_nan(values: Array) -> Array:
    """Return the values with one NaN among them."""
    values[-1, -1] = np.nan
    return values


@pytest.mark.req("AWQ-CNF-029")
@pytest.mark.parametrize(
    ("number", "change", "grade"),
    [
        (0, np.copy, Grade.EXACT),
        (LAST, expanded, Grade.BOUNDED),
        (0, nearly, Grade.FUNCTIONAL),
        (1, np.negative, Grade.FAIL),
        (LAST, one_nan, Grade.FAIL),
        (0, lambda values: values[:, ::-1], Grade.FAIL),
    ],
)
@pytest.mark.parametrize("asked", [Grade.EXACT, Grade.BOUNDED, Grade.FUNCTIONAL])
def test_an_output_passes_at_its_grade_and_below(
    number: int, change: Callable[[Array], Array], grade: Grade, asked: Grade
) -> None:
    """The worst grade of any tensor is the one that is told; evidence comes with a failure, and only then."""
    finding = judged(changed(number, change), asked)
    assert finding.grade is grade
    if grade <= asked:
        assert (finding.verdict, finding.evidence) == (Verdict.PASS, None)
    else:
        assert finding.verdict is (Verdict.NONFINITE if change is one_nan else Verdict.WRONG)
        assert (finding.tensor, finding.what) == (number, "W")
        assert finding.evidence is not None
        assert finding.evidence.shape == case().expect[number].shape


def test_exact_is_what_is_asked_for_unless_another_grade_is() -> None:
    """A default that forgave anything would be no default."""
    ended = Execution(0, None, timed_out=False, seconds=0, peak_rss=0, tail=b"")
    files = {name: npy(values) for name, values in changed(LAST, expanded).items()}
    assert compare(case(), Observation("dequant", ended, files), Hello(), None).verdict is Verdict.WRONG


def test_at_grade_bounded_only_what_is_beyond_the_bound_is_evidence() -> None:
    """One wrong element among many that are merely not exact."""

    def change(values: Array) -> Array:
        values = expanded(values)
        values[4, 5] += np.float32(1e30)
        return values

    found = judged(changed(LAST, change), Grade.BOUNDED)
    assert found.evidence is not None
    assert found.evidence.wrong == 1
    assert found.detail.startswith("[4, 5] expected ")
    at_exact = judged(changed(LAST, change), Grade.EXACT).evidence
    assert at_exact is not None
    assert at_exact.wrong > 1


@pytest.mark.parametrize(
    ("change", "verdict"),
    [
        (lambda files: files | {"9.W.nk.npy": files["0.W.nk.npy"]}, Verdict.EXTRA_OUTPUT),
        (lambda files: {"2.W.nk.npy": files["2.W.nk.npy"]}, Verdict.MISSING_OUTPUT),
        (lambda files: files | {"1.W.nk.npy": files["1.W.nk.npy"].T}, Verdict.SHAPE),
        (lambda files: files | {"1.W.nk.npy": files["1.W.nk.npy"].astype("u1")}, Verdict.DTYPE),
    ],
)
@pytest.mark.parametrize("asked", [Grade.EXACT, Grade.FUNCTIONAL])
def test_no_grade_forgives_what_is_no_output(
    change: Callable[[dict[str, Array]], dict[str, Array]], verdict: Verdict, asked: Grade
) -> None:
    """The set of files comes before any value, shape and dtype before the values of that tensor."""
    assert judged(change(right()), asked).verdict is verdict


@pytest.mark.parametrize("what", ["q", "z", "s"])
@pytest.mark.parametrize("asked", [Grade.EXACT, Grade.BOUNDED, Grade.FUNCTIONAL])
def test_codes_zero_points_and_scales_are_right_or_wrong(what: str, asked: Grade) -> None:
    """Grades are for W: the smallest error in what is stored fails at every grade."""
    files = {f"{t.number}.{w}.nk.npy": expected(case(), t, w).values.copy() for t in case().expect for w in "qzs"}
    assert judged(files, asked, "unpack").verdict is Verdict.PASS
    stored = files[f"0.{what}.nk.npy"]
    stored[1, 2] = np.nextafter(stored[1, 2], np.float32(np.inf)) if what == "s" else stored[1, 2] ^ 1
    found = judged(files, asked, "unpack")
    assert (found.verdict, found.tensor, found.what, found.grade) == (Verdict.WRONG, 0, what, Grade.FAIL)
    assert found.evidence is not None
    assert found.evidence.wrong == 1


def test_a_group_size_that_fits_no_scales_is_an_altered_corpus() -> None:
    """No bound can be computed, and none is guessed."""
    broken = replace(case().expect[0], group_size=16)
    with pytest.raises(CorpusAlteredError, match="tensor 0 is not grouped by 16"):
        parts_of(case(), broken)
