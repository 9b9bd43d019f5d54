#include "dequantize.hpp"

#include <algorithm>
#include <array>
#include <cstring>

#include "float16.hpp"
#include "tensor.hpp"

namespace awq {
namespace {

float WidenScale(Dtype dtype, const std::uint8_t* bytes) {
  if (dtype == Dtype::F32) {
    float scale;
    std::memcpy(&scale, bytes, sizeof scale);
    return scale;
  }
  std::uint16_t bits;
  std::memcpy(&bits, bytes, sizeof bits);
  return dtype == Dtype::F16 ? WidenF16(bits) : WidenBF16(bits);
}

// Scales and zero points of consecutive groups, counted row by row over [R, K / group_size].
class Groups {
 public:
  Groups(const Source& source, const Tensor& tensor)
      : source_(source),
        tensor_(tensor),
        per_row_(tensor.groups()),
        stride_(ZeroStride(tensor)),
        scale_size_(Bits(tensor.scale_dtype) / 8) {}

  // Makes groups first .. last available; there are at most kBlock of them.
  void LoadScales(std::uint64_t first, std::uint64_t last) {
    first_ = first;
    const auto count = static_cast<std::size_t>(last - first + 1);
    scales_ = source_.View(tensor_.data_off + tensor_.scales.offset + first * scale_size_,
                           count * scale_size_, scale_bytes_);
  }

  void LoadZeros(std::uint64_t first, std::uint64_t last) {
    if (tensor_.zeros.size == 0) return;
    zeros_from_ = ZeroByte(first);
    const auto count = static_cast<std::size_t>(ZeroByte(last) - zeros_from_ + 1);
    zeros_ =
        source_.View(tensor_.data_off + tensor_.zeros.offset + zeros_from_, count, zero_bytes_);
  }

  float Scale(std::uint64_t group) const {
    return WidenScale(tensor_.scale_dtype, scales_ + (group - first_) * scale_size_);
  }

  std::uint8_t Zero(std::uint64_t group) const {
    if (tensor_.zeros.size == 0) return kSymmetricZero;
    const std::uint8_t pair = zeros_[ZeroByte(group) - zeros_from_];
    return group % per_row_ % 2 == 0 ? pair & 15 : pair >> 4;
  }

 private:
  // Every row of zero points starts at a byte of its own.
  std::uint64_t ZeroByte(std::uint64_t group) const {
    return group / per_row_ * stride_ + group % per_row_ / 2;
  }

  const Source& source_;
  const Tensor& tensor_;
  std::uint64_t per_row_, stride_, first_ = 0, zeros_from_ = 0;
  std::size_t scale_size_;
  const std::uint8_t* scales_ = nullptr;
  const std::uint8_t* zeros_ = nullptr;
  std::vector<std::uint8_t> scale_bytes_, zero_bytes_;
};

// Calls visit(first, count) for consecutive blocks of a range.
template <typename Visit>
void Blocks(Range range, Visit visit) {
  for (std::uint64_t done = 0; done < range.count;) {
    const auto count = std::min<std::uint64_t>(kBlock, range.count - done);
    visit(range.first + done, static_cast<std::size_t>(count));
    done += count;
  }
}

// A group has only sixteen possible weights: they are computed once, then looked up, two to a byte.
template <typename Out>
Out* ExpandCodes(const std::uint8_t* codes, std::size_t bytes, const std::array<Out, 16>& table,
                 Out* out) {
  for (std::size_t i = 0; i < bytes; ++i) {
    *out++ = table[codes[i] & 15];
    *out++ = table[codes[i] >> 4];
  }
  return out;
}

template <typename Out, typename Narrow>
void Weights(const Source& source, const Tensor& t, Range range, Narrow narrow, Out* out) {
  Groups groups(source, t);
  std::vector<std::uint8_t> scratch;
  std::array<Out, 16> table;
  Blocks(range, [&](std::uint64_t first, std::size_t count) {
    const std::uint64_t end = first + count;
    const std::uint8_t* codes =
        source.View(t.data_off + t.values.offset + first / 2, count / 2, scratch);
    groups.LoadScales(first / t.group_size, (end - 1) / t.group_size);
    groups.LoadZeros(first / t.group_size, (end - 1) / t.group_size);
    for (std::uint64_t element = first; element < end;) {
      const std::uint64_t group = element / t.group_size;
      const auto size =
          static_cast<std::size_t>(std::min(end, (group + 1) * t.group_size) - element);
      const float scale = groups.Scale(group);
      const int zero = groups.Zero(group);
      for (int q = 0; q < 16; ++q) {
        table[static_cast<std::size_t>(q)] = narrow(static_cast<float>(q - zero) * scale);
      }
      out = ExpandCodes(codes, size / 2, table, out);
      codes += size / 2;
      element += size;
    }
  });
}

}  // namespace

void ReadWeights(const Source& source, const Tensor& t, Range range, float* out) {
  Weights(source, t, range, [](float weight) { return weight; }, out);
}

void ReadWeightsF16(const Source& source, const Tensor& t, Range range, std::uint16_t* out) {
  Weights(source, t, range, NarrowF16, out);
}

void ReadWeightsBF16(const Source& source, const Tensor& t, Range range, std::uint16_t* out) {
  Weights(source, t, range, NarrowBF16, out);
}

void ReadCodes(const Source& source, const Tensor& t, Range range, std::uint8_t* out) {
  constexpr std::array<std::uint8_t, 16> kIdentity = {0, 1, 2,  3,  4,  5,  6,  7,
                                                      8, 9, 10, 11, 12, 13, 14, 15};
  Stream(source, t.data_off + t.values.offset + range.first / 2, range.count / 2,
         [&](const std::uint8_t* codes, std::uint64_t, std::size_t count) {
           out = ExpandCodes(codes, count, kIdentity, out);
         });
}

void ReadZeroPoints(const Source& source, const Tensor& t, Range range, std::uint8_t* out) {
  Groups groups(source, t);
  Blocks(range, [&](std::uint64_t first, std::size_t count) {
    groups.LoadZeros(first, first + count - 1);
    for (std::size_t i = 0; i < count; ++i) *out++ = groups.Zero(first + i);
  });
}

void ReadScales(const Source& source, const Tensor& t, Range range, float* out) {
  Groups groups(source, t);
  Blocks(range, [&](std::uint64_t first, std::size_t count) {
    groups.LoadScales(first, first + count - 1);
    for (std::size_t i = 0; i < count; ++i) *out++ = groups.Scale(first + i);
  });
}

}  // namespace awq
