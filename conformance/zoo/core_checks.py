"""The C++ core with a check wrong: changes of stages P, I and D."""

from __future__ import annotations

from functools import partial
from typing import Final

from zoo.edit import Change, enter_edit

edit = partial(enter_edit, __name__.rpartition(".")[2])

HEADER: Final = "header.cpp"
CONTAINER: Final = "container.cpp"
INDEX: Final = "index.cpp"
META: Final = "meta.cpp"
TENSOR: Final = "tensor.cpp"

edit(
    "cpp-root-compared-by-pointer-size",
    "check-missing",
    "sizeof is taken of a pointer, so that 8 bytes of the root's 32 are compared.",
    Change(
        HEADER,
        "std::memcmp(root.data(), c.tail.root, root.size())",
        "std::memcmp(root.data(), c.tail.root, sizeof(root.data()))",
    ),
)
edit(
    "cpp-room-before-file-size",
    "crashes",
    "Room for file_size bytes is made, up to 256 MiB, before file_size is compared with the file.",
    Change(
        HEADER,
        "  if (h.file_size != source.size()) {",
        "  std::vector<char> room(std::min<std::uint64_t>(h.file_size, 1u << 28), 'x');\n"
        "  if (h.file_size != source.size() || room.empty()) {",
    ),
    Change(HEADER, "#include <cstring>\n", "#include <algorithm>\n#include <cstring>\n"),
)
edit(
    "cpp-sixteen-sections-refused",
    "rejects-valid",
    "section_count is compared with >=, where 16 is still legal.",
    Change(HEADER, "h.section_count > AWQ_LIMIT_SECTIONS_MAX", "h.section_count >= AWQ_LIMIT_SECTIONS_MAX"),
)
edit(
    "cpp-end-of-data-unchecked",
    "check-missing",
    "Where DATA ends is not compared with where the file ends.",
    Change(CONTAINER, "  if (end != file_size) {", "  if (end > file_size) {"),
)
edit(
    "cpp-first-section-undigested",
    "check-missing",
    "Sections are compared with their digests from the second one on.",
    Change(
        CONTAINER,
        "if (std::memcmp(digest.data(), s.digest, digest.size()) != 0) {",
        "if (i > 0 && std::memcmp(digest.data(), s.digest, digest.size()) != 0) {",
    ),
)
edit(
    "cpp-padding-between-sections",
    "check-missing",
    "The padding behind a section is not looked at.",
    Change(CONTAINER, "c.sections[order[place + 1]].offset - end);", "0);"),
)
edit(
    "cpp-critical-ignored",
    "check-missing",
    "Whether an unknown section is critical is asked with flags > 1, where 1 is what it is.",
    Change(
        CONTAINER,
        "(table[i].flags & AWQ_FLAG_CRITICAL) != 0) {\n      Fail(Code::E_FEATURE",
        "table[i].flags > AWQ_FLAG_CRITICAL) {\n      Fail(Code::E_FEATURE",
    ),
)
edit(
    "cpp-names-may-repeat",
    "check-missing",
    "Names are compared with <, where a name may not equal the one before either.",
    Change(INDEX, "name <= previous", "name < previous"),
    single="names are in order, so that one can be repeated in one way: by its neighbour",
)
edit(
    "cpp-longest-name-refused",
    "rejects-valid",
    "name_len is compared with >=, where 255 is still legal.",
    Change(INDEX, "r_.name_len > AWQ_LIMIT_NAME_MAX", "r_.name_len >= AWQ_LIMIT_NAME_MAX"),
)
edit(
    "cpp-overflow-after-multiplying",
    "check-missing",
    "The product of dims is compared with the limit when it is complete, and may have wrapped.",
    Change(
        INDEX,
        "      if (product > AWQ_LIMIT_ELEMENTS_MAX / r_.dims[i]) {\n"
        '        Reject(Code::E_OVERFLOW, "dims", offsetof(awq_record, dims), "at most 2^40 elements",\n'
        '               Print(product) + " * " + Print(r_.dims[i]));\n'
        "      }\n"
        "      product *= r_.dims[i];\n"
        "    }\n",
        "      product *= r_.dims[i];\n"
        "    }\n"
        "    if (product > AWQ_LIMIT_ELEMENTS_MAX) {\n"
        '      Reject(Code::E_OVERFLOW, "dims", offsetof(awq_record, dims), "at most 2^40 elements", product);\n'
        "    }\n",
    ),
)
edit(
    "cpp-first-unused-dim-skipped",
    "check-missing",
    "Dimensions beyond ndim are looked at from ndim + 1 on.",
    Change(INDEX, "if (i >= r_.ndim && r_.dims[i] != 0)", "if (i > r_.ndim && r_.dims[i] != 0)"),
)
edit(
    "cpp-group-size-may-not-divide",
    "check-missing",
    "K is not tested for being a multiple of the group size.",
    Change(INDEX, " || k % g != 0) {", ") {"),
)
edit(
    "cpp-extents-in-index-order",
    "rejects-valid",
    "Extents are expected in the order of the index: the sort before the comparison is missing.",
    Change(INDEX, "    std::sort(order.begin(), order.end(), before);\n", ""),
)
edit(
    "cpp-meta-signed-char",
    "rejects-valid",
    "Bytes of META are signed, so that every letter beyond ASCII is below the space.",
    Change(META, "? Bytes()[at_ + ahead] : -1;", "? static_cast<signed char>(text_[at_ + ahead]) : -1;"),
)
edit(
    "cpp-meta-sorted-by-bytes",
    "check-missing",
    "Keys of META are compared byte by byte, not by UTF-16 code units: the wrong order is taken, the right one is not.",
    Change(META, "byte == 0xee || byte == 0xef ? byte + 0x10 : byte", "byte"),
)
edit(
    "cpp-last-short-chunk-skipped",
    "check-missing",
    "Only whole chunks of 1 MiB are digested; what is left at the end of an extent is not.",
    Change(
        TENSOR,
        "start < t.extent_size; start += AWQ_DIGEST_CHUNK",
        "start + AWQ_DIGEST_CHUNK <= t.extent_size; start += AWQ_DIGEST_CHUNK",
    ),
)
edit(
    "cpp-rows-of-one-matrix",
    "rejects-valid",
    "Room for scales is computed from N, where the rows of all matrices of a tensor have them.",
    Change(
        TENSOR,
        "{Up(t.values.size, AWQ_UNIT), t.rows() * t.groups()",
        "{Up(t.values.size, AWQ_UNIT), t.dims[t.ndim - 2u] * t.groups()",
    ),
)
edit(
    "cpp-digests-compared-as-words",
    "check-missing",
    "Digests are compared by their first eight bytes, as one word.",
    Change(HEADER, "std::memcmp(root.data(), c.tail.root, root.size())", "std::memcmp(root.data(), c.tail.root, 8)"),
    Change(CONTAINER, "std::memcmp(digest.data(), s.digest, digest.size())", "std::memcmp(digest.data(), s.digest, 8)"),
    Change(TENSOR, "std::memcmp(digest.data(), rows, digest.size())", "std::memcmp(digest.data(), rows, 8)"),
)
edit(
    "cpp-digest-row-not-advanced",
    "rejects-valid",
    "Every chunk of an extent is compared with the digest of the first one.",
    Change(TENSOR, "    rows += digest.size();\n", ""),
)
edit(
    "cpp-padding-of-extents",
    "check-missing",
    "The padding inside an extent is not looked at.",
    Change(TENSOR, "  CheckPaddings(source, t);\n", ""),
)
edit(
    "cpp-odd-nibble-of-one-row",
    "check-missing",
    "The unused nibble is looked at in the first row of zero points only: an if where a loop was meant.",
    Change(TENSOR, "for (; last < at + count; last += stride) {", "if (last < at + count) {"),
)
edit(
    "cpp-infinite-scales",
    "check-missing",
    "The bits of a scale are compared with >, which lets infinity itself pass.",
    Change(TENSOR, "if (bits >= infinity) {", "if (bits > infinity) {"),
)
edit(
    "cpp-scale-bits-signed",
    "check-missing",
    "The bits of an F16 scale are compared as a signed number, which lets negative scales pass.",
    Change(
        TENSOR,
        "return CheckScales<std::uint16_t>(source, t, 0x7c00);",
        "return CheckScales<std::int16_t>(source, t, 0x7c00);",
    ),
)
edit(
    "cpp-last-scale-unchecked",
    "check-missing",
    "The loop over scales ends one too early.",
    Change(TENSOR, "i < count; i += sizeof(Word)", "i + sizeof(Word) < count; i += sizeof(Word)"),
)
edit(
    "cpp-digest-row-of-no-rest",
    "rejects-valid",
    "An extent is believed to end in a chunk that is not whole, so that one of 1 MiB needs two digests.",
    Change(
        TENSOR,
        "return extent_size / AWQ_DIGEST_CHUNK + (extent_size % AWQ_DIGEST_CHUNK != 0);",
        "return extent_size / AWQ_DIGEST_CHUNK + 1;",
    ),
)
