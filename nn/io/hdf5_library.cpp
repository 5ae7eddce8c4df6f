// The lock around libhdf5, its error text, and the pieces that reading and writing share.
#include "nn/io/hdf5_library.h"

#include "nn/io/sha256.h"
#include "tensor/error.h"

#include <fmt/format.h>

namespace milgrad::io {

namespace {

std::mutex library_mutex;

extern "C" herr_t keep_first_description(unsigned int level, const H5E_error2_t* error,
                                         void* text) {
  if (level == 0 && error->desc != nullptr) *static_cast<std::string*>(text) = error->desc;
  return 0;
}

}  // namespace

Hdf5Session::Hdf5Session() : lock_(library_mutex) {
  H5open();
  H5Eget_auto2(H5E_DEFAULT, &print_, &print_data_);
  H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
  H5PLget_loading_state(&plugins_);
  H5PLset_loading_state(0);
}

Hdf5Session::~Hdf5Session() {
  H5PLset_loading_state(plugins_);
  H5Eset_auto2(H5E_DEFAULT, print_, print_data_);
}

std::string hdf5_error() {
  std::string text = "no details";
  // Walking upwards begins at the innermost call.
  H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, keep_first_description, &text);
  return text;
}

Hdf5Handle hdf5_memory_file(std::size_t growth, const void* image, std::size_t size) {
  Hdf5Handle access(H5Pcreate(H5P_FILE_ACCESS), H5Pclose);
  bool good = access.valid() && H5Pset_fapl_core(access, growth, false) >= 0 &&
              H5Pset_fclose_degree(access, H5F_CLOSE_STRONG) >= 0;
  if (good && image != nullptr) {
    // libhdf5 copies the image and does not change it; its signature lacks the const.
    good = H5Pset_file_image(access, const_cast<void*>(image), size) >= 0;
  }
  if (!good) throw Error("[hdf5] a file in memory cannot be set up: " + hdf5_error());
  return access;
}

Hdf5Handle hdf5_text_type() {
  Hdf5Handle type(H5Tcopy(H5T_C_S1), H5Tclose);
  if (!type.valid() || H5Tset_size(type, H5T_VARIABLE) < 0 ||
      H5Tset_cset(type, H5T_CSET_UTF8) < 0) {
    throw Error("[hdf5] the type of texts cannot be made: " + hdf5_error());
  }
  return type;
}

std::string hdf5_user_block(std::span<const std::uint8_t> rest) {
  std::string block =
      fmt::format("{}this {}-byte block: {}\n", kHdf5UserBlockBegin, kHdf5UserBlock, sha256(rest));
  block.resize(kHdf5UserBlock, '\0');
  return block;
}

}  // namespace milgrad::io
