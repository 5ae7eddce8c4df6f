// Shape: the sizes of a tensor, at most six, with one kind of unknown: a symbolic leading size.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>

namespace milgrad {

inline constexpr int kMaxRank = 6;

/// A size along an axis. Known sizes are >= 0; a symbolic size ("N", "3N": a multiple of a named
/// unknown) is a negative code, so that equal codes mean equal sizes and none is ever equal to 1.
using Dim = std::int64_t;

/// The size `multiple` * symbol; symbols are numbered from 1.
Dim symbolic_dim(int symbol, std::int64_t multiple = 1);
constexpr bool is_symbolic(Dim dim) { return dim < -1; }
std::int64_t symbol_multiple(Dim dim);
int symbol_of(Dim dim);

/// Sum, product and exact quotient of sizes of which at most one symbol is involved.
Dim add_dims(Dim a, Dim b);
Dim multiply_dims(Dim a, Dim b);
Dim divide_dims(Dim a, Dim b);
std::string dim_to_string(Dim dim);

/// A short list of sizes or axis numbers, at most kMaxRank, held in place.
class Shape {
 public:
  Shape() = default;
  Shape(std::initializer_list<Dim> dims) : Shape(std::span<const Dim>(dims.begin(), dims.size())) {}
  explicit Shape(std::span<const Dim> dims);

  int rank() const { return rank_; }
  Dim operator[](int axis) const { return dims_[static_cast<std::size_t>(axis)]; }
  Dim& operator[](int axis) { return dims_[static_cast<std::size_t>(axis)]; }
  const Dim* begin() const { return dims_.data(); }
  const Dim* end() const { return dims_.data() + rank_; }
  Dim back() const { return dims_[static_cast<std::size_t>(rank_ - 1)]; }

  void push_back(Dim dim);
  void insert(int position, Dim dim);
  void erase(int position);

  /// Number of elements; 1 for rank 0. Throws ShapeError on overflow or a symbolic size.
  std::int64_t numel() const;
  /// Product of the sizes in [first, last); may be symbolic.
  Dim product(int first, int last) const;
  bool has_symbol() const;

  /// "(2, 5)", "(3,)", "()".
  std::string to_string() const;

  bool operator==(const Shape& other) const;

 private:
  std::array<Dim, kMaxRank> dims_{};
  int rank_ = 0;
};

/// Turns an axis in -rank..rank-1 into 0..rank-1; throws "[op] axis 3 is out of range ...".
int normalize_axis(const char* op, int axis, const Shape& shape);

/// The NumPy broadcast of two shapes; throws ShapeError naming the op when they do not fit.
Shape broadcast_shapes(const char* op, const Shape& a, const Shape& b);

}  // namespace milgrad
