"""The C++ core with wrong numbers: changes of dequantize.cpp and float16.hpp."""

from __future__ import annotations

from functools import partial
from typing import Final

from zoo.edit import Change, enter_edit

edit = partial(enter_edit, __name__.rpartition(".")[2])

DEQUANTIZE: Final = "dequantize.cpp"
FLOAT16: Final = "float16.hpp"
F16: Final = ("--dtype", "f16")
BF16: Final = ("--dtype", "bf16")

edit(
    "cpp-high-nibble-first",
    "codes-swapped",
    "The high nibble of a byte is expanded before the low one.",
    Change(
        DEQUANTIZE,
        "*out++ = table[codes[i] & 15];\n    *out++ = table[codes[i] >> 4];",
        "*out++ = table[codes[i] >> 4];\n    *out++ = table[codes[i] & 15];",
    ),
    refs=("casper-hansen/AutoAWQ#275",),
)
edit(
    "cpp-block-forgets-its-place",
    "codes-misplaced",
    "From the second block of 64 Ki codes on, codes are read from the start of the tensor again.",
    Change(DEQUANTIZE, "t.values.offset + first / 2, count / 2", "t.values.offset + first % kBlock / 2, count / 2"),
)
edit(
    "cpp-zero-nibble-by-stream",
    "zeros-misplaced",
    "Which nibble a zero point is in is told by its number in the tensor, not in its row; with odd K/G they differ.",
    Change(DEQUANTIZE, "return group % per_row_ % 2 == 0 ?", "return group % 2 == 0 ?"),
)
edit(
    "cpp-zero-stride-floor",
    "zeros-unpadded",
    "A row of zero points is K/G/2 bytes long, which integer division rounds down.",
    Change(DEQUANTIZE, "stride_(ZeroStride(tensor)),", "stride_(tensor.groups() / 2),"),
)
edit(
    "cpp-zero-row-by-group-size",
    "zeros-misplaced",
    "The row of a zero point is its number divided by G, where K/G was meant.",
    Change(DEQUANTIZE, "return group / per_row_ * stride_", "return group / tensor_.group_size * stride_"),
)
edit(
    "cpp-zero-sign-extended",
    "zeros-signed",
    "A pair of zero points is a signed char, so that the shift that takes the high nibble drags the sign along.",
    Change(DEQUANTIZE, "std::uint8_t Zero(std::uint64_t group) const {", "int Zero(std::uint64_t group) const {"),
    Change(DEQUANTIZE, "const std::uint8_t pair = zeros_[", "const signed char pair = (signed char)zeros_["),
)
edit(
    "cpp-symmetric-without-8",
    "symmetric-zero-0",
    "The zero point of a symmetric tensor is 0, since none are stored.",
    Change(DEQUANTIZE, "if (tensor_.zeros.size == 0) return kSymmetricZero;", "if (tensor_.zeros.size == 0) return 0;"),
    refs=("casper-hansen/AutoAWQ#478",),
)
edit(
    "cpp-scales-unaligned",
    "scales-misplaced",
    "Scales are read right behind the codes, without the padding to 64.",
    Change(
        DEQUANTIZE, "tensor_.data_off + tensor_.scales.offset + first", "tensor_.data_off + tensor_.values.size + first"
    ),
)
edit(
    "cpp-group-of-row-start",
    "scales-wrong-group",
    "The scale is looked up once for each row, and kept while the groups of the row go by.",
    Change(
        DEQUANTIZE,
        "const float scale = groups.Scale(group);",
        "const float scale = groups.Scale(group - group % t.groups());",
    ),
)
edit(
    "cpp-one-switch-arm",
    "scales-bf16-as-f16",
    "What is not F32 is widened as F16: the arm for BF16 is missing.",
    Change(DEQUANTIZE, "return dtype == Dtype::F16 ? WidenF16(bits) : WidenBF16(bits);", "return WidenF16(bits);"),
    refs=("vllm-project/vllm#1114",),
)
edit(
    "cpp-fused",
    "arithmetic-expanded",
    "The weight is fma(q, s, -z * s), which an optimiser may make of q * s - z * s: z * s is rounded once more.",
    Change(DEQUANTIZE, "#include <cstring>\n", "#include <cmath>\n#include <cstring>\n"),
    Change(
        DEQUANTIZE,
        "narrow(static_cast<float>(q - zero) * scale);",
        "narrow(std::fma(static_cast<float>(q), scale, -(static_cast<float>(zero) * scale)));",
    ),
)
edit(
    "cpp-f16-cut",
    "rounding-truncates",
    "Bits that do not fit into an F16 are dropped.",
    Change(
        FLOAT16,
        "half = (magnitude + 0xfffu + (magnitude >> 13 & 1) - 0x38000000u) >> 13;",
        "half = (magnitude - 0x38000000u) >> 13;",
    ),
    Change(FLOAT16, "    half += rest > midpoint || (rest == midpoint && (half & 1));\n", ""),
    Change(FLOAT16, "0x477ff000u) {  // 65520, the midpoint above the largest f16", "0x47800000u) {"),
    unit=DEQUANTIZE,
    options=F16,
)
edit(
    "cpp-f16-half-up",
    "rounding-half-up",
    "Half a unit is added before bits that do not fit into an F16 are dropped: ties go up.",
    Change(
        FLOAT16, "(magnitude + 0xfffu + (magnitude >> 13 & 1) - 0x38000000u)", "(magnitude + 0x1000u - 0x38000000u)"
    ),
    unit=DEQUANTIZE,
    options=F16,
)
edit(
    "cpp-f16-subnormal-results-flushed",
    "results-subnormal-flushed",
    "The branch for results below 2^-14 returns zero.",
    Change(FLOAT16, "if (shift > 24) return", "if (shift > 13) return"),
    unit=DEQUANTIZE,
    options=F16,
)
edit(
    "cpp-f16-subnormal-ties-up",
    "rounding-half-up",
    "Below 2^-14 a tie is rounded up, for want of a look at the last bit.",
    Change(FLOAT16, "rest > midpoint || (rest == midpoint && (half & 1))", "rest >= midpoint"),
    unit=DEQUANTIZE,
    options=F16,
)
edit(
    "cpp-f16-saturates",
    "overflow-saturates",
    "Results beyond the largest F16 become the largest F16.",
    Change(FLOAT16, "half = 0x7c00u;", "half = 0x7bffu;"),
    unit=DEQUANTIZE,
    options=F16,
    refs=("OpenNMT/CTranslate2#1956",),
)
edit(
    "cpp-bf16-cut",
    "rounding-truncates",
    "The upper half of an F32 is taken for its BF16.",
    Change(
        FLOAT16,
        "return static_cast<std::uint16_t>((bits + 0x7fffu + (bits >> 16 & 1)) >> 16);",
        "return static_cast<std::uint16_t>(bits >> 16);",
    ),
    unit=DEQUANTIZE,
    options=BF16,
)
edit(
    "cpp-f16-subnormal-scales-flushed",
    "scales-subnormal-flushed",
    "An F16 with an exponent of 0 is widened to zero.",
    Change(FLOAT16, "if (mantissa == 0) return FloatOfBits(sign);", "return FloatOfBits(sign);"),
    unit=DEQUANTIZE,
)
edit(
    "cpp-f16-subnormal-scales-halved",
    "scales-altered",
    "A subnormal F16 is normalised one step too far.",
    Change(FLOAT16, "for (exponent = 1;", "for (exponent = 0;"),
    unit=DEQUANTIZE,
)
