// awq-bench-open FILE [REPEATS]: milliseconds to open and validate FILE without its data, the
// median of REPEATS runs (default 21) on a warm cache.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <vector>

#include "awq/awq.hpp"

int main(int argc, char** argv) {
  const long repeats = argc == 3 ? std::strtol(argv[2], nullptr, 10) : 21;
  if (argc < 2 || argc > 3 || repeats < 1) {
    std::fprintf(stderr, "usage: awq-bench-open FILE [REPEATS]\n");
    return 64;
  }
  try {
    std::vector<double> times;
    std::size_t tensors = 0;
    for (long i = -1; i < repeats; ++i) {  // the first run warms the cache
      const auto start = std::chrono::steady_clock::now();
      const awq::File file(argv[1], {awq::Verify::None, awq::Mode::Mmap});
      const std::chrono::duration<double, std::milli> taken =
          std::chrono::steady_clock::now() - start;
      tensors = file.size();
      if (i >= 0) times.push_back(taken.count());
    }
    const auto middle = times.begin() + static_cast<std::ptrdiff_t>(times.size() / 2);
    std::nth_element(times.begin(), middle, times.end());
    std::printf("%.3f ms, %zu tensors\n", *middle, tensors);
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "awq-bench-open: %s\n", error.what());
    return 65;
  }
}
