#include "tensor.hpp"

#include <algorithm>
#include <cstring>

#include "error.hpp"
#include "sha256.hpp"

namespace awq {
namespace {

std::uint64_t End(const Segment& segment) {
  return segment.offset + segment.size;
}

void CheckDigests(const Source& source, const Tensor& t, const std::uint8_t* rows) {
  Sha256 hash;
  for (std::uint64_t start = 0; start < t.extent_size; start += AWQ_DIGEST_CHUNK) {
    const auto size = std::min<std::uint64_t>(AWQ_DIGEST_CHUNK, t.extent_size - start);
    Stream(source, t.data_off + start, size,
           [&](const std::uint8_t* b, std::uint64_t, std::size_t n) { hash.Update(b, n); });
    const Digest digest = hash.Finish();
    if (std::memcmp(digest.data(), rows, digest.size()) != 0) {
      Fail(Code::E_DIGEST, t.name, "chunk " + Print(start / AWQ_DIGEST_CHUNK), t.data_off + start,
           Hex(rows, digest.size()), Hex(digest.data(), digest.size()));
    }
    rows += digest.size();
  }
}

// With an odd number of groups the last byte of a row of zero points is half used.
void CheckOddNibbles(const Source& source, const Tensor& t) {
  if (t.zeros.size == 0 || t.groups() % 2 == 0) return;
  const std::uint64_t stride = ZeroStride(t), start = t.data_off + t.zeros.offset;
  std::uint64_t last = stride - 1;  // last byte of the next row, from the start of the segment
  Stream(source, start, t.zeros.size,
         [&](const std::uint8_t* bytes, std::uint64_t at, std::size_t count) {
           for (; last < at + count; last += stride) {
             const unsigned high = bytes[last - at] >> 4u;
             if (high != 0) {
               Fail(Code::E_PADDING, t.name, "high nibble after the last zero point", start + last,
                    0, high);
             }
           }
         });
}

void CheckPaddings(const Source& source, const Tensor& t) {
  const auto gap = [&](const Segment& segment, std::string_view field, std::uint64_t next) {
    CheckPadding(source, t.name, field, t.data_off + End(segment), next - End(segment));
  };
  if (!t.quantized()) return gap(t.values, "padding after the elements", t.extent_size);
  gap(t.values, "padding after the codes", t.scales.offset);
  gap(t.scales, "padding after the scales", t.zeros.offset);
  gap(t.zeros, "padding after the extent's last segment", t.extent_size);
  CheckOddNibbles(source, t);
}

// Finite and without a sign bit is one comparison on the bits: infinity, NaN and every negative
// number are at or above the bits of +Inf.
template <typename Word>
void CheckScales(const Source& source, const Tensor& t, Word infinity) {
  const std::uint64_t start = t.data_off + t.scales.offset;
  Stream(source, start, t.scales.size,
         [&](const std::uint8_t* bytes, std::uint64_t at, std::size_t count) {
           for (std::size_t i = 0; i < count; i += sizeof(Word)) {
             Word bits;
             std::memcpy(&bits, bytes + i, sizeof bits);
             if (bits >= infinity) {
               Fail(Code::E_VALUE, t.name, "scale " + Print((at + i) / sizeof(Word)),
                    start + at + i, "finite, sign bit clear", "bits " + Print(bits));
             }
           }
         });
}

}  // namespace

unsigned Bits(Dtype dtype) noexcept {
  switch (dtype) {
    case Dtype::NONE:
      return 0;
    case Dtype::U4:
      return 4;
    case Dtype::BOOL:
    case Dtype::U8:
    case Dtype::I8:
    case Dtype::F8_E4M3:
    case Dtype::F8_E5M2:
      return 8;
    case Dtype::U16:
    case Dtype::I16:
    case Dtype::F16:
    case Dtype::BF16:
      return 16;
    case Dtype::U32:
    case Dtype::I32:
    case Dtype::F32:
      return 32;
    case Dtype::U64:
    case Dtype::I64:
    case Dtype::F64:
      return 64;
  }
  return 0;
}

std::uint64_t Tensor::elements() const {
  std::uint64_t product = 1;
  for (unsigned i = 0; i < ndim; ++i) product *= dims[i];
  return product;
}

Range Tensor::Rows(std::uint64_t first, std::uint64_t count) const {
  return {first * in_features(), count * in_features()};
}

Range Tensor::GroupRows(std::uint64_t first, std::uint64_t count) const {
  return {first * groups(), count * groups()};
}

Tensor Derive(const awq_record& r, std::size_t number, std::string_view name) {
  Tensor t{};
  t.number = number;
  t.name = name;
  t.dtype = Dtype{r.dtype};
  t.scale_dtype = Dtype{r.scale_dtype};
  t.zero_dtype = Dtype{r.zero_dtype};
  t.group_size = r.group_size;
  t.ndim = r.ndim;
  std::copy(std::begin(r.dims), std::end(r.dims), t.dims.begin());
  t.data_off = r.data_off;
  t.extent_size = r.extent_size;
  if (!t.quantized()) {
    t.values = {0, t.elements() * (Bits(t.dtype) / 8)};
    t.scales = t.zeros = {t.values.size, 0};
    return t;
  }
  t.values = {0, t.elements() / 2};
  t.scales = {Up(t.values.size, AWQ_UNIT), t.rows() * t.groups() * (Bits(t.scale_dtype) / 8)};
  t.zeros = {End(t.scales), 0};
  if (t.zero_dtype != Dtype::NONE) {
    t.zeros = {Up(End(t.scales), AWQ_UNIT), t.rows() * ZeroStride(t)};
  }
  return t;
}

std::uint64_t ExtentSize(const Tensor& t, std::uint64_t alignment) {
  return Up(End(t.zeros), alignment);
}

std::uint64_t ZeroStride(const Tensor& t) {
  return (t.groups() + 1) / 2;
}

std::uint64_t DigestRows(std::uint64_t extent_size) {
  return extent_size / AWQ_DIGEST_CHUNK + (extent_size % AWQ_DIGEST_CHUNK != 0);
}

void VerifyTensor(const Source& source, const Tensor& t, const std::uint8_t* rows) {
  CheckDigests(source, t, rows);
  CheckPaddings(source, t);
  switch (t.scale_dtype) {
    case Dtype::F16:
      return CheckScales<std::uint16_t>(source, t, 0x7c00);
    case Dtype::BF16:
      return CheckScales<std::uint16_t>(source, t, 0x7f80);
    case Dtype::F32:
      return CheckScales<std::uint32_t>(source, t, 0x7f800000);
    default:
      return;  // a plain tensor has no scales
  }
}

}  // namespace awq
