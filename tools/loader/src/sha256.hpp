// SHA-256 (FIPS 180-4): libcrypto's where the build found it, the bundled one elsewhere.
#ifndef AWQ_SRC_SHA256_HPP
#define AWQ_SRC_SHA256_HPP

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>

struct evp_md_ctx_st;

namespace awq {

using Digest = std::array<std::uint8_t, 32>;

class BundledSha256 {
 public:
  void Update(const void* data, std::size_t size);
  Digest Finish();  ///< and starts anew

 private:
  static constexpr std::array<std::uint32_t, 8> kStart = {0x6a09e667, 0xbb67ae85, 0x3c6ef372,
                                                          0xa54ff53a, 0x510e527f, 0x9b05688c,
                                                          0x1f83d9ab, 0x5be0cd19};
  void Compress(const std::uint8_t* block);

  std::array<std::uint32_t, 8> state_ = kStart;
  std::array<std::uint8_t, 64> pending_ = {};
  std::uint64_t total_ = 0;
};

#ifdef AWQ_OPENSSL
class OpensslSha256 {
 public:
  OpensslSha256();
  void Update(const void* data, std::size_t size);
  Digest Finish();  ///< and starts anew

 private:
  struct Free {
    void operator()(evp_md_ctx_st* context) const;
  };
  std::unique_ptr<evp_md_ctx_st, Free> context_;
};
using Sha256 = OpensslSha256;
#else
using Sha256 = BundledSha256;
#endif

}  // namespace awq

#endif
