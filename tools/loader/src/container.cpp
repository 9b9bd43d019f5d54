#include "container.hpp"

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <limits>
#include <new>

#include "error.hpp"
#include "header.hpp"
#include "sha256.hpp"

namespace awq {
namespace {

struct Kind {
  std::uint32_t type;
  const char* name;
  bool critical;
  bool always;     // present in every file
  bool encrypted;  // present exactly in encrypted files
};

constexpr Kind kKinds[] = {
    {AWQ_SECTION_META, "META", false, false, false},
    {AWQ_SECTION_STRINGS, "STRINGS", true, true, false},
    {AWQ_SECTION_INDEX, "INDEX", true, true, false},
    {AWQ_SECTION_CRYPT, "CRYPT", true, false, true},
    {AWQ_SECTION_TAGS, "TAGS", true, false, true},
    {AWQ_SECTION_DIGEST, "DIGEST", true, true, false},
    {AWQ_SECTION_DATA, "DATA", true, true, false},
};

const Kind* KindOf(std::uint32_t type) {
  const auto* found =
      std::find_if(std::begin(kKinds), std::end(kKinds), [&](auto& k) { return k.type == type; });
  return found == std::end(kKinds) ? nullptr : found;
}

std::string SectionName(std::uint32_t type) {
  const Kind* kind = KindOf(type);
  return kind ? kind->name : "section " + std::to_string(type);
}

// P2, table pass 1: what the entries say, each rule over the whole table before the next.
void CheckEntries(const Container& c) {
  const auto& table = c.sections;
  const std::size_t n = table.size();
  const auto type_at = [](std::size_t i) { return EntryField(i, offsetof(awq_section, type)); };
  for (std::size_t i = 1; i < n; ++i) {
    if (table[i].type <= table[i - 1].type) {
      Fail(Code::E_SECTION, "table", "types ascend", type_at(i),
           "more than " + Print(table[i - 1].type), table[i].type);
    }
  }
  for (std::size_t i = 0; i < n; ++i) {
    if (!KindOf(table[i].type) && (table[i].flags & AWQ_FLAG_CRITICAL) != 0) {
      Fail(Code::E_FEATURE, "table", "critical section", type_at(i), "a known type", table[i].type);
    }
  }
  for (std::size_t i = 0; i < n; ++i) {
    const std::uint64_t at = EntryField(i, offsetof(awq_section, flags));
    if ((table[i].flags & ~AWQ_FLAG_CRITICAL) != 0) {
      Fail(Code::E_RESERVED, SectionName(table[i].type), "flags", at, "0 or 1", table[i].flags);
    }
    const Kind* kind = KindOf(table[i].type);
    if (kind && table[i].flags != (kind->critical ? AWQ_FLAG_CRITICAL : 0)) {
      Fail(Code::E_SECTION, kind->name, "CRITICAL", at, kind->critical ? 1 : 0, table[i].flags);
    }
  }
  for (const Kind& kind : kKinds) {
    const bool present = c.Find(kind.type) != nullptr;
    if (!present && (kind.always || (kind.encrypted && c.encrypted()))) {
      Fail(Code::E_SECTION, "table", "required section", std::nullopt, kind.name, "none");
    }
    if (present && kind.encrypted && !c.encrypted()) {
      Fail(Code::E_SECTION, "table", "forbidden section", std::nullopt, "none without ENCRYPTED",
           kind.name);
    }
  }
  for (std::size_t i = 0; i < n; ++i) {
    if (table[i].reserved != 0) {
      Fail(Code::E_RESERVED, SectionName(table[i].type), "reserved",
           EntryField(i, offsetof(awq_section, reserved)), 0, table[i].reserved);
    }
  }
  for (std::size_t i = 0; i < n; ++i) {
    if (table[i].type == AWQ_SECTION_DATA && !IsZero(table[i].digest)) {
      Fail(Code::E_RESERVED, "DATA", "digest", EntryField(i, offsetof(awq_section, digest)), 0,
           Hex(table[i].digest, sizeof table[i].digest));
    }
  }
}

// Sections as they lie in the file: in table order, DATA last.
std::vector<std::size_t> PhysicalOrder(const Container& c) {
  std::vector<std::size_t> order(c.sections.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::stable_partition(order.begin(), order.end(),
                        [&](std::size_t i) { return c.sections[i].type != AWQ_SECTION_DATA; });
  return order;
}

// P2, table pass 2: every section where it must be, and inside the file.
void CheckPlaces(const Container& c, const std::vector<std::size_t>& order) {
  const std::uint64_t file_size = c.header.file_size;
  std::uint64_t end = EntryField(c.sections.size(), sizeof(awq_tail));
  for (const std::size_t i : order) {
    const awq_section& s = c.sections[i];
    const std::uint64_t place = Up(end, s.type == AWQ_SECTION_DATA ? c.alignment() : AWQ_UNIT);
    if (s.offset != place) {
      Fail(Code::E_LAYOUT, SectionName(s.type), "offset",
           EntryField(i, offsetof(awq_section, offset)), place, s.offset);
    }
    if (s.offset > file_size || s.size > file_size - s.offset) {
      Fail(Code::E_BOUNDS, SectionName(s.type), "size", EntryField(i, offsetof(awq_section, size)),
           "an end up to " + Print(file_size), s.size);
    }
    end = s.offset + s.size;
  }
  if (end != file_size) {
    Fail(Code::E_TRAILING, "DATA", "end", end, file_size, end);
  }
}

// P2, last part: INDEX against tensor_count, then the limits.
void CheckSizes(const Container& c) {
  const awq_header& h = c.header;
  const std::uint64_t index_size = c.Required(AWQ_SECTION_INDEX).size;
  if (index_size != std::uint64_t{h.tensor_count} * sizeof(awq_record)) {
    Fail(Code::E_COUNT, "header", "tensor_count", offsetof(awq_header, tensor_count),
         "64 * tensor_count = " + Print(index_size), h.tensor_count);
  }
  const auto limit = [](std::string_view where, std::string_view field, std::uint64_t got,
                        std::uint64_t most) {
    if (got > most) {
      Fail(Code::E_LIMIT, where, field, std::nullopt, "at most " + Print(most), got);
    }
  };
  limit("header", "tensor_count", h.tensor_count, AWQ_LIMIT_TENSORS_MAX);
  limit("header", "file_size", h.file_size, AWQ_LIMIT_FILE_MAX);
  limit("STRINGS", "size", c.Required(AWQ_SECTION_STRINGS).size, AWQ_LIMIT_STRINGS_MAX);
  std::uint64_t unknown = 0;
  if (const awq_section* meta = c.Find(AWQ_SECTION_META)) {
    if (meta->size == 0) Fail(Code::E_LIMIT, "META", "size", std::nullopt, "at least 1", 0);
    limit("META", "size", meta->size, AWQ_LIMIT_META_MAX);
    unknown = meta->size;
  }
  for (const awq_section& s : c.sections) {
    if (!KindOf(s.type)) unknown += s.size;
  }
  limit("table", "META and unknown sections together", unknown, AWQ_LIMIT_UNKNOWN_MAX);
}

// The bytes of a section, read at once: its size lies in the file and within its limit.
template <typename T>
void Keep(const Source& source, const awq_section& s, std::vector<T>& bytes) {
  if (s.size > std::numeric_limits<std::size_t>::max()) throw std::bad_alloc();
  bytes.resize(static_cast<std::size_t>(s.size / sizeof(T)));
  source.Read(s.offset, bytes.data(), bytes.size() * sizeof(T));
}

// P3: every section but DATA against its digest, then the padding after it.
void ReadSections(const Source& source, Container& c, const std::vector<std::size_t>& order) {
  Sha256 hash;
  const awq_section& data = c.Required(AWQ_SECTION_DATA);
  // Each extent has one row per chunk, so no index can need more rows than this.
  const std::uint64_t most_rows = c.header.tensor_count + data.size / AWQ_DIGEST_CHUNK;
  for (std::size_t place = 0; place + 1 < order.size(); ++place) {
    const std::size_t i = order[place];
    const awq_section& s = c.sections[i];
    const auto kept = [&](auto& bytes) {
      Keep(source, s, bytes);
      hash.Update(bytes.data(), static_cast<std::size_t>(s.size));
    };
    if (s.type == AWQ_SECTION_META) {
      kept(c.meta);
    } else if (s.type == AWQ_SECTION_STRINGS) {
      kept(c.strings);
    } else if (s.type == AWQ_SECTION_INDEX) {
      kept(c.index);
    } else if (s.type == AWQ_SECTION_DIGEST && s.size <= most_rows * sizeof(Digest)) {
      kept(c.digest);
    } else {
      Stream(source, s.offset, s.size,
             [&](const std::uint8_t* b, std::uint64_t, std::size_t n) { hash.Update(b, n); });
    }
    const Digest digest = hash.Finish();
    if (std::memcmp(digest.data(), s.digest, digest.size()) != 0) {
      Fail(Code::E_DIGEST, SectionName(s.type), "digest",
           EntryField(i, offsetof(awq_section, digest)), Hex(digest.data(), digest.size()),
           Hex(s.digest, sizeof s.digest));
    }
    const std::uint64_t end = s.offset + s.size;
    CheckPadding(source, SectionName(s.type), "padding after it", end,
                 c.sections[order[place + 1]].offset - end);
  }
}

}  // namespace

const awq_section* Container::Find(std::uint32_t type) const {
  const auto found = std::find_if(sections.begin(), sections.end(),
                                  [&](const awq_section& s) { return s.type == type; });
  return found == sections.end() ? nullptr : &*found;
}

Container ReadContainer(const Source& source) {
  Container c = ReadPreamble(source);
  CheckHeader(c);
  CheckEntries(c);
  const std::vector<std::size_t> order = PhysicalOrder(c);
  CheckPlaces(c, order);
  CheckSizes(c);
  ReadSections(source, c, order);
  return c;
}

}  // namespace awq
