/* Generated from awqformat/schema.py by `python tools/generate.py`; do not edit. */
#ifndef AWQ_FORMAT_H
#define AWQ_FORMAT_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the structures below are little-endian as they stand in the file"
#endif

#define AWQ_MAGIC "\x89\x41\x57\x51\x0d\x0a\x1a\x0a"
#define AWQ_MAJOR 0x1u
#define AWQ_HASH_SHA256 0x1u
#define AWQ_UNIT 0x40u
#define AWQ_DIGEST_CHUNK 0x100000u
#define AWQ_FIRST_PRIVATE 0x80000000u

#define AWQ_FEATURE_ENCRYPTED 0x1u

#define AWQ_FLAG_CRITICAL 0x1u

#define AWQ_SECTION_META 0x10u
#define AWQ_SECTION_STRINGS 0x20u
#define AWQ_SECTION_INDEX 0x30u
#define AWQ_SECTION_CRYPT 0x40u
#define AWQ_SECTION_TAGS 0x50u
#define AWQ_SECTION_DIGEST 0x60u
#define AWQ_SECTION_DATA 0x100u

#define AWQ_DTYPE_NONE 0x0u
#define AWQ_DTYPE_BOOL 0x1u
#define AWQ_DTYPE_U8 0x2u
#define AWQ_DTYPE_I8 0x3u
#define AWQ_DTYPE_U16 0x4u
#define AWQ_DTYPE_I16 0x5u
#define AWQ_DTYPE_U32 0x6u
#define AWQ_DTYPE_I32 0x7u
#define AWQ_DTYPE_U64 0x8u
#define AWQ_DTYPE_I64 0x9u
#define AWQ_DTYPE_F16 0xau
#define AWQ_DTYPE_BF16 0xbu
#define AWQ_DTYPE_F32 0xcu
#define AWQ_DTYPE_F64 0xdu
#define AWQ_DTYPE_F8_E4M3 0xeu
#define AWQ_DTYPE_F8_E5M2 0xfu
#define AWQ_DTYPE_U4 0x10u

#define AWQ_LAYOUT_LINEAR 0x0u

#define AWQ_LIMIT_SECTIONS_MIN 0x4u
#define AWQ_LIMIT_SECTIONS_MAX 0x10u
#define AWQ_LIMIT_TENSORS_MAX 0x100000u
#define AWQ_LIMIT_NAME_MAX 0xffu
#define AWQ_LIMIT_NDIM_MAX 0x8u
#define AWQ_LIMIT_ELEMENTS_MAX 0x10000000000ull
#define AWQ_LIMIT_FILE_MAX 0x1000000000000ull
#define AWQ_LIMIT_META_MAX 0x100000u
#define AWQ_LIMIT_STRINGS_MAX 0x4000000u
#define AWQ_LIMIT_UNKNOWN_MAX 0x4000000u
#define AWQ_LIMIT_ALIGN_LOG2_MIN 0x6u
#define AWQ_LIMIT_ALIGN_LOG2_MAX 0xcu

/* X(name, code, bits): the element types, bits 0 for NONE. */
#define AWQ_DTYPES(X) \
  X(NONE, 0, 0) \
  X(BOOL, 1, 8) \
  X(U8, 2, 8) \
  X(I8, 3, 8) \
  X(U16, 4, 16) \
  X(I16, 5, 16) \
  X(U32, 6, 32) \
  X(I32, 7, 32) \
  X(U64, 8, 64) \
  X(I64, 9, 64) \
  X(F16, 10, 16) \
  X(BF16, 11, 16) \
  X(F32, 12, 32) \
  X(F64, 13, 64) \
  X(F8_E4M3, 14, 8) \
  X(F8_E5M2, 15, 8) \
  X(U4, 16, 4)

/* X(code, meaning), in the order of the spec's table. */
#define AWQ_ERROR_CODES(X) \
  X(E_FILE, "missing, unreadable, or not a regular file") \
  X(E_IO, "the file changed or could not be read while it was open") \
  X(E_TRUNCATED, "shorter than its own structure or its file_size says") \
  X(E_MAGIC, "the first eight bytes are not the magic") \
  X(E_VERSION, "the major version is not 1") \
  X(E_FEATURE, "needs a feature, section, algorithm or layout this version does not define") \
  X(E_TRAILING, "bytes remain after the place where the file must end") \
  X(E_DIGEST, "a SHA-256 digest does not match the bytes it covers") \
  X(E_ALIGN, "align_log2 is outside 6..12") \
  X(E_RESERVED, "a reserved field or an undefined bit is not zero") \
  X(E_SECTION, "sections out of order, doubled, missing, forbidden, or wrongly marked critical") \
  X(E_LAYOUT, "an offset is not the derived one, or extents do not tile DATA") \
  X(E_BOUNDS, "a section ends past the end of the file") \
  X(E_COUNT, "tensor_count and the size of INDEX disagree") \
  X(E_LIMIT, "a number is outside the limits of the format") \
  X(E_PADDING, "a padding byte or padding nibble is not zero") \
  X(E_NAME, "a name has an illegal length, place or character, or STRINGS has bytes left over") \
  X(E_NAME_ORDER, "names are not strictly ascending in byte order") \
  X(E_ENUM, "a dtype field holds a value outside the closed list") \
  X(E_RECORD, "the fields of a record contradict each other") \
  X(E_DIMS, "ndim or a dimension is illegal") \
  X(E_OVERFLOW, "a tensor has more than 2^40 elements") \
  X(E_GROUP, "in_features or group_size breaks the grouping rule") \
  X(E_SIZE, "a size is not the derived one") \
  X(E_META, "META is not canonical JSON (RFC 8785) of strings to strings") \
  X(E_VALUE, "a scale is NaN, infinite or has its sign bit set, or a value cannot be stored") \
  X(E_CRYPT, "the CRYPT section is malformed") \
  X(E_KEY, "no key, or the key does not open this file") \
  X(E_AUTH, "an authentication tag does not match") \
  X(UNSUPPORTED, "a valid use of the format that this reader was built without")

typedef struct awq_header {
  uint8_t magic[8]; /* 0: `89 41 57 51 0D 0A 1A 0A` */
  uint16_t major; /* 8: major version, 1 */
  uint16_t minor; /* 10: minor version, information only */
  uint32_t features; /* 12: bit 0 ENCRYPTED; no other bit is defined */
  uint32_t tensor_count; /* 16: number of index records */
  uint16_t section_count; /* 20: number of section entries, n */
  uint8_t align_log2; /* 22: A = 1 << align_log2 aligns DATA and every extent */
  uint8_t hash_alg; /* 23: 1 = SHA-256 */
  uint64_t file_size; /* 24: size of the whole file in bytes */
  uint8_t file_id[16]; /* 32: zero unless ENCRYPTED */
  uint8_t reserved[16]; /* 48: zero */
} awq_header;
static_assert(sizeof(awq_header) == 64, "awq_header");
static_assert(offsetof(awq_header, magic) == 0, "awq_header.magic");
static_assert(offsetof(awq_header, major) == 8, "awq_header.major");
static_assert(offsetof(awq_header, minor) == 10, "awq_header.minor");
static_assert(offsetof(awq_header, features) == 12, "awq_header.features");
static_assert(offsetof(awq_header, tensor_count) == 16, "awq_header.tensor_count");
static_assert(offsetof(awq_header, section_count) == 20, "awq_header.section_count");
static_assert(offsetof(awq_header, align_log2) == 22, "awq_header.align_log2");
static_assert(offsetof(awq_header, hash_alg) == 23, "awq_header.hash_alg");
static_assert(offsetof(awq_header, file_size) == 24, "awq_header.file_size");
static_assert(offsetof(awq_header, file_id) == 32, "awq_header.file_id");
static_assert(offsetof(awq_header, reserved) == 48, "awq_header.reserved");

typedef struct awq_section {
  uint32_t type; /* 0: what the section is */
  uint32_t flags; /* 4: bit 0 CRITICAL; no other bit is defined */
  uint64_t offset; /* 8: from the start of the file, a multiple of 64 */
  uint64_t size; /* 16: in bytes, without padding */
  uint64_t reserved; /* 24: zero */
  uint8_t digest[32]; /* 32: SHA-256 of the section's bytes; zero for DATA */
} awq_section;
static_assert(sizeof(awq_section) == 64, "awq_section");
static_assert(offsetof(awq_section, type) == 0, "awq_section.type");
static_assert(offsetof(awq_section, flags) == 4, "awq_section.flags");
static_assert(offsetof(awq_section, offset) == 8, "awq_section.offset");
static_assert(offsetof(awq_section, size) == 16, "awq_section.size");
static_assert(offsetof(awq_section, reserved) == 24, "awq_section.reserved");
static_assert(offsetof(awq_section, digest) == 32, "awq_section.digest");

typedef struct awq_tail {
  uint8_t root[32]; /* 0: SHA-256 of header and section table */
  uint8_t mac[32]; /* 32: zero unless ENCRYPTED */
} awq_tail;
static_assert(sizeof(awq_tail) == 64, "awq_tail");
static_assert(offsetof(awq_tail, root) == 0, "awq_tail.root");
static_assert(offsetof(awq_tail, mac) == 32, "awq_tail.mac");

typedef struct awq_record {
  uint32_t name_off; /* 0: offset of the name in STRINGS */
  uint16_t name_len; /* 4: length of the name in bytes, 1..255 */
  uint8_t ndim; /* 6: number of dimensions */
  uint8_t dtype; /* 7: element type; U4 means quantised, any other plain */
  uint8_t scale_dtype; /* 8: F16, BF16 or F32 when quantised, else NONE */
  uint8_t zero_dtype; /* 9: U4, or NONE when symmetric or plain */
  uint8_t layout; /* 10: 0 linear */
  uint8_t reserved; /* 11: zero */
  uint32_t group_size; /* 12: codes per scale along in_features; 0 when plain */
  uint32_t dims[8]; /* 16: row-major shape; unused entries are 0 */
  uint64_t data_off; /* 48: start of the extent, from the start of the file */
  uint64_t extent_size; /* 56: size of the extent in bytes, padding included */
} awq_record;
static_assert(sizeof(awq_record) == 64, "awq_record");
static_assert(offsetof(awq_record, name_off) == 0, "awq_record.name_off");
static_assert(offsetof(awq_record, name_len) == 4, "awq_record.name_len");
static_assert(offsetof(awq_record, ndim) == 6, "awq_record.ndim");
static_assert(offsetof(awq_record, dtype) == 7, "awq_record.dtype");
static_assert(offsetof(awq_record, scale_dtype) == 8, "awq_record.scale_dtype");
static_assert(offsetof(awq_record, zero_dtype) == 9, "awq_record.zero_dtype");
static_assert(offsetof(awq_record, layout) == 10, "awq_record.layout");
static_assert(offsetof(awq_record, reserved) == 11, "awq_record.reserved");
static_assert(offsetof(awq_record, group_size) == 12, "awq_record.group_size");
static_assert(offsetof(awq_record, dims) == 16, "awq_record.dims");
static_assert(offsetof(awq_record, data_off) == 48, "awq_record.data_off");
static_assert(offsetof(awq_record, extent_size) == 56, "awq_record.extent_size");

#endif
