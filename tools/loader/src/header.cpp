#include "header.hpp"

#include <cstring>

#include "error.hpp"
#include "sha256.hpp"

namespace awq {

Container ReadPreamble(const Source& source) {
  if (source.size() < sizeof(awq_header)) {
    Fail(Code::E_TRUNCATED, "file", "size", std::nullopt, "at least 64", source.size());
  }
  Container c;
  awq_header& h = c.header;
  source.Read(0, &h, sizeof h);
  if (std::memcmp(h.magic, AWQ_MAGIC, sizeof h.magic) != 0) {
    const auto* magic = reinterpret_cast<const std::uint8_t*>(AWQ_MAGIC);
    Fail(Code::E_MAGIC, "header", "magic", 0, Hex(magic, 8), Hex(h.magic, 8));
  }
  if (h.major != AWQ_MAJOR) {
    Fail(Code::E_VERSION, "header", "major", offsetof(awq_header, major), AWQ_MAJOR, h.major);
  }
  if (h.section_count < AWQ_LIMIT_SECTIONS_MIN || h.section_count > AWQ_LIMIT_SECTIONS_MAX) {
    Fail(Code::E_LIMIT, "header", "section_count", offsetof(awq_header, section_count), "4..16",
         h.section_count);
  }
  if (h.hash_alg != AWQ_HASH_SHA256) {
    Fail(Code::E_FEATURE, "header", "hash_alg", offsetof(awq_header, hash_alg), AWQ_HASH_SHA256,
         h.hash_alg);
  }
  const std::uint64_t preamble = EntryField(h.section_count, sizeof(awq_tail));
  if (source.size() < preamble) {
    Fail(Code::E_TRUNCATED, "file", "size", std::nullopt, "at least " + Print(preamble),
         source.size());
  }
  if (h.file_size != source.size()) {
    Fail(h.file_size > source.size() ? Code::E_TRUNCATED : Code::E_TRAILING, "header", "file_size",
         offsetof(awq_header, file_size), source.size(), h.file_size);
  }
  c.sections.resize(h.section_count);
  const std::size_t table = h.section_count * sizeof(awq_section);
  source.Read(sizeof h, c.sections.data(), table);
  source.Read(sizeof h + table, &c.tail, sizeof c.tail);
  Sha256 hash;
  hash.Update(&h, sizeof h);
  hash.Update(c.sections.data(), table);
  const Digest root = hash.Finish();
  if (std::memcmp(root.data(), c.tail.root, root.size()) != 0) {
    Fail(Code::E_DIGEST, "tail", "root", EntryField(h.section_count, offsetof(awq_tail, root)),
         Hex(root.data(), root.size()), Hex(c.tail.root, sizeof c.tail.root));
  }
  return c;
}

void CheckHeader(const Container& c) {
  const awq_header& h = c.header;
  if ((h.features & ~AWQ_FEATURE_ENCRYPTED) != 0) {
    Fail(Code::E_FEATURE, "header", "features", offsetof(awq_header, features), "0 or 1",
         h.features);
  }
  if (h.align_log2 < AWQ_LIMIT_ALIGN_LOG2_MIN || h.align_log2 > AWQ_LIMIT_ALIGN_LOG2_MAX) {
    Fail(Code::E_ALIGN, "header", "align_log2", offsetof(awq_header, align_log2), "6..12",
         h.align_log2);
  }
  if (!IsZero(h.reserved)) {
    Fail(Code::E_RESERVED, "header", "reserved", offsetof(awq_header, reserved), 0,
         Hex(h.reserved, sizeof h.reserved));
  }
  if (c.encrypted()) return;
  if (!IsZero(h.file_id)) {
    Fail(Code::E_RESERVED, "header", "file_id", offsetof(awq_header, file_id), 0,
         Hex(h.file_id, sizeof h.file_id));
  }
  if (!IsZero(c.tail.mac)) {
    Fail(Code::E_RESERVED, "tail", "mac", EntryField(c.sections.size(), offsetof(awq_tail, mac)), 0,
         Hex(c.tail.mac, sizeof c.tail.mac));
  }
}

}  // namespace awq
