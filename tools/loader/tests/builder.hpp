// .awq files put together by hand from the text of the spec: the numbers are written out again on
// purpose, nothing but SHA-256 is shared with the library under test.
#ifndef AWQ_TESTS_BUILDER_HPP
#define AWQ_TESTS_BUILDER_HPP

#include <cstdint>
#include <string>
#include <vector>

namespace builder {

using Bytes = std::vector<std::uint8_t>;

constexpr std::uint8_t kNone = 0, kU8 = 2, kF16 = 10, kBF16 = 11, kF32 = 12, kU4 = 16;
constexpr std::uint32_t kMeta = 0x10, kStrings = 0x20, kIndex = 0x30, kCrypt = 0x40, kTags = 0x50,
                        kDigest = 0x60, kData = 0x100, kPrivate = 0x80000000;

struct TensorSpec {
  std::string name;
  std::uint8_t dtype = kU4, scale_dtype = kF16, zero_dtype = kU4;
  std::uint32_t group_size = 0;
  std::vector<std::uint32_t> dims;
  Bytes values, scales, zeros;  // the three segments
};

struct ExtraSection {
  std::uint32_t type, flags;
  Bytes bytes;
};

struct FileSpec {
  std::vector<TensorSpec> tensors;  // sorted by name
  std::string meta;                 // no section when empty
  std::vector<ExtraSection> extra;  // put where their types ascend
  std::vector<std::size_t> order;   // of extents in DATA; index order when empty
  std::uint8_t align_log2 = 6;
  std::uint16_t minor = 0;
  int digest_rows_off = 0;  // rows of DIGEST added or left out
};

/// A whole file in memory, and edits of it by byte offset.
struct Image {
  Bytes bytes;

  std::uint64_t Get(std::uint64_t at, int width) const;
  void Put(std::uint64_t at, int width, std::uint64_t value);
  void Flip(std::uint64_t at, std::uint8_t mask = 1) { bytes.at(at) ^= mask; }

  std::uint64_t Entry(std::uint32_t type) const;    // of the section table
  std::uint64_t Section(std::uint32_t type) const;  // where the section starts
  std::uint64_t Size(std::uint32_t type) const;
  std::uint64_t Record(std::size_t i) const { return Section(kIndex) + 64 * i; }
  std::uint64_t Extent(std::size_t i) const { return Get(Record(i) + 48, 8); }
  std::uint64_t Tail() const { return 64 + 64 * Get(20, 2); }

  /// Recompute, from the outside in: rows of DIGEST, digests of sections, root.
  void RefreshAll();
  void RefreshSections();
  void RefreshRoot();
};

Image Build(const FileSpec& spec);

/// Names, codes, scales and zero points that differ everywhere: w.a (24 x 64, G = 16, f16), w.b
/// (experts 2 x 8 x 24, G = 8, odd number of groups, f32), w.sym (8 x 32, G = 32, bf16, symmetric)
/// and the plain p.bias (U8, 5 bytes). META, one private section.
FileSpec Rich();

/// One 8 x 24 tensor, G = 8: an odd number of groups, every kind of padding. 1 KiB in all.
FileSpec Small();

/// Writes the bytes to a file of its own in a temporary folder; removed by the destructor.
class OnDisk {
 public:
  explicit OnDisk(const Bytes& bytes);
  OnDisk(const OnDisk&) = delete;
  OnDisk& operator=(const OnDisk&) = delete;
  ~OnDisk();
  const std::string& path() const { return path_; }
  void Overwrite(std::uint64_t at, std::uint8_t value) const;
  void Resize(std::uint64_t size) const;

 private:
  std::string path_;
};

/// What opening the file with everything verified ends in: "accept" or the name of the code.
/// `mode` is "mmap", "pread", or "both", where two different answers are given side by side.
std::string Verdict(const std::string& path, const std::string& mode = "both");
std::string Verdict(const Image& image);

}  // namespace builder

#endif
