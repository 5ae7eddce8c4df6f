// The IDX format of the MNIST files: a big-endian header and unsigned bytes, plain or gzipped.
// Layout: http://yann.lecun.com/exdb/mnist (bytes 0-1 zero, 2 element type, 3 rank, then extents).
#pragma once

#include "nn/io/array.h"
#include "nn/io/file.h"

#include <filesystem>
#include <string>

namespace milgrad::io {

/// Reads unsigned bytes of rank 1 to 3. Throws NotFoundError as read_file does, and FormatError for
/// a wrong magic number, element type or rank, a file that is cut short or goes on after the last
/// value, extents that do not fit the file, and a corrupt gzip stream.
Array read_idx(const std::filesystem::path& path);

/// The same from bytes already read (plain or gzipped); `path` is for messages.
Array parse_idx(std::span<const std::uint8_t> bytes, const std::filesystem::path& path);

/// The bytes of an unpacked IDX file. Throws DTypeError unless the array holds uint8, and
/// ShapeError unless its rank is 1 to 3 and each extent fits 32 bits.
Bytes idx_bytes(const Array& array);

/// idx_bytes written by write_file.
void write_idx(const std::filesystem::path& path, const Array& array);

/// SHA-256 of the unpacked file that holds this array.
std::string idx_sha256(const Array& array);

}  // namespace milgrad::io
