"""The corpus exposes every wrong rule: for each, some case that names the requirement has another result.

What a wrong loader would compute is worked out here from the expected codes, zero points and scales of the cases.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import awqformat
from awq_conformance.cases import Case, Tensor, default_root, load
from awq_conformance.grade import exact
from awq_conformance.outputs import Matrix
from awqformat.model import QuantizedTensor

Array = np.ndarray[Any, Any]
ACCEPT = [case for case in load(default_root()).kept if case.outcome == "accept" and not case.folder]


@dataclass(frozen=True)
class Parts:
    """One quantised tensor as the corpus describes it: q (R, K), z and s (R, K/G) with s in its stored dtype."""

    q: Array
    z: Array
    s: Array
    symmetric: bool

    def spread(self, values: Array) -> Array:
        """Return one value per group as one per code, f32."""
        return values.astype(np.float32).repeat(self.q.shape[1] // values.shape[1], 1)

    def values(self, z: Array | None = None, s: Array | None = None) -> Array:
        """Return (q - z) * s in f32."""
        z, s = self.z if z is None else z, self.s if s is None else s
        result: Array = (self.q.astype(np.float32) - self.spread(z)) * self.spread(s)
        return result


def quantised(requirement: str) -> Iterator[tuple[Case, Tensor, Parts, Array]]:
    """Yield the quantised tensors of the accept cases that name a requirement, with the expected f32 values."""
    for case in ACCEPT:
        if requirement not in case.req:
            continue
        with awqformat.safe_open(case.input) as file:
            for tensor in case.expect:
                if tensor.quantised:
                    stored: QuantizedTensor = file.get_quantized(tensor.name)
                    rows, k = int(np.prod(tensor.shape[:-1])), tensor.shape[-1]
                    z = stored.zero_points
                    parts = Parts(
                        stored.codes.reshape(rows, k),
                        (np.full(stored.scales.shape, 8) if z is None else z).reshape(rows, -1),
                        stored.scales.reshape(rows, -1),
                        z is None,
                    )
                    expected = np.fromfile(case.root / tensor.outputs["W"], "<f4").reshape(rows, k)
                    yield case, tensor, parts, expected


def expanded(parts: Parts) -> Array:
    """Return q * s + c with c = -z * s, each step rounded to the dtype of the scales."""
    s = parts.spread(parts.s).astype(parts.s.dtype)
    c = -(parts.spread(parts.z).astype(parts.s.dtype) * s)
    result: Array = (parts.q.astype(parts.s.dtype) * s + c).astype(np.float32)
    return result


def shifted_group(parts: Parts) -> Array:
    """Return the values with scales and zero points of each row moved on by one group."""
    return parts.values(np.roll(parts.z, 1, axis=1), np.roll(parts.s, 1, axis=1))


def flushed(values: Array) -> Array:
    """Return scales with subnormal numbers set to zero."""
    smallest = 2.0**-14 if values.dtype == np.float16 else 2.0**-126
    return np.where(values.astype(np.float64) < smallest, np.zeros((), values.dtype), values)


def saturated(values: Array, largest: float) -> Array:
    """Return values clipped to the largest finite number of an output dtype."""
    return values.clip(-largest, largest)


def truncated(values: Array) -> Array:
    """Return f16 values cut off, not rounded."""
    rounded = values.astype(np.float16)
    beyond = np.isfinite(rounded) & (np.abs(rounded.astype(np.float32)) > np.abs(values))
    return np.where(beyond, np.nextafter(rounded, np.float16(0)), rounded)


F32, F16, F64 = "f32", "f16", "f64"
RULES: dict[str, tuple[str, str, Callable[[Parts], Array]]] = {
    "symmetric means z = 0": (
        "AWQ-MOD-006",
        F32,
        lambda p: p.values(np.zeros_like(p.z)) if p.symmetric else p.values(),
    ),
    "z + 1": ("AWQ-MOD-008", F32, lambda p: p.values(p.z + 1)),
    "the next group": ("AWQ-MOD-008", F32, shifted_group),
    "signed codes": ("AWQ-MOD-008", F32, lambda p: Parts((p.q ^ 8) - 8.0, p.z, p.s, p.symmetric).values()),
    "F16 saturates": ("AWQ-MOD-009", F16, lambda p: saturated(p.values(), 65504).astype(np.float16)),
    "F16 cuts off": ("AWQ-MOD-009", F16, lambda p: truncated(p.values())),
    "F64 is not rounded to F32": (
        "AWQ-MOD-010",
        F64,
        lambda p: (
            (p.q.astype(np.float64) - p.spread(p.z)) * p.s.astype(np.float64).repeat(p.q.shape[1] // p.s.shape[1], 1)
        ),
    ),
    "subnormal scales are flushed": ("AWQ-MOD-011", F32, lambda p: p.values(s=flushed(p.s))),
    "subnormal results are flushed": (
        "AWQ-MOD-011",
        F32,
        lambda p: np.where(np.abs(p.values()) < np.finfo(np.float32).smallest_normal, np.float32(0), p.values()),
    ),
    "q = z is not zero": ("AWQ-MOD-012", F32, lambda p: p.values() + (p.q == p.spread(p.z)) * np.float32(2**-24)),
    "infinity becomes NaN": ("AWQ-MOD-013", F32, lambda p: np.where(np.isinf(p.values()), np.nan, p.values())),
    "the expanded form": ("AWQ-MOD-014", F32, expanded),
}


@pytest.mark.req(
    "AWQ-MOD-006",
    "AWQ-MOD-008",
    "AWQ-MOD-009",
    "AWQ-MOD-010",
    "AWQ-MOD-011",
    "AWQ-MOD-012",
    "AWQ-MOD-013",
    "AWQ-MOD-014",
)
@pytest.mark.parametrize("name", RULES)
def test_a_wrong_rule_for_values_is_exposed(name: str) -> None:
    """A loader with this rule fails an accept case that names the requirement it breaks."""
    requirement, dtype, rule = RULES[name]
    exposing = []
    for case, tensor, parts, expected in quantised(requirement):
        with np.errstate(all="ignore"):
            wrong = rule(parts).astype({F32: np.float32, F16: np.float16, F64: np.float64}[dtype])
            right = parts.values()
        assert exact(Matrix(right, F32), expected) is None, case.id
        if exact(Matrix(wrong, dtype), expected) is not None:
            exposing.append(f"{case.id} {tensor.name}")
    assert exposing


PLAIN: dict[str, Callable[[Array], Array]] = {
    "BOOL is 0 or 1": lambda array: (array.view(np.uint8) != 0) if array.dtype == np.bool_ else array,
    "-0 becomes +0": lambda array: array + array.dtype.type(0) if array.dtype.kind == "f" else array,
    "NaN loses its payload": lambda array: (
        np.where(np.isnan(array), array.dtype.type(np.nan), array)
        if array.dtype in (np.float16, np.float32, np.float64)
        else array
    ),
}


@pytest.mark.req("AWQ-MOD-015")
@pytest.mark.parametrize("name", PLAIN)
def test_tidying_up_plain_tensors_is_exposed(name: str) -> None:
    """A loader that normalises plain values fails an accept case that names the requirement."""
    exposing = []
    for case in ACCEPT:
        if "AWQ-MOD-015" in case.req:
            with awqformat.safe_open(case.input) as file, np.errstate(all="ignore"):
                for tensor in case.expect:
                    stored = (case.root / tensor.outputs["P"]).read_bytes()
                    if PLAIN[name](file.get_tensor(tensor.name)).tobytes() != stored:
                        exposing.append(f"{case.id} {tensor.name}")
    assert exposing
