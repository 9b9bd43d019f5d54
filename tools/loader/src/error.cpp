#include "error.hpp"

namespace awq {
namespace {

std::string Line(Code code, const std::string& where, const std::string& field,
                 std::optional<std::uint64_t> offset, const std::string& expected,
                 const std::string& got) {
  std::string line = std::string(Name(code)) + " " + where + ": " + field;
  if (offset) line += ", at byte " + std::to_string(*offset);
  if (!expected.empty()) line += ", expected " + expected;
  if (!got.empty()) line += ", got " + got;
  return Escape(line);
}

}  // namespace

const char* Name(Code code) noexcept {
  switch (code) {
#define AWQ_CODE(name, meaning) \
  case Code::name:              \
    return #name;
    AWQ_ERROR_CODES(AWQ_CODE)
#undef AWQ_CODE
  }
  return "?";
}

Error::Error(Code code, std::string where, std::string field, std::optional<std::uint64_t> offset,
             std::string expected, std::string got)
    : std::runtime_error(Line(code, where, field, offset, expected, got)),
      code_(code),
      where_(std::move(where)),
      field_(std::move(field)),
      offset_(offset),
      expected_(std::move(expected)),
      got_(std::move(got)) {}

std::string Escape(std::string_view text) {
  std::string line;
  for (const char c : text) {
    const auto byte = static_cast<std::uint8_t>(c);
    if (c == '\\') {
      line += "\\\\";
    } else if (byte >= 0x20 && byte < 0x7f) {
      line += c;
    } else {
      line += "\\x" + Hex(&byte, 1);
    }
  }
  return line;
}

std::string Hex(const std::uint8_t* bytes, std::size_t count) {
  std::string digits;
  for (std::size_t i = 0; i < count; ++i) {
    digits += "0123456789abcdef"[bytes[i] >> 4];
    digits += "0123456789abcdef"[bytes[i] & 15];
  }
  return digits;
}

}  // namespace awq
