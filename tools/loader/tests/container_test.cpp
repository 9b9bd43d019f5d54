// Stage P: one fault at a time, digests refreshed unless the test says otherwise.
#include <algorithm>

#include "awq/awq.hpp"
#include "builder.hpp"
#include "check.hpp"

namespace {

using namespace builder;

constexpr std::uint32_t kAllTypes[] = {kMeta, kStrings, kIndex, kDigest, kData, kPrivate};

// Edits a good file, refreshes its root and compares the verdict.
template <typename Edit>
void Expect(const std::string& what, const char* code, Edit edit, const FileSpec& spec = Rich()) {
  Image image = Build(spec);
  edit(image);
  image.RefreshRoot();
  CHECK_EQUAL(Verdict(image), code, what);
}

// The same for each of several values of one field.
void ExpectEach(const std::string& what, const char* code, std::uint64_t at, int width,
                const std::vector<std::uint64_t>& values) {
  for (const std::uint64_t value : values) {
    Expect(what + " = " + std::to_string(value), code,
           [&](Image& image) { image.Put(at, width, value); });
  }
}

TEST(container, "good files are accepted: rich, small, empty, every alignment, any minor") {
  CHECK_EQUAL(Verdict(Build(Rich())), "accept", "rich");
  CHECK_EQUAL(Verdict(Build(Small())), "accept", "small");
  CHECK_EQUAL(Verdict(Build({})), "accept", "no tensors");
  for (std::uint8_t align_log2 = 6; align_log2 <= 12; ++align_log2) {
    FileSpec spec = Rich();
    spec.align_log2 = align_log2;
    CHECK_EQUAL(Verdict(Build(spec)), "accept", 1 << align_log2);
  }
  ExpectEach("P04 minor", "accept", 10, 2, {1, 0xffff});
}

TEST(container, "P01: a file cut anywhere is E_TRUNCATED") {
  const Image image = Build(Rich());
  for (std::size_t size = 0; size < image.bytes.size(); ++size) {
    const OnDisk disk(Bytes(image.bytes.begin(), image.bytes.begin() + std::ptrdiff_t(size)));
    CHECK_EQUAL(Verdict(disk.path()), "E_TRUNCATED", size);
  }
}

TEST(container, "P02: another magic is E_MAGIC") {
  for (std::uint64_t at = 0; at < 8; ++at) {
    Expect("magic", "E_MAGIC", [&](Image& image) { image.Flip(at); });
  }
  for (const std::string front : {"\xef\xbb\xbf", "GGUF\x03", "PK\x03\x04", "\x80\x04\x95"}) {
    Image image = Build(Rich());
    image.bytes.insert(image.bytes.begin(), front.begin(), front.end());
    CHECK_EQUAL(Verdict(image), "E_MAGIC", front);
  }
}

TEST(container, "P03 to P06: version, section count and hash are checked before the table") {
  ExpectEach("P03 major", "E_VERSION", 8, 2, {0, 2, 0x100, 0xffff});
  for (const std::uint64_t count : {0u, 3u, 17u, 65535u}) {
    Image image = Build(Rich());
    image.Put(20, 2, count);
    CHECK_EQUAL(Verdict(image), "E_LIMIT", count);
  }
  ExpectEach("P06 hash_alg", "E_FEATURE", 23, 1, {0, 2, 255});
}

TEST(container, "P07, P08: file_size is the size of the file") {
  const Image good = Build(Rich());
  const std::uint64_t size = good.bytes.size();
  for (const std::size_t more : {std::size_t{1}, std::size_t{4096}, good.bytes.size()}) {
    Image image = good;
    image.bytes.resize(good.bytes.size() + more, 'P');
    CHECK_EQUAL(Verdict(image), "E_TRAILING", more);
  }
  ExpectEach("P08 file_size", "E_TRAILING", 24, 8, {0, 64, size - 1});
  ExpectEach("P08 file_size", "E_TRUNCATED", 24, 8, {size + 1, 1ull << 63, ~0ull});
}

TEST(container, "P09: header, table or root that disagree are E_DIGEST") {
  const Image good = Build(Rich());
  for (std::uint64_t at = 64; at < good.Tail() + 32; ++at) {
    Image image = good;
    image.Flip(at, 0x80);
    CHECK_EQUAL(Verdict(image), "E_DIGEST", at);
  }
}

TEST(container, "P10 to P14: features, alignment and reserved fields of header and tail") {
  for (int bit = 1; bit < 32; ++bit) ExpectEach("P10 bit", "E_FEATURE", 12, 4, {1ull << bit});
  ExpectEach("P12 align_log2", "E_ALIGN", 22, 1, {0, 5, 13, 31, 64, 255});
  for (std::uint64_t at = 32; at < 64; ++at) {
    ExpectEach(at < 48 ? "P14 file_id" : "P13 reserved", "E_RESERVED", at, 1, {1, 0x80});
  }
  for (std::uint64_t i = 32; i < 64; ++i) {
    Expect("P14 mac", "E_RESERVED", [&](Image& image) { image.Flip(image.Tail() + i); });
  }
}

TEST(container, "P13, P22: undefined flags and reserved fields of the table are E_RESERVED") {
  for (const std::uint32_t type : kAllTypes) {
    const std::uint64_t entry = Build(Rich()).Entry(type);
    for (int bit = 1; bit < 32; ++bit) {
      Expect("P13 flags", "E_RESERVED",
             [&](Image& i) { i.Put(entry + 4, 4, i.Get(entry + 4, 4) | 1ull << bit); });
    }
    for (std::uint64_t at = 24; at < 32; ++at) {
      Expect("P13 reserved", "E_RESERVED", [&](Image& i) { i.Flip(entry + at); });
    }
  }
  for (std::uint64_t at = 32; at < 64; ++at) {
    Expect("P22 digest of DATA", "E_RESERVED", [&](Image& i) { i.Flip(i.Entry(kData) + at); });
  }
}

TEST(container, "P15: sections out of order, doubled, missing, forbidden or wrongly critical") {
  Expect("doubled", "E_SECTION", [](Image& i) { i.Put(i.Entry(kStrings), 4, kMeta); });
  FileSpec doubled = Rich();
  doubled.extra.push_back(doubled.extra[0]);
  Expect("private one doubled", "E_SECTION", [](Image&) {}, doubled);
  Expect("descending", "E_SECTION", [](Image& i) { i.Put(i.Entry(kMeta), 4, kStrings + 1); });
  for (const std::uint32_t type : {kMeta, kStrings, kIndex, kDigest, kData}) {
    Expect("CRITICAL", "E_SECTION", [&](Image& i) { i.Flip(i.Entry(type) + 4); });
  }
  for (const std::uint32_t type : {kStrings, kIndex, kDigest, kData}) {
    Expect("missing", "E_SECTION", [&](Image& i) {
      const std::uint64_t entry = i.Entry(type);
      i.Put(entry, 4, type + 1);
      i.Put(entry + 4, 4, 0);
      if (type == kData) std::fill_n(i.bytes.begin() + std::ptrdiff_t(entry + 32), 32, 0);
    });
  }
  for (const std::uint32_t type : {kCrypt, kTags}) {
    FileSpec spec = Rich();
    spec.extra.push_back({type, 1, Bytes(128)});
    Expect("forbidden", "E_SECTION", [](Image&) {}, spec);
    Expect("the other one missing", "E_SECTION", [](Image& i) { i.Put(12, 4, 1); }, spec);
  }
  Expect("both missing", "E_SECTION", [](Image& i) { i.Put(12, 4, 1); });
}

TEST(container, "P16: unknown sections are ignored unless they are critical") {
  for (const std::uint32_t type : {0u, 0x11u, 0x70u, 0x101u, 0x7fffffffu, 0x80000001u, ~0u}) {
    FileSpec spec = Rich();
    spec.extra.push_back({type, 0, Bytes(70, 1)});
    Expect("not critical", "accept", [](Image&) {}, spec);
    Expect("critical", "E_FEATURE", [&](Image& i) { i.Put(i.Entry(type) + 4, 4, 1); }, spec);
  }
}

TEST(container, "P17: a section offset other than the derived one is E_LAYOUT") {
  for (const std::uint32_t type : kAllTypes) {
    const std::uint64_t entry = Build(Rich()).Entry(type);
    const std::uint64_t offset = Build(Rich()).Get(entry + 8, 8);
    ExpectEach("offset", "E_LAYOUT", entry + 8, 8,
               {0, 64, offset - 64, offset - 1, offset + 1, offset + 64, 1ull << 63, ~0ull - 63});
  }
}

TEST(container, "P18: a section that ends past the file is E_BOUNDS, bytes after DATA E_TRAILING") {
  for (const std::uint32_t type : kAllTypes) {
    const std::uint64_t entry = Build(Rich()).Entry(type);
    const std::uint64_t rest = Build(Rich()).bytes.size() - Build(Rich()).Section(type);
    ExpectEach("size", "E_BOUNDS", entry + 16, 8, {rest + 1, 1ull << 63, ~0ull, ~0ull - 63});
  }
  Expect("short", "E_TRAILING",
         [](Image& i) { i.Put(i.Entry(kData) + 16, 8, i.Size(kData) - 64); });
}

TEST(container, "P19: tensor_count is 1/64 of the size of INDEX, else E_COUNT") {
  ExpectEach("tensor_count", "E_COUNT", 16, 4, {0, 3, 5, 0x4000004, 0xffffffff});
}

// A file of holes whose section `type` claims, and has, `size` bytes; nothing in it is read before
// the limits are checked.
std::string SparseVerdict(std::uint32_t type, std::uint64_t size, std::uint64_t tensor_count) {
  Image image = Build(Rich());
  image.Put(16, 4, tensor_count);
  image.Put(image.Entry(type) + 16, 8, size);
  std::uint64_t end = image.Tail() + 64;
  for (const std::uint32_t next : {kMeta, kStrings, kIndex, kDigest, kPrivate, kData}) {
    end = (end + 63) / 64 * 64;
    image.Put(image.Entry(next) + 8, 8, end);
    end += image.Size(next);
  }
  image.Put(24, 8, end);
  image.RefreshRoot();
  image.bytes.resize(static_cast<std::size_t>(image.Tail() + 64));
  const OnDisk disk(image.bytes);
  disk.Resize(end);
  return Verdict(disk.path());
}

// req: AWQ-CON-036, AWQ-CON-039, AWQ-CON-040
TEST(container, "P20: sizes over their limits are E_LIMIT, at the limit they pass on") {
  struct {
    const char* what;
    std::uint32_t type;
    std::uint64_t size, tensor_count;
    const char* code;
  } const rows[] = {
      {"META over", kMeta, (1 << 20) + 1, 4, "E_LIMIT"},
      {"META at the limit", kMeta, 1 << 20, 4, "E_DIGEST"},
      {"STRINGS over", kStrings, (64 << 20) + 1, 4, "E_LIMIT"},
      {"private over", kPrivate, (64 << 20) + 1, 4, "E_LIMIT"},
      {"private and META together over", kPrivate, 64 << 20, 4, "E_LIMIT"},
      {"tensors over", kIndex, 64ull * ((1 << 20) + 1), (1 << 20) + 1, "E_LIMIT"},
  };
  for (const auto& row : rows) {
    CHECK_EQUAL(SparseVerdict(row.type, row.size, row.tensor_count), row.code, row.what);
  }
  FileSpec spec = Rich();
  spec.meta.clear();
  spec.extra.push_back({kMeta, 0, {}});
  Expect("META of no bytes", "E_LIMIT", [](Image&) {}, spec);
}

TEST(container, "P21, P23: a changed section is E_DIGEST, a byte in its padding E_PADDING") {
  for (const std::uint32_t type : {kMeta, kStrings, kIndex, kDigest, kPrivate}) {
    Expect("byte", "E_DIGEST", [&](Image& i) { i.Flip(i.Section(type), 0x10); });
    Expect("digest", "E_DIGEST", [&](Image& i) { i.Flip(i.Entry(type) + 63, 0x10); });
  }
  FileSpec spec = Rich();
  spec.align_log2 = 9;  // a long padding before DATA
  const Image good = Build(spec);
  for (const std::uint32_t type : {kMeta, kStrings, kPrivate}) {
    const std::uint64_t end = good.Section(type) + good.Size(type);
    const std::uint64_t next = type == kMeta      ? good.Section(kStrings)
                               : type == kStrings ? good.Section(kIndex)
                                                  : good.Section(kData);
    for (std::uint64_t at = end; at < next; ++at) {
      Expect("padding", "E_PADDING", [&](Image& i) { i.Flip(at, 0x80); }, spec);
    }
    CHECK(end < next, "the file has such a padding");
  }
}

// req: AWQ-CON-043
TEST(container, "C11: an encrypted file is UNSUPPORTED, once stage P has passed") {
  FileSpec spec = Rich();
  spec.extra.push_back({kCrypt, 1, Bytes(128)});
  spec.extra.push_back({kTags, 1, Bytes(64)});
  const auto encrypted = [](Image& i) {
    i.Put(12, 4, 1);
    i.Put(32, 8, 77);            // file_id
    i.Put(i.Tail() + 32, 8, 7);  // mac
  };
  Expect("sound", "UNSUPPORTED", encrypted, spec);
  Expect(
      "index not looked at", "UNSUPPORTED",
      [&](Image& i) {
        encrypted(i);
        i.Put(i.Record(0) + 4, 2, 0);
        i.RefreshSections();
      },
      spec);
  Expect(
      "TAGS changed", "E_DIGEST",
      [&](Image& i) {
        encrypted(i);
        i.Flip(i.Section(kTags));
      },
      spec);
  Expect("unknown feature", "E_FEATURE", [](Image& i) { i.Put(12, 4, 3); }, spec);
}

// req: AWQ-CON-008
TEST(container, "every single-bit flip of a small file is rejected") {
  const Image image = Build(Small());
  const OnDisk disk(image.bytes);
  for (std::size_t at = 0; at < image.bytes.size(); ++at) {
    for (unsigned bit = 0; bit < 8; ++bit) {
      disk.Overwrite(at, static_cast<std::uint8_t>(image.bytes[at] ^ 1u << bit));
      CHECK(Verdict(disk.path(), "mmap") != "accept", 8 * at + bit);
    }
    disk.Overwrite(at, image.bytes[at]);
  }
  CHECK_EQUAL(Verdict(disk.path()), "accept", "restored");
}

// req: AWQ-CON-089
TEST(container, "an error says code, place, offset, expected and got on one line") {
  Image image = Build(Rich());
  image.Put(8, 2, 2);
  const OnDisk disk(image.bytes);
  try {
    const awq::File file(disk.path());
    CHECK(false, "a file of major version 2 was opened");
  } catch (const awq::Error& error) {
    CHECK_EQUAL(error.what(), std::string("E_VERSION header: major, at byte 8, expected 1, got 2"),
                "the line");
    CHECK(error.code() == awq::Code::E_VERSION && error.offset() == 8u, "the parts");
    CHECK(error.where() == "header" && error.field() == "major", "the parts");
    CHECK(error.expected() == "1" && error.got() == "2", "the parts");
  }
}

}  // namespace
