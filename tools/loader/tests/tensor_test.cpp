// Stage D, and when it happens.
#include "awq/awq.hpp"
#include "builder.hpp"
#include "check.hpp"

namespace {

using namespace builder;

// Edits the data of a good file; `stale` leaves every digest as it was.
template <typename Edit>
std::string After(bool stale, Edit edit, const FileSpec& spec = Rich()) {
  Image image = Build(spec);
  edit(image);
  if (!stale) image.RefreshAll();
  return Verdict(image);
}

// Segments of Rich()'s tensors, from the start of their extents: {codes, scales, zeros, end}.
constexpr std::uint64_t kA[] = {0, 768, 960, 1024};  // 24 rows of 2 bytes of zero points
constexpr std::uint64_t kB[] = {0, 192, 384, 448};   // 16 rows of 2 bytes, the last half used
constexpr std::uint64_t kSym[] = {0, 128, 144, 192};

TEST(tensor, "D01: any changed byte of DATA under old digests is E_DIGEST") {
  const Image good = Build(Rich());
  for (std::uint64_t at = good.Section(kData); at < good.bytes.size(); at += 7) {
    CHECK_EQUAL(After(true, [&](Image& i) { i.Flip(at, 4); }), "E_DIGEST", at);
  }
}

TEST(tensor, "D01, D02: each chunk of a tensor of three has a digest of its own") {
  FileSpec spec;
  spec.tensors = {{"big", kU8, kNone, kNone, 0, {5 << 19}, Bytes(5 << 19, 3), {}, {}}};
  spec.tensors[0].values[0] = 1;
  const Image good = Build(spec);
  CHECK_EQUAL(good.Size(kDigest), 96u, "three rows");
  CHECK_EQUAL(Verdict(good), "accept", "three chunks");
  for (const std::uint64_t at : {0u, (1u << 20) - 1, 1u << 20, 2u << 20, (5u << 19) - 1}) {
    Image image = good;
    image.Flip(image.Section(kData) + at);
    CHECK_EQUAL(Verdict(image), "E_DIGEST", at);
  }
  Image swapped = good;
  for (std::uint64_t at = 0; at < 32; ++at) {
    std::swap(swapped.bytes[swapped.Section(kDigest) + at],
              swapped.bytes[swapped.Section(kDigest) + 32 + at]);
  }
  swapped.RefreshSections();
  CHECK_EQUAL(Verdict(swapped), "E_DIGEST", "rows swapped");
}

TEST(tensor, "D03: padding in and after segments, and an odd high nibble, are E_PADDING") {
  const auto flipped = [](std::size_t tensor, std::uint64_t at, std::uint8_t mask) {
    return After(false, [&](Image& i) { i.Flip(i.Extent(tensor) + at, mask); });
  };
  struct {
    const char* what;
    std::size_t tensor;
    std::uint64_t from, to;
  } const rows[] = {
      {"after a plain tensor", 0, 5, 64},
      {"after zero points", 1, kA[2] + 48, kA[3]},
      {"after zero points", 2, kB[2] + 32, kB[3]},
      {"after scales of a symmetric tensor", 3, kSym[2], kSym[3]},
  };
  for (const auto& row : rows) {
    for (std::uint64_t at = row.from; at < row.to; ++at) {
      CHECK_EQUAL(flipped(row.tensor, at, 0x80), "E_PADDING", row.what);
    }
    CHECK_EQUAL(flipped(row.tensor, row.from - 1, 0), "accept", "an edit of nothing");
  }
  for (std::uint64_t row = 0; row < 16; ++row) {
    for (const std::uint8_t bit : {std::uint8_t{0x10}, std::uint8_t{0x80}}) {
      CHECK_EQUAL(flipped(2, kB[2] + 2 * row + 1, bit), "E_PADDING", row);
      CHECK_EQUAL(flipped(2, kB[2] + 2 * row, bit), "accept", row);
      CHECK_EQUAL(flipped(1, kA[2] + 2 * row + 1, bit), "accept", row);
    }
  }
  FileSpec between = Small();  // 96 bytes of codes, 48 of scales, 16 of zero points
  for (const std::uint64_t at : {96u, 127u, 176u, 191u, 208u, 255u}) {
    const auto edit = [&](Image& i) { i.Flip(i.Extent(0) + at); };
    CHECK_EQUAL(After(false, edit, between), "E_PADDING", at);
  }
}

TEST(tensor, "D04, D05: scales are finite with a clear sign bit; zero and extremes are legal") {
  struct {
    std::size_t tensor;
    std::uint64_t scales, count;
    int width;
    std::vector<std::uint64_t> bad, good;
  } const rows[] = {
      {1,
       kA[1],
       96,
       2,
       {0x7c00, 0x7c01, 0x7e00, 0x7fff, 0x8000, 0x8001, 0xbc00, 0xfc00, 0xffff},
       {0, 1, 0x000b, 0x3ff, 0x7bff}},
      {2,
       kB[1],
       48,
       4,
       {0x7f800000, 0x7f800001, 0x7fc00000, 0x80000000, 0xbf800000, 0xff800000},
       {0, 1, 0x7fffff, 0x7f7fffff}},
      {3,
       kSym[1],
       8,
       2,
       {0x7f80, 0x7f81, 0x7fff, 0x8000, 0xbf80, 0xff80, 0xffff},
       {0, 1, 0x7f, 0x7f7f}},
  };
  for (const auto& row : rows) {
    for (const std::uint64_t place : {std::uint64_t{0}, row.count / 2, row.count - 1}) {
      const auto with = [&](std::uint64_t value) {
        return After(false, [&](Image& i) {
          const auto step = place * static_cast<unsigned>(row.width);
          i.Put(i.Extent(row.tensor) + row.scales + step, row.width, value);
        });
      };
      for (const std::uint64_t value : row.bad) CHECK_EQUAL(with(value), "E_VALUE", value);
      for (const std::uint64_t value : row.good) CHECK_EQUAL(with(value), "accept", value);
    }
  }
}

// req: AWQ-CON-072
TEST(tensor, "the lowest failing tensor is reported, wherever its extent lies") {
  FileSpec spec = Rich();
  spec.order = {3, 2, 1, 0};
  Image image = Build(spec);
  for (const std::size_t tensor : {1u, 2u, 3u}) image.Flip(image.Extent(tensor));
  const OnDisk disk(image.bytes);
  try {
    const awq::File file(disk.path(), {awq::Verify::All, awq::Mode::Mmap});
    CHECK(false, "opened");
  } catch (const awq::Error& error) {
    CHECK_EQUAL(error.where(), "w.a", "tensor");
  }
}

template <typename Call>
std::string CodeOf(Call call) {
  try {
    call();
    return "accept";
  } catch (const awq::Error& error) {
    return awq::Name(error.code());
  }
}

// req: AWQ-CON-007, AWQ-CON-074, AWQ-CON-075
TEST(tensor, "with Touch a bad tensor fails before a byte of it is written, others are read") {
  Image image = Build(Rich());
  image.Flip(image.Extent(1));
  const OnDisk disk(image.bytes);
  for (const awq::Mode mode : {awq::Mode::Mmap, awq::Mode::Pread}) {
    const awq::File file(disk.path(), {awq::Verify::Touch, mode});
    const awq::Range range{0, 8};
    std::vector<float> out(8, -1.0f);
    Bytes bytes(8, 99);
    const auto all_reads = [&](std::size_t i) {
      return CodeOf([&] { file.Dequantize(i, range, awq::Dtype::F32, out.data(), 32); }) + " " +
             CodeOf([&] { file.Codes(i, range, bytes.data(), 8); }) + " " +
             CodeOf([&] { file.ZeroPoints(i, range, bytes.data(), 8); }) + " " +
             CodeOf([&] { file.Scales(i, range, out.data(), 8); }) + " " +
             CodeOf([&] { file.Read(i, {0, 8}, bytes.data()); }) + " " +
             CodeOf([&] { file.Mapped(i); });
    };
    CHECK_EQUAL(all_reads(1), "E_DIGEST E_DIGEST E_DIGEST E_DIGEST E_DIGEST E_DIGEST", "w.a");
    CHECK(out == std::vector<float>(8, -1.0f) && bytes == Bytes(8, 99), "nothing written");
    CHECK_EQUAL(all_reads(2), "accept accept accept accept accept accept", "w.b");
    CHECK_EQUAL(CodeOf([&] { file.VerifyAll(); }), "E_DIGEST", "all");
  }
}

TEST(tensor, "None checks no data until it is asked to") {
  Image image = Build(Rich());
  image.Flip(image.Extent(1));
  const OnDisk disk(image.bytes);
  const awq::File file(disk.path(), {awq::Verify::None, awq::Mode::Mmap});
  std::uint8_t byte = 0;
  file.Read(1, {0, 1}, &byte);
  CHECK_EQUAL(byte, image.bytes[image.Extent(1)], "the changed byte");
  CHECK_EQUAL(CodeOf([&] { file.VerifyAll(); }), "E_DIGEST", "asked");
}

// req: AWQ-CON-074
TEST(tensor, "without a map, what is handed out is what was verified") {
  const Image image = Build(Rich());
  const OnDisk disk(image.bytes);
  const awq::File file(disk.path(), {awq::Verify::Touch, awq::Mode::Pread});
  std::uint8_t first = 0, again = 0;
  file.Read(1, {0, 1}, &first);
  disk.Overwrite(image.Extent(1), first ^ 1);
  disk.Overwrite(image.Extent(2), image.bytes[image.Extent(2)] ^ 1);
  CHECK_EQUAL(CodeOf([&] { file.Read(1, {0, 1}, &again); }), "accept",
              "held since it was verified");
  CHECK_EQUAL(unsigned{again}, unsigned{first}, "not what the file holds by now");
  CHECK_EQUAL(CodeOf([&] { file.Read(2, {0, 1}, &again); }), "E_DIGEST", "read for the first time");
  CHECK_EQUAL(CodeOf([&] { file.Read(3, {0, 1}, &again); }), "accept", "held instead of 1");
  CHECK_EQUAL(CodeOf([&] { file.Read(1, {0, 1}, &again); }), "E_DIGEST", "read once more");
}

// req: AWQ-CON-078, AWQ-CON-079
TEST(tensor, "R03: a file cut while open is E_IO when it is read") {
  const Image image = Build(Rich());
  const OnDisk disk(image.bytes);
  const awq::File file(disk.path(), {awq::Verify::Touch, awq::Mode::Pread});
  disk.Resize(image.Section(kData));
  CHECK_EQUAL(CodeOf([&] { file.VerifyAll(); }), "E_IO", "cut");
}

}  // namespace
