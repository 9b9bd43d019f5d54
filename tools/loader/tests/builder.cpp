#include "builder.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <numeric>
#include <stdexcept>

#include "awq/awq.hpp"
#include "sha256.hpp"

namespace builder {
namespace {

constexpr std::uint64_t kChunk = 1 << 20;

void Append(Bytes& bytes, int width, std::uint64_t value) {
  for (int i = 0; i < width; ++i) bytes.push_back(static_cast<std::uint8_t>(value >> (8 * i)));
}

void Append(Bytes& bytes, const Bytes& more) {
  bytes.insert(bytes.end(), more.begin(), more.end());
}

void Pad(Bytes& bytes, std::size_t alignment) {
  while (bytes.size() % alignment != 0) bytes.push_back(0);
}

Bytes Hash(const std::uint8_t* data, std::size_t size) {
  awq::BundledSha256 hash;
  hash.Update(data, size);
  const awq::Digest digest = hash.Finish();
  return {digest.begin(), digest.end()};
}

// Digest of every 1 MiB chunk of an extent.
void AppendRows(Bytes& rows, const std::uint8_t* extent, std::uint64_t size) {
  for (std::uint64_t at = 0; at < size; at += kChunk) {
    Append(rows, Hash(extent + at, static_cast<std::size_t>(std::min(kChunk, size - at))));
  }
}

Bytes ExtentOf(const TensorSpec& t, std::size_t alignment) {
  Bytes extent = t.values;
  if (t.dtype == kU4) {
    Pad(extent, 64);
    Append(extent, t.scales);
    if (t.zero_dtype != kNone) {
      Pad(extent, 64);
      Append(extent, t.zeros);
    }
  }
  Pad(extent, alignment);
  return extent;
}

// A cheap sequence with all byte values, different for every seed.
struct Noise {
  std::uint32_t state;
  std::uint8_t operator()() {
    state = state * 1664525 + 1013904223;
    return static_cast<std::uint8_t>(state >> 24);
  }
};

// Fills the segments of a quantized tensor; scales are positive and small in every dtype.
void Fill(TensorSpec& t, std::uint32_t seed) {
  Noise noise{seed};
  std::size_t rows = 1;
  for (std::size_t i = 0; i + 1 < t.dims.size(); ++i) rows *= t.dims[i];
  const std::size_t k = t.dims.back(), groups = k / t.group_size;
  for (std::size_t i = 0; i < rows * k / 2; ++i) t.values.push_back(noise());
  for (std::size_t i = 0; i < rows * groups; ++i) {
    const int high = t.scale_dtype == kF16 ? 0x20 : 0x3c;  // 2^-7 .. or about 0.01
    if (t.scale_dtype == kF32) Append(t.scales, 2, noise() * 256u + noise());
    t.scales.push_back(noise());
    t.scales.push_back(static_cast<std::uint8_t>(high + noise() % 4));
  }
  for (std::size_t row = 0; t.zero_dtype == kU4 && row < rows; ++row) {
    for (std::size_t g = 0; g < groups; g += 2) {
      t.zeros.push_back(g + 1 < groups ? noise() : noise() & 15);
    }
  }
}

}  // namespace

std::uint64_t Image::Get(std::uint64_t at, int width) const {
  std::uint64_t value = 0;
  for (int i = width; i-- > 0;) value = value << 8 | bytes.at(at + static_cast<unsigned>(i));
  return value;
}

void Image::Put(std::uint64_t at, int width, std::uint64_t value) {
  for (int i = 0; i < width; ++i) {
    bytes.at(at + static_cast<unsigned>(i)) = static_cast<std::uint8_t>(value >> (8 * i));
  }
}

std::uint64_t Image::Entry(std::uint32_t type) const {
  for (std::uint64_t at = 64; at < Tail(); at += 64) {
    if (Get(at, 4) == type) return at;
  }
  throw std::logic_error("the image has no such section");
}

std::uint64_t Image::Section(std::uint32_t type) const {
  return Get(Entry(type) + 8, 8);
}
std::uint64_t Image::Size(std::uint32_t type) const {
  return Get(Entry(type) + 16, 8);
}

void Image::RefreshAll() {
  Bytes rows;
  for (std::size_t i = 0; i < Size(kIndex) / 64; ++i) {
    AppendRows(rows, bytes.data() + Extent(i), Get(Record(i) + 56, 8));
  }
  std::copy(rows.begin(), rows.end(),
            bytes.begin() + static_cast<std::ptrdiff_t>(Section(kDigest)));
  RefreshSections();
}

void Image::RefreshSections() {
  for (std::uint64_t at = 64; at < Tail(); at += 64) {
    const std::uint64_t start = Get(at + 8, 8), size = Get(at + 16, 8);
    if (Get(at, 4) == kData || start > bytes.size() || size > bytes.size() - start) continue;
    const Bytes digest = Hash(bytes.data() + start, static_cast<std::size_t>(size));
    std::copy(digest.begin(), digest.end(), bytes.begin() + static_cast<std::ptrdiff_t>(at + 32));
  }
  RefreshRoot();
}

void Image::RefreshRoot() {
  const Bytes root = Hash(bytes.data(), static_cast<std::size_t>(Tail()));
  std::copy(root.begin(), root.end(), bytes.begin() + static_cast<std::ptrdiff_t>(Tail()));
}

Image Build(const FileSpec& spec) {
  const std::size_t alignment = std::size_t{1} << spec.align_log2;
  const std::size_t n = spec.tensors.size();
  std::vector<std::size_t> order = spec.order;
  if (order.empty()) {
    order.resize(n);
    std::iota(order.begin(), order.end(), std::size_t{0});
  }
  std::vector<Bytes> extents;
  for (const TensorSpec& t : spec.tensors) extents.push_back(ExtentOf(t, alignment));
  std::vector<std::uint64_t> places(n);
  Bytes strings, rows, data;
  for (const std::size_t i : order) {
    places[i] = data.size();
    Append(data, extents[i]);
  }
  for (std::size_t i = 0; i < n; ++i) {
    Append(strings, Bytes(spec.tensors[i].name.begin(), spec.tensors[i].name.end()));
    AppendRows(rows, extents[i].data(), extents[i].size());
  }
  rows.resize(static_cast<std::size_t>(static_cast<int>(rows.size()) + 32 * spec.digest_rows_off));

  std::vector<ExtraSection> sections;
  if (!spec.meta.empty()) sections.push_back({kMeta, 0, Bytes(spec.meta.begin(), spec.meta.end())});
  sections.push_back({kStrings, 1, strings});
  sections.push_back({kIndex, 1, Bytes(64 * n)});
  sections.push_back({kDigest, 1, rows});
  sections.push_back({kData, 1, data});
  sections.insert(sections.end(), spec.extra.begin(), spec.extra.end());
  std::stable_sort(sections.begin(), sections.end(),
                   [](const auto& a, const auto& b) { return a.type < b.type; });

  Image image;
  image.bytes = {0x89, 0x41, 0x57, 0x51, 0x0d, 0x0a, 0x1a, 0x0a, 1, 0};
  Append(image.bytes, 2, spec.minor);
  Append(image.bytes, 4, 0);
  Append(image.bytes, 4, n);
  Append(image.bytes, 2, sections.size());
  Append(image.bytes, 1, spec.align_log2);
  Append(image.bytes, 1, 1);
  image.bytes.resize(64 * (sections.size() + 2));
  const auto place = [&](std::size_t i, std::size_t align) {
    Pad(image.bytes, align);
    const std::uint64_t entry = 64 * (i + 1);
    image.Put(entry, 4, sections[i].type);
    image.Put(entry + 4, 4, sections[i].flags);
    image.Put(entry + 8, 8, image.bytes.size());
    image.Put(entry + 16, 8, sections[i].bytes.size());
    Append(image.bytes, sections[i].bytes);
  };
  for (std::size_t i = 0; i < sections.size(); ++i) {
    if (sections[i].type != kData) place(i, 64);
  }
  for (std::size_t i = 0; i < sections.size(); ++i) {
    if (sections[i].type == kData) place(i, alignment);
  }
  image.Put(24, 8, image.bytes.size());

  std::uint64_t name_off = 0;
  for (std::size_t i = 0; i < n; ++i) {
    const TensorSpec& t = spec.tensors[i];
    const std::uint64_t record = image.Record(i);
    image.Put(record, 4, name_off);
    image.Put(record + 4, 2, t.name.size());
    image.Put(record + 6, 1, t.dims.size());
    image.Put(record + 7, 1, t.dtype);
    image.Put(record + 8, 1, t.scale_dtype);
    image.Put(record + 9, 1, t.zero_dtype);
    image.Put(record + 12, 4, t.group_size);
    for (std::size_t d = 0; d < t.dims.size(); ++d) image.Put(record + 16 + 4 * d, 4, t.dims[d]);
    image.Put(record + 48, 8, image.Section(kData) + places[i]);
    image.Put(record + 56, 8, extents[i].size());
    name_off += t.name.size();
  }
  image.RefreshSections();
  return image;
}

FileSpec Rich() {
  FileSpec spec;
  spec.tensors = {{"p.bias", kU8, kNone, kNone, 0, {5}, {1, 2, 3, 4, 255}, {}, {}},
                  {"w.a", kU4, kF16, kU4, 16, {24, 64}, {}, {}, {}},
                  {"w.b", kU4, kF32, kU4, 8, {2, 8, 24}, {}, {}, {}},
                  {"w.sym", kU4, kBF16, kNone, 32, {8, 32}, {}, {}, {}}};
  for (std::uint32_t i = 1; i < 4; ++i) Fill(spec.tensors[i], i);
  spec.meta = R"({"model.name":"t"})";
  spec.extra = {{kPrivate, 0, {7, 7, 7}}};
  return spec;
}

FileSpec Small() {
  FileSpec spec;
  spec.tensors = {{"w", kU4, kF16, kU4, 8, {8, 24}, {}, {}, {}}};
  Fill(spec.tensors[0], 9);
  return spec;
}

OnDisk::OnDisk(const Bytes& bytes) {
  const char* folder = std::getenv("TMPDIR");
  path_ = std::string(folder ? folder : "/tmp") + "/awq-test-XXXXXX";
  const int descriptor = mkstemp(path_.data());
  if (descriptor < 0) throw std::runtime_error("no temporary file");
  for (std::size_t done = 0; done < bytes.size();) {
    const ssize_t count = write(descriptor, bytes.data() + done, bytes.size() - done);
    if (count <= 0) throw std::runtime_error("temporary file not written");
    done += static_cast<std::size_t>(count);
  }
  close(descriptor);
}

OnDisk::~OnDisk() {
  unlink(path_.c_str());
}

void OnDisk::Overwrite(std::uint64_t at, std::uint8_t value) const {
  const int descriptor = open(path_.c_str(), O_WRONLY);
  const bool done = descriptor >= 0 && pwrite(descriptor, &value, 1, static_cast<off_t>(at)) == 1;
  close(descriptor);
  if (!done) throw std::runtime_error("temporary file not written");
}

void OnDisk::Resize(std::uint64_t size) const {
  if (truncate(path_.c_str(), static_cast<off_t>(size)) != 0) {
    throw std::runtime_error("temporary file not resized");
  }
}

std::string Verdict(const std::string& path, const std::string& mode) {
  if (mode == "both") {
    const std::string mapped = Verdict(path, "mmap"), read = Verdict(path, "pread");
    return mapped == read ? mapped : mapped + " mapped, " + read + " read";
  }
  try {
    const awq::File file(path,
                         {awq::Verify::All, mode == "mmap" ? awq::Mode::Mmap : awq::Mode::Pread});
    return "accept";
  } catch (const awq::Error& error) {
    return awq::Name(error.code());
  }
}

std::string Verdict(const Image& image) {
  return Verdict(OnDisk(image.bytes).path());
}

}  // namespace builder
