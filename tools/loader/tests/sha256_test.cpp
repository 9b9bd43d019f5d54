#include "sha256.hpp"

#include <string>

#include "check.hpp"
#include "error.hpp"

namespace {

struct Vector {
  const char* what;
  std::string message;
  const char* digest;
};

// FIPS 180-4 example values and the NIST test vectors for SHA-256.
const Vector kVectors[] = {
    {"empty", "", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
    {"abc", "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
    {"two blocks", "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
     "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
    {"112 characters",
     "abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmn"
     "hijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu",
     "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1"},
    {"million a", std::string(1000000, 'a'),
     "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"},
};

template <typename Hash>
void CheckVectors() {
  Hash hash;  // one object for all: Finish starts anew
  for (const Vector& v : kVectors) {
    hash.Update(v.message.data(), v.message.size());
    const awq::Digest digest = hash.Finish();
    CHECK_EQUAL(awq::Hex(digest.data(), digest.size()), v.digest, v.what);
  }
}

TEST(sha256, "the bundled implementation gives the published digests") {
  CheckVectors<awq::BundledSha256>();
}

TEST(sha256, "the implementation in use gives the published digests") {
  CheckVectors<awq::Sha256>();
}

TEST(sha256, "a message gives one digest however it is cut, and both implementations agree") {
  std::string message;
  for (int i = 0; i < 300; ++i) message += static_cast<char>(i * 7);
  for (std::size_t length = 0; length <= message.size(); ++length) {
    awq::Sha256 in_use;
    in_use.Update(message.data(), length);
    const awq::Digest whole = in_use.Finish();
    for (const std::size_t step : {std::size_t{1}, std::size_t{63}, std::size_t{65}}) {
      awq::BundledSha256 hash;
      for (std::size_t at = 0; at < length; at += step) {
        hash.Update(message.data() + at, std::min(step, length - at));
      }
      CHECK(hash.Finish() == whole, length);
    }
  }
}

}  // namespace
