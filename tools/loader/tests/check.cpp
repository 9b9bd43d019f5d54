#include "check.hpp"

#include <exception>

namespace {

int failures = 0;

}  // namespace

namespace check {

std::vector<Test>& Tests() {
  static std::vector<Test> tests;
  return tests;
}

void Failed(const char* file, int line, const std::string& what) {
  ++failures;
  std::cerr << file << ":" << line << ": " << what << '\n';
}

}  // namespace check

// awq_tests [SUITE]: runs the tests of one suite, or all.
int main(int argc, char** argv) {
  const std::string suite = argc > 1 ? argv[1] : "";
  int run = 0;
  for (const check::Test& test : check::Tests()) {
    if (!suite.empty() && suite != test.suite) continue;
    ++run;
    const int before = failures;
    try {
      test.body();
    } catch (const std::exception& error) {
      check::Failed(test.suite.c_str(), 0, std::string("threw ") + error.what());
    }
    std::cout << (failures == before ? "ok    " : "FAIL  ") << test.suite << ": " << test.sentence
              << '\n';
  }
  if (run == 0) std::cerr << "no test of suite '" << suite << "'\n";
  return run == 0 || failures > 0;
}
