// Reading an HDF5 file into a tree, with all that it must refuse.
#include "nn/io/hdf5.h"
#include "nn/io/hdf5_child.h"
#include "nn/io/hdf5_library.h"
#include "nn/io/utf8.h"
#include "tensor/error.h"

#include <algorithm>
#include <optional>
#include <set>

#include <fmt/format.h>

namespace milgrad::io {

namespace {

constexpr int kDeepestGroup = 32;
constexpr std::size_t kLongestName = 4096;
// Compressed data may unpack to so many times the size of the file, plus a little for tiny files.
constexpr std::size_t kLargestRatio = 1000;
constexpr std::size_t kSmallSize = std::size_t{1} << 20;

struct ListedLink {
  std::string name;
  H5L_type_t type;
};

extern "C" herr_t list_link(hid_t, const char* name, const H5L_info_t* info, void* links) {
  try {
    static_cast<std::vector<ListedLink>*>(links)->push_back({name, info->type});
  } catch (...) {
    return -1;
  }
  return 0;
}

extern "C" herr_t list_attribute(hid_t, const char* name, const H5A_info_t*, void* names) {
  try {
    static_cast<std::vector<std::string>*>(names)->push_back(name);
  } catch (...) {
    return -1;
  }
  return 0;
}

// How values of a type in the file are held in memory.
struct MemoryType {
  ElementType element;
  Hdf5Handle type;
};

Hdf5Handle native(hid_t type) { return {H5Tcopy(type), H5Tclose}; }

std::optional<MemoryType> integer_in_memory(hid_t type, std::size_t size) {
  const bool is_signed = H5Tget_sign(type) == H5T_SGN_2;
  if (size == 1 && !is_signed) return MemoryType{ElementType::uint8, native(H5T_NATIVE_UINT8)};
  if (size <= 2 || (size == 4 && is_signed)) {
    return MemoryType{ElementType::int32, native(H5T_NATIVE_INT32)};
  }
  if (size == 4 || (size == 8 && is_signed)) {
    return MemoryType{ElementType::int64, native(H5T_NATIVE_INT64)};
  }
  return std::nullopt;
}

// None where Array has no type that holds all values.
std::optional<MemoryType> memory_type(hid_t type) {
  const std::size_t size = H5Tget_size(type);
  switch (H5Tget_class(type)) {
    case H5T_INTEGER:
      return integer_in_memory(type, size);
    case H5T_FLOAT:
      if (size == 2 || size == 4) return MemoryType{ElementType::float32, native(H5T_NATIVE_FLOAT)};
      if (size == 8) return MemoryType{ElementType::float64, native(H5T_NATIVE_DOUBLE)};
      return std::nullopt;
    case H5T_ENUM:
      // h5py's form of bool.
      if (size == 1 && H5Tget_nmembers(type) == 2) {
        return MemoryType{ElementType::boolean, native(type)};
      }
      return std::nullopt;
    default:
      return std::nullopt;
  }
}

std::string class_name(hid_t type) {
  switch (H5Tget_class(type)) {
    case H5T_INTEGER:
      return fmt::format("{}integer of {} bytes",
                         H5Tget_sign(type) == H5T_SGN_NONE ? "unsigned " : "", H5Tget_size(type));
    case H5T_FLOAT:
      return fmt::format("float of {} bytes", H5Tget_size(type));
    case H5T_STRING:
      return "text";
    case H5T_COMPOUND:
      return "compound";
    case H5T_REFERENCE:
      return "reference";
    case H5T_ENUM:
      return "enumeration";
    case H5T_VLEN:
      return "variable length";
    case H5T_ARRAY:
      return "array";
    case H5T_OPAQUE:
      return "opaque";
    default:
      return "unknown";
  }
}

class Reader {
 public:
  Reader(std::span<const std::uint8_t> bytes, const std::filesystem::path& path)
      : bytes_(bytes), path_(path), budget_(bytes.size() * kLargestRatio + kSmallSize) {}

  Hdf5Group read() {
    const Hdf5Handle access = hdf5_memory_file(kSmallSize, bytes_.data(), bytes_.size());
    const Hdf5Handle file(H5Fopen("image in memory", H5F_ACC_RDONLY, access), H5Fclose);
    if (!file.valid()) fail("", "not a readable HDF5 file (" + hdf5_error() + ")");
    const Hdf5Handle root(H5Gopen2(file, "/", H5P_DEFAULT), H5Gclose);
    if (!root.valid()) fail("", "the root group is corrupt (" + hdf5_error() + ")");
    visit(root, "/");
    return read_group(root, "", 0);
  }

 private:
  [[noreturn]] void fail(const std::string& object, const std::string& what,
                         const std::string& hint = {}) const {
    throw FormatError({path_}, object.empty() ? what : object + ": " + what, hint);
  }

  void require(bool good, const std::string& object) const {
    if (!good) fail(object, "corrupt (" + hdf5_error() + ")");
  }

  // An object reached twice is a cycle, or a small file that stands for an exponentially large
  // tree.
  H5O_type_t visit(hid_t object, const std::string& name) {
    H5O_info_t info{};
    require(H5Oget_info(object, &info) >= 0, name);
    if (!visited_.insert(info.addr).second) {
      fail(name, "a second hard link to the same object (a cycle?); expected a tree");
    }
    return info.type;
  }

  void check_name(const std::string& name, const std::string& parent) const {
    if (name.size() > kLongestName) {
      fail(parent,
           fmt::format("a name of {} bytes; expected at most {}", name.size(), kLongestName));
    }
    if (!is_utf8(name)) fail(parent, "a name that is not UTF-8");
  }

  Hdf5Group read_group(hid_t id, const std::string& path, int depth) {
    if (depth > kDeepestGroup) {
      fail(path, fmt::format("groups nested deeper than {}", kDeepestGroup));
    }
    Hdf5Group group;
    group.attributes = read_attributes(id, path.empty() ? "/" : path);
    std::vector<ListedLink> links;
    require(H5Literate(id, H5_INDEX_NAME, H5_ITER_INC, nullptr, list_link, &links) >= 0,
            path.empty() ? "/" : path);
    for (const ListedLink& link : links) {
      check_name(link.name, path.empty() ? "/" : path);
      read_link(id, link, path + "/" + link.name, depth, group);
    }
    return group;
  }

  void read_link(hid_t parent, const ListedLink& link, const std::string& path, int depth,
                 Hdf5Group& group) {
    if (link.type != H5L_TYPE_HARD) {
      const char* kind = link.type == H5L_TYPE_SOFT       ? "a soft link"
                         : link.type == H5L_TYPE_EXTERNAL ? "an external link"
                                                          : "a user-defined link";
      fail(path, std::string(kind) + "; expected a group or dataset", "links are never followed");
    }
    const Hdf5Handle object(H5Oopen(parent, link.name.c_str(), H5P_DEFAULT), H5Oclose);
    require(object.valid(), path);
    switch (visit(object, path)) {
      case H5O_TYPE_GROUP:
        group.groups[link.name] = read_group(object, path, depth + 1);
        break;
      case H5O_TYPE_DATASET:
        group.datasets[link.name] = read_dataset(object, path);
        break;
      default:
        fail(path, "a named type; expected a group or dataset");
    }
  }

  void check_storage(hid_t dataset, const std::string& path, std::size_t size) {
    const Hdf5Handle creation(H5Dget_create_plist(dataset), H5Pclose);
    require(creation.valid(), path);
    if (H5Pget_external_count(creation) != 0) {
      fail(path, "its values lie in another file; expected them in this one");
    }
    const H5D_layout_t layout = H5Pget_layout(creation);
    if (layout == H5D_VIRTUAL) fail(path, "a virtual dataset; expected its own values");
    check_filters(creation, path);
    if (layout == H5D_CHUNKED) check_chunk(dataset, creation, path);
    if (layout == H5D_CONTIGUOUS && H5Dget_storage_size(dataset) > bytes_.size()) {
      fail(path, fmt::format("claims {} bytes; the file has {}", size, bytes_.size()));
    }
    if (size > budget_) {
      fail(path, fmt::format("claims {} bytes; a file of {} bytes cannot hold them", size,
                             bytes_.size()));
    }
    budget_ -= size;
  }

  void check_filters(hid_t creation, const std::string& path) const {
    const int count = H5Pget_nfilters(creation);
    for (int i = 0; i < count; ++i) {
      unsigned int flags = 0;
      std::size_t values = 0;
      const H5Z_filter_t filter = H5Pget_filter2(creation, static_cast<unsigned int>(i), &flags,
                                                 &values, nullptr, 0, nullptr, nullptr);
      if (filter != H5Z_FILTER_DEFLATE && filter != H5Z_FILTER_SHUFFLE &&
          filter != H5Z_FILTER_FLETCHER32) {
        fail(path,
             fmt::format("filter {}; expected gzip, shuffle or Fletcher-32 at most",
                         static_cast<int>(filter)),
             "write the file again with gzip or without compression");
      }
    }
  }

  void check_chunk(hid_t dataset, hid_t creation, const std::string& path) const {
    std::vector<hsize_t> chunk(kMaximumRank);
    const int rank = H5Pget_chunk(creation, static_cast<int>(kMaximumRank), chunk.data());
    require(rank >= 0 && static_cast<std::size_t>(rank) <= kMaximumRank, path);
    chunk.resize(static_cast<std::size_t>(rank));
    const Hdf5Handle type(H5Dget_type(dataset), H5Tclose);
    require(type.valid(), path);
    const std::vector<std::size_t> dims(chunk.begin(), chunk.end());
    const std::size_t size = checked_size(dims, H5Tget_size(type), path_);
    if (size > bytes_.size() * kLargestRatio + kSmallSize) {
      fail(path, fmt::format("chunks of {} bytes; a file of {} bytes cannot hold them", size,
                             bytes_.size()));
    }
  }

  std::vector<std::size_t> dims_of(hid_t space, const std::string& path) const {
    require(H5Sget_simple_extent_type(space) >= 0, path);
    if (H5Sget_simple_extent_type(space) == H5S_NULL) fail(path, "no values (a null dataspace)");
    const int rank = H5Sget_simple_extent_ndims(space);
    require(rank >= 0, path);
    if (static_cast<std::size_t>(rank) > kMaximumRank) {
      fail(path, fmt::format("an array of rank {}; expected at most {}", rank, kMaximumRank));
    }
    std::vector<hsize_t> dims(static_cast<std::size_t>(rank));
    require(H5Sget_simple_extent_dims(space, dims.data(), nullptr) >= 0, path);
    return {dims.begin(), dims.end()};
  }

  void check_booleans(const Array& array, const std::string& path) const {
    if (array.type != ElementType::boolean) return;
    if (std::any_of(array.bytes.begin(), array.bytes.end(), [](auto value) { return value > 1; })) {
      fail(path, "a bool that is neither 0 nor 1");
    }
  }

  Hdf5Dataset read_dataset(hid_t id, const std::string& path) {
    const Hdf5Handle type(H5Dget_type(id), H5Tclose);
    const Hdf5Handle space(H5Dget_space(id), H5Sclose);
    require(type.valid() && space.valid(), path);
    const std::optional<MemoryType> memory = memory_type(type);
    if (!memory) {
      fail(path, "values of type " + class_name(type) +
                     "; expected bool, integers up to int64 or floats up to float64");
    }
    Array array{memory->element, dims_of(space, path), {}};
    check_storage(id, path, checked_size(array.dims, H5Tget_size(type), path_));
    array.bytes.resize(checked_size(array.dims, element_size(array.type), path_));
    if (!array.bytes.empty()) {
      require(H5Dread(id, memory->type, H5S_ALL, H5S_ALL, H5P_DEFAULT, array.bytes.data()) >= 0,
              path);
    }
    check_booleans(array, path);
    return {std::move(array), read_attributes(id, path)};
  }

  Hdf5Attributes read_attributes(hid_t object, const std::string& path) {
    std::vector<std::string> names;
    require(H5Aiterate2(object, H5_INDEX_NAME, H5_ITER_INC, nullptr, list_attribute, &names) >= 0,
            path);
    Hdf5Attributes attributes;
    for (const std::string& name : names) {
      check_name(name, path);
      const std::string what = path + ", attribute " + name;
      const Hdf5Handle id(H5Aopen(object, name.c_str(), H5P_DEFAULT), H5Aclose);
      require(id.valid(), what);
      if (auto value = read_attribute(id, what)) attributes.emplace(name, std::move(*value));
    }
    return attributes;
  }

  std::optional<Hdf5Attribute> read_attribute(hid_t id, const std::string& what) {
    const Hdf5Handle type(H5Aget_type(id), H5Tclose);
    const Hdf5Handle space(H5Aget_space(id), H5Sclose);
    require(type.valid() && space.valid(), what);
    if (H5Tget_class(type) == H5T_STRING) {
      if (H5Sget_simple_extent_type(space) != H5S_SCALAR) return std::nullopt;
      return H5Tis_variable_str(type) > 0 ? read_text(id, type, space, what)
                                          : read_fixed_text(id, type, what);
    }
    const std::optional<MemoryType> memory = memory_type(type);
    if (!memory || H5Sget_simple_extent_type(space) == H5S_NULL) return std::nullopt;
    Array array{memory->element, dims_of(space, what), {}};
    const std::size_t size = checked_size(array.dims, H5Tget_size(type), path_);
    if (size > bytes_.size()) {
      fail(what, fmt::format("claims {} bytes; the file has {}", size, bytes_.size()));
    }
    array.bytes.resize(checked_size(array.dims, element_size(array.type), path_));
    require(H5Aread(id, memory->type, array.bytes.data()) >= 0, what);
    check_booleans(array, what);
    return Hdf5Attribute(std::move(array));
  }

  std::string read_text(hid_t id, hid_t type, hid_t space, const std::string& what) const {
    char* text = nullptr;
    require(H5Aread(id, type, &text) >= 0, what);
    std::string copy = text != nullptr ? text : "";
    H5Dvlen_reclaim(type, space, H5P_DEFAULT, &text);
    return copy;
  }

  std::string read_fixed_text(hid_t id, hid_t type, const std::string& what) const {
    const std::size_t size = H5Tget_size(type);
    if (size > bytes_.size()) {
      fail(what, fmt::format("claims {} bytes; the file has {}", size, bytes_.size()));
    }
    std::string text(size, '\0');
    require(H5Aread(id, type, text.data()) >= 0, what);
    text.resize(std::min(text.find('\0'), size));
    if (H5Tget_strpad(type) == H5T_STR_SPACEPAD) text.resize(text.find_last_not_of(' ') + 1);
    return text;
  }

  std::span<const std::uint8_t> bytes_;
  const std::filesystem::path& path_;
  std::size_t budget_;
  std::set<haddr_t> visited_;
};

// True where the file carries the checksum that hdf5_image writes, and it is right.
bool has_checksum(std::span<const std::uint8_t> bytes, const std::filesystem::path& path) {
  if (bytes.size() < kHdf5UserBlock) return false;
  const std::string_view block(reinterpret_cast<const char*>(bytes.data()), kHdf5UserBlock);
  if (!block.starts_with(kHdf5UserBlockBegin)) return false;
  if (block == hdf5_user_block(bytes.subspan(kHdf5UserBlock))) return true;
  throw FormatError({path}, "the SHA-256 in its first 512 bytes is not that of the rest",
                    "the file is damaged or was changed by another program; write it again");
}

}  // namespace

Hdf5Group parse_hdf5(std::span<const std::uint8_t> bytes, const std::filesystem::path& path) {
  if (bytes.empty()) throw FormatError({path}, "the file is empty; expected an HDF5 file");
  if (has_checksum(bytes, path)) {
    const Hdf5Session session;
    return Reader(bytes, path).read();
  }
  return parse_in_child(bytes.size(), path, [&] { return Reader(bytes, path).read(); });
}

Hdf5Group read_hdf5(const std::filesystem::path& path) { return parse_hdf5(read_file(path), path); }

}  // namespace milgrad::io
