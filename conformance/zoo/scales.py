"""Wrong scales: which one belongs to a group, and which number its bits are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from zoo import container
from zoo.loader import Loader
from zoo.mutant import mutant

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from zoo.container import Record


def rounded_to_bf16(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Round to BF16, to nearest even, and widen again."""
    bits = np.ascontiguousarray(values).view(np.uint32)
    return (bits + (0x7FFF + (bits >> 16 & 1)) & np.uint32(0xFFFF0000)).view(np.float32)


@mutant("scales-next-group", "scales-wrong-group", "The scale comes from the next group of the row.")
class ScalesNextGroup(Loader):
    def scales(self, t: Record) -> NDArray[np.float32]:
        return np.roll(super().scales(t), -1, axis=1)


@mutant("scales-previous-group", "scales-wrong-group", "The scale comes from the previous group of the row.")
class ScalesPreviousGroup(Loader):
    def scales(self, t: Record) -> NDArray[np.float32]:
        return np.roll(super().scales(t), 1, axis=1)


@mutant(
    "scales-transposed",
    "scales-transposed",
    "Scales are read as [K/G, N], the order of AutoAWQ's gemm files.",
    "vllm-project/vllm#50196",
)
class ScalesTransposed(Loader):
    def scales(self, t: Record) -> NDArray[np.float32]:
        scales = super().scales(t).reshape(-1, t.groups, t.shape[-2])
        return scales.transpose(0, 2, 1).reshape(t.rows, t.groups)


@mutant(
    "scales-of-8-columns",
    "scales-misplaced",
    "A row of scales is believed to be padded to a multiple of 8 columns, as in gemv files.",
    "casper-hansen/AutoAWQ#452",
)
class ScalesOf8Columns(Loader):
    def scales(self, t: Record) -> NDArray[np.float32]:
        stride = -(-t.groups // 8) * 8
        size = t.rows * stride * container.SCALE_BYTES[t.scale_dtype]
        padded = self.widen(self.read(t.at + t.scales_at, size), t).reshape(t.rows, stride)
        return np.nan_to_num(padded[:, : t.groups])


@mutant("scales-of-first-row", "scales-misplaced", "Every row has the scales of the first one.")
class ScalesOfFirstRow(Loader):
    def scales(self, t: Record) -> NDArray[np.float32]:
        return super().scales(t)[:1].repeat(t.rows, 0)


@mutant("scales-unaligned", "scales-misplaced", "Scales are read right behind the codes, without the padding to 64.")
class ScalesUnaligned(Loader):
    def scales(self, t: Record) -> NDArray[np.float32]:
        size = t.rows * t.groups * container.SCALE_BYTES[t.scale_dtype]
        raw = self.read(t.at + t.rows * t.columns // 2, size)
        return np.nan_to_num(self.widen(raw, t)).reshape(t.rows, t.groups)


@mutant("scales-big-endian", "scales-big-endian", "Scales are read as big-endian numbers.")
class ScalesBigEndian(Loader):
    def widen(self, raw: NDArray[np.uint8], t: Record) -> NDArray[np.float32]:
        width = container.SCALE_BYTES[t.scale_dtype]
        return super().widen(np.ascontiguousarray(raw.reshape(-1, width)[:, ::-1]).reshape(-1), t)


@mutant(
    "bf16-as-f16",
    "scales-bf16-as-f16",
    "Any scale of two bytes is taken for F16.",
    "vllm-project/vllm#1114",
)
class Bf16AsF16(Loader):
    def widen(self, raw: NDArray[np.uint8], t: Record) -> NDArray[np.float32]:
        return raw.view("<f2").astype(np.float32) if t.scale_dtype == container.BF16 else super().widen(raw, t)


@mutant(
    "f16-as-bf16",
    "scales-f16-as-bf16",
    "Any scale of two bytes is taken for BF16.",
    "vllm-project/vllm#1941",
)
class F16AsBf16(Loader):
    def widen(self, raw: NDArray[np.uint8], t: Record) -> NDArray[np.float32]:
        if t.scale_dtype == container.F16:
            return (raw.view("<u2").astype(np.uint32) << 16).view(np.float32)
        return super().widen(raw, t)


@mutant("f32-as-f16", "scales-misplaced", "Scales are F16 whatever the record says: an F32 one is taken for two.")
class F32AsF16(Loader):
    def widen(self, raw: NDArray[np.uint8], t: Record) -> NDArray[np.float32]:
        if t.scale_dtype == container.F32:
            return raw.view("<f2").astype(np.float32)[: len(raw) // 4]
        return super().widen(raw, t)


@mutant(
    "scales-to-f16",
    "scales-rounded-f16",
    "Scales of any dtype are converted to F16 when they are loaded.",
    "OpenNMT/CTranslate2#1956",
)
class ScalesToF16(Loader):
    def scales(self, t: Record) -> NDArray[np.float32]:
        with np.errstate(all="ignore"):
            return super().scales(t).astype(np.float16).astype(np.float32)


@mutant(
    "scales-to-bf16",
    "scales-rounded-bf16",
    "Scales of any dtype are converted to BF16 when they are loaded.",
    "vllm-project/vllm#1941",
    "ModelCloud/GPTQModel#2722",
)
class ScalesToBf16(Loader):
    def scales(self, t: Record) -> NDArray[np.float32]:
        return rounded_to_bf16(super().scales(t))


@mutant(
    "subnormal-scales-flushed",
    "scales-subnormal-flushed",
    "F16 scales below 2^-14 are read as 0.",
)
class SubnormalScalesFlushed(Loader):
    def scales(self, t: Record) -> NDArray[np.float32]:
        scales = super().scales(t)
        return np.where(scales < 2**-14, np.float32(0), scales) if t.scale_dtype == container.F16 else scales


@mutant(
    "subnormal-wide-scales-flushed",
    "scales-subnormal-flushed",
    "BF16 and F32 scales below 2^-126 are read as 0, which is what denormals-are-zero does.",
)
class SubnormalWideScalesFlushed(Loader):
    def scales(self, t: Record) -> NDArray[np.float32]:
        scales = super().scales(t)
        return np.where(scales < np.finfo(np.float32).smallest_normal, np.float32(0), scales)


@mutant(
    "subnormal-scales-with-hidden-bit",
    "scales-altered",
    "A home-made conversion of F16 sets the hidden bit of subnormal numbers as well.",
)
class SubnormalScalesWithHiddenBit(Loader):
    def widen(self, raw: NDArray[np.uint8], t: Record) -> NDArray[np.float32]:
        if t.scale_dtype != container.F16:
            return super().widen(raw, t)
        bits = raw.view("<u2").astype(np.uint32)
        wrong = ((bits >> 10) + 112 << 23 | (bits & 0x3FF) << 13).view(np.float32)
        return np.where(bits == 0, np.float32(0), wrong)


@mutant("tiny-scales-clamped", "scales-altered", "Scales below 1e-5 are raised to it, as a quantiser does.")
class TinyScalesClamped(Loader):
    def scales(self, t: Record) -> NDArray[np.float32]:
        return np.maximum(super().scales(t), np.float32(1e-5))


@mutant(
    "scales-unpacked-narrow",
    None,
    "`unpack` writes F16 scales as F16; they are to be widened.",
    why="DTYPE says it",
)
class ScalesUnpackedNarrow(Loader):
    ops = ("dequant", "unpack")

    def write_parts(self, t: Record, out: Path) -> None:
        super().write_parts(t, out)
        if t.scale_dtype == container.F16:
            path = next(out.glob(f"{t.number}.s.*"))
            path.unlink()
            path.with_name(path.name.replace("f32", "f16")).write_bytes(self.scales(t).astype(np.float16).tobytes())
