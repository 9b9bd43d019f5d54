// The same work for many numbers, on several threads.
#ifndef AWQ_SRC_PARALLEL_HPP
#define AWQ_SRC_PARALLEL_HPP

#include <cstddef>
#include <functional>

namespace awq {

/// Calls work(0) .. work(count - 1) on up to `threads` threads, this one among them. When calls
/// throw, the exception of the lowest number at fault is thrown here; numbers above it may be left
/// out, those below it never.
void InParallel(std::size_t count, std::size_t threads,
                const std::function<void(std::size_t)>& work);

}  // namespace awq

#endif
