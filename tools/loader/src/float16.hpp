// f16 and bf16 to f32 (exact) and back (round to nearest even), in integers: the result depends
// neither on the processor nor on a flush-to-zero mode.
#ifndef AWQ_SRC_FLOAT16_HPP
#define AWQ_SRC_FLOAT16_HPP

#include <cstdint>
#include <cstring>

namespace awq {

inline std::uint32_t FloatBits(float value) {
  std::uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  return bits;
}

inline float FloatOfBits(std::uint32_t bits) {
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

inline float WidenBF16(std::uint16_t h) {
  return FloatOfBits(std::uint32_t{h} << 16);
}

inline float WidenF16(std::uint16_t h) {
  const std::uint32_t sign = (h & 0x8000u) << 16;
  std::uint32_t exponent = (h >> 10) & 31, mantissa = h & 0x3ffu;
  if (exponent == 31) return FloatOfBits(sign | 0x7f800000u | mantissa << 13);
  if (exponent == 0) {
    if (mantissa == 0) return FloatOfBits(sign);
    for (exponent = 1; (mantissa & 0x400u) == 0; --exponent) mantissa <<= 1;
  }
  return FloatOfBits(sign | (exponent + 112) << 23 | (mantissa & 0x3ffu) << 13);
}

inline std::uint16_t NarrowBF16(float value) {
  const std::uint32_t bits = FloatBits(value);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return static_cast<std::uint16_t>(bits >> 16 | 0x40u);
  return static_cast<std::uint16_t>((bits + 0x7fffu + (bits >> 16 & 1)) >> 16);
}

inline std::uint16_t NarrowF16(float value) {
  const std::uint32_t bits = FloatBits(value);
  const std::uint32_t sign = bits >> 16 & 0x8000u;
  const std::uint32_t magnitude = bits & 0x7fffffffu;
  std::uint32_t half;
  if (magnitude > 0x7f800000u) {  // NaN stays NaN
    half = 0x7e00u | (magnitude >> 13 & 0x1ffu);
  } else if (magnitude >= 0x477ff000u) {  // 65520, the midpoint above the largest f16
    half = 0x7c00u;
  } else if (magnitude >= 0x38800000u) {  // 2^-14, the smallest normal f16
    half = (magnitude + 0xfffu + (magnitude >> 13 & 1) - 0x38000000u) >> 13;
  } else {  // in units of 2^-24
    const std::uint32_t shift = 126 - (magnitude >> 23);
    if (shift > 24) return static_cast<std::uint16_t>(sign);
    const std::uint32_t mantissa = (magnitude & 0x7fffffu) | 0x800000u;
    const std::uint32_t rest = mantissa & ((1u << shift) - 1), midpoint = 1u << (shift - 1);
    half = mantissa >> shift;
    half += rest > midpoint || (rest == midpoint && (half & 1));
  }
  return static_cast<std::uint16_t>(sign | half);
}

}  // namespace awq

#endif
