// What is fuzzed in C++: open from memory, verify everything, read everything.
#ifndef AWQ_FUZZ_TARGET_HPP
#define AWQ_FUZZ_TARGET_HPP

#include <cstddef>
#include <cstdint>

namespace fuzz {

/// "accept", or the name of the code the file was rejected with. Ends the process when the library
/// contradicts itself: values that are not (q - z) * s, rows that differ from the whole, an error
/// whose text is not one line of printable ASCII.
const char* Examine(const std::uint8_t* data, std::size_t size);

}  // namespace fuzz

#endif
