// One way to fail: every check of a file ends in Fail.
#ifndef AWQ_SRC_ERROR_HPP
#define AWQ_SRC_ERROR_HPP

#include <string>
#include <type_traits>

#include "awq/awq.hpp"

namespace awq {

/// Printable ASCII on one line: names come from hostile files.
std::string Escape(std::string_view text);

std::string Hex(const std::uint8_t* bytes, std::size_t count);

template <typename T>
std::string Print(const T& value) {
  if constexpr (std::is_integral_v<T>) {
    return std::to_string(value);
  } else {
    return std::string(value);
  }
}

template <typename Expected, typename Got>
[[noreturn]] void Fail(Code code, std::string_view where, std::string_view field,
                       std::optional<std::uint64_t> offset, const Expected& expected,
                       const Got& got) {
  throw Error(code, std::string(where), std::string(field), offset, Print(expected), Print(got));
}

}  // namespace awq

#endif
