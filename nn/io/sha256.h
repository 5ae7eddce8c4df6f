// SHA-256 (FIPS 180-4) of bytes and files, as lower-case hexadecimal text.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>

namespace milgrad::io {

/// A digest taken piece by piece.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;

  Sha256& update(std::span<const std::uint8_t> bytes);
  /// The digest of everything given so far, 64 characters; nothing can be added afterwards.
  std::string hex();

 private:
  struct Context;
  std::unique_ptr<Context> context_;
};

std::string sha256(std::span<const std::uint8_t> bytes);

/// Throws as read_file does.
std::string sha256_of_file(const std::filesystem::path& path);

}  // namespace milgrad::io
