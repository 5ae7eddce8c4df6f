// SHA-256 through OpenSSL's libcrypto, which uses the processor's own instructions for it.
#include "nn/io/sha256.h"

#include "nn/io/file.h"
#include "tensor/error.h"

#include <array>

#include <fmt/format.h>
#include <openssl/evp.h>

namespace milgrad::io {

namespace {

void require(int result) {
  if (result != 1) throw Error("[sha256] libcrypto cannot compute SHA-256");
}

}  // namespace

struct Sha256::Context {
  EVP_MD_CTX* state = EVP_MD_CTX_new();
  ~Context() { EVP_MD_CTX_free(state); }
};

Sha256::Sha256() : context_(std::make_unique<Context>()) {
  require(context_->state != nullptr ? EVP_DigestInit_ex(context_->state, EVP_sha256(), nullptr)
                                     : 0);
}

Sha256::~Sha256() = default;
Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;

Sha256& Sha256::update(std::span<const std::uint8_t> bytes) {
  require(EVP_DigestUpdate(context_->state, bytes.data(), bytes.size()));
  return *this;
}

std::string Sha256::hex() {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int size = 0;
  require(EVP_DigestFinal_ex(context_->state, digest.data(), &size));
  std::string text;
  for (unsigned int i = 0; i < size; ++i) text += fmt::format("{:02x}", digest[i]);
  return text;
}

std::string sha256(std::span<const std::uint8_t> bytes) { return Sha256().update(bytes).hex(); }

std::string sha256_of_file(const std::filesystem::path& path) { return sha256(read_file(path)); }

}  // namespace milgrad::io
