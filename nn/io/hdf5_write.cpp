// Writing a tree as the image of an HDF5 file.
#include "nn/io/hdf5.h"
#include "nn/io/hdf5_library.h"
#include "tensor/error.h"

#include <algorithm>

#include <fmt/format.h>

namespace milgrad::io {

namespace {

// The image grows by this much at a time.
constexpr std::size_t kGrowth = std::size_t{1} << 20;

void require(bool good, const std::string& what) {
  if (!good) throw Error(fmt::format("[hdf5] {} cannot be written: {}", what, hdf5_error()));
}

void check_name(const std::string& name, const std::string& parent) {
  if (!name.empty() && name != "." && name.find_first_of(std::string("/\0", 2)) == name.npos)
    return;
  throw ValueError(
      fmt::format("[hdf5] the name \"{}\" in {}; expected one that is not empty or "
                  "\".\" and holds no \"/\" or zero byte",
                  name, parent.empty() ? "/" : parent));
}

Hdf5Handle file_type(ElementType type) {
  hid_t standard = H5T_IEEE_F64LE;
  switch (type) {
    case ElementType::boolean: {
      // The enumeration that h5py writes for NumPy's bool.
      Hdf5Handle boolean(H5Tenum_create(H5T_STD_I8LE), H5Tclose);
      const signed char no = 0;
      const signed char yes = 1;
      require(boolean.valid() && H5Tenum_insert(boolean, "FALSE", &no) >= 0 &&
                  H5Tenum_insert(boolean, "TRUE", &yes) >= 0,
              "the type bool");
      return boolean;
    }
    case ElementType::uint8:
      standard = H5T_STD_U8LE;
      break;
    case ElementType::int32:
      standard = H5T_STD_I32LE;
      break;
    case ElementType::int64:
      standard = H5T_STD_I64LE;
      break;
    case ElementType::float32:
      standard = H5T_IEEE_F32LE;
      break;
    case ElementType::float64:
      break;
  }
  Hdf5Handle copy(H5Tcopy(standard), H5Tclose);
  require(copy.valid(), "a type");
  return copy;
}

Hdf5Handle space_of(const Array& array) {
  const std::vector<hsize_t> dims(array.dims.begin(), array.dims.end());
  Hdf5Handle space(dims.empty()
                       ? H5Screate(H5S_SCALAR)
                       : H5Screate_simple(static_cast<int>(dims.size()), dims.data(), nullptr),
                   H5Sclose);
  require(space.valid(), "an array of dims " + dims_text(array.dims));
  return space;
}

void write_attribute(hid_t object, const std::string& name, const Hdf5Attribute& value,
                     const std::string& path) {
  const std::string what = fmt::format("attribute {} of {}", name, path.empty() ? "/" : path);
  const auto* array = std::get_if<Array>(&value);
  const Hdf5Handle type = array != nullptr ? file_type(array->type) : hdf5_text_type();
  const Hdf5Handle space =
      array != nullptr ? space_of(*array) : Hdf5Handle(H5Screate(H5S_SCALAR), H5Sclose);
  const Hdf5Handle attribute(
      H5Acreate2(object, name.c_str(), type, space, H5P_DEFAULT, H5P_DEFAULT), H5Aclose);
  require(attribute.valid(), what);
  if (array != nullptr) {
    require(H5Awrite(attribute, type, array->bytes.data()) >= 0, what);
  } else {
    const char* text = std::get<std::string>(value).c_str();
    if (std::get<std::string>(value).find('\0') != std::string::npos) {
      throw ValueError(fmt::format("[hdf5] {} holds a zero byte; expected a text", what));
    }
    require(H5Awrite(attribute, type, static_cast<const void*>(&text)) >= 0, what);
  }
}

void write_attributes(hid_t object, const Hdf5Attributes& attributes, const std::string& path) {
  for (const auto& [name, value] : attributes) write_attribute(object, name, value, path);
}

void write_dataset(hid_t group, const std::string& name, const Hdf5Dataset& dataset,
                   const std::string& path) {
  const Hdf5Handle type = file_type(dataset.values.type);
  const Hdf5Handle space = space_of(dataset.values);
  // Times in the file would make two files of the same tree differ.
  const Hdf5Handle creation(H5Pcreate(H5P_DATASET_CREATE), H5Pclose);
  require(creation.valid() && H5Pset_obj_track_times(creation, false) >= 0, path);
  const Hdf5Handle set(
      H5Dcreate2(group, name.c_str(), type, space, H5P_DEFAULT, creation, H5P_DEFAULT), H5Dclose);
  require(set.valid(), path);
  if (!dataset.values.bytes.empty()) {
    require(H5Dwrite(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, dataset.values.bytes.data()) >= 0,
            path);
  }
  write_attributes(set, dataset.attributes, path);
}

void write_group(hid_t id, const Hdf5Group& group, const std::string& path) {
  write_attributes(id, group.attributes, path);
  for (const auto& [name, dataset] : group.datasets) {
    check_name(name, path);
    if (group.groups.count(name) > 0) {
      throw ValueError(
          fmt::format("[hdf5] {}/{} is both a group and a dataset; expected one", path, name));
    }
    write_dataset(id, name, dataset, path + "/" + name);
  }
  for (const auto& [name, child] : group.groups) {
    check_name(name, path);
    const std::string child_path = path + "/" + name;
    const Hdf5Handle child_id(H5Gcreate2(id, name.c_str(), H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT),
                              H5Gclose);
    require(child_id.valid(), child_path);
    write_group(child_id, child, child_path);
  }
}

Bytes image_of(hid_t file) {
  require(H5Fflush(file, H5F_SCOPE_GLOBAL) >= 0, "the file");
  const ssize_t size = H5Fget_file_image(file, nullptr, 0);
  require(size > 0, "the file");
  Bytes image(static_cast<std::size_t>(size));
  require(H5Fget_file_image(file, image.data(), image.size()) == size, "the file");
  return image;
}

}  // namespace

Bytes hdf5_image(const Hdf5Group& tree) {
  const Hdf5Session session;
  const Hdf5Handle access = hdf5_memory_file(kGrowth);
  const Hdf5Handle creation(H5Pcreate(H5P_FILE_CREATE), H5Pclose);
  require(creation.valid() && H5Pset_userblock(creation, kHdf5UserBlock) >= 0, "the user block");
  const Hdf5Handle file(H5Fcreate("image in memory", H5F_ACC_TRUNC, creation, access), H5Fclose);
  require(file.valid(), "the file");
  const Hdf5Handle root(H5Gopen2(file, "/", H5P_DEFAULT), H5Gclose);
  require(root.valid(), "the root group");
  write_group(root, tree, "");
  Bytes image = image_of(file);
  // libhdf5 leaves the user block out of the image.
  const std::string block = hdf5_user_block(image);
  image.insert(image.begin(), block.begin(), block.end());
  return image;
}

}  // namespace milgrad::io
