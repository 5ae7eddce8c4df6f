// Finding and making groups by path.
#include "nn/io/hdf5.h"

namespace milgrad::io {

namespace {

// Cuts the first part off the path.
std::string take_part(std::string_view& path) {
  const std::size_t end = path.find('/');
  std::string part(path.substr(0, end));
  path = end == std::string_view::npos ? std::string_view() : path.substr(end + 1);
  return part;
}

}  // namespace

Hdf5Group& Hdf5Group::make_group(std::string_view path) {
  Hdf5Group* group = this;
  while (!path.empty()) group = &group->groups[take_part(path)];
  return *group;
}

const Hdf5Group* Hdf5Group::find_group(std::string_view path) const {
  const Hdf5Group* group = this;
  while (group != nullptr && !path.empty()) {
    const auto found = group->groups.find(take_part(path));
    group = found == group->groups.end() ? nullptr : &found->second;
  }
  return group;
}

const Hdf5Dataset* Hdf5Group::find_dataset(std::string_view path) const {
  const std::size_t end = path.rfind('/');
  const Hdf5Group* group = end == std::string_view::npos ? this : find_group(path.substr(0, end));
  if (group == nullptr) return nullptr;
  const std::string name(end == std::string_view::npos ? path : path.substr(end + 1));
  const auto found = group->datasets.find(name);
  return found == group->datasets.end() ? nullptr : &found->second;
}

const std::string* Hdf5Group::find_text(const std::string& name) const {
  const auto found = attributes.find(name);
  return found == attributes.end() ? nullptr : std::get_if<std::string>(&found->second);
}

}  // namespace milgrad::io
