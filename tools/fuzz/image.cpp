#include "image.hpp"

#include <algorithm>
#include <cstring>

#include "sha256.hpp"

namespace fuzz {
namespace {

std::uint64_t Up(std::uint64_t value, std::uint64_t alignment) {
  return (value + alignment - 1) / alignment * alignment;
}

bool Inside(const Bytes& file, std::uint64_t offset, std::uint64_t size) {
  return offset <= file.size() && size <= file.size() - offset;
}

// A structure at `offset`, which lies in the file.
template <typename T>
T Get(const Bytes& file, std::uint64_t offset) {
  T value;
  std::memcpy(&value, file.data() + offset, sizeof value);
  return value;
}

template <typename T>
void Put(Bytes& file, std::uint64_t offset, const T& value) {
  std::memcpy(file.data() + offset, &value, sizeof value);
}

void Hash(const Bytes& file, std::uint64_t offset, std::uint64_t size, std::uint8_t* digest) {
  awq::Sha256 hash;
  hash.Update(file.data() + offset, static_cast<std::size_t>(size));
  const awq::Digest value = hash.Finish();
  std::copy(value.begin(), value.end(), digest);
}

std::uint64_t Bits(std::uint8_t dtype) {
  constexpr std::uint8_t kBits[] = {0, 8, 8, 8, 16, 16, 32, 32, 64, 64, 16, 16, 32, 64, 8, 8, 4};
  return dtype < std::size(kBits) ? kBits[dtype] : 8;
}

std::vector<awq_record> Records(const Bytes& file) {
  const Place index = Find(file, AWQ_SECTION_INDEX);
  std::vector<awq_record> records;
  for (std::size_t at = 0; index.size - at >= sizeof(awq_record); at += sizeof(awq_record)) {
    records.push_back(Get<awq_record>(file, index.offset + at));
  }
  return records;
}

void RefreshRows(Bytes& file) {
  const Place digest = Find(file, AWQ_SECTION_DIGEST);
  std::size_t row = digest.offset;
  const std::size_t end = digest.offset + digest.size;
  std::uint64_t budget = std::uint64_t{1} << 22;  // records may share their bytes
  for (const awq_record& r : Records(file)) {
    if (!Inside(file, r.data_off, r.extent_size) || r.extent_size > budget) return;
    budget -= r.extent_size;
    for (std::uint64_t at = 0; at < r.extent_size && row + 32 <= end; at += AWQ_DIGEST_CHUNK) {
      const auto size = std::min<std::uint64_t>(AWQ_DIGEST_CHUNK, r.extent_size - at);
      Hash(file, r.data_off + at, size, file.data() + row);
      row += 32;
    }
  }
}

}  // namespace

std::vector<awq_section> Table(const Bytes& file) {
  std::vector<awq_section> table;
  if (file.size() < sizeof(awq_header)) return table;
  const std::size_t count = Get<awq_header>(file, 0).section_count;
  for (std::size_t i = 0; i < count && Inside(file, 64 * (i + 1), 64); ++i) {
    table.push_back(Get<awq_section>(file, 64 * (i + 1)));
  }
  return table;
}

Place Find(const Bytes& file, std::uint32_t type) {
  for (const awq_section& s : Table(file)) {
    if (s.type == type && Inside(file, s.offset, s.size)) {
      return {static_cast<std::size_t>(s.offset), static_cast<std::size_t>(s.size)};
    }
  }
  return {0, 0};
}

void Refresh(Bytes& file, Depth depth) {
  const std::vector<awq_section> table = Table(file);
  const std::size_t tail = 64 * (table.size() + 1);
  if (depth == Depth::None || file.size() < sizeof(awq_header) || !Inside(file, tail, 64)) return;
  if (depth == Depth::Rows) RefreshRows(file);
  for (std::size_t i = 0; depth >= Depth::Sections && i < table.size(); ++i) {
    awq_section s = table[i];
    if (s.type == AWQ_SECTION_DATA || !Inside(file, s.offset, s.size)) continue;
    Hash(file, s.offset, s.size, s.digest);
    Put(file, 64 * (i + 1), s);
  }
  Hash(file, 0, tail, file.data() + tail);
}

std::optional<Image> TakeApart(const Bytes& file) {
  const std::vector<awq_section> table = Table(file);
  const std::size_t tail = 64 * (table.size() + 1);
  if (table.empty() || !Inside(file, tail, 64)) return std::nullopt;
  Image image;
  image.header = Get<awq_header>(file, 0);
  image.tail = Get<awq_tail>(file, tail);
  for (const awq_section& s : table) {
    if (!Inside(file, s.offset, s.size)) return std::nullopt;
    if (s.type == AWQ_SECTION_STRINGS || s.type == AWQ_SECTION_INDEX ||
        s.type == AWQ_SECTION_DIGEST || s.type == AWQ_SECTION_DATA) {
      continue;
    }
    const auto start = file.begin() + static_cast<std::ptrdiff_t>(s.offset);
    image.others.push_back({s.type, s.flags, {start, start + static_cast<std::ptrdiff_t>(s.size)}});
  }
  const Place strings = Find(file, AWQ_SECTION_STRINGS);
  std::uint64_t budget = file.size();
  for (const awq_record& r : Records(file)) {
    if (std::uint64_t{r.name_off} + r.name_len > strings.size || r.extent_size > budget ||
        !Inside(file, r.data_off, r.extent_size)) {
      return std::nullopt;
    }
    budget -= r.extent_size;
    const auto name = file.begin() + static_cast<std::ptrdiff_t>(strings.offset + r.name_off);
    const auto extent = file.begin() + static_cast<std::ptrdiff_t>(r.data_off);
    image.tensors.push_back({{name, name + r.name_len},
                             r,
                             {extent, extent + static_cast<std::ptrdiff_t>(r.extent_size)}});
  }
  return image;
}

Bytes PutTogether(Image image) {
  const std::uint64_t alignment = std::uint64_t{1}
                                  << std::min<unsigned>(image.header.align_log2, 16);
  Bytes strings, index, data, digest;
  std::vector<Tensor*> order;
  for (Tensor& t : image.tensors) order.push_back(&t);
  std::stable_sort(order.begin(), order.end(), [](const Tensor* a, const Tensor* b) {
    return a->record.data_off < b->record.data_off;
  });
  for (Tensor* t : order) {
    t->record.data_off = data.size();  // from the start of DATA, whose place is not known yet
    t->record.extent_size = t->extent.size();
    data.insert(data.end(), t->extent.begin(), t->extent.end());
  }
  for (Tensor& t : image.tensors) {
    t.record.name_off = static_cast<std::uint32_t>(strings.size());
    t.record.name_len = static_cast<std::uint16_t>(t.name.size());
    strings.insert(strings.end(), t.name.begin(), t.name.end());
    digest.resize(digest.size() + Up(t.extent.size(), AWQ_DIGEST_CHUNK) / AWQ_DIGEST_CHUNK * 32);
  }
  index.resize(image.tensors.size() * sizeof(awq_record));

  std::vector<Section> sections = std::move(image.others);
  sections.push_back({AWQ_SECTION_STRINGS, AWQ_FLAG_CRITICAL, std::move(strings)});
  sections.push_back({AWQ_SECTION_INDEX, AWQ_FLAG_CRITICAL, std::move(index)});
  sections.push_back({AWQ_SECTION_DIGEST, AWQ_FLAG_CRITICAL, std::move(digest)});
  sections.push_back({AWQ_SECTION_DATA, AWQ_FLAG_CRITICAL, std::move(data)});
  std::stable_sort(sections.begin(), sections.end(),
                   [](const Section& a, const Section& b) { return a.type < b.type; });

  Bytes file(64 * (sections.size() + 2));
  const auto append = [&](const Section& s, std::size_t entry, std::uint64_t unit) {
    file.resize(Up(file.size(), unit));
    awq_section e{};
    e.type = s.type;
    e.flags = s.flags;
    e.offset = file.size();
    e.size = s.bytes.size();
    Put(file, 64 * (entry + 1), e);
    file.insert(file.end(), s.bytes.begin(), s.bytes.end());
    return e.offset;
  };
  std::size_t data_entry = 0;
  for (std::size_t i = 0; i < sections.size(); ++i) {
    if (sections[i].type == AWQ_SECTION_DATA) {
      data_entry = i;
    } else {
      append(sections[i], i, AWQ_UNIT);
    }
  }
  const std::uint64_t data_offset = append(sections[data_entry], data_entry, alignment);

  awq_header& h = image.header;
  h.section_count = static_cast<std::uint16_t>(sections.size());
  h.tensor_count = static_cast<std::uint32_t>(image.tensors.size());
  h.file_size = file.size();
  Put(file, 0, h);
  Put(file, 64 * (sections.size() + 1), image.tail);
  const Place records = Find(file, AWQ_SECTION_INDEX);
  for (std::size_t i = 0; i < image.tensors.size(); ++i) {
    image.tensors[i].record.data_off += data_offset;
    Put(file, records.offset + i * sizeof(awq_record), image.tensors[i].record);
  }
  Refresh(file, Depth::Rows);
  return file;
}

void FillExtent(Tensor& tensor, std::uint64_t alignment, std::uint64_t most) {
  const awq_record& r = tensor.record;
  std::uint64_t elements = 1;
  for (std::size_t i = 0; i < std::min<std::size_t>(r.ndim, 8); ++i) {
    if (r.dims[i] == 0 || elements > 8 * most / r.dims[i]) return;
    elements *= r.dims[i];
  }
  Bytes extent;
  if (r.dtype != AWQ_DTYPE_U4) {
    extent.resize(elements * Bits(r.dtype) / 8);
    std::copy_n(tensor.extent.begin(), std::min(extent.size(), tensor.extent.size()),
                extent.begin());
  } else {
    if (r.ndim < 2 || r.ndim > 8 || r.group_size == 0) return;
    const std::uint64_t k = r.dims[r.ndim - 1], rows = elements / k, groups = k / r.group_size;
    extent.resize(elements / 2);
    std::copy_n(tensor.extent.begin(), std::min(extent.size(), tensor.extent.size()),
                extent.begin());
    extent.resize(Up(extent.size(), AWQ_UNIT));
    const std::uint64_t width = Bits(r.scale_dtype) / 8;
    for (std::uint64_t i = 0; i < rows * groups; ++i) {  // legal in every dtype
      for (std::uint64_t b = 0; b < width; ++b) {
        extent.push_back(static_cast<std::uint8_t>(b + 1 < width ? i * 37 : 0x30 + i % 16));
      }
    }
    if (r.zero_dtype != AWQ_DTYPE_NONE) {
      extent.resize(Up(extent.size(), AWQ_UNIT));
      for (std::uint64_t row = 0; row < rows; ++row) {
        for (std::uint64_t g = 0; g < groups; g += 2) {
          const auto byte = static_cast<std::uint8_t>(row * 53 + g * 11);
          extent.push_back(g + 1 < groups ? byte : byte & 15);
        }
      }
    }
  }
  extent.resize(Up(extent.size(), alignment));
  if (extent.size() <= most) tensor.extent = std::move(extent);
}

}  // namespace fuzz
