"""Layers of checkpoints taken for what they are not: words, zero points, scales."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from zoo.checkpoint import AWQ, SEQUENCE, CompressedTensors, Gemm, Gemv, GemvFast, Gptq, across
from zoo.mutant import mutant

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from zoo.container import Record
    from zoo.loader import Array

INVERSE = tuple(AWQ.index(element) for element in range(8))

# gemm


@mutant(
    "gemm-in-sequence",
    "codes-word-order",
    "Nibbles of codes are read in the order 0 1 2 3 4 5 6 7.",
    "casper-hansen/AutoAWQ#275",
)
class GemmInSequence(Gemm):
    def matrix(self, words: Array) -> NDArray[np.int16]:
        return across(words, SEQUENCE).T


@mutant(
    "gemm-all-in-sequence",
    "codes-word-order",
    "Nibbles of codes and zero points are read in the order 0 1 2 3 4 5 6 7.",
    "casper-hansen/AutoAWQ#275",
)
class GemmAllInSequence(Gemm):
    order = SEQUENCE


@mutant("gemm-zeros-in-sequence", "zeros-word-order", "Zero points are read in sequence, codes rightly.")
class GemmZerosInSequence(Gemm):
    def stored_zeros(self, _t: Record, words: Array) -> NDArray[np.int16]:
        return across(words, SEQUENCE).T


@mutant(
    "gemm-order-inverted",
    "codes-word-order",
    "The permutation, which is not its own inverse, is applied the wrong way round.",
    "casper-hansen/AutoAWQ#566",
)
class GemmOrderInverted(Gemm):
    def matrix(self, words: Array) -> NDArray[np.int16]:
        return across(words, INVERSE).T


@mutant("gemm-high-nibble-first", "codes-word-order", "The highest nibble of a word is taken for the first.")
class GemmHighNibbleFirst(Gemm):
    def matrix(self, words: Array) -> NDArray[np.int16]:
        return across(words, SEQUENCE[::-1]).T


@mutant("gemm-as-gptq", "codes-other-layout", "Words are taken for eight columns of a row, as GPTQ packs them.")
class GemmAsGptq(Gemm):
    def matrix(self, words: Array) -> NDArray[np.int16]:
        rows, columns = self.shape(words)
        return across(words.reshape(columns // 8, rows).T, SEQUENCE)


@mutant(
    "gemm-as-gemv",
    "codes-other-layout",
    "The stream of words is taken for [N, K/8], in sequence.",
    "casper-hansen/AutoAWQ#217",
)
class GemmAsGemv(Gemm):
    def matrix(self, words: Array) -> NDArray[np.int16]:
        rows, columns = self.shape(words)
        return across(words.reshape(rows, columns // 8), SEQUENCE)


@mutant("gemm-output-transposed", "codes-transposed", "W is written as [K, N], as the tensors lie.")
class GemmOutputTransposed(Gemm):
    def weights(self, t: Record) -> NDArray[np.float32]:
        return super().weights(t).T


@mutant("gemm-zero-plus-one", "zeros-plus-one", "1 is added to every zero point, as GPTQ v1 asks for.",
        "ModelCloud/GPTQModel#2350")  # fmt: skip
class GemmZeroPlusOne(Gemm):
    def stored_zeros(self, t: Record, words: Array) -> NDArray[np.int16]:
        return super().stored_zeros(t, words) + np.int16(1)


@mutant("gemm-scales-by-rows", "scales-transposed", "Scales are taken for [N, K/G]; they are [K/G, N].")
class GemmScalesByRows(Gemm):
    def per_group(self, t: Record, part: Array) -> NDArray[np.float32]:
        return part.reshape(t.rows, t.groups).astype(np.float32)


@mutant("gemm-group-128", "group-size-fixed", "The group size is 128, whatever the configuration says.")
class GemmGroup128(Gemm):
    def groups(self, t: Record) -> NDArray[np.intp]:
        return (np.arange(t.columns) // 128).clip(0, t.groups - 1)


@mutant("gemm-next-group", "zeros-wrong-group", "The zero point is that of the next group.")
class GemmNextGroup(Gemm):
    def zeros(self, t: Record) -> NDArray[np.int16]:
        return np.roll(super().zeros(t), -1, axis=1)


@mutant("gemm-zeros-denied", "zeros-altered", "zero_point false is believed, and 8 used, where zero points are stored.",
        single="only one checkpoint denies zero points and has others than 8")  # fmt: skip
class GemmZerosDenied(Gemm):
    def stored_zeros(self, t: Record, words: Array) -> NDArray[np.int16]:
        return super().stored_zeros(t, words) if self.config.get("zero_point", True) else self.absent_zeros(t)


# gemv


@mutant("gemv-awq-order", "codes-word-order", "Words are read in the order of gemm.", "casper-hansen/AutoAWQ#566")
class GemvAwqOrder(Gemv):
    def matrix(self, words: Array) -> NDArray[np.int16]:
        return across(words, AWQ)


@mutant("gemv-as-gemm", "codes-other-layout", "Codes are read as gemm has them.", "huggingface/transformers#42776")
class GemvAsGemm(Gemv):
    def matrix(self, words: Array) -> NDArray[np.int16]:
        rows, columns = self.shape(words)
        return across(words.reshape(columns, rows // 8), AWQ).T


@mutant("gemv-scales-unpadded", "scales-misplaced", "Rows of scales are read as if they were K/G long.",
        "casper-hansen/AutoAWQ#196")  # fmt: skip
class GemvScalesUnpadded(Gemv):
    def per_group(self, t: Record, part: Array) -> NDArray[np.float32]:
        return part.reshape(-1)[: t.rows * t.groups].reshape(t.rows, t.groups).astype(np.float32)


@mutant("gemv-zeros-unpadded", "zeros-unpadded", "Rows of zero points are read as if they filled just their words.")
class GemvZerosUnpadded(Gemv):
    def stored_zeros(self, t: Record, words: Array) -> NDArray[np.int16]:
        width = -(-t.groups // 8)
        own = words.reshape(-1)[: t.rows * width].reshape(t.rows, width)
        return across(own, SEQUENCE)[:, : t.groups]


@mutant("gemv-square-turned", "codes-transposed", "A layer whose sides are equal is taken for [K, N].",
        single="only one layer is square")  # fmt: skip
class GemvSquareTurned(Gemv):
    def weights(self, t: Record) -> NDArray[np.float32]:
        weights = super().weights(t)
        return weights.T if t.rows == t.columns else weights


# gemv_fast


@mutant("fast-neighbours", "codes-word-order", "The four nibbles of a word are taken for neighbours.")
class FastNeighbours(GemvFast):
    def placed(self, nibbles: NDArray[np.int16]) -> NDArray[np.int16]:
        return nibbles.transpose(0, 2, 1, 3, 5, 4)


@mutant("fast-rows-whole", "codes-word-order", "Rows are read one after the other, not four interleaved.")
class FastRowsWhole(GemvFast):
    def placed(self, nibbles: NDArray[np.int16]) -> NDArray[np.int16]:
        return nibbles


@mutant("fast-highest-first", "codes-word-order", "The highest nibble of a word is taken for the first.")
class FastHighestFirst(GemvFast):
    def placed(self, nibbles: NDArray[np.int16]) -> NDArray[np.int16]:
        return super().placed(nibbles[:, :, :, :, ::-1])


@mutant("fast-products-as-zeros", "zeros-are-products", "-(s*z) is taken for z.")
class FastProductsAsZeros(GemvFast):
    def weights(self, t: Record) -> NDArray[np.float32]:
        columns = self.groups(t)
        return (self.codes(t) - self.products(t)[:, columns]) * self.scales(t)[:, columns]


@mutant("fast-product-subtracted", "zeros-added", "-(s*z) is subtracted from q*s.")
class FastProductSubtracted(GemvFast):
    def weights(self, t: Record) -> NDArray[np.float32]:
        columns = self.groups(t)
        return self.codes(t) * self.scales(t)[:, columns] - self.products(t)[:, columns]


@mutant("fast-scales-by-rows", "scales-transposed", "Scales are taken for [N, K/G]; they are [K/G, N].")
class FastScalesByRows(GemvFast):
    def scales(self, t: Record) -> NDArray[np.float32]:
        return self.part(t, "scales").reshape(t.rows, -1)[:, : t.groups].astype(np.float32)

    def zeros(self, t: Record) -> NDArray[np.int16]:
        return np.rint(-self.products(t) / super().scales(t)).astype(np.int16)


# gptq


@mutant("gptq-v1-as-v2", "zeros-minus-one", "Zero points are used as they are stored, though v1 stores them less 1.",
        "ModelCloud/GPTQModel#1263")  # fmt: skip
class GptqV1AsV2(Gptq):
    def unbiased(self, zeros: NDArray[np.int16]) -> NDArray[np.int16]:
        return zeros


@mutant("gptq-v2-as-v1", "zeros-plus-one", "1 is added to zero points, though v2 stores them as they are.")
class GptqV2AsV1(Gptq):
    def unbiased(self, zeros: NDArray[np.int16]) -> NDArray[np.int16]:
        return zeros + 1 & 15


@mutant("gptq-sum-unmasked", "zeros-altered", "1 is added to a stored 15, and the sum is 16.",
        "ModelCloud/GPTQModel#2350")  # fmt: skip
class GptqSumUnmasked(Gptq):
    def unbiased(self, zeros: NDArray[np.int16]) -> NDArray[np.int16]:
        return zeros + 1 if self.config["checkpoint_format"] == "gptq" else zeros


@mutant("gptq-sum-carries", "zeros-altered", "1 is added to every nibble of a word at once, and a 15 carries.",
        "ModelCloud/GPTQModel#2350")  # fmt: skip
class GptqSumCarries(Gptq):
    def stored_zeros(self, _t: Record, words: Array) -> NDArray[np.int16]:
        more = 0x11111111 if self.config["checkpoint_format"] == "gptq" else 0
        return across(words + np.int32(more), SEQUENCE).T


@mutant("gptq-awq-order", "codes-word-order", "Words are read in AutoAWQ's order.")
class GptqAwqOrder(Gptq):
    def matrix(self, words: Array) -> NDArray[np.int16]:
        return across(words.T, AWQ)


@mutant("gptq-as-gemm", "codes-other-layout", "Codes are read as AutoAWQ's gemm has them.", "vllm-project/vllm#1682")
class GptqAsGemm(Gptq):
    def matrix(self, words: Array) -> NDArray[np.int16]:
        rows, columns = self.shape(words)
        return across(words.reshape(columns, rows // 8), AWQ).T


# compressed-tensors


@mutant("ct-signed", "codes-signed", "Codes are taken for two's complement; they are stored with 8 added.")
class CtSigned(CompressedTensors):
    def matrix(self, words: Array) -> NDArray[np.int16]:
        return (super().matrix(words) ^ 8) - np.int16(8)


@mutant("ct-zeros-as-codes", "zeros-other-layout", "Zero points are taken for words along a row, as codes are.")
class CtZerosAsCodes(CompressedTensors):
    def stored_zeros(self, t: Record, words: Array) -> NDArray[np.int16]:
        width = -(-t.groups // 8)
        padded = np.zeros(t.rows * width, words.dtype)
        padded[: words.size] = words.reshape(-1)[: len(padded)]
        return across(padded.reshape(t.rows, width), SEQUENCE)[:, : t.groups]


@mutant("ct-symmetric-0", "symmetric-zero-0", "Where no zero points are stored 0 is used; it is 8.",
        single="only one checkpoint has no zero points")  # fmt: skip
class CtSymmetric0(CompressedTensors):
    def absent_zeros(self, t: Record) -> NDArray[np.int16]:
        return np.zeros((t.rows, t.groups), np.int16)


@mutant("ct-awq-order", "codes-word-order", "Words are read in AutoAWQ's order.")
class CtAwqOrder(CompressedTensors):
    def matrix(self, words: Array) -> NDArray[np.int16]:
        return across(words, AWQ)


@mutant("ct-scales-by-columns", "scales-transposed", "Scales are taken for [K/G, N]; they are [N, K/G].")
class CtScalesByColumns(CompressedTensors):
    def per_group(self, t: Record, part: Array) -> NDArray[np.float32]:
        return part.reshape(t.groups, t.rows).T.astype(np.float32)
