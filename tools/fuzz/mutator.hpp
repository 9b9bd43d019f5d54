// Changes a file the way a hostile or broken writer would: by the names the spec uses.
#ifndef AWQ_FUZZ_MUTATOR_HPP
#define AWQ_FUZZ_MUTATOR_HPP

#include <random>

#include "image.hpp"

namespace fuzz {

using Random = std::minstd_rand;

/// Returns a changed copy: parts are reshaped and the file laid out again, or single fields and
/// bytes are damaged, or both. Most of the time the digests up to the root are made right again, so
/// that the rules behind them are reached. At most `most` bytes.
Bytes Mutate(const Bytes& file, Random& random, std::size_t most);

/// Returns a file with tensors and sections of both.
Bytes Cross(const Bytes& a, const Bytes& b, Random& random, std::size_t most);

}  // namespace fuzz

/// Changes bytes without knowing what they are; libFuzzer's own, or the driver's.
extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t most);

#endif
