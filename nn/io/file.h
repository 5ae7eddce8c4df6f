// Whole files in and out. write_file is the one writer for every output a user would miss: whatever
// happens while it runs, the old file or the new one stands complete under the path.
#pragma once

#include "nn/io/file_system.h"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace milgrad::io {

using Bytes = std::vector<std::uint8_t>;

struct WriteOptions {
  /// Keeps the file that is replaced as PATH.1 (and drops the PATH.1 before it).
  bool keep_previous = false;
};

/// Writes the bytes to PATH.tmp.PID in the same folder, syncs it, renames it to PATH and syncs the
/// folder. A symbolic link is followed, so that the file it names is replaced. On failure the
/// temporary file is removed and PATH is as it was. The size limit of the process (SIGXFSZ) is
/// reported like a full disk. Safe to call from several threads.
/// Throws WriteError: cannot_create (no such folder, no permission, not a regular file) or io_error
/// (full disk, size limit, failing device).
void write_file(const std::filesystem::path& path, std::span<const std::uint8_t> bytes,
                const WriteOptions& options = {}, FileSystem& system = operating_system());
void write_file(const std::filesystem::path& path, std::string_view text,
                const WriteOptions& options = {}, FileSystem& system = operating_system());

/// The whole file. Throws NotFoundError where it is missing, not a regular file or unreadable, and
/// FormatError where it changes while it is read.
Bytes read_file(const std::filesystem::path& path);

/// Where write_file keeps the older generation: PATH.1.
std::filesystem::path previous_generation(const std::filesystem::path& path);

/// What read_file_or_previous decided; note is empty where the newest file was good.
struct ReadOutcome {
  std::filesystem::path path;
  std::string note;
};

/// Hands the bytes of PATH to `load`. Where that throws FormatError and PATH.1 exists, hands it the
/// bytes of PATH.1 and says so in the note; where that fails too, the first error is thrown.
/// `load` gets the path for its messages and must change nothing before it has checked everything.
ReadOutcome read_file_or_previous(
    const std::filesystem::path& path,
    const std::function<void(const Bytes& bytes, const std::filesystem::path& path)>& load);

/// Creates the folder and its parents; an existing one is fine. Throws WriteError (cannot_create).
void make_directories(const std::filesystem::path& path);

/// $XDG_CACHE_HOME/milgrad, else ~/.cache/milgrad; not created. Throws NotFoundError where neither
/// variable names a folder.
std::filesystem::path user_cache();

}  // namespace milgrad::io
