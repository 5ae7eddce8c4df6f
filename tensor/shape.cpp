// Shapes, symbolic sizes and the broadcasting rule.
#include "tensor/shape.h"

#include "tensor/error.h"

#include <algorithm>
#include <limits>

#include <fmt/format.h>

namespace milgrad {
namespace {

constexpr int kMultipleBits = 40;
constexpr std::int64_t kMultipleMask = (std::int64_t{1} << kMultipleBits) - 1;

[[noreturn]] void refuse_symbols(const char* what, Dim a, Dim b) {
  throw ShapeError(fmt::format("[shape] cannot {} the sizes {} and {}", what, dim_to_string(a),
                               dim_to_string(b)),
                   "only sizes of one symbol can be combined");
}

}  // namespace

Dim symbolic_dim(int symbol, std::int64_t multiple) {
  if (symbol < 1 || multiple < 0 || multiple > kMultipleMask)
    throw ValueError(fmt::format("[shape] no symbolic size {} x symbol {}", multiple, symbol));
  if (multiple == 0) return 0;
  return -((std::int64_t{symbol} << kMultipleBits) | multiple);
}

std::int64_t symbol_multiple(Dim dim) { return -dim & kMultipleMask; }
int symbol_of(Dim dim) { return static_cast<int>(-dim >> kMultipleBits); }

Dim add_dims(Dim a, Dim b) {
  if (b == 0) return a;
  if (a == 0) return b;
  if (is_symbolic(a) && is_symbolic(b) && symbol_of(a) == symbol_of(b))
    return symbolic_dim(symbol_of(a), symbol_multiple(a) + symbol_multiple(b));
  if (is_symbolic(a) || is_symbolic(b)) refuse_symbols("add", a, b);
  return a + b;
}

Dim multiply_dims(Dim a, Dim b) {
  if (is_symbolic(a) && is_symbolic(b)) refuse_symbols("multiply", a, b);
  if (is_symbolic(a)) return symbolic_dim(symbol_of(a), symbol_multiple(a) * b);
  if (is_symbolic(b)) return multiply_dims(b, a);
  Dim result;
  if (__builtin_mul_overflow(a, b, &result))
    throw ShapeError(fmt::format("[shape] the product of {} and {} overflows 64 bits", a, b));
  return result;
}

Dim divide_dims(Dim a, Dim b) {
  if (is_symbolic(a) && is_symbolic(b) && symbol_of(a) == symbol_of(b) &&
      symbol_multiple(a) % symbol_multiple(b) == 0)
    return symbol_multiple(a) / symbol_multiple(b);
  if (is_symbolic(a) && b > 0 && symbol_multiple(a) % b == 0)
    return symbolic_dim(symbol_of(a), symbol_multiple(a) / b);
  if (is_symbolic(a) || is_symbolic(b) || b == 0 || a % b != 0) refuse_symbols("divide", a, b);
  return a / b;
}

std::string dim_to_string(Dim dim) {
  if (!is_symbolic(dim) || symbol_of(dim) < 1) return std::to_string(dim);
  const auto multiple = symbol_multiple(dim);
  const std::string name = symbol_of(dim) == 1 ? "N" : "N" + std::to_string(symbol_of(dim));
  return multiple == 1 ? name : std::to_string(multiple) + name;
}

Shape::Shape(std::span<const Dim> dims) {
  for (Dim dim : dims) push_back(dim);
}

void Shape::push_back(Dim dim) { insert(rank_, dim); }

void Shape::insert(int position, Dim dim) {
  if (rank_ == kMaxRank)
    throw ShapeError(fmt::format("[shape] {} has rank {} already; at most {} axes are supported",
                                 to_string(), rank_, kMaxRank));
  std::copy_backward(dims_.begin() + position, dims_.begin() + rank_, dims_.begin() + rank_ + 1);
  dims_[static_cast<std::size_t>(position)] = dim;
  ++rank_;
}

void Shape::erase(int position) {
  std::copy(dims_.begin() + position + 1, dims_.begin() + rank_, dims_.begin() + position);
  --rank_;
}

Dim Shape::product(int first, int last) const {
  Dim result = 1;
  for (int axis = first; axis < last; ++axis) result = multiply_dims(result, (*this)[axis]);
  return result;
}

std::int64_t Shape::numel() const {
  for (const Dim dim : *this) {
    if (dim >= 0) continue;
    if (is_symbolic(dim) && symbol_of(dim) >= 1)
      throw ShapeError(
          fmt::format("[shape] the number of elements of {} is not known", to_string()));
    throw ShapeError(
        fmt::format("[shape] {} has the size {}; expected 0 or more", to_string(), dim));
  }
  return product(0, rank_);
}

bool Shape::has_symbol() const { return std::any_of(begin(), end(), is_symbolic); }

std::string Shape::to_string() const {
  std::string text = "(";
  for (int axis = 0; axis < rank_; ++axis) {
    if (axis > 0) text += ", ";
    text += dim_to_string((*this)[axis]);
  }
  return text + (rank_ == 1 ? ",)" : ")");
}

bool Shape::operator==(const Shape& other) const {
  return rank_ == other.rank_ && std::equal(begin(), end(), other.begin());
}

int normalize_axis(const char* op, int axis, const Shape& shape) {
  const int rank = shape.rank();
  if (axis < -rank || axis >= rank)
    throw ShapeError(
        fmt::format("[{}] axis {} is out of range for shape {}", op, axis, shape.to_string()),
        rank == 0 ? "a scalar has no axes" : fmt::format("use {}..{}", -rank, rank - 1));
  return axis < 0 ? axis + rank : axis;
}

Shape broadcast_shapes(const char* op, const Shape& a, const Shape& b) {
  const Shape& longer = a.rank() >= b.rank() ? a : b;
  const Shape& shorter = a.rank() >= b.rank() ? b : a;
  Shape result = longer;
  const int shift = longer.rank() - shorter.rank();
  for (int axis = 0; axis < shorter.rank(); ++axis) {
    Dim& size = result[axis + shift];
    const Dim other = shorter[axis];
    if (size == other || other == 1) continue;
    if (size != 1)
      throw ShapeError(
          fmt::format("[{}] shapes {} and {} do not broadcast", op, a.to_string(), b.to_string()),
          "sizes must be equal or 1, counted from the last axis");
    size = other;
  }
  return result;
}

}  // namespace milgrad
