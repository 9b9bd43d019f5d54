"""Wrong zero points: how they are packed, which one belongs to a group, what is added to them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from zoo.codes import READ
from zoo.loader import Loader
from zoo.mutant import mutant

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from zoo.container import Record


@mutant(
    "zeros-swapped",
    "zeros-swapped",
    "The high nibble of a byte is taken for the first zero point.",
    "casper-hansen/AutoAWQ#566",
)
class ZerosSwapped(Loader):
    def packed_zeros(self, t: Record) -> NDArray[np.uint8]:
        packed = super().packed_zeros(t)
        swapped = packed >> 4 | packed << 4
        return swapped.astype(np.uint8)


@mutant(
    "zeros-unpadded",
    "zeros-unpadded",
    "Zero points are read as one stream, without the unused nibble that ends an odd row.",
)
class ZerosUnpadded(Loader):
    def zeros(self, t: Record) -> NDArray[np.int16]:
        if t.symmetric:
            return super().zeros(t)
        count = t.rows * t.groups
        return self.nibbles(self.read(t.at + t.zeros_at, -(-count // 2)))[:count].reshape(t.rows, t.groups)


@mutant(
    "zeros-transposed",
    "zeros-transposed",
    "Zero points are read as [K/G, N].",
    "vllm-project/compressed-tensors#458",
)
class ZerosTransposed(Loader):
    def zeros(self, t: Record) -> NDArray[np.int16]:
        zeros = super().zeros(t).reshape(-1, t.groups, t.shape[-2])
        return zeros.transpose(0, 2, 1).reshape(t.rows, t.groups)


@mutant(
    "zeros-in-autoawq-order",
    "zeros-misplaced",
    "Codes are read in order, and zero points in the order 0 2 4 6 1 3 5 7 of AutoAWQ's words.",
    "casper-hansen/AutoAWQ#566",
)
class ZerosInAutoawqOrder(Loader):
    def packed_zeros(self, t: Record) -> NDArray[np.uint8]:
        packed = super().packed_zeros(t)
        return np.pad(packed, ((0, 0), (0, -packed.shape[1] % 4)))

    def zeros(self, t: Record) -> NDArray[np.int16]:
        if t.symmetric:
            return self.absent_zeros(t)
        words = self.nibbles(self.packed_zeros(t)).reshape(t.rows, -1, 8)
        return words[:, :, READ].reshape(t.rows, -1)[:, : t.groups]


@mutant(
    "zeros-packed-along-n",
    "zeros-misplaced",
    "A byte holds the zero points of two rows, not of two groups.",
    "vllm-project/compressed-tensors#458",
)
class ZerosPackedAlongN(Loader):
    def zeros(self, t: Record) -> NDArray[np.int16]:
        if t.symmetric:
            return self.absent_zeros(t)
        pairs = (t.rows + 1) // 2
        packed = self.read(t.at + t.zeros_at, pairs * t.groups).reshape(pairs, t.groups)
        return np.ascontiguousarray(self.nibbles(packed.T).T[: t.rows])


@mutant("zeros-next-group", "zeros-wrong-group", "The zero point comes from the next group of the row.")
class ZerosNextGroup(Loader):
    def zeros(self, t: Record) -> NDArray[np.int16]:
        return np.roll(super().zeros(t), -1, axis=1)


@mutant("zeros-previous-group", "zeros-wrong-group", "The zero point comes from the previous group of the row.")
class ZerosPreviousGroup(Loader):
    def zeros(self, t: Record) -> NDArray[np.int16]:
        return np.roll(super().zeros(t), 1, axis=1)


@mutant("zeros-of-first-row", "zeros-misplaced", "Every row has the zero points of the first one.")
class ZerosOfFirstRow(Loader):
    def zeros(self, t: Record) -> NDArray[np.int16]:
        return super().zeros(t)[:1].repeat(t.rows, 0)


@mutant("zeros-row-width-floor", "zeros-unpadded", "A row of zero points has K/G/2 bytes, rounded down.")
class ZerosRowWidthFloor(Loader):
    def packed_zeros(self, t: Record) -> NDArray[np.uint8]:
        stride, width = t.groups // 2, (t.groups + 1) // 2
        data = self.read(t.at + t.zeros_at, t.rows * stride + width)
        return np.stack([data[r * stride : r * stride + width] for r in range(t.rows)])


@mutant(
    "zero-plus-1",
    "zeros-plus-one",
    "1 is added to every zero point, as files of GPTQ want it.",
    "casper-hansen/AutoAWQ#101",
    "ModelCloud/GPTQModel#2350",
)
class ZeroPlus1(Loader):
    def zeros(self, t: Record) -> NDArray[np.int16]:
        return super().zeros(t) + np.int16(0 if t.symmetric else 1)


@mutant(
    "zero-plus-1-masked",
    "zeros-plus-one",
    "1 is added to every zero point and the sum is masked, so that 15 becomes 0.",
    "AutoGPTQ/AutoGPTQ#484",
)
class ZeroPlus1Masked(Loader):
    def zeros(self, t: Record) -> NDArray[np.int16]:
        return super().zeros(t) + np.int16(0 if t.symmetric else 1) & 15


@mutant("zero-minus-1", "zeros-minus-one", "1 is taken from every zero point.", "casper-hansen/AutoAWQ#101")
class ZeroMinus1(Loader):
    def zeros(self, t: Record) -> NDArray[np.int16]:
        return super().zeros(t) - np.int16(0 if t.symmetric else 1)


@mutant(
    "zero-borrow",
    "zeros-altered",
    "Zero points go through the GPTQ form: 1 is taken from whole words, added again to each nibble, and a 0 borrows.",
    "ModelCloud/GPTQModel#2350",
    "ModelCloud/GPTQModel#2351",
)
class ZeroBorrow(Loader):
    def packed_zeros(self, t: Record) -> NDArray[np.uint8]:
        packed = super().packed_zeros(t)
        padded = np.pad(packed, ((0, 0), (0, -packed.shape[1] % 4)))
        words = padded.view("<u4") - np.uint32(0x11111111)
        low, high = words + np.uint32(0x01010101) & 0x0F0F0F0F, (words >> 4) + np.uint32(0x01010101) & 0x0F0F0F0F
        return np.ascontiguousarray(low | high << 4).view(np.uint8)[:, : packed.shape[1]]


@mutant(
    "zero-out-of-a-product",
    "zeros-altered",
    "Zero points are kept as z*s in F16 and divided by s again: by 0, or by what has lost its last bits.",
    "mit-han-lab/llm-awq#324",
)
class ZeroOutOfAProduct(Loader):
    def zeros(self, t: Record) -> NDArray[np.int16]:
        with np.errstate(all="ignore"):
            scales = self.scales(t).astype(np.float16)
            kept = super().zeros(t).astype(np.float16) * scales
            return np.nan_to_num(np.rint(kept / scales), nan=0, posinf=15, neginf=0).astype(np.int16)


@mutant(
    "zeros-taken-as-8",
    "zeros-assumed-8",
    "Stored zero points are not read; 8 is used, as for symmetric tensors.",
    "vllm-project/vllm#6985",
)
class ZerosTakenAs8(Loader):
    def zeros(self, t: Record) -> NDArray[np.int16]:
        return self.absent_zeros(t)


@mutant("zeros-not-used", "zeros-ignored", "W is q * s.")
class ZerosNotUsed(Loader):
    def zeros(self, t: Record) -> NDArray[np.int16]:
        return np.zeros((t.rows, t.groups), np.int16)


@mutant(
    "zero-added",
    "zeros-added",
    "W is (q + z) * s, as if the zero point were the offset of Ascend's operators.",
    "vllm-project/vllm-ascend#7672",
)
class ZeroAdded(Loader):
    def zeros(self, t: Record) -> NDArray[np.int16]:
        return super().zeros(t) * np.int16(1 if t.symmetric else -1)


@mutant("zeros-signed", "zeros-signed", "Zero points are taken as two's complement.", "casper-hansen/AutoAWQ#275")
class ZerosSigned(Loader):
    def zeros(self, t: Record) -> NDArray[np.int16]:
        zeros = super().zeros(t)
        return zeros if t.symmetric else (zeros ^ 8) - np.int16(8)


@mutant(
    "symmetric-as-0",
    "symmetric-zero-0",
    "A symmetric tensor has zero points of 0.",
    "casper-hansen/AutoAWQ#478",
)
class SymmetricAs0(Loader):
    def absent_zeros(self, t: Record) -> NDArray[np.int16]:
        return np.zeros((t.rows, t.groups), np.int16)


@mutant("symmetric-as-7", "symmetric-zero-0", "A symmetric tensor has zero points of 7, half of the largest code.")
class SymmetricAs7(Loader):
    def absent_zeros(self, t: Record) -> NDArray[np.int16]:
        return np.full((t.rows, t.groups), 7, np.int16)


@mutant(
    "symmetric-offset-twice",
    "zeros-altered",
    "8 is taken from the codes of a symmetric tensor when they are read, and once more when they are used.",
    "mit-han-lab/llm-awq#324",
)
class SymmetricOffsetTwice(Loader):
    def absent_zeros(self, t: Record) -> NDArray[np.int16]:
        return super().absent_zeros(t) + np.int16(8)


@mutant(
    "last-zero-of-odd-row-lost",
    "zeros-misplaced",
    "The last zero point of a row is read only if it has a partner in its byte.",
)
class LastZeroOfOddRowLost(Loader):
    def zeros(self, t: Record) -> NDArray[np.int16]:
        zeros = super().zeros(t).copy()
        if not t.symmetric and t.groups % 2:
            zeros[:, -1] = 0
        return zeros


@mutant(
    "symmetric-unpacked-without-z",
    None,
    "`unpack` writes no z for a symmetric tensor.",
    why="MISSING-OUTPUT says it",
)
class SymmetricUnpackedWithoutZ(Loader):
    ops = ("dequant", "unpack")

    def write_parts(self, t: Record, out: Path) -> None:
        super().write_parts(t, out)
        if t.symmetric:
            next(out.glob(f"{t.number}.z.*")).unlink()
