// The C interface: awq::File behind a pointer, exceptions turned into codes.
#include <algorithm>
#include <new>

#include "awq/awq.h"
#include "awq/awq.hpp"

struct awq_file {
  awq::File file;
};

namespace {

// The header writes its numbers out; they are those of the spec.
constexpr awq_code Number(awq::Code code) {
  return static_cast<awq_code>(static_cast<int>(code) + 1);
}
#define AWQ_CHECK(name, meaning) static_assert(Number(awq::Code::name) == AWQ_##name, #name);
AWQ_ERROR_CODES(AWQ_CHECK)
#undef AWQ_CHECK

static_assert(AWQ_NONE == AWQ_DTYPE_NONE && AWQ_BOOL == AWQ_DTYPE_BOOL && AWQ_U8 == AWQ_DTYPE_U8 &&
                  AWQ_I8 == AWQ_DTYPE_I8 && AWQ_U16 == AWQ_DTYPE_U16 && AWQ_I16 == AWQ_DTYPE_I16 &&
                  AWQ_U32 == AWQ_DTYPE_U32 && AWQ_I32 == AWQ_DTYPE_I32 &&
                  AWQ_U64 == AWQ_DTYPE_U64 && AWQ_I64 == AWQ_DTYPE_I64 &&
                  AWQ_F16 == AWQ_DTYPE_F16 && AWQ_BF16 == AWQ_DTYPE_BF16 &&
                  AWQ_F32 == AWQ_DTYPE_F32 && AWQ_F64 == AWQ_DTYPE_F64 &&
                  AWQ_F8_E4M3 == AWQ_DTYPE_F8_E4M3 && AWQ_F8_E5M2 == AWQ_DTYPE_F8_E5M2 &&
                  AWQ_U4 == AWQ_DTYPE_U4,
              "awq_dtype");

template <std::size_t n>
void Copy(std::string_view text, char (&out)[n]) {
  const std::size_t size = std::min(text.size(), n - 1);
  std::copy_n(text.data(), size, out);
  out[size] = '\0';
}

awq_code Report(awq_error* error, awq_code code, std::string_view name, std::string_view message,
                const awq::Error* fault = nullptr) noexcept {
  if (error) {
    const auto offset = fault ? fault->offset() : std::nullopt;
    error->code = code;
    error->has_offset = offset.has_value();
    error->offset = offset.value_or(0);
    Copy(name, error->name);
    Copy(fault ? fault->where() : std::string_view(), error->where);
    Copy(fault ? fault->field() : std::string_view(), error->field);
    Copy(message, error->message);
  }
  return code;
}

struct NotFound {};

// Runs `body`; whatever it throws becomes a code.
template <typename Body>
awq_code Guard(awq_error* error, Body body) noexcept {
  try {
    body();
    return AWQ_OK;
  } catch (const awq::Error& e) {
    return Report(error, Number(e.code()), awq::Name(e.code()), e.what(), &e);
  } catch (const NotFound&) {
    return Report(error, AWQ_NOT_FOUND, "NOT_FOUND", "awq: no tensor of that name");
  } catch (const std::logic_error& e) {  // out_of_range, invalid_argument
    return Report(error, AWQ_ARGUMENT, "ARGUMENT", e.what());
  } catch (const std::bad_alloc&) {
    return Report(error, AWQ_NO_MEMORY, "NO_MEMORY", "awq: out of memory");
  } catch (const std::exception& e) {
    return Report(error, AWQ_INTERNAL, "INTERNAL", e.what());
  } catch (...) {
    return Report(error, AWQ_INTERNAL, "INTERNAL", "awq: unknown exception");
  }
}

void Require(bool given, const char* what) {
  if (!given) throw std::invalid_argument(what);
}

awq::Verify VerifyOf(int verify) {
  Require(verify == AWQ_NEVER || verify == AWQ_TOUCH || verify == AWQ_ALL, "awq: no such awq_when");
  return verify == AWQ_NEVER   ? awq::Verify::None
         : verify == AWQ_TOUCH ? awq::Verify::Touch
                               : awq::Verify::All;
}

awq::Mode ModeOf(int mode) {
  Require(mode == AWQ_MMAP || mode == AWQ_PREAD, "awq: no such awq_mode");
  return mode == AWQ_MMAP ? awq::Mode::Mmap : awq::Mode::Pread;
}

std::size_t Index(std::uint64_t number) {
  return static_cast<std::size_t>(std::min<std::uint64_t>(number, SIZE_MAX));
}

void Describe(const awq::Tensor& t, awq_tensor* out) {
  *out = awq_tensor{};
  out->number = t.number;
  Copy(t.name, out->name);
  out->dtype = static_cast<std::int32_t>(t.dtype);
  out->scale_dtype = static_cast<std::int32_t>(t.scale_dtype);
  out->zero_dtype = static_cast<std::int32_t>(t.zero_dtype);
  out->ndim = t.ndim;
  std::copy(t.dims.begin(), t.dims.end(), out->dims);
  out->stored_bytes = t.values.size;
  if (!t.quantized()) return;
  out->rows = t.rows();
  out->in_features = t.in_features();
  out->group_size = t.group_size;
  out->groups = t.groups();
}

// A quantized tensor of which rows first .. first + count - 1 exist, so that no product of them and
// a row's length wraps.
awq::Tensor WithRows(const awq_file* file, std::uint64_t number, std::uint64_t first,
                     std::uint64_t count, const void* out) {
  Require(file && (out || count == 0), "awq: file or out is NULL");
  const awq::Tensor t = file->file.tensor(Index(number));
  Require(t.quantized(), "awq: a plain tensor has no rows of codes; use awq_plain");
  Require(first <= t.rows() && count <= t.rows() - first, "awq: rows outside the tensor");
  return t;
}

}  // namespace

const char* awq_version(void) {
  return AWQ_VERSION;
}

awq_code awq_open(const char* path, int verify, int mode, awq_file** file, awq_error* error) {
  return Guard(error, [&] {
    Require(path && file, "awq: path or file is NULL");
    *file = nullptr;
    *file = new awq_file{awq::File(path, {VerifyOf(verify), ModeOf(mode)})};
  });
}

awq_code awq_open_memory(const void* bytes, size_t size, int verify, awq_file** file,
                         awq_error* error) {
  return Guard(error, [&] {
    Require((bytes || size == 0) && file, "awq: bytes or file is NULL");
    *file = nullptr;
    *file = new awq_file{awq::File::FromMemory(bytes, size, VerifyOf(verify))};
  });
}

void awq_close(awq_file* file) {
  delete file;
}

uint64_t awq_tensor_count(const awq_file* file) {
  return file->file.size();
}

void awq_root(const awq_file* file, uint8_t root[32]) {
  const auto bytes = file->file.root();
  std::copy(bytes.begin(), bytes.end(), root);
}

const char* awq_meta(const awq_file* file, size_t* size) {
  const std::string_view text = file->file.meta_text();
  *size = text.size();
  return text.data();
}

awq_code awq_tensor_info(const awq_file* file, uint64_t number, awq_tensor* tensor,
                         awq_error* error) {
  return Guard(error, [&] {
    Require(file && tensor, "awq: file or tensor is NULL");
    Describe(file->file.tensor(Index(number)), tensor);
  });
}

awq_code awq_find(const awq_file* file, const char* name, awq_tensor* tensor, awq_error* error) {
  return Guard(error, [&] {
    Require(file && name && tensor, "awq: file, name or tensor is NULL");
    const auto found = file->file.Find(name);
    if (!found) throw NotFound();
    Describe(*found, tensor);
  });
}

awq_code awq_verify(const awq_file* file, awq_error* error) {
  return Guard(error, [&] {
    Require(file, "awq: file is NULL");
    file->file.VerifyAll();
  });
}

awq_code awq_dequantize(const awq_file* file, uint64_t number, uint64_t first_row, uint64_t rows,
                        int dtype, void* out, size_t out_bytes, awq_error* error) {
  return Guard(error, [&] {
    const awq::Tensor t = WithRows(file, number, first_row, rows, out);
    Require(dtype == AWQ_F32 || dtype == AWQ_F16 || dtype == AWQ_BF16,
            "awq: weights come as AWQ_F32, AWQ_F16 or AWQ_BF16");
    file->file.Dequantize(t.number, t.Rows(first_row, rows), static_cast<awq::Dtype>(dtype), out,
                          out_bytes);
  });
}

awq_code awq_codes(const awq_file* file, uint64_t number, uint64_t first_row, uint64_t rows,
                   uint8_t* out, size_t room, awq_error* error) {
  return Guard(error, [&] {
    const awq::Tensor t = WithRows(file, number, first_row, rows, out);
    file->file.Codes(t.number, t.Rows(first_row, rows), out, room);
  });
}

awq_code awq_zero_points(const awq_file* file, uint64_t number, uint64_t first_row, uint64_t rows,
                         uint8_t* out, size_t room, awq_error* error) {
  return Guard(error, [&] {
    const awq::Tensor t = WithRows(file, number, first_row, rows, out);
    file->file.ZeroPoints(t.number, t.GroupRows(first_row, rows), out, room);
  });
}

awq_code awq_scales(const awq_file* file, uint64_t number, uint64_t first_row, uint64_t rows,
                    float* out, size_t room, awq_error* error) {
  return Guard(error, [&] {
    const awq::Tensor t = WithRows(file, number, first_row, rows, out);
    file->file.Scales(t.number, t.GroupRows(first_row, rows), out, room);
  });
}

awq_code awq_plain(const awq_file* file, uint64_t number, uint64_t offset, size_t size, void* out,
                   awq_error* error) {
  return Guard(error, [&] {
    Require(file && (out || size == 0), "awq: file or out is NULL");
    const awq::Tensor t = file->file.tensor(Index(number));
    Require(!t.quantized(), "awq: a quantized tensor has no plain elements");
    Require(offset <= t.values.size && size <= t.values.size - offset,
            "awq: bytes outside the elements");
    file->file.Read(t.number, {offset, size}, out);
  });
}
