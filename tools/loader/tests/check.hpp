// A test is a sentence and a body; a failed check says where and what, and the run goes on.
#ifndef AWQ_TESTS_CHECK_HPP
#define AWQ_TESTS_CHECK_HPP

#include <functional>
#include <iostream>
#include <sstream>
#include <string>
#include <vector>

namespace check {

struct Test {
  std::string suite;
  std::string sentence;
  std::function<void()> body;
};

std::vector<Test>& Tests();

struct Register {
  Register(const char* suite, const char* sentence, void (*body)()) {
    Tests().push_back({suite, sentence, body});
  }
};

/// Counts a failure and prints it.
void Failed(const char* file, int line, const std::string& what);

template <typename T>
std::string Show(const T& value) {
  std::ostringstream out;
  out << value;
  return out.str();
}

}  // namespace check

#define CHECK_JOIN_(a, b) a##b
#define CHECK_JOIN(a, b) CHECK_JOIN_(a, b)

/// TEST(suite, "what the code does") { ... }
#define TEST(suite, sentence)                                                          \
  static void CHECK_JOIN(Test, __LINE__)();                                            \
  static const check::Register CHECK_JOIN(test, __LINE__)(#suite, sentence,            \
                                                          CHECK_JOIN(Test, __LINE__)); \
  static void CHECK_JOIN(Test, __LINE__)()

/// CHECK(condition, context): the context, any streamable value, tells rows of a table apart.
#define CHECK(condition, context)                                                    \
  do {                                                                               \
    if (!(condition))                                                                \
      check::Failed(__FILE__, __LINE__, check::Show(context) + ": not " #condition); \
  } while (false)

#define CHECK_EQUAL(got, wanted, context)                                                    \
  do {                                                                                       \
    const auto& got_ = (got);                                                                \
    const auto& wanted_ = (wanted);                                                          \
    if (!(got_ == wanted_))                                                                  \
      check::Failed(__FILE__, __LINE__,                                                      \
                    check::Show(context) + ": " #got " is " + check::Show(got_) + ", not " + \
                        check::Show(wanted_));                                               \
  } while (false)

#endif
