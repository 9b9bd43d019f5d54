// awq-fuzz-run ITERATIONS SEED FILE..: the libFuzzer target without libFuzzer, the same run each
// time.
//
// Mutates the files, and what became of them, and counts how each ends. Fails when a code that a
// file can end in was never reached, for then the mutator is not worth running. An input that ends
// the process is left in awq-fuzz-crash.
#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "mutator.hpp"
#include "target.hpp"

extern "C" void __sanitizer_set_death_callback(void (*callback)()) __attribute__((weak));

namespace {

constexpr std::size_t kMost = std::size_t{1} << 15;  // bytes of a file
constexpr std::size_t kPool = 512;

fuzz::Random random_source;
fuzz::Bytes current;

void Keep() {
  std::FILE* file = std::fopen("awq-fuzz-crash", "wb");
  if (!file) return;
  std::fwrite(current.data(), 1, current.size(), file);
  std::fclose(file);
  std::fputs("the input is in awq-fuzz-crash\n", stderr);
}

void KeepAndDie(int signal) {
  Keep();
  std::signal(signal, SIG_DFL);
  std::raise(signal);
}

// Every code but those that need a file system or encryption.
bool MissingCodes(const std::map<std::string, long>& count) {
  constexpr std::string_view kElsewhere[] = {"E_FILE", "E_IO", "E_CRYPT", "E_KEY", "E_AUTH"};
  const char* const codes[] = {"accept",
#define AWQ_CODE(name, meaning) #name,
                               AWQ_ERROR_CODES(AWQ_CODE)
#undef AWQ_CODE
  };
  bool missing = false;
  for (const std::string_view code : codes) {
    const bool expected =
        std::find(std::begin(kElsewhere), std::end(kElsewhere), code) == std::end(kElsewhere);
    if (expected && count.find(std::string(code)) == count.end()) {
      std::fprintf(stderr, "never reached: %s\n", code.data());
      missing = true;
    }
  }
  return missing;
}

}  // namespace

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t most) {
  if (size < most && random_source() % 2 == 0) data[size++] = '"';
  for (unsigned i = 0; size > 0 && i <= random_source() % 4; ++i) {
    data[random_source() % size] = static_cast<std::uint8_t>(random_source());
  }
  return size;
}

int main(int argc, char** argv) {
  if (argc < 4) {
    std::fprintf(stderr, "usage: awq-fuzz-run ITERATIONS SEED FILE..\n");
    return 64;
  }
  const long iterations = std::strtol(argv[1], nullptr, 10);
  random_source.seed(static_cast<unsigned>(std::strtoul(argv[2], nullptr, 10)));
  std::vector<fuzz::Bytes> seeds;
  for (int i = 3; i < argc; ++i) {
    std::ifstream in(argv[i], std::ios::binary);
    if (!in) return std::fprintf(stderr, "cannot read %s\n", argv[i]), 64;
    seeds.emplace_back(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
    if (seeds.back().size() > kMost) seeds.pop_back();
  }
  std::signal(SIGABRT, KeepAndDie);
  if (__sanitizer_set_death_callback) __sanitizer_set_death_callback(Keep);

  std::map<std::string, long> count;
  std::vector<fuzz::Bytes> pool = seeds;
  for (long i = 0; i < iterations; ++i) {
    const fuzz::Bytes& from = pool[random_source() % pool.size()];
    const fuzz::Bytes& other = pool[random_source() % pool.size()];
    current = random_source() % 8 == 0 ? fuzz::Cross(from, other, random_source, kMost)
                                       : fuzz::Mutate(from, random_source, kMost);
    const std::unique_ptr<std::uint8_t[]> exact(new std::uint8_t[current.size()]);
    std::copy(current.begin(), current.end(), exact.get());
    const std::string verdict = fuzz::Examine(exact.get(), current.size());
    ++count[verdict];
    if (verdict == "accept" || random_source() % 16 == 0) {  // what is accepted can be mutated on
      if (pool.size() < seeds.size() + kPool) {
        pool.push_back(current);
      } else {
        pool[seeds.size() + random_source() % kPool] = current;
      }
    }
  }
  for (const auto& [verdict, times] : count) std::printf("%-12s %ld\n", verdict.c_str(), times);
  return MissingCodes(count);
}
