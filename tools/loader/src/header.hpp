// Stage P, first half: the preamble of header, section table and tail (spec: container).
#ifndef AWQ_SRC_HEADER_HPP
#define AWQ_SRC_HEADER_HPP

#include <algorithm>
#include <cstddef>

#include "container.hpp"

namespace awq {

/// P1: what must hold before the table can be trusted, up to the root digest. The sections
/// themselves are not read yet.
Container ReadPreamble(const Source& source);

/// The rest of header and tail.
void CheckHeader(const Container& container);

template <std::size_t n>
bool IsZero(const std::uint8_t (&bytes)[n]) {
  return std::all_of(bytes, bytes + n, [](std::uint8_t b) { return b == 0; });
}

/// Byte offset of a field of entry `i` of the section table.
constexpr std::uint64_t EntryField(std::size_t i, std::size_t field) {
  return sizeof(awq_header) + i * sizeof(awq_section) + field;
}

}  // namespace awq

#endif
