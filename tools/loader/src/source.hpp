// The bytes of one file: mapped, read where they are asked for, or in memory from the start.
#ifndef AWQ_SRC_SOURCE_HPP
#define AWQ_SRC_SOURCE_HPP

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "awq/awq.hpp"

namespace awq {

/// Bytes held at once while a segment or a section streams through.
constexpr std::size_t kBlock = std::size_t{1} << 16;

class Source {
 public:
  /// Opens a regular file without ever blocking; E_FILE for anything else.
  explicit Source(const std::string& path);
  /// Bytes of the caller, which outlive the Source: those of the file from `base` on.
  Source(const std::uint8_t* bytes, std::size_t size, std::uint64_t base = 0)
      : size_(base + size), base_(base), map_(bytes) {}
  Source(const Source&) = delete;
  Source& operator=(const Source&) = delete;
  ~Source();

  /// Maps the file, so that View copies nothing; does nothing where it cannot be mapped.
  void Map();

  std::uint64_t size() const { return size_; }
  const std::uint8_t* map() const { return map_; }

  /// Copies bytes, through the descriptor if there is one: a mapped file that shrank is E_IO.
  void Read(std::uint64_t offset, void* out, std::size_t size) const;

  /// The bytes in the map, or read into `scratch`.
  const std::uint8_t* View(std::uint64_t offset, std::size_t size,
                           std::vector<std::uint8_t>& scratch) const;

 private:
  int descriptor_ = -1;  // none when the bytes are the caller's
  std::uint64_t size_ = 0;
  std::uint64_t base_ = 0;  // place of map_ in the file
  const std::uint8_t* map_ = nullptr;
};

/// Calls visit(bytes, offset in the range, count) for the range, block by block.
template <typename Visit>
void Stream(const Source& source, std::uint64_t offset, std::uint64_t size, Visit visit) {
  std::vector<std::uint8_t> scratch;
  for (std::uint64_t done = 0; done < size;) {
    const std::uint64_t left = size - done;
    const auto count = left < kBlock ? static_cast<std::size_t>(left) : kBlock;
    visit(source.View(offset + done, count, scratch), done, count);
    done += count;
  }
}

/// E_PADDING unless every byte of the range is zero.
void CheckPadding(const Source& source, std::string_view where, std::string_view field,
                  std::uint64_t offset, std::uint64_t size);

}  // namespace awq

#endif
