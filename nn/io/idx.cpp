// Reading and writing IDX.
#include "nn/io/idx.h"

#include "nn/io/gzip.h"
#include "nn/io/sha256.h"
#include "tensor/error.h"

#include <algorithm>
#include <array>
#include <limits>
#include <optional>

#include <fmt/format.h>

namespace milgrad::io {

namespace {

constexpr std::uint8_t kUnsignedBytes = 0x08;
constexpr std::size_t kLargestIdxRank = 3;
constexpr std::size_t kMagicSize = 4;
constexpr std::size_t kExtentSize = 4;

// The unpacked bytes of a file, whether it is gzipped or not.
class Source {
 public:
  Source(std::span<const std::uint8_t> bytes, const std::filesystem::path& path)
      : plain_(bytes), file_size_(bytes.size()) {
    if (is_gzip(bytes)) gzip_.emplace(bytes, path);
  }

  std::size_t read(std::span<std::uint8_t> out) {
    if (gzip_) return gzip_->read(out);
    const std::size_t count = std::min(out.size(), plain_.size());
    std::copy_n(plain_.begin(), count, out.begin());
    plain_ = plain_.subspan(count);
    return count;
  }

  // No file of this size can hold more.
  std::size_t limit() const { return gzip_ ? file_size_ * kLargestGzipRatio : file_size_; }

 private:
  std::span<const std::uint8_t> plain_;
  std::size_t file_size_;
  std::optional<GzipReader> gzip_;
};

std::size_t read_rank(Source& source, const std::filesystem::path& path) {
  std::array<std::uint8_t, kMagicSize> magic{};
  if (const std::size_t count = source.read(magic); count < magic.size()) {
    throw FormatError({path}, fmt::format("the file ends within the header, after {} bytes; "
                                          "expected an IDX file",
                                          count));
  }
  if (magic[0] != 0 || magic[1] != 0) {
    throw FormatError({path}, fmt::format("byte 0: expected an IDX file, which begins with 0000, "
                                          "found {:02x}{:02x}",
                                          magic[0], magic[1]));
  }
  if (magic[2] != kUnsignedBytes) {
    throw FormatError({path}, fmt::format("byte 2: expected IDX element type 0x08 (unsigned "
                                          "bytes), found 0x{:02x}",
                                          magic[2]));
  }
  if (magic[3] < 1 || magic[3] > kLargestIdxRank) {
    throw FormatError({path}, fmt::format("byte 3: expected 1 to {} dimensions, found {}",
                                          kLargestIdxRank, magic[3]));
  }
  return magic[3];
}

std::vector<std::size_t> read_extents(Source& source, std::size_t rank,
                                      const std::filesystem::path& path) {
  Bytes header(rank * kExtentSize);
  if (const std::size_t count = source.read(header); count < header.size()) {
    throw FormatError({path}, fmt::format("the file ends within the header, after {} bytes; "
                                          "expected {} for {} dimensions",
                                          kMagicSize + count, kMagicSize + header.size(), rank));
  }
  std::vector<std::size_t> dims;
  for (std::size_t i = 0; i < header.size(); i += kExtentSize) {
    dims.push_back(std::size_t{header[i]} << 24 | std::size_t{header[i + 1]} << 16 |
                   std::size_t{header[i + 2]} << 8 | std::size_t{header[i + 3]});
  }
  return dims;
}

Bytes idx_header(const Array& array) {
  require_type(array.type, ElementType::uint8);
  if (array.dims.empty() || array.dims.size() > kLargestIdxRank) {
    throw ShapeError(fmt::format("[idx] an array of dims {}; expected 1 to {} dimensions",
                                 dims_text(array.dims), kLargestIdxRank));
  }
  Bytes header{0, 0, kUnsignedBytes, static_cast<std::uint8_t>(array.dims.size())};
  for (const std::size_t extent : array.dims) {
    if (extent > std::numeric_limits<std::uint32_t>::max()) {
      throw ShapeError(fmt::format("[idx] an array of dims {}; expected extents below 2^32",
                                   dims_text(array.dims)));
    }
    for (int shift = 24; shift >= 0; shift -= 8) {
      header.push_back(static_cast<std::uint8_t>(extent >> shift));
    }
  }
  return header;
}

}  // namespace

Array parse_idx(std::span<const std::uint8_t> bytes, const std::filesystem::path& path) {
  Source source(bytes, path);
  const std::size_t rank = read_rank(source, path);
  Array array{ElementType::uint8, read_extents(source, rank, path), {}};
  const std::size_t size = checked_size(array.dims, 1, path);
  if (size > source.limit()) {
    throw FormatError({path}, fmt::format("the header claims dims {} = {} bytes; a file of {} "
                                          "bytes cannot hold them",
                                          dims_text(array.dims), size, bytes.size()));
  }
  array.bytes.resize(size);
  if (const std::size_t count = source.read(array.bytes); count < size) {
    throw FormatError({path}, fmt::format("the file is cut short: dims {} need {} bytes after the "
                                          "header, found {}",
                                          dims_text(array.dims), size, count));
  }
  std::uint8_t extra = 0;
  if (source.read({&extra, 1}) != 0) {
    const std::size_t end = kMagicSize + rank * kExtentSize + size;
    throw FormatError({path}, fmt::format("byte {}: more bytes follow; expected the end of the "
                                          "file after dims {}",
                                          end, dims_text(array.dims)));
  }
  return array;
}

Array read_idx(const std::filesystem::path& path) { return parse_idx(read_file(path), path); }

Bytes idx_bytes(const Array& array) {
  Bytes bytes = idx_header(array);
  bytes.insert(bytes.end(), array.bytes.begin(), array.bytes.end());
  return bytes;
}

void write_idx(const std::filesystem::path& path, const Array& array) {
  write_file(path, idx_bytes(array));
}

std::string idx_sha256(const Array& array) {
  return Sha256().update(idx_header(array)).update(array.bytes).hex();
}

}  // namespace milgrad::io
