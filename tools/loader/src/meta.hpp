// META: one RFC 8785 object, string to string (spec: container, "META").
#ifndef AWQ_SRC_META_HPP
#define AWQ_SRC_META_HPP

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace awq {

/// E_META unless `text` is the canonical form of an object with at least one entry; `offset` is
/// where it starts in the file.
void CheckMeta(std::string_view text, std::uint64_t offset);

/// The value of `key` in a text that CheckMeta accepted.
std::optional<std::string> FindMeta(std::string_view text, std::string_view key);

}  // namespace awq

#endif
