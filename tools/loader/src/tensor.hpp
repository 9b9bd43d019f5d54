// A tensor's extent: where its segments lie, and stage D over its bytes (spec: model, container).
#ifndef AWQ_SRC_TENSOR_HPP
#define AWQ_SRC_TENSOR_HPP

#include "container.hpp"

namespace awq {

/// Codes come in whole groups of eight: K, the group size and every range are multiples of it.
constexpr std::uint32_t kCodesUnit = 8;

/// The zero point of a symmetric tensor.
constexpr std::uint8_t kSymmetricZero = 8;

/// Derives everything that is not stored. The fields of `record` up to group_size have passed
/// stage I.
Tensor Derive(const awq_record& record, std::size_t number, std::string_view name);

/// What extent_size must be; `alignment` is that of extents.
std::uint64_t ExtentSize(const Tensor& tensor, std::uint64_t alignment);

/// Bytes of one row of zero points.
std::uint64_t ZeroStride(const Tensor& tensor);

/// Rows of DIGEST that cover an extent.
std::uint64_t DigestRows(std::uint64_t extent_size);

/// Performs stage D: the digest of each chunk, then padding, then scales. `rows` are the tensor's
/// rows of DIGEST.
void VerifyTensor(const Source& source, const Tensor& tensor, const std::uint8_t* rows);

}  // namespace awq

#endif
