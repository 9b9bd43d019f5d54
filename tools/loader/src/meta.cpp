#include "meta.hpp"

#include <algorithm>

#include "error.hpp"

namespace awq {
namespace {

// Keys are ordered by UTF-16 code units. That is the byte order of UTF-8 except that U+E000..U+FFFF
// (lead bytes EE, EF) come after the surrogate pairs (lead bytes F0..F4).
bool Ascending(const std::string& a, const std::string& b) {
  const auto rank = [](char c) {
    const auto byte = static_cast<std::uint8_t>(c);
    return byte == 0xee || byte == 0xef ? byte + 0x10 : byte;
  };
  return std::lexicographical_compare(a.begin(), a.end(), b.begin(), b.end(),
                                      [&](char x, char y) { return rank(x) < rank(y); });
}

class Scanner {
 public:
  Scanner(std::string_view text, std::uint64_t offset) : text_(text), offset_(offset) {}

  // Reads one entry of the object; false after the last.
  bool Next(std::string& key, std::string& value) {
    if (at_ == 0) {
      Take('{', "an object");
    } else if (Peek() == ',') {
      ++at_;
    } else {
      Take('}', "',' or '}'");
      if (at_ != text_.size()) Reject("the end of the section");
      return false;
    }
    String(key);
    Take(':', "':'");
    String(value);
    return true;
  }

  [[noreturn]] void Reject(std::string_view expected) const {
    Fail(Code::E_META, "META", "canonical JSON", offset_ + at_, expected,
         at_ < text_.size() ? "byte 0x" + Hex(Bytes() + at_, 1) : "the end");
  }

 private:
  int Peek(std::size_t ahead = 0) const {
    return at_ + ahead < text_.size() ? Bytes()[at_ + ahead] : -1;
  }

  const std::uint8_t* Bytes() const { return reinterpret_cast<const std::uint8_t*>(text_.data()); }

  void Take(char wanted, std::string_view expected) {
    if (Peek() != wanted) Reject(expected);
    ++at_;
  }

  void String(std::string& out) {
    out.clear();
    Take('"', "a string");
    while (Peek() != '"') {
      if (Peek() == '\\') {
        out += Escaped();
        continue;
      }
      const std::size_t length = CharacterLength();
      out.append(text_, at_, length);
      at_ += length;
    }
    ++at_;
  }

  // RFC 8785 escapes exactly the quote, the backslash and U+0000..U+001F, each in one way.
  char Escaped() {
    constexpr std::string_view kShort = "\"\"\\\\b\bf\fn\nr\rt\t";  // letter, meaning
    for (std::size_t i = 0; i < kShort.size(); i += 2) {
      if (Peek(1) == kShort[i]) {
        at_ += 2;
        return kShort[i + 1];
      }
    }
    constexpr std::string_view kDigits = "0123456789abcdef";
    for (unsigned value = 0; value < 0x20; ++value) {
      const auto meaning = static_cast<char>(value);
      const char form[] = {'\\', 'u', '0', '0', kDigits[value >> 4u], kDigits[value & 15u]};
      if (text_.substr(at_, sizeof form) != std::string_view(form, sizeof form)) continue;
      if (std::string_view("\b\f\n\r\t").find(meaning) != std::string_view::npos) break;
      at_ += sizeof form;
      return meaning;
    }
    Reject("an escape that RFC 8785 writes");
  }

  // Length of the well-formed UTF-8 sequence here (Unicode, table 3-7): neither overlong, nor a
  // surrogate, nor above U+10FFFF.
  std::size_t CharacterLength() const {
    const int lead = Peek();
    if (lead < 0x20) Reject("a closed string without control characters");
    if (lead < 0x80) return 1;
    const std::size_t length = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    const int low = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
    const int high = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
    bool good = lead >= 0xc2 && lead <= 0xf4 && Peek(1) >= low && Peek(1) <= high;
    for (std::size_t i = 2; i < length; ++i) good = good && (Peek(i) & 0xc0) == 0x80;
    if (!good) Reject("UTF-8");
    return length;
  }

  std::string_view text_;
  std::uint64_t offset_;
  std::size_t at_ = 0;
};

}  // namespace

void CheckMeta(std::string_view text, std::uint64_t offset) {
  Scanner scanner(text, offset);
  std::string previous, key, value;
  for (bool first = true; scanner.Next(key, value); first = false) {
    if (!first && !Ascending(previous, key)) scanner.Reject("keys in ascending order");
    previous.swap(key);
  }
}

std::optional<std::string> FindMeta(std::string_view text, std::string_view key) {
  if (text.empty()) return std::nullopt;
  Scanner scanner(text, 0);
  std::string name, value;
  while (scanner.Next(name, value)) {
    if (name == key) return value;
  }
  return std::nullopt;
}

}  // namespace awq
