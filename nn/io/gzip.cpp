// gzip through zlib.
#include "nn/io/gzip.h"

#include "tensor/error.h"

#include <algorithm>
#include <limits>

#include <fmt/format.h>
#include <zlib.h>

namespace milgrad::io {

namespace {

// Tells zlib to expect or write the gzip header rather than its own.
constexpr int kGzipWindowBits = 15 + 16;

// zlib counts in unsigned int.
unsigned int portion(std::size_t size) {
  return static_cast<unsigned int>(
      std::min<std::size_t>(size, std::numeric_limits<unsigned int>::max() / 2));
}

}  // namespace

bool is_gzip(std::span<const std::uint8_t> bytes) {
  return bytes.size() >= 2 && bytes[0] == 0x1f && bytes[1] == 0x8b;
}

struct GzipReader::Stream {
  z_stream zlib{};
  std::span<const std::uint8_t> left;
  std::size_t packed_size = 0;
  std::filesystem::path path;
  bool finished = false;

  void step(std::span<std::uint8_t>& out);
};

GzipReader::GzipReader(std::span<const std::uint8_t> packed, std::filesystem::path path)
    : stream_(std::make_unique<Stream>()) {
  stream_->left = packed;
  stream_->packed_size = packed.size();
  stream_->path = std::move(path);
  if (inflateInit2(&stream_->zlib, kGzipWindowBits) != Z_OK) throw std::bad_alloc();
}

GzipReader::~GzipReader() { inflateEnd(&stream_->zlib); }

void GzipReader::Stream::step(std::span<std::uint8_t>& out) {
  zlib.next_in = const_cast<Bytef*>(left.data());
  zlib.avail_in = portion(left.size());
  zlib.next_out = out.data();
  zlib.avail_out = portion(out.size());
  const unsigned int offered = zlib.avail_in;
  const unsigned int room = zlib.avail_out;
  const int result = inflate(&zlib, Z_NO_FLUSH);
  left = left.subspan(offered - zlib.avail_in);
  out = out.subspan(room - zlib.avail_out);
  const std::size_t place = packed_size - left.size();
  if (result == Z_STREAM_END) {
    finished = true;
    if (!left.empty()) {
      throw FormatError({path}, fmt::format("byte {}: {} bytes follow the gzip stream; expected "
                                            "the end of the file",
                                            place, left.size()));
    }
  } else if (result == Z_BUF_ERROR && left.empty()) {
    throw FormatError({path},
                      fmt::format("the gzip stream is cut short after {} bytes", packed_size));
  } else if (result == Z_MEM_ERROR) {
    throw std::bad_alloc();
  } else if (result != Z_OK) {
    throw FormatError({path}, fmt::format("byte {}: the gzip stream is corrupt ({})", place,
                                          zlib.msg != nullptr ? zlib.msg : "no details"));
  }
}

std::size_t GzipReader::read(std::span<std::uint8_t> out) {
  const std::size_t wanted = out.size();
  while (!out.empty() && !stream_->finished) stream_->step(out);
  return wanted - out.size();
}

Bytes gzip(std::span<const std::uint8_t> bytes) {
  z_stream zlib{};
  if (deflateInit2(&zlib, Z_DEFAULT_COMPRESSION, Z_DEFLATED, kGzipWindowBits, 8,
                   Z_DEFAULT_STRATEGY) != Z_OK) {
    throw std::bad_alloc();
  }
  Bytes packed(deflateBound(&zlib, bytes.size()));
  std::size_t read = 0;
  std::size_t written = 0;
  int result = Z_OK;
  while (result == Z_OK) {
    zlib.next_in = const_cast<Bytef*>(bytes.data() + read);
    zlib.avail_in = portion(bytes.size() - read);
    zlib.next_out = packed.data() + written;
    zlib.avail_out = portion(packed.size() - written);
    result = deflate(&zlib, read + zlib.avail_in == bytes.size() ? Z_FINISH : Z_NO_FLUSH);
    read = static_cast<std::size_t>(zlib.next_in - bytes.data());
    written = static_cast<std::size_t>(zlib.next_out - packed.data());
  }
  deflateEnd(&zlib);
  if (result != Z_STREAM_END) throw Error("[gzip] zlib cannot pack the bytes");
  packed.resize(written);
  return packed;
}

}  // namespace milgrad::io
