// A file taken apart, so that it can be changed in a way that leaves everything else consistent.
//
// Written from the spec and from format.h; of the library under test only SHA-256 is shared.
#ifndef AWQ_FUZZ_IMAGE_HPP
#define AWQ_FUZZ_IMAGE_HPP

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "awq/format.h"

namespace fuzz {

using Bytes = std::vector<std::uint8_t>;

struct Section {
  std::uint32_t type, flags;
  Bytes bytes;
};

struct Tensor {
  std::string name;
  awq_record record;  // places and sizes are those of the file it came from
  Bytes extent;
};

struct Image {
  awq_header header;
  awq_tail tail;
  std::vector<Section> others;  // all but STRINGS, INDEX, DIGEST and DATA
  std::vector<Tensor> tensors;  // in index order; data_off gives the order of extents
};

/// Takes a file apart; nothing when its parts do not lie inside it.
std::optional<Image> TakeApart(const Bytes& file);

/// Lays a file out around the parts: every place, size, count and digest is derived.
Bytes PutTogether(Image image);

/// Gives a tensor the extent its record asks for: old bytes where they fit, legal scales and
/// padding. The record's fields up to dims are taken as they are; nothing happens when they ask for
/// more than `most` bytes.
void FillExtent(Tensor& tensor, std::uint64_t alignment, std::uint64_t most);

/// Which digests are made right again after an edit; each includes those before it.
enum class Depth { None, Root, Sections, Rows };

/// Computes digests from what the table and the index say, wherever that lies in the file.
void Refresh(Bytes& file, Depth depth);

/// The entries of the section table that lie in the file.
std::vector<awq_section> Table(const Bytes& file);

/// Where the body of the first section of a type lies; empty when it is not in the file.
struct Place {
  std::size_t offset, size;
};
Place Find(const Bytes& file, std::uint32_t type);

}  // namespace fuzz

#endif
