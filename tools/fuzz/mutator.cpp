#include "mutator.hpp"

#include <algorithm>
#include <cstring>
#include <iterator>

namespace fuzz {
namespace {

struct Field {
  std::size_t offset, width;
};
#define FIELD(structure, name) \
  { offsetof(structure, name), sizeof(structure::name) }
constexpr Field kHeader[] = {FIELD(awq_header, magic),        FIELD(awq_header, major),
                             FIELD(awq_header, minor),        FIELD(awq_header, features),
                             FIELD(awq_header, tensor_count), FIELD(awq_header, section_count),
                             FIELD(awq_header, align_log2),   FIELD(awq_header, hash_alg),
                             FIELD(awq_header, file_size),    FIELD(awq_header, file_id),
                             FIELD(awq_header, reserved)};
constexpr Field kEntry[] = {FIELD(awq_section, type),     FIELD(awq_section, flags),
                            FIELD(awq_section, offset),   FIELD(awq_section, size),
                            FIELD(awq_section, reserved), FIELD(awq_section, digest)};
constexpr Field kRecord[] = {
    FIELD(awq_record, name_off), FIELD(awq_record, name_len),    FIELD(awq_record, ndim),
    FIELD(awq_record, dtype),    FIELD(awq_record, scale_dtype), FIELD(awq_record, zero_dtype),
    FIELD(awq_record, layout),   FIELD(awq_record, reserved),    FIELD(awq_record, group_size),
    FIELD(awq_record, dims),     FIELD(awq_record, data_off),    FIELD(awq_record, extent_size)};
#undef FIELD

constexpr std::uint32_t kDims[] = {1, 2, 3, 5, 8, 16, 24, 40, 64, 120, 128, 256};
constexpr std::uint8_t kScales[] = {AWQ_DTYPE_F16, AWQ_DTYPE_BF16, AWQ_DTYPE_F32};
constexpr std::string_view kText[] = {"{",
                                      "}",
                                      ",\"b\":\"\"",
                                      "\"",
                                      "\\u0000",
                                      "\\u001f",
                                      "\\u000a",
                                      "\\n",
                                      "\\/",
                                      "\\ud83d",
                                      "\xc3\xa9",
                                      "\xef\xbf\xbd",
                                      "\xf0\x90\x80\x80",
                                      "\xed\xa0\x80",
                                      "\xc0\x80",
                                      "\xf4\x90\x80\x80",
                                      ":1",
                                      " ",
                                      "\x7f",
                                      "\x1f",
                                      "[]"};

std::size_t Below(Random& random, std::size_t end) {
  return end == 0 ? 0 : random() % end;
}

template <typename Table>
auto& Pick(Random& random, Table& table) {
  return table[Below(random, std::size(table))];
}

bool Chance(Random& random, unsigned percent) {
  return random() % 100 < percent;
}

// A number near what was there, near a power of two, or anything.
std::uint64_t Number(Random& random, std::uint64_t old) {
  constexpr std::uint64_t kSteps[] = {1, 2, 8, 32, 64, 4096};
  const std::uint64_t step = Pick(random, kSteps);
  switch (random() % 8) {
    case 0:
      return 0;
    case 1:
      return old + step;
    case 2:
      return old - step;
    case 3:
      return old ^ (std::uint64_t{1} << random() % 64);
    case 4:
      return (std::uint64_t{1} << random() % 64) - random() % 2;
    case 5:
      return ~std::uint64_t{0};
    case 6:
      return random() % 18;  // every enumeration, and a little more
    default:
      return std::uint64_t{random()} << random() % 33 ^ random();
  }
}

void Write(Bytes& file, std::size_t at, std::size_t width, Random& random) {
  if (at > file.size() || width > file.size() - at || width == 0) return;
  if (width > 8) {  // an array: one element, of the size that its bytes suggest
    const std::size_t unit = width == 32 && at % 64 == offsetof(awq_record, dims) ? 4 : 1;
    at += Below(random, width / unit) * unit;
    width = unit;
  }
  std::uint64_t value = 0;
  std::memcpy(&value, file.data() + at, width);
  value = Number(random, value);
  std::memcpy(file.data() + at, &value, width);
}

// One field or byte, wherever the table says that it lies.
void Damage(Bytes& file, Random& random) {
  const std::vector<awq_section> table = Table(file);
  const Place index = Find(file, AWQ_SECTION_INDEX);
  const std::size_t record = index.offset + 64 * Below(random, index.size / 64);
  switch (random() % 12) {
    case 0:
    case 1: {
      const Field& f = Pick(random, kHeader);
      return Write(file, f.offset, f.width, random);
    }
    case 2:
    case 3: {
      const Field& f = Pick(random, kEntry);
      return Write(file, 64 * (1 + Below(random, table.size())) + f.offset, f.width, random);
    }
    case 4:
    case 5:
    case 6:
    case 7: {
      const Field& f = Pick(random, kRecord);
      return index.size == 0 ? void() : Write(file, record + f.offset, f.width, random);
    }
    case 8:  // mac
      return Write(file, 64 * (table.size() + 1) + 32 * (random() % 2), 32, random);
    case 9:
      if (Chance(random, 50)) return file.resize(Below(random, file.size() + 1));
      return file.resize(file.size() + 1 + random() % 64);
    default: {  // a byte of a section or of the padding behind it
      if (table.empty()) return Write(file, Below(random, file.size()), 1, random);
      const awq_section& s = Pick(random, table);
      const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(s.size + 64, file.size()));
      return Write(file, static_cast<std::size_t>(s.offset) + Below(random, size), 1, random);
    }
  }
}

// Text with a piece put in, taken out or repeated, or changed by the engine.
template <typename Text>
void Edit(Text& text, Random& random, std::size_t most) {
  const auto at = text.begin() + static_cast<std::ptrdiff_t>(Below(random, text.size() + 1));
  const std::string_view piece = Pick(random, kText);
  switch (random() % 4) {
    case 0:
      text.insert(at, piece.begin(), piece.end());
      break;
    case 1:
      if (at != text.end()) text.erase(at);
      break;
    case 2:
      if (at != text.end()) *at = static_cast<typename Text::value_type>(random());
      break;
    default: {
      const std::size_t size = text.size();
      text.resize(std::min(most, size + 16));
      text.resize(LLVMFuzzerMutate(reinterpret_cast<std::uint8_t*>(text.data()),
                                   std::min(size, text.size()), text.size()));
    }
  }
}

// Dims, dtype and group size that fit together, and an extent for them.
void Reshape(Tensor& t, std::uint64_t alignment, Random& random, std::size_t most) {
  awq_record& r = t.record;
  r.dtype = static_cast<std::uint8_t>(Chance(random, 60) ? AWQ_DTYPE_U4 : 1 + random() % 15);
  const bool quantized = r.dtype == AWQ_DTYPE_U4;
  r.ndim = static_cast<std::uint8_t>(quantized ? 2 + random() % 3 : random() % 9);
  std::fill(std::begin(r.dims), std::end(r.dims), 0);
  for (std::size_t i = 0; i < r.ndim; ++i) r.dims[i] = i < 4 ? Pick(random, kDims) : 1;
  r.scale_dtype = r.zero_dtype = AWQ_DTYPE_NONE;
  r.group_size = 0;
  if (quantized) {
    const auto groups = static_cast<std::uint32_t>(1 + random() % 5);
    r.group_size = 8 * static_cast<std::uint32_t>(1 + random() % 4);
    r.dims[r.ndim - 1] = groups * r.group_size;
    r.scale_dtype = Pick(random, kScales);
    if (Chance(random, 70)) r.zero_dtype = AWQ_DTYPE_U4;
  }
  FillExtent(t, alignment, most);
}

// One change of the parts; what is laid out around them is consistent again.
void Rearrange(Image& image, Random& random, std::size_t most) {
  const std::uint64_t alignment = std::uint64_t{1}
                                  << std::min<unsigned>(image.header.align_log2, 12);
  auto& tensors = image.tensors;
  Tensor* const t = tensors.empty() ? nullptr : &Pick(random, tensors);
  switch (random() % 11) {
    case 0: {  // a new tensor, or a copy of one, in its place by name
      Tensor made = t ? *t : Tensor{"w", {}, {}};
      made.name += static_cast<char>('0' + random() % 10);
      if (!t || Chance(random, 50)) Reshape(made, alignment, random, most / 4);
      const auto place =
          std::lower_bound(tensors.begin(), tensors.end(), made,
                           [](const Tensor& a, const Tensor& b) { return a.name < b.name; });
      tensors.insert(place, made);
      return;
    }
    case 1:
      if (t) tensors.erase(tensors.begin() + (t - tensors.data()));
      return;
    case 2:
    case 3:
      if (t) Reshape(*t, alignment, random, most / 4);
      return;
    case 4:
      if (t) Edit(t->name, random, 300);
      return;
    case 5:  // the order of extents, or of the index
      if (t) std::swap(t->record.data_off, Pick(random, tensors).record.data_off);
      if (t && Chance(random, 10)) std::swap(*t, Pick(random, tensors));
      return;
    case 6:
      image.header.align_log2 = static_cast<std::uint8_t>(6 + random() % 4);
      for (Tensor& each : tensors) {
        FillExtent(each, std::uint64_t{1} << image.header.align_log2, most / 4);
      }
      return;
    case 7: {  // another section
      constexpr std::uint32_t kTypes[] = {
          0, AWQ_SECTION_META, 0x11, AWQ_SECTION_CRYPT, 0x61, 0x101, AWQ_FIRST_PRIVATE, 0xffffffff};
      Section made{Pick(random, kTypes), 0, Bytes(random() % 80, 'x')};
      if (made.type == AWQ_SECTION_META) {
        const std::string_view text = "{\"a\":\"b\"}";
        made.bytes.assign(text.begin(), text.end());
      }
      image.others.push_back(made);
      return;
    }
    case 8:
      if (image.others.empty()) return;
      if (Chance(random, 80)) return Edit(Pick(random, image.others).bytes, random, most / 4);
      image.others.pop_back();
      return;
    case 9:  // what a reader sees of an encrypted file
      image.header.features ^= AWQ_FEATURE_ENCRYPTED;
      image.others.push_back({AWQ_SECTION_CRYPT, AWQ_FLAG_CRITICAL, Bytes(128)});
      image.others.push_back({AWQ_SECTION_TAGS, AWQ_FLAG_CRITICAL, Bytes(16 * (random() % 4))});
      return;
    default:  // values: anything is legal in codes, little in scales and padding
      if (t && !t->extent.empty()) Write(t->extent, Below(random, t->extent.size()), 1, random);
  }
}

Depth Deep(Random& random) {
  const auto part = Below(random, 100);
  return part < 82   ? Depth::Rows
         : part < 90 ? Depth::Sections
         : part < 95 ? Depth::Root
                     : Depth::None;
}

}  // namespace

Bytes Mutate(const Bytes& file, Random& random, std::size_t most) {
  Bytes changed = file;
  std::optional<Image> image = TakeApart(file);
  const bool rearranged = image && Chance(random, 60);
  if (rearranged) {
    for (unsigned i = 0; i <= random() % 3; ++i) Rearrange(*image, random, most);
    changed = PutTogether(std::move(*image));
  }
  if (!rearranged || Chance(random, 30)) {
    for (unsigned i = 0; i <= random() % 2; ++i) Damage(changed, random);
    Refresh(changed, Deep(random));
  }
  if (changed.size() > most) changed.resize(most);
  return changed;
}

Bytes Cross(const Bytes& a, const Bytes& b, Random& random, std::size_t most) {
  std::optional<Image> to = TakeApart(a), from = TakeApart(b);
  if (!to || !from) return a;
  const auto some = [&](auto& into, auto& parts) {
    for (auto& part : parts) {
      if (Chance(random, 50)) into.push_back(std::move(part));
    }
  };
  some(to->tensors, from->tensors);
  some(to->others, from->others);
  std::stable_sort(to->tensors.begin(), to->tensors.end(),
                   [](const Tensor& x, const Tensor& y) { return x.name < y.name; });
  Bytes crossed = PutTogether(std::move(*to));
  return crossed.size() <= most ? crossed : a;
}

}  // namespace fuzz

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size,
                                               std::size_t most, unsigned seed) {
  fuzz::Random random(seed);
  const fuzz::Bytes file = fuzz::Mutate({data, data + size}, random, most);
  std::copy(file.begin(), file.end(), data);
  return file.size();
}

extern "C" std::size_t LLVMFuzzerCustomCrossOver(const std::uint8_t* a, std::size_t a_size,
                                                 const std::uint8_t* b, std::size_t b_size,
                                                 std::uint8_t* out, std::size_t most,
                                                 unsigned seed) {
  fuzz::Random random(seed);
  const fuzz::Bytes file = fuzz::Cross({a, a + a_size}, {b, b + b_size}, random, most);
  if (file.size() > most) return 0;
  std::copy(file.begin(), file.end(), out);
  return file.size();
}
