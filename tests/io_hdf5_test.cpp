// HDF5 trees: round trips, files of other programs, damaged files, and the text of every refusal.
#define H5_USE_110_API
#include "nn/io/hdf5.h"
#include "nn/io/utf8.h"
#include "tensor/error.h"
#include "tests/support.h"

#include <cstring>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <hdf5.h>

namespace {

using milgrad::FormatError;
using milgrad::ValueError;
using milgrad::io::Array;
using milgrad::io::Bytes;
using milgrad::io::ElementType;
using milgrad::io::hdf5_image;
using milgrad::io::Hdf5Group;
using milgrad::io::make_array;
using milgrad::io::parse_hdf5;
using milgrad::test::TemporaryDirectory;

// The layout of Keras's weight files: groups `vars` with a name each, datasets without attributes.
Hdf5Group small_model() {
  Hdf5Group tree;
  tree.attributes["config"] = R"({"bag_size": 3, "class": "é"})";
  tree.make_group("vars").attributes["name"] = "functional";
  Hdf5Group& dense = tree.make_group("layers/dense/vars");
  dense.attributes["name"] = "dense";
  dense.datasets["0"].values = make_array<float>({2, 3}, {1, 2, 3, -4, 5.5f, 6});
  dense.datasets["1"].values = make_array<float>({3}, {0, 0, 1e-30f});
  tree.make_group("layers/flatten/vars").attributes["name"] = "flatten";
  Hdf5Group& optimizer = tree.make_group("optimizer/vars");
  optimizer.attributes["name"] = "adam";
  optimizer.datasets["0"].values = make_array<std::int32_t>({}, {7});
  optimizer.datasets["1"].values = make_array<float>({}, {0.001f});
  optimizer.datasets["10"].values = make_array<double>({2}, {0.1, -0.2});
  return tree;
}

// Without the checksum, as other programs write their files.
Bytes without_user_block(const Bytes& image) { return Bytes(image.begin() + 512, image.end()); }

// The bytes of a file that `fill` makes with libhdf5 itself, in that version of the format.
Bytes file_made_by(const std::function<void(hid_t file)>& fill,
                   H5F_libver_t version = H5F_LIBVER_EARLIEST) {
  const TemporaryDirectory folder;
  const auto path = folder / "made.h5";
  const hid_t access = H5Pcreate(H5P_FILE_ACCESS);
  if (version != H5F_LIBVER_EARLIEST) H5Pset_libver_bounds(access, version, version);
  const hid_t file = H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, access);
  fill(file);
  H5Fclose(file);
  H5Pclose(access);
  return milgrad::io::read_file(path);
}

// A dataset "a" of that type and space; the values are whatever libhdf5 fills in.
Bytes file_with_dataset(hid_t type, const std::vector<hsize_t>& dims,
                        const std::function<void(hid_t creation)>& set = {}) {
  return file_made_by([&](hid_t file) {
    const hid_t creation = H5Pcreate(H5P_DATASET_CREATE);
    if (set) set(creation);
    const hid_t space = H5Screate_simple(static_cast<int>(dims.size()), dims.data(), nullptr);
    const hid_t set_id = H5Dcreate2(file, "a", type, space, H5P_DEFAULT, creation, H5P_DEFAULT);
    H5Dclose(set_id);
    H5Sclose(space);
    H5Pclose(creation);
  });
}

hid_t make_group(hid_t parent, const char* name) {
  return H5Gcreate2(parent, name, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
}

std::string refusal(const Bytes& bytes) {
  try {
    parse_hdf5(bytes, "f.h5");
  } catch (const FormatError& error) {
    return error.what();
  }
  return "accepted";
}

template <class T>
void write_values(hid_t file, const char* name, hid_t file_type, hid_t memory_type,
                  const std::vector<T>& values) {
  const hsize_t size = values.size();
  const hid_t space = H5Screate_simple(1, &size, nullptr);
  const hid_t set = H5Dcreate2(file, name, file_type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
  H5Dwrite(set, memory_type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data());
  H5Dclose(set);
  H5Sclose(space);
}

}  // namespace

TEST_CASE("io hdf5: a tree is read back as it was") {
  const Hdf5Group tree = small_model();
  const Bytes image = hdf5_image(tree);
  CHECK(parse_hdf5(image, "f") == tree);
  CHECK(parse_hdf5(without_user_block(image), "f") == tree);
  CHECK(hdf5_image(tree) == image);
  const TemporaryDirectory folder;
  milgrad::io::write_file(folder / "w.h5", image);
  CHECK(milgrad::io::read_hdf5(folder / "w.h5") == tree);
  CHECK(hdf5_image({}).size() > 512);
  CHECK(parse_hdf5(hdf5_image({}), "f") == Hdf5Group{});
}

TEST_CASE("io hdf5: the file has the layout that Keras writes") {
  const Bytes image = hdf5_image(small_model());
  const Bytes signature{0x89, 'H', 'D', 'F', '\r', '\n', 0x1a, '\n', 0};
  CHECK(Bytes(image.begin() + 512, image.begin() + 521) == signature);
  const std::string block(image.begin(), image.begin() + 512);
  CHECK(block.starts_with("milgrad HDF5 file; SHA-256 of the bytes after this 512-byte block: "));
}

TEST_CASE("io hdf5: every element type, scalars and empty arrays") {
  Hdf5Group tree;
  tree.datasets["bool"].values = Array{ElementType::boolean, {3}, {1, 0, 1}};
  tree.datasets["uint8"].values = make_array<std::uint8_t>({2, 1}, {0, 255});
  tree.datasets["int32"].values = make_array<std::int32_t>({}, {-2147483647 - 1});
  tree.datasets["int64"].values = make_array<std::int64_t>({1}, {1LL << 62});
  tree.datasets["float32"].values = make_array<float>({1, 1, 1, 1, 1, 2}, {1, -0.0f});
  tree.datasets["float64"].values = make_array<double>({0, 3}, std::vector<double>{});
  tree.datasets["float64"].attributes["unit"] = "um";
  tree.attributes["level_dim"] = make_array<std::int64_t>({2}, {85416, 65080});
  tree.attributes["empty"] = "";
  CHECK(parse_hdf5(hdf5_image(tree), "f") == tree);
  CHECK(parse_hdf5(without_user_block(hdf5_image(tree)), "f") == tree);
}

TEST_CASE("io hdf5: many children and long texts") {
  Hdf5Group tree;
  for (int i = 0; i < 300; ++i) {
    tree.make_group("layers/dense_" + std::to_string(i) + "/vars").datasets["0"].values =
        make_array<std::int32_t>({1}, {i});
  }
  tree.attributes["config"] = std::string(200000, 'x');
  CHECK(parse_hdf5(hdf5_image(tree), "f") == tree);
}

TEST_CASE("io hdf5: groups and datasets are found by path") {
  const Hdf5Group tree = small_model();
  CHECK(tree.find_group("") == &tree);
  REQUIRE(tree.find_group("layers/dense/vars") != nullptr);
  CHECK(*tree.find_group("layers/dense/vars")->find_text("name") == "dense");
  CHECK(tree.find_group("layers/absent/vars") == nullptr);
  REQUIRE(tree.find_dataset("layers/dense/vars/0") != nullptr);
  CHECK(milgrad::io::values_of<float>(tree.find_dataset("layers/dense/vars/0")->values)[4] == 5.5f);
  CHECK(tree.find_dataset("layers/dense/vars/2") == nullptr);
  CHECK(tree.find_dataset("absent/0") == nullptr);
  CHECK(tree.find_text("absent") == nullptr);
  CHECK_THROWS_WITH_AS(
      milgrad::io::values_of<double>(tree.find_dataset("layers/dense/vars/0")->values),
      "[values_of] the array holds float32; expected float64", milgrad::DTypeError);
  CHECK_THROWS_WITH_AS(make_array<float>({2, 3}, {1.0f}),
                       "[make_array] 1 values for dims (2, 3); expected 6", milgrad::ShapeError);
}

TEST_CASE("io hdf5: what a file cannot hold is not written") {
  Hdf5Group tree;
  tree.groups["a/b"];
  CHECK_THROWS_WITH_AS(hdf5_image(tree),
                       "[hdf5] the name \"a/b\" in /; expected one that is not empty or \".\" and "
                       "holds no \"/\" or zero byte",
                       ValueError);
  tree = {};
  tree.groups["a"];
  tree.datasets["a"];
  tree.datasets["a"].values = make_array<float>({}, {1});
  CHECK_THROWS_WITH_AS(hdf5_image(tree), "[hdf5] /a is both a group and a dataset; expected one",
                       ValueError);
  tree = {};
  tree.attributes["config"] = std::string("a\0b", 3);
  CHECK_THROWS_WITH_AS(hdf5_image(tree),
                       "[hdf5] attribute config of / holds a zero byte; expected a text",
                       ValueError);
}

TEST_CASE("io hdf5: every flipped bit of a checked file is refused or harmless") {
  const Hdf5Group tree = small_model();
  const Bytes image = hdf5_image(tree);
  std::size_t harmless = 0;
  for (std::size_t bit = 0; bit < image.size() * 8; bit += 37) {
    Bytes flipped = image;
    flipped[bit / 8] ^= static_cast<std::uint8_t>(1u << (bit % 8));
    // Without the words that announce the checksum the file is read like any other: not here.
    if (bit / 8 < 46) continue;
    if (refusal(flipped) == "accepted") ++harmless;
  }
  CHECK(harmless == 0);
  Bytes flipped = image;
  flipped[3] ^= 1;
  CHECK(parse_hdf5(flipped, "f") == tree);
  flipped = image;
  flipped.back() ^= 1;
  CHECK(refusal(flipped) == "f.h5: the SHA-256 in its first 512 bytes is not that of the rest");
}

TEST_CASE("io hdf5: damaged files of other programs are refused, never fatal") {
  const Bytes image = without_user_block(hdf5_image(small_model()));
  std::mt19937 random(3);
  int refused = 0;
  for (int trial = 0; trial < 300; ++trial) {
    Bytes damaged = image;
    damaged[random() % damaged.size()] ^= static_cast<std::uint8_t>(1u << (random() % 8));
    if (trial % 4 == 0) damaged.resize(random() % damaged.size());
    if (refusal(damaged) != "accepted") ++refused;
  }
  CHECK(refused >= 75);
}

TEST_CASE("io hdf5: what is not HDF5 is refused") {
  CHECK(refusal({}) == "f.h5: the file is empty; expected an HDF5 file");
  CHECK(refusal(Bytes(1000, 'x')) == "f.h5: not a readable HDF5 file (file signature not found)");
  Bytes cut = without_user_block(hdf5_image(small_model()));
  cut.resize(cut.size() - 100);
  CHECK(refusal(cut).find("f.h5: not a readable HDF5 file (truncated file: eof = ") == 0);
  CHECK_THROWS_AS(milgrad::io::read_hdf5("/absent.h5"), milgrad::NotFoundError);
}

TEST_CASE("io hdf5: links are refused") {
  CHECK(refusal(file_made_by([](hid_t file) {
          H5Lcreate_soft("/b", file, "a", H5P_DEFAULT, H5P_DEFAULT);
        })) == "f.h5: /a: a soft link; expected a group or dataset");
  CHECK(refusal(file_made_by([](hid_t file) {
          H5Lcreate_external("/etc/passwd", "/b", file, "a", H5P_DEFAULT, H5P_DEFAULT);
        })) == "f.h5: /a: an external link; expected a group or dataset");
  const char* cycle =
      "f.h5: /g/self: a second hard link to the same object (a cycle?); expected a tree";
  CHECK(refusal(file_made_by([](hid_t file) {
          const hid_t group = make_group(file, "g");
          H5Lcreate_hard(file, "/", group, "self", H5P_DEFAULT, H5P_DEFAULT);
          H5Gclose(group);
        })) == cycle);
}

TEST_CASE("io hdf5: values elsewhere and unknown filters are refused") {
  CHECK(refusal(file_with_dataset(H5T_STD_U8LE, {4}, [](hid_t creation) {
          H5Pset_external(creation, "/etc/passwd", 0, 4);
        })) == "f.h5: /a: its values lie in another file; expected them in this one");
  CHECK(refusal(file_with_dataset(H5T_IEEE_F32LE, {4}, [](hid_t creation) {
          const hsize_t size = 4;
          const hid_t space = H5Screate_simple(1, &size, nullptr);
          H5Pset_virtual(creation, space, "other.h5", "x", space);
          H5Sclose(space);
        })) == "f.h5: /a: a virtual dataset; expected its own values");
  CHECK(refusal(file_with_dataset(H5T_STD_I32LE, {64}, [](hid_t creation) {
          const hsize_t chunk = 64;
          H5Pset_chunk(creation, 1, &chunk);
          H5Pset_scaleoffset(creation, H5Z_SO_INT, 0);
        })) == "f.h5: /a: filter 6; expected gzip, shuffle or Fletcher-32 at most");
}

TEST_CASE("io hdf5: sizes that the file cannot hold are refused before they are allocated") {
  const auto chunked = [](hsize_t chunk) {
    return [chunk](hid_t creation) { H5Pset_chunk(creation, 1, &chunk); };
  };
  CHECK(refusal(file_with_dataset(H5T_IEEE_F32LE, {hsize_t{1} << 40}, chunked(1 << 16)))
            .find("f.h5: /a: claims 4398046511104 bytes; a file of ") == 0);
  CHECK(refusal(file_with_dataset(H5T_IEEE_F32LE, {hsize_t{1} << 28}, chunked(1 << 28)))
            .find("f.h5: /a: chunks of 1073741824 bytes; a file of ") == 0);
  CHECK(refusal(file_with_dataset(H5T_IEEE_F32LE, {1, 1, 1, 1, 1, 1, 1, 1, 1})) ==
        "f.h5: /a: an array of rank 9; expected at most 8");
}

TEST_CASE("io hdf5: types that an array cannot hold are refused") {
  const char* expected = "; expected bool, integers up to int64 or floats up to float64";
  CHECK(refusal(file_with_dataset(H5T_C_S1, {4})) ==
        std::string("f.h5: /a: values of type text") + expected);
  CHECK(refusal(file_with_dataset(H5T_STD_U64LE, {4})) ==
        std::string("f.h5: /a: values of type unsigned integer of 8 bytes") + expected);
  CHECK(refusal(file_with_dataset(H5T_STD_REF_OBJ, {4})) ==
        std::string("f.h5: /a: values of type reference") + expected);
  CHECK(refusal(file_made_by([](hid_t file) {
          const hid_t space = H5Screate(H5S_NULL);
          H5Dclose(
              H5Dcreate2(file, "a", H5T_IEEE_F32LE, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
          H5Sclose(space);
        })) == "f.h5: /a: no values (a null dataspace)");
  CHECK(refusal(file_made_by([](hid_t file) {
          const hid_t type = H5Tcopy(H5T_IEEE_F32LE);
          H5Tcommit2(file, "a", type, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
          H5Tclose(type);
        })) == "f.h5: /a: a named type; expected a group or dataset");
}

TEST_CASE("io hdf5: nesting and names are limited") {
  CHECK(refusal(file_made_by([](hid_t file) {
          hid_t group = file;
          for (int depth = 0; depth < 40; ++depth) {
            const hid_t child = make_group(group, "g");
            if (group != file) H5Gclose(group);
            group = child;
          }
          H5Gclose(group);
        })).find(": groups nested deeper than 32") != std::string::npos);
  CHECK(refusal(file_made_by([](hid_t file) {
          H5Gclose(make_group(file, std::string(5000, 'x').c_str()));
        })) == "f.h5: /: a name of 5000 bytes; expected at most 4096");
  CHECK(refusal(file_made_by([](hid_t file) { H5Gclose(make_group(file, "\xff")); })) ==
        "f.h5: /: a name that is not UTF-8");
}

TEST_CASE("io hdf5: types of other programs are widened") {
  const auto fill = [](hid_t file) {
    write_values<std::int8_t>(file, "i1", H5T_STD_I8LE, H5T_NATIVE_INT8, {-128, 127});
    write_values<std::uint16_t>(file, "u2", H5T_STD_U16BE, H5T_NATIVE_UINT16, {65535});
    write_values<std::uint32_t>(file, "u4", H5T_STD_U32LE, H5T_NATIVE_UINT32, {4294967295u});
    write_values<double>(file, "be", H5T_IEEE_F64BE, H5T_NATIVE_DOUBLE, {0.1});
  };
  int superblock = 0;
  for (const H5F_libver_t version : {H5F_LIBVER_EARLIEST, H5F_LIBVER_V18, H5F_LIBVER_V110}) {
    const Bytes file = file_made_by(fill, version);
    CHECK(file[8] == superblock);
    superblock = superblock == 0 ? 2 : 3;
    const Hdf5Group tree = parse_hdf5(file, "f");
    CHECK(tree.datasets.at("i1").values == make_array<std::int32_t>({2}, {-128, 127}));
    CHECK(tree.datasets.at("u2").values == make_array<std::int32_t>({1}, {65535}));
    CHECK(tree.datasets.at("u4").values == make_array<std::int64_t>({1}, {4294967295}));
    CHECK(tree.datasets.at("be").values == make_array<double>({1}, {0.1}));
  }
}

TEST_CASE("io hdf5: a bool that is neither 0 nor 1 is refused") {
  CHECK(refusal(file_made_by([](hid_t file) {
          const hid_t type = H5Tenum_create(H5T_NATIVE_INT8);
          const signed char no = 0;
          const signed char yes = 1;
          H5Tenum_insert(type, "FALSE", &no);
          H5Tenum_insert(type, "TRUE", &yes);
          write_values<signed char>(file, "a", type, type, {0, 2});
          H5Tclose(type);
        })) == "f.h5: /a: a bool that is neither 0 nor 1");
}

TEST_CASE("io hdf5: real feature and coordinate files are read") {
  const auto formats = milgrad::test::data_or_skip("formats");
  const Hdf5Group stamp = milgrad::io::read_hdf5(formats / "stamp_slide.h5");
  CHECK(*stamp.find_text("extractor") == "uni");
  const Array& features = stamp.datasets.at("feats").values;
  CHECK(milgrad::io::values_of<float>(features)[5 * 1024 + 7] ==
        doctest::Approx(0.1206).epsilon(1e-3));
  CHECK(features.type == ElementType::float32);
  CHECK(features.dims == std::vector<std::size_t>{300, 1024});
  const Hdf5Group clam = milgrad::io::read_hdf5(formats / "clam_slide.h5");
  CHECK(clam.datasets.at("features").values.dims == std::vector<std::size_t>{300, 1024});
  const auto coordinates = milgrad::io::values_of<std::int32_t>(clam.datasets.at("coords").values);
  CHECK(coordinates[2 * 17] == 28709);
  CHECK(coordinates[2 * 17 + 1] == 21905);
}

TEST_CASE("io utf8: valid and invalid texts") {
  for (const char* text : {"", "a", "é", "漢", "🙂", "\x7f", "\xf4\x8f\xbf\xbf"}) {
    CHECK(milgrad::io::is_utf8(text));
  }
  for (const char* text : {"\x80", "\xc3", "\xc0\x80", "\xe0\x80\x80", "\xed\xa0\x80", "\xff",
                           "\xf4\x90\x80\x80", "\xf0\x80\x80\x80", "a\xe2\x82"}) {
    CHECK_FALSE(milgrad::io::is_utf8(text));
  }
}
