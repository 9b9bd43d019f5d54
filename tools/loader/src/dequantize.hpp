// Codes, zero points and scales of a quantized tensor, and W = (q - z) * s (spec: model).
#ifndef AWQ_SRC_DEQUANTIZE_HPP
#define AWQ_SRC_DEQUANTIZE_HPP

#include "source.hpp"

namespace awq {

/// Each writes `range` of its matrix: [R, K] for weights and codes, [R, K / group_size] for the
/// others. Ranges lie in their matrix; those of [R, K] start and end at multiples of 8. Whatever
/// the range, at most a few hundred KiB are held beside `out`.
void ReadWeights(const Source& source, const Tensor& tensor, Range range, float* out);
void ReadWeightsF16(const Source& source, const Tensor& tensor, Range range, std::uint16_t* out);
void ReadWeightsBF16(const Source& source, const Tensor& tensor, Range range, std::uint16_t* out);
void ReadCodes(const Source& source, const Tensor& tensor, Range range, std::uint8_t* out);
void ReadZeroPoints(const Source& source, const Tensor& tensor, Range range, std::uint8_t* out);
void ReadScales(const Source& source, const Tensor& tensor, Range range, float* out);

}  // namespace awq

#endif
