// HDF5 files as a tree in memory: what .weights.h5 files and feature files hold. Files are built
// and read as images in memory, so libhdf5 never touches the disk; write_file does the writing.
#pragma once

#include "nn/io/array.h"
#include "nn/io/file.h"

#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <variant>

namespace milgrad::io {

using Hdf5Attribute = std::variant<std::string, Array>;
using Hdf5Attributes = std::map<std::string, Hdf5Attribute>;

struct Hdf5Dataset {
  Array values;
  Hdf5Attributes attributes = {};

  bool operator==(const Hdf5Dataset&) const = default;
};

/// A group and everything below it. Paths are relative to the group, their parts joined by "/".
struct Hdf5Group {
  Hdf5Attributes attributes = {};
  std::map<std::string, Hdf5Dataset> datasets = {};
  std::map<std::string, Hdf5Group> groups = {};

  bool operator==(const Hdf5Group&) const = default;

  /// The group at `path`, made with its parents where it does not exist; "" is this group.
  Hdf5Group& make_group(std::string_view path);

  /// Null where there is none.
  const Hdf5Group* find_group(std::string_view path) const;
  const Hdf5Dataset* find_dataset(std::string_view path) const;

  /// The text of a string attribute of this group; null where there is none of that name and type.
  const std::string* find_text(const std::string& name) const;
};

/// The bytes of an HDF5 file that holds the tree, in the layout that h5py and Keras write
/// (superblock 0, contiguous datasets, variable-length UTF-8 attributes), behind a 512-byte user
/// block with the SHA-256 of all that follows. The same tree gives the same bytes. Throws
/// ValueError for a name that is empty, "." or holds "/" or a zero byte, or that is both a group
/// and a dataset.
Bytes hdf5_image(const Hdf5Group& tree);

/// The tree in the bytes of an HDF5 file (superblock 0, 2 or 3); `path` is for messages. Types are
/// kept; what Array lacks is widened (float16 to float32, 8- and 16-bit integers to int32, uint32
/// to int64). Attributes that are neither one text nor numbers are left out. Throws FormatError for
/// a wrong checksum of the user block, a corrupt or truncated file, soft, external and repeated
/// hard links (cycles), external storage, virtual datasets, filters other than gzip, shuffle and
/// Fletcher-32, groups nested deeper than 32, names that are not UTF-8 or longer than 4 KiB,
/// unsupported types, ranks above 8 and sizes that the file cannot hold.
Hdf5Group parse_hdf5(std::span<const std::uint8_t> bytes, const std::filesystem::path& path);

/// parse_hdf5 of the file; throws as read_file does too.
Hdf5Group read_hdf5(const std::filesystem::path& path);

}  // namespace milgrad::io
