"""Wrong arithmetic: roundings that do not belong, and roundings done wrong (spec: model, "Values")."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from zoo.loader import Array, Loader
from zoo.mutant import mutant
from zoo.scales import rounded_to_bf16

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from zoo.container import Record

LARGEST = {"f16": 65504.0, "f32": float(np.finfo(np.float32).max)}


def truncated(weights: NDArray[np.float32]) -> NDArray[np.float16]:
    """Return f16 cut off instead of rounded."""
    with np.errstate(all="ignore"):
        rounded = weights.astype(np.float16)
        beyond = np.abs(rounded.astype(np.float32)) > np.abs(weights)
        return np.where(beyond, np.nextafter(rounded, np.float16(0)), rounded)


@mutant(
    "expanded-f16",
    "arithmetic-expanded",
    "W is q*s + c with c = -z*s, each step in F16, as in the second layout of llm-awq.",
    "mit-han-lab/llm-awq#324",
)
class ExpandedF16(Loader):
    def values(
        self, q: NDArray[np.int16], z: NDArray[np.int16], s: NDArray[np.float32], _t: Record
    ) -> NDArray[np.float32]:
        half = s.astype(np.float16)
        return (q.astype(np.float16) * half - z.astype(np.float16) * half).astype(np.float32)


@mutant("expanded-f32", "arithmetic-expanded", "W is q*s - z*s, each step in F32.", "ml-explore/mlx-lm#727")
class ExpandedF32(Loader):
    def values(
        self, q: NDArray[np.int16], z: NDArray[np.int16], s: NDArray[np.float32], _t: Record
    ) -> NDArray[np.float32]:
        return q.astype(np.float32) * s - z.astype(np.float32) * s


@mutant(
    "expanded-fused",
    "arithmetic-expanded",
    "W is a fused q*s + c, with c the rounding of -z*s to F32: one rounding at the end, and one in c.",
)
class ExpandedFused(Loader):
    def values(
        self, q: NDArray[np.int16], z: NDArray[np.int16], s: NDArray[np.float32], _t: Record
    ) -> NDArray[np.float32]:
        c = (z.astype(np.float32) * s).astype(np.float64)
        return (q * s.astype(np.float64) - c).astype(np.float32)


@mutant("f16-on-the-way", "arithmetic-rounded-f16", "The product is F16 before it becomes F32.", "wejoncy/QLLM#26")
class F16OnTheWay(Loader):
    def weights(self, t: Record) -> NDArray[np.float32]:
        with np.errstate(all="ignore"):
            return super().weights(t).astype(np.float16).astype(np.float32)


@mutant(
    "bf16-on-the-way",
    "arithmetic-rounded-bf16",
    "The product is BF16 before it becomes F32.",
    "ModelCloud/GPTQModel#2722",
)
class Bf16OnTheWay(Loader):
    def weights(self, t: Record) -> NDArray[np.float32]:
        return rounded_to_bf16(super().weights(t))


@mutant("f16-cut", "rounding-truncates", "Results are cut to F16.")
class F16Cut(Loader):
    dtype = "f16"

    def narrow(self, weights: NDArray[np.float32]) -> Array:
        return truncated(weights)


@mutant("bf16-cut", "rounding-truncates", "Results are cut to BF16: the upper half of the F32 is taken.")
class Bf16Cut(Loader):
    dtype = "bf16"

    def narrow(self, weights: NDArray[np.float32]) -> Array:
        return (np.ascontiguousarray(weights).view(np.uint32) >> 16).astype(np.uint16)


@mutant("bf16-half-up", "rounding-half-up", "Half a unit is added before results are cut to BF16: ties go up.")
class Bf16HalfUp(Loader):
    dtype = "bf16"

    def narrow(self, weights: NDArray[np.float32]) -> Array:
        bits = np.ascontiguousarray(weights).view(np.uint32)
        return (bits + np.uint32(0x8000) >> 16).astype(np.uint16)


@mutant("f16-half-up", "rounding-half-up", "Ties are rounded away from zero in F16.")
class F16HalfUp(Loader):
    dtype = "f16"

    def narrow(self, weights: NDArray[np.float32]) -> Array:
        with np.errstate(all="ignore"):
            down = truncated(weights)
            away = np.nextafter(down, np.copysign(np.float16(np.inf), weights.astype(np.float16)))
            middle = (down.astype(np.float64) + away.astype(np.float64)) / 2
            tie = np.isfinite(middle) & (middle == weights) & (down != weights)
            return np.where(tie, away, weights.astype(np.float16))


@mutant(
    "f16-saturates",
    "overflow-saturates",
    "F16 results beyond 65504 become 65504.",
    "OpenNMT/CTranslate2#1956",
)
class F16Saturates(Loader):
    dtype = "f16"

    def narrow(self, weights: NDArray[np.float32]) -> Array:
        return weights.clip(-LARGEST["f16"], LARGEST["f16"]).astype(np.float16)


@mutant(
    "f32-saturates",
    "overflow-saturates",
    "F32 results beyond the range become its largest number, with either sign.",
)
class F32Saturates(Loader):
    def weights(self, t: Record) -> NDArray[np.float32]:
        return super().weights(t).clip(-LARGEST["f32"], LARGEST["f32"]).astype(np.float32)


@mutant("infinity-becomes-nan", None, "An infinite result becomes NaN.", "InternLM/lmdeploy#1786", why="WRONG says it")
class InfinityBecomesNan(Loader):
    def weights(self, t: Record) -> NDArray[np.float32]:
        weights = super().weights(t)
        return np.where(np.isinf(weights), np.float32(np.nan), weights)


@mutant("f16-flushed", "results-subnormal-flushed", "F16 results below 2^-14 become 0.")
class F16Flushed(Loader):
    dtype = "f16"

    def narrow(self, weights: NDArray[np.float32]) -> Array:
        with np.errstate(all="ignore"):
            half = weights.astype(np.float16)
            return np.where(np.abs(half) < np.finfo(np.float16).smallest_normal, np.float16(0), half)


@mutant("f32-flushed", "results-subnormal-flushed", "F32 results below 2^-126 become 0.")
class F32Flushed(Loader):
    def weights(self, t: Record) -> NDArray[np.float32]:
        weights = super().weights(t)
        return np.where(np.abs(weights) < np.finfo(np.float32).smallest_normal, np.float32(0), weights)


class FromF64(Loader):
    """A loader that computes the product in F64, exactly, and rounds it to its output at once."""

    def write_weights(self, t: Record, out: Path) -> None:
        """Write W of one tensor."""
        columns = self.groups(t)
        differences = (self.codes(t) - self.zeros(t)[:, columns]).astype(np.float64)
        exact: NDArray[np.float64] = differences * self.scales(t)[:, columns]
        dims = "x".join(map(str, t.shape))
        (out / f"{t.number}.W.nk.{self.dtype}.{dims}.bin").write_bytes(self.rounded(exact).tobytes())

    def rounded(self, exact: NDArray[np.float64]) -> Array:
        """Round to the output's dtype."""
        raise NotImplementedError


_ONCE = "it is to be the F32 value, rounded, and WRONG shows where that differs in the last bit"


@mutant("f16-rounded-once", None, "The exact product is rounded to F16.", why=_ONCE)
class F16RoundedOnce(FromF64):
    dtype = "f16"

    def rounded(self, exact: NDArray[np.float64]) -> Array:
        with np.errstate(over="ignore"):
            return exact.astype(np.float16)


@mutant("bf16-rounded-once", None, "The exact product is rounded to BF16.", why=_ONCE)
class Bf16RoundedOnce(FromF64):
    dtype = "bf16"

    def rounded(self, exact: NDArray[np.float64]) -> Array:
        with np.errstate(over="ignore"):
            near = exact.astype(np.float32)
        # Rounded to odd, so that the second rounding is none.
        beyond = np.isfinite(near) & (np.abs(near) > np.abs(exact))
        cut = np.where(beyond, np.nextafter(near, np.float32(0)), near).view(np.uint32)
        odd = np.where(np.isfinite(near) & (near != exact), cut | 1, cut).view(np.float32)
        return self.narrow(odd)


@mutant(
    "f64-not-rounded",
    None,
    "The product is computed and written in F64; it is to be the F32 value, widened.",
    why="no bit of the file is misread: the claimed dtype is the bug, and WRONG shows the surplus bits",
)
class F64NotRounded(Loader):
    dtype = "f64"

    def weights(self, t: Record) -> NDArray[np.float32]:
        columns = self.groups(t)
        scales = self.scales(t)[:, columns].astype(np.float64)
        exact: Array = (self.codes(t) - self.zeros(t)[:, columns]) * scales
        return exact


@mutant("scale-of-zero-is-one", "scales-altered", "A scale of 0 is replaced by 1, to be safe from divisions.")
class ScaleOfZeroIsOne(Loader):
    def scales(self, t: Record) -> NDArray[np.float32]:
        scales = super().scales(t)
        return np.where(scales == 0, np.float32(1), scales)
