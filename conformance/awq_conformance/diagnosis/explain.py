"""From observations to explanations: hypotheses that predict every bit, measured maps, and what is left over."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from awq_conformance.diagnosis import hypotheses
from awq_conformance.diagnosis.names import EXPLANATIONS, Diagnosis
from awq_conformance.diagnosis.tracer import Map
from awq_conformance.grade import bits_of, round_to, widen

if TYPE_CHECKING:
    from awq_conformance.diagnosis.hypotheses import Hypothesis
    from awq_conformance.diagnosis.observed import Observed

_PAIRS_MAX: Final = 1 << 14  # elements of the smallest wrong tensor; there are thousands of pairs to be tried on it


def by_hypothesis(
    observed: Sequence[Observed], known: Sequence[Hypothesis], maps: Mapping[str, Map]
) -> tuple[Diagnosis, ...]:
    """Return the hypothesis, or the two together, that predict every element of every W seen; else none.

    ``maps`` were measured, and are told with it.
    """
    outputs = [one for one in observed if one.what == "W" and one.actual.values.shape == one.due.values.shape]
    wrong = [one for one in outputs if not _matches(one, {})]
    if not wrong:
        return ()
    simplest = sorted(wrong, key=lambda one: one.actual.values.size)
    for hypothesis in known:
        if all(_matches(one, hypothesis.steps) for one in (*simplest, *outputs)):
            return (_diagnosis(hypothesis, wrong, len(outputs), maps),)
    pairs = hypotheses.together(known) if simplest[0].actual.values.size <= _PAIRS_MAX else ()
    for pair in pairs:
        steps = pair[0].steps | pair[1].steps
        if all(_matches(one, steps) for one in (*simplest, *outputs)):
            return tuple(_diagnosis(hypothesis, wrong, len(outputs), maps) for hypothesis in pair)
    return ()


def by_unpacking(observed: Sequence[Observed], known: Sequence[Hypothesis]) -> tuple[Diagnosis, ...]:
    """Return the hypothesis on codes, zero points or scales that predicts what `unpack` showed."""
    step_of = {"q": "codes", "z": "zeros", "s": "scales"}
    for what, step in step_of.items():
        outputs = [one for one in observed if one.what == what and one.actual.values.shape == one.due.values.shape]
        if all(np.array_equal(one.actual.values, one.due.values) for one in outputs):
            continue
        for hypothesis in known:
            if hypothesis.steps.keys() == {step} and all(
                np.array_equal(one.actual.values, hypothesis.steps[step](one.stored)) for one in outputs
            ):
                return (_diagnosis(hypothesis, outputs, len(outputs), {}, "unpack: "),)
    return ()


def by_tracer(maps: Mapping[str, Map]) -> tuple[Diagnosis, ...]:
    """Return which of codes, zero points and scales come from elsewhere, with the measured maps."""
    found = []
    for part, measured in maps.items():
        if measured.moved:
            found.append(_misplaced(part, measured))
    return tuple(found)


def by_remainder(observed: Sequence[Observed]) -> tuple[Diagnosis, ...]:
    """Return which of scales, zero points and codes, changed, would give the values seen, when nothing was moved."""
    wrong = [one for one in observed if one.what == "W" and one.actual.values.shape == one.due.values.shape]
    wrong = [one for one in wrong if not _matches(one, {})]
    for part, solve in (("scales", _other_scale), ("zeros", _other_zero), ("codes", _other_code)):
        told = [solve(one) for one in wrong]
        if told and all(told):
            return (Diagnosis(f"{part}-altered", f"{EXPLANATIONS[f'{part}-altered']}: {told[0]}", "", _ids(wrong)),)
    return ()


def _misplaced(part: str, measured: Map) -> Diagnosis:
    name = f"{part}-misplaced"
    n, k = measured.first
    if part != "codes" and measured.same_row:
        name = f"{part}-wrong-group"
    sentence = f"{EXPLANATIONS[name]}, first at row {n}, k = {k}"
    return Diagnosis(name, sentence, str(measured))


def _matches(one: Observed, steps: Mapping[str, Any]) -> bool:
    predicted = hypotheses.predict(one.stored, one.actual.dtype, dict(steps))
    same = bits_of(predicted) == bits_of(one.actual)
    return bool((same | np.isnan(widen(predicted)) & np.isnan(widen(one.actual))).all())  # every NaN is as good


def _diagnosis(
    hypothesis: Hypothesis, wrong: Sequence[Observed], total: int, maps: Mapping[str, Map], where: str = ""
) -> Diagnosis:
    detail = f" ({hypothesis.detail})" if hypothesis.detail else ""
    first = wrong[0]
    different = (
        bits_of(first.actual) != bits_of(round_to(first.due.values, first.actual.dtype))
        if first.what == "W"
        else first.actual.values != first.due.values
    )
    n, k = (int(i) for i in np.unravel_index(int(np.argmax(different)), different.shape))
    sentence = f"{where}{EXPLANATIONS[hypothesis.name]}{detail}, first at row {n}, k = {k} of {first.case.id}"
    measured = f"predicts every element of all {total} tensors looked at, {len(wrong)} of them wrong"
    moved = [str(found) for part, found in maps.items() if found.moved and hypothesis.name.startswith(part)]
    return Diagnosis(hypothesis.name, sentence, "\n".join((measured, *moved)), _ids(wrong))


def _ids(observed: Sequence[Observed]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(one.case.id for one in observed))


# What is left over: W = (q - z) * s with one of the three unknown, group by group.


def _parts(one: Observed) -> tuple[NDArray[Any], ...]:
    t = one.stored
    q, z, s = (part.astype(np.float64) for part in (t.codes, t.zeros, t.scales))
    w = widen(one.actual)
    return (*(part.reshape(t.rows, t.groups, -1) for part in (q, w)), z[..., None], s[..., None])


_ULPS: Final = {"f16": 2.0**-10, "bf16": 2.0**-7, "f32": 2.0**-22, "f64": 2.0**-22}
_LEAST: Final = {"f16": 2.0**-24, "bf16": 2.0**-133, "f32": 2.0**-149, "f64": 2.0**-149}


def _other_scale(one: Observed) -> str:
    """Return the first scale that is another, if each group has one scale that explains it."""
    q, w, z, s = _parts(one)
    d = q - z
    with np.errstate(all="ignore"):
        ratio = np.where(d != 0, w / d, np.nan)
    told = np.isfinite(w).all(-1) & (d != 0).any(-1)  # an overflow says nothing, nor does a group of zeros
    used = np.where(told, np.nanmedian(np.where(told[..., None], ratio, 1.0), axis=-1), s[..., 0])
    tolerance = np.abs(d * used[..., None]) * 2 * _ULPS[one.actual.dtype] + _LEAST[one.actual.dtype]
    if not (np.abs(w - d * used[..., None]) <= tolerance)[told].all():
        return ""
    other = told & ~np.isclose(used, s[..., 0], rtol=4 * _ULPS[one.actual.dtype], atol=0)
    for row, group in np.argwhere(other)[:1]:
        return f"{used[row, group]:.6g} is used for {s[row, group, 0]:.6g}, row {row}, group {group} of {one.case.id}"
    return ""


def _other_zero(one: Observed) -> str:
    """Return the first zero point that is another, if each group has one that explains it."""
    q, w, z, s = _parts(one)
    with np.errstate(all="ignore"):
        used = np.where(np.isfinite(w) & (s > 0), q - w / s, z)
    median = np.rint(np.median(used, axis=-1, keepdims=True))
    if not (np.abs(used - median) <= 0.25).all():
        return ""
    for row, group, _ in np.argwhere(median != z)[:1]:
        given, due = median[row, group, 0], z[row, group, 0]
        return f"{given:.0f} is used for {due:.0f}, row {row}, group {group} of {one.case.id}"
    return ""


def _other_code(one: Observed) -> str:
    """Return the first code that is another, if each element has one from -8 to 15 that explains it."""
    q, w, z, s = _parts(one)
    with np.errstate(all="ignore"):
        used = np.where(np.isfinite(w) & (s > 0), w / s + z, q)
    code = np.rint(used)
    if not (np.abs(used - code) <= 0.25).all() or ((code < -8) | (code > 15)).any():
        return ""
    for row, group, i in np.argwhere(code != q)[:1]:
        k = group * one.stored.group_size + i
        return f"{code[row, group, i]:.0f} is used for {q[row, group, i]:.0f}, at row {row}, k = {k} of {one.case.id}"
    return ""
