#include "parallel.hpp"

#include <atomic>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

namespace awq {

void InParallel(std::size_t count, std::size_t threads,
                const std::function<void(std::size_t)>& work) {
  std::atomic<std::size_t> next{0};
  std::atomic<std::size_t> end{count};  // the lowest number at fault, once there is one
  std::exception_ptr fault;
  std::mutex fault_mutex;
  // Numbers are taken in order: when one fails, every number below it is done or some thread's.
  const auto run = [&] {
    for (std::size_t i = next++; i < end; i = next++) {
      try {
        work(i);
      } catch (...) {
        const std::lock_guard lock(fault_mutex);
        if (i < end) {
          end = i;
          fault = std::current_exception();
        }
      }
    }
  };
  std::vector<std::thread> others;
  others.reserve(threads);
  try {
    while (others.size() + 1 < threads) others.emplace_back(run);
  } catch (const std::exception&) {
    // Fewer threads than asked for do the same work.
  }
  run();
  for (std::thread& other : others) other.join();
  if (fault) std::rethrow_exception(fault);
}

}  // namespace awq
