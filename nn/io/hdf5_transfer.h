// A tree as plain bytes, to hand it from one process to another.
#pragma once

#include "nn/io/file.h"
#include "nn/io/hdf5.h"

namespace milgrad::io {

Bytes tree_to_bytes(const Hdf5Group& tree);

/// Throws Error where the bytes are not those of tree_to_bytes.
Hdf5Group tree_from_bytes(std::span<const std::uint8_t> bytes);

}  // namespace milgrad::io
