// Names and sizes of the element types.
#include "tensor/dtype.h"

namespace milgrad {

std::size_t size_of(DType dtype) {
  return visit_dtype(dtype, []<class T>() { return sizeof(T); });
}

const char* name_of(DType dtype) {
  switch (dtype) {
    case DType::float32:
      return "float32";
    case DType::float64:
      return "float64";
    case DType::int32:
      return "int32";
    case DType::int64:
      return "int64";
    case DType::uint8:
      return "uint8";
    case DType::boolean:
      break;
  }
  return "bool";
}

std::string to_string(DTypes dtypes) {
  std::string text;
  for (DType dtype :
       {DType::float32, DType::float64, DType::int32, DType::int64, DType::uint8, DType::boolean}) {
    if (!dtypes.contains(dtype)) continue;
    if (!text.empty()) text += ", ";
    text += name_of(dtype);
  }
  return text;
}

}  // namespace milgrad
