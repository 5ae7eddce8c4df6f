// NumPy's .npy files: one array with a header in text.
// Format: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
#pragma once

#include "nn/io/array.h"
#include "nn/io/file.h"

namespace milgrad::io {

/// Reads format 1.0 to 3.0 with little-endian float32, float64, int32, int64, uint8 and bool in C
/// order. Throws NotFoundError as read_file does, and FormatError for anything else: other types
/// (objects above all), Fortran order, a header that is not the literal NumPy writes or is longer
/// than 64 KiB, a length that differs from what the header claims, a bool other than 0 and 1.
Array read_npy(const std::filesystem::path& path);

/// The same from bytes already read; `path` is for messages.
Array parse_npy(std::span<const std::uint8_t> bytes, const std::filesystem::path& path);

/// The bytes of a .npy file of format 1.0, as numpy.save writes them.
Bytes npy_bytes(const Array& array);

/// npy_bytes written by write_file.
void write_npy(const std::filesystem::path& path, const Array& array);

}  // namespace milgrad::io
