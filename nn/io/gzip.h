// Reading gzip streams piece by piece, so that a small file cannot demand a huge buffer.
#pragma once

#include "nn/io/file.h"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>

namespace milgrad::io {

/// The most that DEFLATE can expand its input (258 bytes from 2 bits), rounded up.
constexpr std::size_t kLargestGzipRatio = 1033;

/// True where the bytes begin as a gzip stream does (RFC 1952).
bool is_gzip(std::span<const std::uint8_t> bytes);

/// The unpacked bytes of one gzip stream, which must outlive the reader.
class GzipReader {
 public:
  /// `path` is for messages only.
  GzipReader(std::span<const std::uint8_t> packed, std::filesystem::path path);
  ~GzipReader();
  GzipReader(const GzipReader&) = delete;
  GzipReader& operator=(const GzipReader&) = delete;

  /// Fills `out` and returns how many bytes it got: fewer only at the end of the stream, whose
  /// checksum is verified then. Throws FormatError where the stream is corrupt, cut short or
  /// followed by other bytes.
  std::size_t read(std::span<std::uint8_t> out);

 private:
  struct Stream;
  std::unique_ptr<Stream> stream_;
};

/// Packs the bytes as one gzip stream, the same bytes for the same input.
Bytes gzip(std::span<const std::uint8_t> bytes);

}  // namespace milgrad::io
