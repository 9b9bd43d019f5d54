/* Read AWQ weight files, major version 1, from C or through a foreign-function interface.
 *
 *   awq_file* file;
 *   awq_error error;
 *   if (awq_open("model.awq", AWQ_TOUCH, AWQ_MMAP, &file, &error) != AWQ_OK) {
 *     fprintf(stderr, "%s\n", error.message);
 *     ...
 *   }
 *   awq_tensor t;
 *   awq_find(file, "layers.0.up_proj", &t, &error);
 *   float* w = malloc(t.rows * t.in_features * sizeof *w);
 *   awq_dequantize(file, t.number, 0, t.rows, AWQ_F32, w, t.rows * t.in_features * sizeof *w,
 * &error); awq_close(file);
 *
 * The header stands alone: C99 or C++, no other header of the library. What the words mean and what
 * is exact about the numbers is said in awq.hpp, which this interface wraps.
 *
 * Functions that can fail return an awq_code and describe the failure in `error`, which may be
 * NULL. No function throws, and nothing is handed out that the caller has to free, but for awq_file
 * by awq_close. A file may be used by several threads at once, but not while it is being closed.
 */
#ifndef AWQ_AWQ_H
#define AWQ_AWQ_H

#include <stddef.h>
#include <stdint.h>

#include "awq/export.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Positive codes are the spec's, in the order of its table: faults of a file, but for
 * AWQ_UNSUPPORTED, which is no verdict on it. Negative ones are not about the file's bytes. */
typedef enum awq_code {
  AWQ_OK = 0,
  AWQ_E_FILE = 1,
  AWQ_E_IO = 2,
  AWQ_E_TRUNCATED = 3,
  AWQ_E_MAGIC = 4,
  AWQ_E_VERSION = 5,
  AWQ_E_FEATURE = 6,
  AWQ_E_TRAILING = 7,
  AWQ_E_DIGEST = 8,
  AWQ_E_ALIGN = 9,
  AWQ_E_RESERVED = 10,
  AWQ_E_SECTION = 11,
  AWQ_E_LAYOUT = 12,
  AWQ_E_BOUNDS = 13,
  AWQ_E_COUNT = 14,
  AWQ_E_LIMIT = 15,
  AWQ_E_PADDING = 16,
  AWQ_E_NAME = 17,
  AWQ_E_NAME_ORDER = 18,
  AWQ_E_ENUM = 19,
  AWQ_E_RECORD = 20,
  AWQ_E_DIMS = 21,
  AWQ_E_OVERFLOW = 22,
  AWQ_E_GROUP = 23,
  AWQ_E_SIZE = 24,
  AWQ_E_META = 25,
  AWQ_E_VALUE = 26,
  AWQ_E_CRYPT = 27,
  AWQ_E_KEY = 28,
  AWQ_E_AUTH = 29,
  AWQ_UNSUPPORTED = 30,
  AWQ_ARGUMENT = -1, /* a mistake of the caller: NULL, out of range, buffer too small, wrong kind */
  AWQ_NOT_FOUND = -2, /* awq_find: no tensor of that name */
  AWQ_NO_MEMORY = -3,
  AWQ_INTERNAL = -4 /* anything else, such as a libcrypto without SHA-256 */
} awq_code;

/* Element types, by their numbers in the file. */
typedef enum awq_dtype {
  AWQ_NONE = 0,
  AWQ_BOOL = 1,
  AWQ_U8 = 2,
  AWQ_I8 = 3,
  AWQ_U16 = 4,
  AWQ_I16 = 5,
  AWQ_U32 = 6,
  AWQ_I32 = 7,
  AWQ_U64 = 8,
  AWQ_I64 = 9,
  AWQ_F16 = 10,
  AWQ_BF16 = 11,
  AWQ_F32 = 12,
  AWQ_F64 = 13,
  AWQ_F8_E4M3 = 14,
  AWQ_F8_E5M2 = 15,
  AWQ_U4 = 16
} awq_dtype;

/* When the data is checked. Everything before the data is checked by opening, always. */
typedef enum awq_when {
  AWQ_NEVER = 0,
  AWQ_TOUCH = 1, /* a whole tensor, once, before the first byte of it is handed out */
  AWQ_ALL = 2    /* every tensor, by opening */
} awq_when;

/* How the data is read. */
typedef enum awq_mode {
  AWQ_MMAP = 0, /* mapped; a file truncated while mapped raises SIGBUS */
  AWQ_PREAD = 1 /* read in blocks; a file truncated while open is AWQ_E_IO */
} awq_mode;

/* One failure. Every text is terminated, and cut where it does not fit; `message` is one line of
 * printable ASCII. After AWQ_OK nothing of it has been written. */
typedef struct awq_error {
  int32_t code;       /* awq_code */
  int32_t has_offset; /* 1 when `offset` says which byte of the file is to blame, else 0 */
  uint64_t offset;
  char name[16];   /* of the code, as in the spec: "E_MAGIC" */
  char where[256]; /* "file", "header", "table", "tail", a section's or a tensor's name; or empty */
  char field[64];  /* the field or rule inside that part; or empty */
  char message[1024];
} awq_error;

/* What the index says of one tensor. The fields from `rows` to `groups` are 0 when it is plain. */
typedef struct awq_tensor {
  uint64_t number;     /* place in the index, from 0 */
  char name[256];      /* terminated */
  int32_t dtype;       /* awq_dtype; AWQ_U4 when quantized, anything else when plain */
  int32_t scale_dtype; /* AWQ_F16, AWQ_BF16 or AWQ_F32; AWQ_NONE when plain */
  int32_t zero_dtype;  /* AWQ_U4; AWQ_NONE when symmetric (every zero point is 8) or plain */
  uint32_t ndim;
  uint32_t dims[8];     /* row-major, [.., N, K] when quantized; unused entries are 0 */
  uint64_t rows;        /* R: the product of all dimensions but the last */
  uint64_t in_features; /* K */
  uint64_t group_size;
  uint64_t groups;       /* per row: K / group_size */
  uint64_t stored_bytes; /* of the elements of a plain tensor, or of the packed codes */
} awq_tensor;

typedef struct awq_file awq_file;

/* Version of the library, "0.1.0". */
AWQ_API const char* awq_version(void);

/* Opens and validates a regular file. `verify` is an awq_when, `mode` an awq_mode. `*file` is to be
 * closed by awq_close; it is NULL when opening fails. */
AWQ_API awq_code awq_open(const char* path, int verify, int mode, awq_file** file,
                          awq_error* error);

/* The same for a file that is in memory already. The bytes are not copied: they stay as they are
 * until awq_close. */
AWQ_API awq_code awq_open_memory(const void* bytes, size_t size, int verify, awq_file** file,
                                 awq_error* error);

/* Closes a file; NULL is fine. */
AWQ_API void awq_close(awq_file* file);

/* Number of tensors. */
AWQ_API uint64_t awq_tensor_count(const awq_file* file);

/* The identity of the file: the digest of everything in it. */
AWQ_API void awq_root(const awq_file* file, uint8_t root[32]);

/* The JSON text of META, `*size` bytes of UTF-8 that are not terminated; valid until awq_close. */
AWQ_API const char* awq_meta(const awq_file* file, size_t* size);

/* Tensor `number`, 0 .. awq_tensor_count - 1, or the one of that name. */
AWQ_API awq_code awq_tensor_info(const awq_file* file, uint64_t number, awq_tensor* tensor,
                                 awq_error* error);
AWQ_API awq_code awq_find(const awq_file* file, const char* name, awq_tensor* tensor,
                          awq_error* error);

/* Checks the data of every tensor not checked yet, on several threads, and reports the first, in
 * index order, that is at fault. */
AWQ_API awq_code awq_verify(const awq_file* file, awq_error* error);

/* Writes rows first_row .. first_row + rows - 1 of the weight [R, K] as AWQ_F32, AWQ_F16 or
 * AWQ_BF16 to `out`, which has room for `out_bytes` bytes; rows * K elements are written. */
AWQ_API awq_code awq_dequantize(const awq_file* file, uint64_t number, uint64_t first_row,
                                uint64_t rows, int dtype, void* out, size_t out_bytes,
                                awq_error* error);

/* The same rows of the parts of a quantized tensor, unpacked; `room` is in elements.
 * Codes are [R, K]; zero points, and scales widened to f32, are [R, K / group_size]. */
AWQ_API awq_code awq_codes(const awq_file* file, uint64_t number, uint64_t first_row, uint64_t rows,
                           uint8_t* out, size_t room, awq_error* error);
AWQ_API awq_code awq_zero_points(const awq_file* file, uint64_t number, uint64_t first_row,
                                 uint64_t rows, uint8_t* out, size_t room, awq_error* error);
AWQ_API awq_code awq_scales(const awq_file* file, uint64_t number, uint64_t first_row,
                            uint64_t rows, float* out, size_t room, awq_error* error);

/* Bytes offset .. offset + size - 1 of the elements of a plain tensor, little-endian as stored;
 * there are `stored_bytes` of them. */
AWQ_API awq_code awq_plain(const awq_file* file, uint64_t number, uint64_t offset, size_t size,
                           void* out, awq_error* error);

#ifdef __cplusplus
}
#endif

#endif
