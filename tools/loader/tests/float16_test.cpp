#include "float16.hpp"

#include <cmath>
#include <limits>
#include <vector>

#include "check.hpp"

namespace {

// A narrow format, described so that its values can be computed without any bit trick.
struct Format {
  const char* name;
  int exponent_bits, mantissa_bits;
  float (*widen)(std::uint16_t);
  std::uint16_t (*narrow)(float);

  int bias() const { return (1 << (exponent_bits - 1)) - 1; }
  unsigned infinity() const { return ((1u << exponent_bits) - 1) << mantissa_bits; }
  // Value of a non-negative pattern; at infinity(), what the next finite value would be.
  double Value(unsigned bits) const {
    const unsigned mantissa = bits & ((1u << mantissa_bits) - 1);
    const int exponent = static_cast<int>(bits >> mantissa_bits);
    if (exponent == 0) return std::ldexp(mantissa, 1 - bias() - mantissa_bits);
    return std::ldexp(mantissa + std::ldexp(1.0, mantissa_bits), exponent - bias() - mantissa_bits);
  }
  // The non-negative pattern nearest to `value`, ties to even, by search: exact in double, since
  // neighbours and their midpoint need far fewer than 53 bits.
  unsigned Nearest(double value) const {
    unsigned low = 0, high = infinity();
    while (high - low > 1) {
      const unsigned middle = (low + high) / 2;
      (Value(middle) <= value ? low : high) = middle;
    }
    const double midpoint = (Value(low) + Value(high)) / 2;
    if (value != midpoint) return value < midpoint ? low : high;
    return low % 2 == 0 ? low : high;
  }
};

const Format kFormats[] = {{"f16", 5, 10, awq::WidenF16, awq::NarrowF16},
                           {"bf16", 8, 7, awq::WidenBF16, awq::NarrowBF16}};

TEST(float16, "every finite value and infinity widens exactly and narrows back to its bits") {
  for (const Format& f : kFormats) {
    for (unsigned bits = 0; bits <= f.infinity(); ++bits) {
      for (const unsigned sign : {0u, 0x8000u}) {
        const auto half = static_cast<std::uint16_t>(bits | sign);
        const float wide = f.widen(half);
        const double size = bits == f.infinity() ? HUGE_VAL : f.Value(bits);
        CHECK(wide == (sign ? -size : size) && std::signbit(wide) == (sign != 0), f.name);
        CHECK_EQUAL(f.narrow(wide), half, f.name);
      }
    }
  }
}

TEST(float16, "every midpoint of two neighbours, and the f32 on either side, rounds to even") {
  for (const Format& f : kFormats) {
    for (unsigned bits = 0; bits < f.infinity(); ++bits) {
      const auto midpoint = static_cast<float>((f.Value(bits) + f.Value(bits + 1)) / 2);
      const float around[] = {midpoint, std::nextafter(midpoint, 0.0f),
                              std::nextafter(midpoint, HUGE_VALF)};
      for (const float value : around) {
        CHECK_EQUAL(f.narrow(value), f.Nearest(value), f.name);
        CHECK_EQUAL(f.narrow(-value), f.Nearest(value) | 0x8000u, f.name);
      }
    }
  }
}

TEST(float16, "f32 values from all over the range round to the nearest by search") {
  for (const Format& f : kFormats) {
    for (std::uint64_t bits = 0; bits < 0x7f800000; bits += 9973) {
      const float value = awq::FloatOfBits(static_cast<std::uint32_t>(bits));
      CHECK_EQUAL(f.narrow(value), f.Nearest(value), f.name);
    }
  }
}

TEST(float16, "infinity and NaN keep their kind, overflow gives infinity and never saturates") {
  const float inf = std::numeric_limits<float>::infinity();
  CHECK_EQUAL(awq::NarrowF16(65519.996f), 0x7bff, "below the midpoint");
  CHECK_EQUAL(awq::NarrowF16(65520.0f), 0x7c00, "the midpoint");
  CHECK_EQUAL(awq::NarrowF16(std::numeric_limits<float>::max()), 0x7c00, "the largest f32");
  CHECK_EQUAL(awq::NarrowBF16(std::numeric_limits<float>::max()), 0x7f80, "the largest f32");
  for (const Format& f : kFormats) {
    CHECK_EQUAL(f.narrow(inf), f.infinity(), f.name);
    CHECK_EQUAL(f.narrow(-inf), f.infinity() | 0x8000u, f.name);
    for (const std::uint32_t nan : {0x7f800001u, 0x7fc00000u, 0xffffffffu}) {
      CHECK((f.narrow(awq::FloatOfBits(nan)) & 0x7fffu) > f.infinity(), f.name);
    }
  }
}

}  // namespace
