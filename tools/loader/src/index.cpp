#include "index.hpp"

#include <algorithm>
#include <cstddef>

#include "error.hpp"
#include "meta.hpp"
#include "sha256.hpp"
#include "tensor.hpp"

namespace awq {
namespace {

bool NameCharacter(char c, bool first) {
  if ((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')) return true;
  return c == '_' || (!first && (c == '.' || c == '-'));
}

bool ScaleDtype(std::uint8_t dtype) {
  return dtype == AWQ_DTYPE_F16 || dtype == AWQ_DTYPE_BF16 || dtype == AWQ_DTYPE_F32;
}

// The checks of one record, in order. An error names the tensor, or the record until its name is
// known to be sound.
class RecordCheck {
 public:
  RecordCheck(const Container& container, std::size_t number)
      : c_(container), r_(container.index[number]), number_(number) {}

  // Names tile STRINGS in index order; `names_end` is where this one must start.
  void Name(std::uint64_t& names_end, std::string_view previous) {
    if (r_.name_len < 1 || r_.name_len > AWQ_LIMIT_NAME_MAX) {
      Reject(Code::E_NAME, "name_len", offsetof(awq_record, name_len), "1..255", r_.name_len);
    }
    if (r_.name_off != names_end) {
      Reject(Code::E_NAME, "name_off", offsetof(awq_record, name_off), names_end, r_.name_off);
    }
    names_end += r_.name_len;
    if (names_end > c_.strings.size()) {
      Reject(Code::E_NAME, "name_len", offsetof(awq_record, name_len),
             "an end up to " + Print(c_.strings.size()), names_end);
    }
    const std::string_view name = NameOf(c_, r_);
    for (std::size_t i = 0; i < name.size(); ++i) {
      if (!NameCharacter(name[i], i == 0)) {
        Fail(Code::E_NAME, Where(), "name",
             c_.Required(AWQ_SECTION_STRINGS).offset + r_.name_off + i,
             "[A-Za-z0-9_][A-Za-z0-9._-]*", name);
      }
    }
    if (number_ > 0 && name <= previous) {
      Reject(Code::E_NAME_ORDER, "name", offsetof(awq_record, name_off), "after " + Print(previous),
             name);
    }
    name_ = name;
  }

  void Kind() const {
    const bool quantized = r_.dtype == AWQ_DTYPE_U4;
    const unsigned least = quantized ? 2 : 0;
    if (r_.ndim < least || r_.ndim > AWQ_LIMIT_NDIM_MAX) {
      Reject(Code::E_DIMS, "ndim", offsetof(awq_record, ndim), Print(least) + "..8", r_.ndim);
    }
    if (r_.dtype == AWQ_DTYPE_NONE || r_.dtype > AWQ_DTYPE_U4) {
      Reject(Code::E_ENUM, "dtype", offsetof(awq_record, dtype), "1..16", r_.dtype);
    }
    if (r_.scale_dtype > AWQ_DTYPE_U4) {
      Reject(Code::E_ENUM, "scale_dtype", offsetof(awq_record, scale_dtype), "0..16",
             r_.scale_dtype);
    }
    if (r_.zero_dtype > AWQ_DTYPE_U4) {
      Reject(Code::E_ENUM, "zero_dtype", offsetof(awq_record, zero_dtype), "0..16", r_.zero_dtype);
    }
    if (quantized ? !ScaleDtype(r_.scale_dtype) : r_.scale_dtype != AWQ_DTYPE_NONE) {
      Reject(Code::E_RECORD, "scale_dtype", offsetof(awq_record, scale_dtype),
             quantized ? "10, 11 or 12" : "0", r_.scale_dtype);
    }
    if (r_.zero_dtype != AWQ_DTYPE_NONE && !(quantized && r_.zero_dtype == AWQ_DTYPE_U4)) {
      Reject(Code::E_RECORD, "zero_dtype", offsetof(awq_record, zero_dtype),
             quantized ? "0 or 16" : "0", r_.zero_dtype);
    }
    if (r_.layout != AWQ_LAYOUT_LINEAR) {
      Reject(quantized ? Code::E_FEATURE : Code::E_RECORD, "layout", offsetof(awq_record, layout),
             AWQ_LAYOUT_LINEAR, r_.layout);
    }
    if (r_.reserved != 0) {
      Reject(Code::E_RESERVED, "reserved", offsetof(awq_record, reserved), 0, r_.reserved);
    }
    if (!quantized && r_.group_size != 0) {
      Reject(Code::E_RECORD, "group_size", offsetof(awq_record, group_size), 0, r_.group_size);
    }
  }

  void Shape() const {
    for (std::size_t i = 0; i < AWQ_LIMIT_NDIM_MAX; ++i) {
      const std::size_t at = offsetof(awq_record, dims) + i * sizeof r_.dims[0];
      if (i < r_.ndim && r_.dims[i] == 0) {
        Reject(Code::E_DIMS, "dims", at, "at least 1", 0);
      }
      if (i >= r_.ndim && r_.dims[i] != 0) {
        Reject(Code::E_RESERVED, "dims beyond ndim", at, 0, r_.dims[i]);
      }
    }
    std::uint64_t product = 1;
    for (std::size_t i = 0; i < r_.ndim; ++i) {
      if (product > AWQ_LIMIT_ELEMENTS_MAX / r_.dims[i]) {
        Reject(Code::E_OVERFLOW, "dims", offsetof(awq_record, dims), "at most 2^40 elements",
               Print(product) + " * " + Print(r_.dims[i]));
      }
      product *= r_.dims[i];
    }
    if (r_.dtype != AWQ_DTYPE_U4) return;
    const std::uint32_t k = r_.dims[r_.ndim - 1u], g = r_.group_size;
    if (k % kCodesUnit != 0) {
      Reject(Code::E_GROUP, "in_features",
             offsetof(awq_record, dims) + (r_.ndim - 1u) * sizeof r_.dims[0], "a multiple of 8", k);
    }
    if (g == 0 || g % kCodesUnit != 0 || k % g != 0) {
      Reject(Code::E_GROUP, "group_size", offsetof(awq_record, group_size),
             "a multiple of 8 that divides " + Print(k), g);
    }
  }

  void Extent() const {
    const std::uint64_t size = ExtentSize(Derive(r_, number_, name_), c_.alignment());
    if (r_.extent_size != size) {
      Reject(Code::E_SIZE, "extent_size", offsetof(awq_record, extent_size), size, r_.extent_size);
    }
  }

  template <typename Expected, typename Got>
  [[noreturn]] void Reject(Code code, std::string_view field, std::size_t at,
                           const Expected& expected, const Got& got) const {
    const std::uint64_t record = c_.Required(AWQ_SECTION_INDEX).offset + number_ * sizeof r_;
    Fail(code, Where(), field, record + at, expected, got);
  }

 private:
  std::string Where() const {
    return name_.empty() ? "record " + Print(number_) : std::string(name_);
  }

  const Container& c_;
  const awq_record& r_;
  std::size_t number_;
  std::string_view name_;
};

// Extents in order of place meet without hole or overlap and fill DATA.
void CheckTiling(const Container& c) {
  std::vector<std::uint32_t> order(c.index.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = static_cast<std::uint32_t>(i);
  const auto before = [&](std::uint32_t a, std::uint32_t b) {
    return c.index[a].data_off < c.index[b].data_off;
  };
  if (!std::is_sorted(order.begin(), order.end(), before)) {
    std::sort(order.begin(), order.end(), before);
  }
  const awq_section& data = c.Required(AWQ_SECTION_DATA);
  std::uint64_t end = data.offset;
  const std::uint64_t data_end = data.offset + data.size;
  for (const std::uint32_t i : order) {
    const awq_record& r = c.index[i];
    if (r.data_off != end || r.extent_size > data_end - end) {
      RecordCheck(c, i).Reject(Code::E_LAYOUT, "data_off", offsetof(awq_record, data_off),
                               Print(end) + ", extents tile DATA up to " + Print(data_end),
                               r.data_off);
    }
    end += r.extent_size;
  }
  if (end != data_end) {
    Fail(Code::E_LAYOUT, "DATA", "bytes after the last extent", end, data_end, end);
  }
}

}  // namespace

std::string_view NameOf(const Container& c, const awq_record& r) {
  return {reinterpret_cast<const char*>(c.strings.data()) + r.name_off, r.name_len};
}

std::vector<std::uint32_t> CheckIndex(const Container& c) {
  std::uint64_t names_end = 0, rows = 0;
  std::string_view previous;
  std::vector<std::uint32_t> first_rows;
  first_rows.reserve(c.index.size());
  for (std::size_t i = 0; i < c.index.size(); ++i) {
    RecordCheck check(c, i);
    check.Name(names_end, previous);
    check.Kind();
    check.Shape();
    check.Extent();
    previous = NameOf(c, c.index[i]);
    // A file of at most 2^48 bytes and 2^20 tensors has fewer than 2^29 rows; until the tiling has
    // passed, wrapped numbers are never used.
    first_rows.push_back(static_cast<std::uint32_t>(rows));
    rows += DigestRows(c.index[i].extent_size);
  }
  const awq_section& strings = c.Required(AWQ_SECTION_STRINGS);
  if (names_end != strings.size) {
    Fail(Code::E_NAME, "STRINGS", "bytes after the last name", strings.offset + names_end,
         names_end, strings.size);
  }
  CheckTiling(c);
  const std::uint64_t digest_size = c.Required(AWQ_SECTION_DIGEST).size;
  if (digest_size != rows * sizeof(Digest)) {
    Fail(Code::E_SIZE, "DIGEST", "size", std::nullopt, rows * sizeof(Digest), digest_size);
  }
  if (const awq_section* meta = c.Find(AWQ_SECTION_META)) {
    CheckMeta({reinterpret_cast<const char*>(c.meta.data()), c.meta.size()}, meta->offset);
  }
  return first_rows;
}

}  // namespace awq
