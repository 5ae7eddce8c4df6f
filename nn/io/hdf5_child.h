// Reading in a child process, because libhdf5 can crash or loop for ever on a damaged file.
#pragma once

#include "nn/io/hdf5.h"

#include <filesystem>
#include <functional>

namespace milgrad::io {

/// What `parse` returns or throws, run in a child process with libhdf5's lock held and with limits
/// on its processor time and memory that grow with `file_size`. Throws FormatError where the child
/// dies or meets a limit.
Hdf5Group parse_in_child(std::size_t file_size, const std::filesystem::path& path,
                         const std::function<Hdf5Group()>& parse);

}  // namespace milgrad::io
