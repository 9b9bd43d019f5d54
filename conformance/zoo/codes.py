"""Wrong codes: the order of nibbles, what a nibble means, where a row starts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from zoo.loader import Loader
from zoo.mutant import mutant

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from zoo.container import Record

STORED: Final = (0, 2, 4, 6, 1, 3, 5, 7)  # nibble p of a word of AutoAWQ holds element STORED[p]
READ: Final = tuple(STORED.index(j) for j in range(8))  # element j is at nibble READ[j]


@mutant(
    "high-nibble-first",
    "codes-swapped",
    "The high nibble of a byte is taken for the first code.",
    "casper-hansen/AutoAWQ#275",
)
class HighNibbleFirst(Loader):
    def codes(self, t: Record) -> NDArray[np.int16]:
        return super().codes(t).reshape(t.rows, -1, 2)[:, :, ::-1].reshape(t.rows, -1)


@mutant(
    "autoawq-words",
    "codes-awq-order",
    "Words are read as AutoAWQ stores them, with the elements in the order 0 2 4 6 1 3 5 7.",
    "casper-hansen/AutoAWQ#566",
    "casper-hansen/AutoAWQ#275",
)
class AutoawqWords(Loader):
    def codes(self, t: Record) -> NDArray[np.int16]:
        return super().codes(t).reshape(t.rows, -1, 8)[:, :, READ].reshape(t.rows, -1)


@mutant(
    "autoawq-words-inverted",
    "codes-awq-inverse",
    "Words are read with AutoAWQ's permutation, which is not its own inverse, applied the wrong way round.",
    "casper-hansen/AutoAWQ#566",
)
class AutoawqWordsInverted(Loader):
    def codes(self, t: Record) -> NDArray[np.int16]:
        return super().codes(t).reshape(t.rows, -1, 8)[:, :, STORED].reshape(t.rows, -1)


@mutant("big-endian-words", "codes-big-endian", "Eight codes are taken from a big-endian word of 32 bits.")
class BigEndianWords(Loader):
    def packed_codes(self, t: Record) -> NDArray[np.uint8]:
        return super().packed_codes(t).reshape(t.rows, -1, 4)[:, :, ::-1].reshape(t.rows, -1)


@mutant(
    "split-halves",
    "codes-halves",
    "Low nibbles are the first half of a group and high nibbles the second, as in blocks of GGUF.",
    "ggml-org/llama.cpp#4701",
)
class SplitHalves(Loader):
    def codes(self, t: Record) -> NDArray[np.int16]:
        pairs = super().codes(t).reshape(t.rows, t.groups, -1, 2)
        return pairs.transpose(0, 1, 3, 2).reshape(t.rows, -1)


@mutant(
    "codes-by-columns",
    "codes-column-major",
    "The stream of codes is taken for [K, N], the order of AutoAWQ's gemm files.",
    "casper-hansen/AutoAWQ#217",
)
class CodesByColumns(Loader):
    def codes(self, t: Record) -> NDArray[np.int16]:
        matrices = super().codes(t).reshape(-1, t.columns, t.shape[-2])
        return matrices.transpose(0, 2, 1).reshape(t.rows, -1)


@mutant(
    "packed-transposed",
    "codes-misplaced",
    "The matrix of bytes is transposed as it is, packed, and unpacked along K all the same.",
    "casper-hansen/AutoAWQ#217",
)
class PackedTransposed(Loader):
    def packed_codes(self, t: Record) -> NDArray[np.uint8]:
        packed = super().packed_codes(t).reshape(-1, t.columns // 2, t.shape[-2])
        return np.ascontiguousarray(packed.transpose(0, 2, 1)).reshape(t.rows, -1)


@mutant(
    "output-transposed",
    "codes-transposed",
    "W is written as [K, N] under the name of [N, K].",
    "casper-hansen/AutoAWQ#275",
    "OpenGVLab/InternVL#1106",
)
class OutputTransposed(Loader):
    def weights(self, t: Record) -> NDArray[np.float32]:
        matrices = super().weights(t).reshape(-1, t.shape[-2], t.columns)
        return matrices.transpose(0, 2, 1).reshape(t.rows, -1)


@mutant("codes-one-byte-late", "codes-shifted", "Codes are read one byte behind the start of the extent.")
class CodesOneByteLate(Loader):
    def packed_codes(self, t: Record) -> NDArray[np.uint8]:
        return self.read(t.at + 1, t.rows * t.columns // 2).reshape(t.rows, -1)


@mutant(
    "codes-signed",
    "codes-signed",
    "Codes are taken as two's complement, as Ascend's int4pack has them.",
    "casper-hansen/AutoAWQ#275",
)
class CodesSigned(Loader):
    def codes(self, t: Record) -> NDArray[np.int16]:
        codes = super().codes(t)
        return (codes ^ 8) - np.int16(8)


@mutant(
    "sign-extended-shift",
    "codes-signed",
    "Bytes are signed, so that the shift that takes the high nibble drags the sign along.",
)
class SignExtendedShift(Loader):
    def codes(self, t: Record) -> NDArray[np.int16]:
        packed = self.packed_codes(t)
        pairs = np.stack([(packed & 15).astype(np.int16), (packed.view(np.int8) >> 4).astype(np.int16)], axis=-1)
        return pairs.reshape(t.rows, -1)


@mutant(
    "codes-minus-8",
    "codes-offset",
    "8 is taken from every code to make it signed, and nothing from the zero points.",
    "mit-han-lab/llm-awq#324",
)
class CodesMinus8(Loader):
    def codes(self, t: Record) -> NDArray[np.int16]:
        return super().codes(t) - np.int16(8)


@mutant("rows-aligned-16", "codes-misplaced", "Every row of codes is believed to start at a multiple of 16 bytes.")
class RowsAligned16(Loader):
    def packed_codes(self, t: Record) -> NDArray[np.uint8]:
        width = t.columns // 2
        stride = -(-width // 16) * 16
        return self.read(t.at, t.rows * stride).reshape(t.rows, stride)[:, :width]


@mutant(
    "rows-of-eight",
    "scales-altered",
    "Rows are done eight at a time; those that are left are never written and stay 0.",
    "sgl-project/sglang#19406",
)
class RowsOfEight(Loader):
    def scales(self, t: Record) -> NDArray[np.float32]:
        scales = super().scales(t).copy()
        scales[t.rows // 8 * 8 :] = 0
        return scales


@mutant("row-stride-k", "codes-misplaced", "The step from row to row is K bytes, as if a code took a byte.")
class RowStrideK(Loader):
    def packed_codes(self, t: Record) -> NDArray[np.uint8]:
        return self.read(t.at, t.rows * t.columns).reshape(t.rows, -1)[:, : t.columns // 2]


@mutant(
    "kn-of-square",
    "codes-transposed",
    "A matrix whose sides are equal is taken for [K, N], since its shape does not tell.",
    "casper-hansen/AutoAWQ#217",
)
class KnOfSquare(Loader):
    def weights(self, t: Record) -> NDArray[np.float32]:
        weights = super().weights(t)
        return weights.T if len(t.shape) == 2 and t.rows == t.columns else weights


@mutant(
    "codes-at-offset-0",
    "codes-misplaced",
    "data_off is taken from the start of DATA, so that codes of a file whose DATA starts at 0 would be right.",
)
class CodesRelativeToData(Loader):
    def packed_codes(self, t: Record) -> NDArray[np.uint8]:
        first = min(record.at for record in self.records())
        return self.read(t.at + first, t.rows * t.columns // 2).reshape(t.rows, -1)


@mutant(
    "codes-of-unpack-swapped",
    "codes-swapped",
    "W is right, and `unpack` shows the codes with the high nibble first.",
)
class CodesOfUnpackSwapped(Loader):
    ops = ("dequant", "unpack")

    def write_parts(self, t: Record, out: Path) -> None:
        super().write_parts(t, out)
        path = next(out.glob(f"{t.number}.q.*"))
        path.write_bytes(np.fromfile(path, np.uint8).reshape(-1, 2)[:, ::-1].tobytes())
