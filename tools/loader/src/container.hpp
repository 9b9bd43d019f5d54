// Stage P: header, section table, tail and the sections before DATA (spec: container).
#ifndef AWQ_SRC_CONTAINER_HPP
#define AWQ_SRC_CONTAINER_HPP

#include <cstdint>
#include <vector>

#include "source.hpp"

namespace awq {

/// A file whose structure is sound and whose sections agree with the root. The bytes are copies,
/// read through the descriptor: nobody can change them after they were checked.
struct Container {
  awq_header header;
  awq_tail tail;
  std::vector<awq_section> sections;  // in table order
  std::vector<std::uint8_t> meta;     // empty without META
  std::vector<std::uint8_t> strings;
  std::vector<awq_record> index;
  std::vector<std::uint8_t> digest;  // left empty when no index could need so many rows

  bool encrypted() const { return (header.features & AWQ_FEATURE_ENCRYPTED) != 0; }
  std::uint64_t alignment() const { return std::uint64_t{1} << header.align_log2; }
  const awq_section* Find(std::uint32_t type) const;  // nullptr when absent
  const awq_section& Required(std::uint32_t type) const { return *Find(type); }
};

/// Performs stage P; throws the Error of the first check that fails, in the normative order.
Container ReadContainer(const Source& source);

/// The next multiple of `alignment`, a power of two; neither operand comes near 2^63.
constexpr std::uint64_t Up(std::uint64_t value, std::uint64_t alignment) {
  return (value + alignment - 1) & ~(alignment - 1);
}

}  // namespace awq

#endif
