// A tree as plain bytes: counts and lengths as 64-bit numbers, each text and array after its
// length.
#include "nn/io/hdf5_transfer.h"

#include "tensor/error.h"

#include <cstring>

namespace milgrad::io {

namespace {

class Writer {
 public:
  Bytes bytes;

  void number(std::uint64_t value) {
    const auto* begin = reinterpret_cast<const std::uint8_t*>(&value);
    bytes.insert(bytes.end(), begin, begin + sizeof(value));
  }
  void text(const std::string& value) {
    number(value.size());
    bytes.insert(bytes.end(), value.begin(), value.end());
  }
  void array(const Array& value) {
    number(static_cast<std::uint64_t>(value.type));
    number(value.dims.size());
    for (const std::size_t extent : value.dims) number(extent);
    number(value.bytes.size());
    bytes.insert(bytes.end(), value.bytes.begin(), value.bytes.end());
  }
  void attributes(const Hdf5Attributes& values) {
    number(values.size());
    for (const auto& [name, value] : values) {
      text(name);
      number(value.index());
      if (const auto* content = std::get_if<std::string>(&value)) {
        text(*content);
      } else {
        array(std::get<Array>(value));
      }
    }
  }
  void group(const Hdf5Group& value) {
    attributes(value.attributes);
    number(value.datasets.size());
    for (const auto& [name, dataset] : value.datasets) {
      text(name);
      array(dataset.values);
      attributes(dataset.attributes);
    }
    number(value.groups.size());
    for (const auto& [name, child] : value.groups) {
      text(name);
      group(child);
    }
  }
};

class Reader {
 public:
  explicit Reader(std::span<const std::uint8_t> bytes) : left_(bytes) {}

  std::uint64_t number() {
    std::uint64_t value = 0;
    std::memcpy(&value, take(sizeof(value)).data(), sizeof(value));
    return value;
  }
  std::string text() {
    const auto content = take(number());
    return {content.begin(), content.end()};
  }
  Array array() {
    Array value;
    value.type = static_cast<ElementType>(number());
    const std::uint64_t rank = number();
    if (rank > kMaximumRank) fail();
    for (std::uint64_t i = 0; i < rank; ++i) value.dims.push_back(number());
    const auto content = take(number());
    value.bytes.assign(content.begin(), content.end());
    return value;
  }
  Hdf5Attributes attributes() {
    Hdf5Attributes values;
    for (std::uint64_t count = number(); count > 0; --count) {
      std::string name = text();
      if (number() == 0) {
        values.emplace(std::move(name), text());
      } else {
        values.emplace(std::move(name), array());
      }
    }
    return values;
  }
  Hdf5Group group() {
    Hdf5Group value;
    value.attributes = attributes();
    for (std::uint64_t count = number(); count > 0; --count) {
      const std::string name = text();
      Hdf5Dataset& dataset = value.datasets[name];
      dataset.values = array();
      dataset.attributes = attributes();
    }
    for (std::uint64_t count = number(); count > 0; --count) {
      const std::string name = text();
      value.groups[name] = group();
    }
    return value;
  }
  bool at_end() const { return left_.empty(); }

 private:
  [[noreturn]] static void fail() { throw Error("[hdf5] the bytes are not those of a tree"); }

  std::span<const std::uint8_t> take(std::uint64_t count) {
    if (count > left_.size()) fail();
    const auto taken = left_.first(count);
    left_ = left_.subspan(count);
    return taken;
  }

  std::span<const std::uint8_t> left_;
};

}  // namespace

Bytes tree_to_bytes(const Hdf5Group& tree) {
  Writer writer;
  writer.group(tree);
  return std::move(writer.bytes);
}

Hdf5Group tree_from_bytes(std::span<const std::uint8_t> bytes) {
  Reader reader(bytes);
  Hdf5Group tree = reader.group();
  if (!reader.at_end()) throw Error("[hdf5] more bytes than a tree has");
  return tree;
}

}  // namespace milgrad::io
