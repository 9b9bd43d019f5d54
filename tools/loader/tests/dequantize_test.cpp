// Numbers: codes, zero points, scales and W = (q - z) * s, by an element-wise reading of the bytes.
#include <cmath>
#include <cstring>
#include <limits>

#include "awq/awq.hpp"
#include "builder.hpp"
#include "check.hpp"
#include "float16.hpp"

namespace {

using namespace builder;

constexpr awq::Mode kModes[] = {awq::Mode::Mmap, awq::Mode::Pread};

// One tensor of a spec, element by element: row r of [R, K], column k.
struct Oracle {
  const TensorSpec& t;
  std::size_t k_count = t.dims.back(), groups = k_count / t.group_size;

  std::size_t rows() const { return 2 * t.values.size() / k_count; }
  int Code(std::size_t r, std::size_t k) const {
    const int byte = t.values[r * k_count / 2 + k / 2];
    return k % 2 == 0 ? byte % 16 : byte / 16;
  }
  int Zero(std::size_t r, std::size_t g) const {
    if (t.zero_dtype == kNone) return 8;
    const int byte = t.zeros[r * ((groups + 1) / 2) + g / 2];
    return g % 2 == 0 ? byte % 16 : byte / 16;
  }
  // Scales of these tests are positive and finite.
  double Scale(std::size_t r, std::size_t g) const {
    const std::size_t size = t.scale_dtype == kF32 ? 4 : 2;
    std::uint32_t bits = 0;
    for (std::size_t i = size; i-- > 0;) bits = bits << 8 | t.scales[(r * groups + g) * size + i];
    const int mantissa_bits = t.scale_dtype == kF16 ? 10 : t.scale_dtype == kBF16 ? 7 : 23;
    const int bias = t.scale_dtype == kF16 ? 15 : 127;
    const std::uint32_t mantissa = bits & ((1u << mantissa_bits) - 1);
    const int exponent = static_cast<int>(bits >> mantissa_bits);
    if (exponent == 0) return std::ldexp(mantissa, 1 - bias - mantissa_bits);
    return std::ldexp(mantissa + (1u << mantissa_bits), exponent - bias - mantissa_bits);
  }
  // Exact in double, so rounded once.
  float Weight(std::size_t r, std::size_t k) const {
    const std::size_t g = k / t.group_size;
    return static_cast<float>((Code(r, k) - Zero(r, g)) * Scale(r, g));
  }
};

std::uint32_t Unsigned(float value) {
  return value == 0 ? 0 : awq::FloatBits(value);
}

// Everything the library says of a quantized tensor against the oracle.
void CheckTensor(const awq::File& file, const awq::Tensor& t, const TensorSpec& spec) {
  const Oracle oracle{spec};
  const std::string name(t.name);
  CHECK_EQUAL(t.rows(), oracle.rows(), name);
  const awq::Range all = t.Rows(0, t.rows()), all_groups = t.GroupRows(0, t.rows());
  const std::size_t n = all.count, m = all_groups.count;
  std::vector<float> w(n), s(m);
  std::vector<std::uint16_t> f16(n), bf16(n);
  Bytes q(n), z(m);
  file.Dequantize(t.number, all, awq::Dtype::F32, w.data(), 4 * n);
  file.Dequantize(t.number, all, awq::Dtype::F16, f16.data(), 2 * n);
  file.Dequantize(t.number, all, awq::Dtype::BF16, bf16.data(), 2 * n);
  file.Codes(t.number, all, q.data(), n);
  file.ZeroPoints(t.number, all_groups, z.data(), m);
  file.Scales(t.number, all_groups, s.data(), m);
  for (std::size_t r = 0; r < oracle.rows(); ++r) {
    for (std::size_t k = 0; k < oracle.k_count; ++k) {
      const std::size_t i = r * oracle.k_count + k;
      const float weight = oracle.Weight(r, k);
      CHECK_EQUAL(Unsigned(w[i]), Unsigned(weight), name + " W");
      CHECK_EQUAL(f16[i] & (weight == 0 ? 0x7fff : 0xffff), awq::NarrowF16(weight + 0.0f), name);
      CHECK_EQUAL(bf16[i] & (weight == 0 ? 0x7fff : 0xffff), awq::NarrowBF16(weight + 0.0f), name);
      CHECK_EQUAL(int{q[i]}, oracle.Code(r, k), name + " q");
    }
    for (std::size_t g = 0; g < oracle.groups; ++g) {
      const std::size_t i = r * oracle.groups + g;
      CHECK_EQUAL(int{z[i]}, oracle.Zero(r, g), name + " z");
      CHECK_EQUAL(s[i], oracle.Scale(r, g), name + " s");
    }
  }
}

TEST(dequantize, "the low nibble comes first, in codes and in zero points") {
  FileSpec spec;
  TensorSpec t{"w", kU4, kF32, kU4, 8, {1, 24}, {}, {}, {}};
  t.values = {0x10, 0x32, 0x54, 0x76, 0x98, 0xba, 0xdc, 0xfe, 0x0f, 0xf0, 0x00, 0xff};
  t.scales = {0, 0, 0x80, 0x3f, 0, 0, 0, 0x40, 0, 0, 0, 0x3f};  // 1, 2, 0.5
  t.zeros = {0x53, 0x0f};                                       // 3, 5, 15
  spec.tensors = {t};
  const OnDisk disk(Build(spec).bytes);
  const awq::Matrix w = awq::LoadAWQWeight(disk.path(), "w");
  const float wanted[] = {-3, -2, -1, 0,  1, 2,     3,     4, 6,     8,     10, 12,
                          14, 16, 18, 20, 0, -7.5f, -7.5f, 0, -7.5f, -7.5f, 0,  0};
  CHECK(w.dims() == std::vector<std::uint32_t>({1, 24}), "dims");
  for (std::size_t i = 0; i < 24; ++i) CHECK_EQUAL(w.data<float>()[i], wanted[i], i);
}

TEST(dequantize, "every element of every kind of tensor is what the bytes say, in both modes") {
  const FileSpec spec = Rich();
  const OnDisk disk(Build(spec).bytes);
  for (const awq::Mode mode : kModes) {
    const awq::File file(disk.path(), {awq::Verify::All, mode});
    for (std::size_t i = 1; i < 4; ++i) CheckTensor(file, file.tensor(i), spec.tensors[i]);
  }
}

// All sixteen codes of a zero point against one scale.
void CheckScale(std::uint8_t dtype, std::uint32_t bits) {
  FileSpec spec;
  TensorSpec t{"w", kU4, dtype, kU4, 16, {16, 16}, {}, {}, {}};
  for (std::uint8_t z = 0; z < 16; ++z) {
    for (int q = 0; q < 16; q += 2) t.values.push_back(static_cast<std::uint8_t>(q | (q + 1) << 4));
    for (int i = 0; i < (dtype == kF32 ? 4 : 2); ++i) {
      t.scales.push_back(static_cast<std::uint8_t>(bits >> (8 * i)));
    }
    t.zeros.push_back(z);
  }
  spec.tensors = {t};
  const OnDisk disk(Build(spec).bytes);
  const awq::File file(disk.path());
  CheckTensor(file, file.tensor(0), t);
}

TEST(dequantize, "extreme scales are exact: zero, subnormal, largest, products that overflow") {
  for (const std::uint32_t bits : {0x0u, 0x1u, 0x3ffu, 0x400u, 0x3555u, 0x7bffu, 0x6c01u}) {
    CheckScale(kF16, bits);
  }
  for (const std::uint32_t bits : {0x0u, 0x1u, 0x7fu, 0x80u, 0x3eabu, 0x7f7fu, 0x7e80u}) {
    CheckScale(kBF16, bits);
  }
  for (const std::uint32_t bits : {0x0u, 0x1u, 0x7fffffu, 0x800001u, 0x3eaaaaabu, 0x7f7fffffu,
                                   0x7dffffffu, 0x33800001u, 0x477fe001u}) {
    CheckScale(kF32, bits);
  }
}

TEST(dequantize, "any range of eights gives the same elements as the whole, in both modes") {
  const OnDisk disk(Build(Rich()).bytes);
  for (const awq::Mode mode : kModes) {
    const awq::File file(disk.path(), {awq::Verify::Touch, mode});
    for (std::size_t number = 1; number < 4; ++number) {
      const awq::Tensor t = file.tensor(number);
      std::vector<float> whole(t.elements());
      file.Dequantize(number, t.Rows(0, t.rows()), awq::Dtype::F32, whole.data(), 4 * whole.size());
      for (std::uint64_t first = 0; first < whole.size(); first += 40) {
        for (const std::uint64_t count : {0u, 8u, 24u, 72u}) {
          if (first + count > whole.size()) continue;
          std::vector<float> part(count + 1, -1.0f);
          file.Dequantize(number, {first, count}, awq::Dtype::F32, part.data(), 4 * count);
          CHECK(std::equal(part.begin(), part.end() - 1, whole.begin() + std::ptrdiff_t(first)) &&
                    part[count] == -1.0f,
                first);
        }
      }
    }
  }
}

TEST(dequantize, "tensors larger than a block of work are whole, and zero points row-aligned") {
  FileSpec spec;
  TensorSpec t{"w", kU4, kF16, kU4, 24, {4100, 72}, {}, {}, {}};
  for (std::uint32_t i = 0; i < 4100 * 36; ++i)
    t.values.push_back(std::uint8_t(i * 2654435761u >> 24));
  for (std::uint32_t i = 0; i < 4100 * 3; ++i) {
    t.scales.push_back(static_cast<std::uint8_t>(i));
    t.scales.push_back(static_cast<std::uint8_t>(i % 0x70));
  }
  for (std::uint32_t i = 0; i < 4100; ++i) {
    t.zeros.push_back(static_cast<std::uint8_t>(i * 37));
    t.zeros.push_back(static_cast<std::uint8_t>(i % 16));
  }
  spec.tensors = {t};
  const OnDisk disk(Build(spec).bytes);
  for (const awq::Mode mode : kModes) {
    const awq::File file(disk.path(), {awq::Verify::All, mode});
    CheckTensor(file, file.tensor(0), t);
  }
}

TEST(dequantize, "the front door returns an owned matrix with its dimensions, in each dtype") {
  const FileSpec spec = Rich();
  const OnDisk disk(Build(spec).bytes);
  const Oracle oracle{spec.tensors[2]};
  const awq::Matrix f32 = awq::LoadAWQWeight(disk.path(), "w.b");
  const awq::Matrix f16 = awq::LoadAWQWeight(disk.path(), "w.b", awq::Dtype::F16);
  CHECK(f32.dims() == std::vector<std::uint32_t>({2, 8, 24}), "dims");
  CHECK(f32.bytes() == 1536 && f16.bytes() == 768, "bytes");
  CHECK_EQUAL(Unsigned(f32.data<float>()[383]), Unsigned(oracle.Weight(15, 23)), "last");
  CHECK_EQUAL(f16.data<std::uint16_t>()[383] & 0x7fff,
              awq::NarrowF16(std::fabs(oracle.Weight(15, 23))), "last");
}

template <typename Exception, typename Call>
bool Throws(Call call) {
  try {
    call();
  } catch (const Exception&) {
    return true;
  }
  return false;
}

TEST(dequantize, "mistakes of the caller are refused before anything is written") {
  const OnDisk disk(Build(Rich()).bytes);
  const awq::File file(disk.path());
  float out[16];
  const auto weights = [&](std::size_t number, awq::Range range, awq::Dtype dtype,
                           std::size_t bytes) {
    return [&file, &out, number, range, dtype, bytes] {
      file.Dequantize(number, range, dtype, out, bytes);
    };
  };
  using Range = std::out_of_range;
  using Argument = std::invalid_argument;
  CHECK(Throws<Range>(weights(4, {0, 8}, awq::Dtype::F32, 64)), "no such tensor");
  CHECK(Throws<Range>(weights(1, {4, 8}, awq::Dtype::F32, 64)), "not a multiple of eight");
  CHECK(Throws<Range>(weights(1, {0, 4}, awq::Dtype::F32, 64)), "not a multiple of eight");
  CHECK(Throws<Range>(weights(1, {1536, 8}, awq::Dtype::F32, 64)), "past the end");
  CHECK(Throws<Range>(weights(1, {8, ~7ull}, awq::Dtype::F32, 64)), "wrapping");
  CHECK(Throws<Argument>(weights(1, {0, 8}, awq::Dtype::F32, 31)), "too little room");
  CHECK(Throws<Argument>(weights(1, {0, 8}, awq::Dtype::F64, 64)), "no such output");
  CHECK(Throws<Argument>(weights(0, {0, 0}, awq::Dtype::F32, 64)), "plain");
  CHECK(Throws<Range>([&] { file.Read(0, {60, 5}, out); }), "past the extent");
  CHECK(Throws<Range>([&] { awq::LoadAWQWeight(disk.path(), "nothing"); }), "no such name");
  CHECK(Throws<Argument>([&] { awq::LoadAWQWeight(disk.path(), "p.bias"); }), "plain");
  CHECK(Throws<Argument>([&] { awq::LoadAWQWeight(disk.path(), "w.a").data<double>(); }), "size");
}

}  // namespace
