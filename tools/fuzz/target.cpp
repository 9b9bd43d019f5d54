#include "target.hpp"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "awq/awq.hpp"

namespace fuzz {
namespace {

void Require(bool holds, const char* what, std::string_view where) {
  if (holds) return;
  std::fprintf(stderr, "%s: %.*s\n", what, static_cast<int>(where.size()), where.data());
  std::abort();
}

template <typename T>
bool Same(const std::vector<T>& a, const T* b, std::size_t count) {
  return count == 0 || std::memcmp(a.data(), b, count * sizeof(T)) == 0;
}

void ReadQuantized(const awq::File& file, const awq::Tensor& t) {
  const awq::Range whole = t.Rows(0, t.rows()), groups = t.GroupRows(0, t.rows());
  std::vector<float> weights(whole.count), scales(groups.count);
  std::vector<std::uint8_t> codes(whole.count), zeros(groups.count);
  std::vector<std::uint16_t> narrow(whole.count);
  file.Dequantize(t.number, whole, awq::Dtype::F32, weights.data(), 4 * weights.size());
  file.Dequantize(t.number, whole, awq::Dtype::F16, narrow.data(), 2 * narrow.size());
  file.Dequantize(t.number, whole, awq::Dtype::BF16, narrow.data(), 2 * narrow.size());
  file.Codes(t.number, whole, codes.data(), codes.size());
  file.ZeroPoints(t.number, groups, zeros.data(), zeros.size());
  file.Scales(t.number, groups, scales.data(), scales.size());
  for (std::size_t i = 0; i < weights.size(); ++i) {
    const std::size_t g = i / t.group_size;
    const float weight = static_cast<float>(int{codes[i]} - int{zeros[g]}) * scales[g];
    Require(std::memcmp(&weight, &weights[i], sizeof weight) == 0 || weight != weight,
            "W is not (q - z) * s", t.name);
  }
  const std::uint64_t half = t.rows() / 2;
  const awq::Range rest = t.Rows(half, t.rows() - half);
  std::vector<float> part(rest.count);
  file.Dequantize(t.number, rest, awq::Dtype::F32, part.data(), 4 * part.size());
  Require(Same(part, weights.data() + rest.first, part.size()), "rows differ from W", t.name);
}

void ReadEverything(const awq::File& file) {
  for (std::size_t i = 0; i < file.size(); ++i) {
    const awq::Tensor t = file.tensor(i);
    const auto found = file.Find(t.name);
    Require(found && found->number == i, "not found by its name", t.name);
    if (t.quantized()) ReadQuantized(file, t);
    std::vector<std::uint8_t> extent(t.extent_size);
    file.Read(i, {0, t.extent_size}, extent.data());
    Require(Same(extent, file.Mapped(i), extent.size()), "Read and Mapped differ", t.name);
  }
  Require(!file.Meta("no such key"), "META", "no such key");
}

void CheckText(const awq::Error& error) {
  for (const char* c = error.what(); *c != '\0'; ++c) {
    Require(*c >= 0x20 && *c < 0x7f, "not printable ASCII", awq::Name(error.code()));
  }
}

// Without verification wrong data gives wrong values, and nothing else.
void ReadUnverified(const std::uint8_t* data, std::size_t size) {
  try {
    ReadEverything(awq::File::FromMemory(data, size, awq::Verify::None));
  } catch (const awq::Error& error) {
    CheckText(error);
  }
}

}  // namespace

const char* Examine(const std::uint8_t* data, std::size_t size) {
  try {
    const awq::File file = awq::File::FromMemory(data, size, awq::Verify::All);
    ReadEverything(file);
    return "accept";
  } catch (const awq::Error& error) {
    CheckText(error);
    ReadUnverified(data, size);
    return awq::Name(error.code());
  }
}

}  // namespace fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Examine(data, size);
  return 0;
}
