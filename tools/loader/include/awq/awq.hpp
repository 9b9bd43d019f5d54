// Read AWQ weight files, major version 1: open, verify, dequantize.
//
//   awq::Matrix w = awq::LoadAWQWeight("model.awq", "layers.0.up_proj");
//   const float* values = w.data<float>();  // row-major, w.dims() = {N, K}
//
// A quantized weight is W[n,k] = (q[n,k] - z[n,g]) * s[n,g] with g = k / group_size, computed in
// f32; f16 and bf16 results are that f32 value rounded to nearest even, overflowing to infinity.
// N is out_features, K is in_features; leading dimensions are experts.
//
// Faults of a file throw awq::Error; mistakes of the caller (no such tensor, range outside the
// tensor, buffer too small, a plain tensor where a quantized one is needed) throw
// std::out_of_range or std::invalid_argument. The arithmetic expects the default floating-point
// environment: rounding to nearest, subnormals kept.
#ifndef AWQ_AWQ_HPP
#define AWQ_AWQ_HPP

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "awq/export.h"
#include "awq/format.h"

namespace awq {

/// The closed list of error codes (spec: container, "Errors").
enum class Code {
#define AWQ_CODE(code, meaning) code,
  AWQ_ERROR_CODES(AWQ_CODE)
#undef AWQ_CODE
};

/// The code as it is written in the spec, such as "E_MAGIC".
AWQ_API const char* Name(Code code) noexcept;

/// One fault of one file, as data. what() is one line of printable ASCII.
class AWQ_API Error : public std::runtime_error {
 public:
  Error(Code code, std::string where, std::string field,
        std::optional<std::uint64_t> offset = std::nullopt, std::string expected = {},
        std::string got = {});

  Code code() const noexcept { return code_; }
  /// "file", "header", "table", "tail", a section's name or a tensor's name.
  const std::string& where() const noexcept { return where_; }
  /// The field or rule inside that part.
  const std::string& field() const noexcept { return field_; }
  /// From the start of the file; absent where no byte is to blame.
  std::optional<std::uint64_t> offset() const noexcept { return offset_; }
  /// The two sides of the comparison that failed; empty where there was none.
  const std::string& expected() const noexcept { return expected_; }
  const std::string& got() const noexcept { return got_; }

 private:
  Code code_;
  std::string where_, field_;
  std::optional<std::uint64_t> offset_;
  std::string expected_, got_;
};

/// Element types (spec: container, "Dtypes").
enum class Dtype : std::uint8_t {
  NONE = AWQ_DTYPE_NONE,
  BOOL = AWQ_DTYPE_BOOL,
  U8 = AWQ_DTYPE_U8,
  I8 = AWQ_DTYPE_I8,
  U16 = AWQ_DTYPE_U16,
  I16 = AWQ_DTYPE_I16,
  U32 = AWQ_DTYPE_U32,
  I32 = AWQ_DTYPE_I32,
  U64 = AWQ_DTYPE_U64,
  I64 = AWQ_DTYPE_I64,
  F16 = AWQ_DTYPE_F16,
  BF16 = AWQ_DTYPE_BF16,
  F32 = AWQ_DTYPE_F32,
  F64 = AWQ_DTYPE_F64,
  F8_E4M3 = AWQ_DTYPE_F8_E4M3,
  F8_E5M2 = AWQ_DTYPE_F8_E5M2,
  U4 = AWQ_DTYPE_U4,
};

/// Size of one element in bits; 0 for NONE.
AWQ_API unsigned Bits(Dtype dtype) noexcept;

/// Elements first .. first + count - 1 of a row-major matrix.
struct Range {
  std::uint64_t first;
  std::uint64_t count;
};

/// Bytes offset .. offset + size - 1 of an extent, without padding.
struct Segment {
  std::uint64_t offset;
  std::uint64_t size;
};

/// One record of the index, checked, with what follows from it.
struct AWQ_API Tensor {
  std::size_t number;     ///< place in the index, from 0
  std::string_view name;  ///< valid as long as the File
  Dtype dtype;            ///< U4 when quantized
  Dtype scale_dtype;      ///< F16, BF16 or F32; NONE when plain
  Dtype zero_dtype;       ///< U4; NONE when symmetric (every zero point is 8) or plain
  std::uint32_t group_size;
  std::uint8_t ndim;
  std::array<std::uint32_t, AWQ_LIMIT_NDIM_MAX> dims;  ///< [.., N, K]; unused entries are 0
  std::uint64_t data_off;                              ///< start of the extent in the file
  std::uint64_t extent_size;                           ///< padding included
  Segment values;  ///< codes, two to a byte, low nibble first; or the elements of a plain tensor
  Segment scales;  ///< [R, K / group_size]; empty when plain
  Segment zeros;   ///< R rows of ceil(K / group_size / 2) bytes; empty when symmetric or plain

  bool quantized() const { return dtype == Dtype::U4; }
  std::uint64_t elements() const;  ///< product of all dimensions
  /// The following are of quantized tensors only.
  std::uint64_t in_features() const { return dims[ndim - 1u]; }        ///< K
  std::uint64_t rows() const { return elements() / in_features(); }    ///< R = product of [.., N]
  std::uint64_t groups() const { return in_features() / group_size; }  ///< per row
  Range Rows(std::uint64_t first, std::uint64_t count) const;          ///< of the [R, K] matrix
  Range GroupRows(std::uint64_t first, std::uint64_t count) const;     ///< of [R, K / group_size]
};

/// When the data is checked. Everything before the data is checked by opening, always.
enum class Verify {
  None,   ///< never
  Touch,  ///< a whole tensor, once, before the first byte of it is handed out
  All,    ///< every tensor, by opening
};

/// How the data is read.
enum class Mode {
  Mmap,   ///< mapped; a file truncated while mapped raises SIGBUS. Reads where it cannot be mapped.
  Pread,  ///< read in blocks; a file truncated while open is E_IO
};

struct Options {
  Verify verify = Verify::Touch;
  Mode mode = Mode::Mmap;
};

/// An open file.
///
/// Thread safety: all const member functions may be called on one File from any number of threads
/// at once, without a lock; moving, assigning and destroying may not overlap with any other use.
/// Two threads that touch the same tensor first may both check it, and get the same answer.
///
/// Checking is against what the file held at that moment: nothing protects a reader from a file
/// that is rewritten in place afterwards (writers replace files by renaming).
class AWQ_API File {
 public:
  /// Opens and validates `path`, a regular file or a link to one; throws Error.
  explicit File(const std::string& path, Options options = {});
  /// The same for a file that is in memory already. The bytes are not copied: they stay as they
  /// are as long as the File.
  static File FromMemory(const void* bytes, std::size_t size, Verify verify = Verify::Touch);
  File(File&&) noexcept;
  File& operator=(File&&) noexcept;
  ~File();

  std::size_t size() const noexcept;        ///< number of tensors
  Tensor tensor(std::size_t number) const;  ///< in index order; throws std::out_of_range
  std::optional<Tensor> Find(std::string_view name) const;
  std::array<std::uint8_t, 32> root() const;  ///< identity of the file
  std::uint16_t minor_version() const noexcept;
  std::string_view meta_text() const noexcept;  ///< the JSON object; empty without META
  std::optional<std::string> Meta(std::string_view key) const;

  /// Checks the data (digests, padding, scales) of every tensor not checked yet, whatever the
  /// options say, on as many threads as there are cores if there is work for them; throws the Error
  /// of the first, in index order, that fails.
  void VerifyAll() const;

  /// Writes elements `range` of the [R, K] matrix of tensor `number` as F32, F16 or BF16.
  /// first and count are multiples of 8; Tensor::Rows makes such ranges.
  void Dequantize(std::size_t number, Range range, Dtype dtype, void* out,
                  std::size_t out_bytes) const;

  /// The three parts of a quantized tensor, one element of `out` each.
  void Codes(std::size_t number, Range range, std::uint8_t* out, std::size_t out_count) const;
  void ZeroPoints(std::size_t number, Range range, std::uint8_t* out, std::size_t out_count) const;
  void Scales(std::size_t number, Range range, float* out, std::size_t out_count) const;

  /// Copies stored bytes of the extent of a tensor of either kind.
  void Read(std::size_t number, Segment bytes, void* out) const;

  /// The extent of a tensor in the mapped file, without a copy; nullptr when it is not mapped.
  const std::uint8_t* Mapped(std::size_t number) const;

 private:
  struct State;
  explicit File(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

/// A dense row-major matrix that owns its values.
class AWQ_API Matrix {
 public:
  Matrix(std::vector<std::uint32_t> dims, Dtype dtype);

  const std::vector<std::uint32_t>& dims() const noexcept { return dims_; }  ///< [.., N, K]
  Dtype dtype() const noexcept { return dtype_; }
  std::size_t bytes() const noexcept { return bytes_; }
  void* raw() noexcept { return values_.get(); }

  /// T is float for F32, std::uint16_t (the bits) for F16 and BF16.
  template <typename T>
  const T* data() const {
    if (8 * sizeof(T) != Bits(dtype_)) throw std::invalid_argument("awq: element of another size");
    return reinterpret_cast<const T*>(values_.get());
  }

 private:
  std::vector<std::uint32_t> dims_;
  Dtype dtype_;
  std::size_t bytes_;
  std::unique_ptr<std::byte[]> values_;
};

/// Opens `path`, checks it and tensor `tensor`, and returns its weight ready for use.
AWQ_API Matrix LoadAWQWeight(const std::string& path, const std::string& tensor,
                             Dtype dtype = Dtype::F32);

}  // namespace awq

#endif
