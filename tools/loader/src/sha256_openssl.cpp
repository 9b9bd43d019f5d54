#include <openssl/evp.h>

#include <stdexcept>

#include "sha256.hpp"

namespace awq {
namespace {

void Require(bool done) {
  if (!done) throw std::runtime_error("awq: libcrypto provides no SHA-256");
}

}  // namespace

void OpensslSha256::Free::operator()(evp_md_ctx_st* context) const {
  EVP_MD_CTX_free(context);
}

OpensslSha256::OpensslSha256() : context_(EVP_MD_CTX_new()) {
  Require(context_ && EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr) == 1);
}

void OpensslSha256::Update(const void* data, std::size_t size) {
  Require(EVP_DigestUpdate(context_.get(), data, size) == 1);
}

Digest OpensslSha256::Finish() {
  Digest digest;
  // Without a type the second call keeps the algorithm, which is much cheaper than looking it up.
  Require(EVP_DigestFinal_ex(context_.get(), digest.data(), nullptr) == 1 &&
          EVP_DigestInit_ex(context_.get(), nullptr, nullptr) == 1);
  return digest;
}

}  // namespace awq
