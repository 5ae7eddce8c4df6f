// Shape, slicing and indexing operations against NumPy 2 (arange(24).reshape(2, 3, 4) as x), their
// behaviour at a symbolic leading size, and their error texts.
#include "tensor/op.h"
#include "tensor/ops.h"

#include <doctest/doctest.h>

using namespace milgrad;

namespace {

using Floats = std::vector<float>;

Tensor cube() { return reshape(arange(0, 24), {2, 3, 4}); }
Floats floats(const Tensor& x) { return x.to_vector<float>(); }

std::vector<Spec> infer(Op op, const Attrs& attrs, const std::vector<Spec>& inputs) {
  return definition(op).infer.value({.op = name_of(op), .attrs = attrs, .inputs = inputs});
}

}  // namespace

TEST_CASE("shape ops: reshape, flatten, expand_dims and squeeze keep memory and order") {
  const Tensor x = cube();
  CHECK(reshape(x, {4, -1}).shape() == Shape{4, 6});
  CHECK(reshape(x, {4, -1}).raw_data() == x.raw_data());
  CHECK(flatten(x).shape() == Shape{2, 12});
  CHECK(flatten(x, 0).shape() == Shape{24});
  CHECK(flatten(x, 0, 1).shape() == Shape{6, 4});
  CHECK(flatten(arange(0, 3)).shape() == Shape{3, 1});
  CHECK(expand_dims(x, {0, -1}).shape() == Shape{1, 2, 3, 4, 1});
  CHECK(squeeze(expand_dims(x, {0, 2})).shape() == x.shape());
  CHECK(squeeze(expand_dims(x, {0, 2}), {0}).shape() == Shape{2, 1, 3, 4});
  CHECK(reshape_like(x, zeros({6, 4})).shape() == Shape{6, 4});
  CHECK(floats(reshape(x, {4, -1})) == floats(x));
}

TEST_CASE("shape ops: transpose of all axes orders") {
  CHECK(floats(transpose(cube(), {2, 0, 1})) == Floats{0, 4, 8,  12, 16, 20, 1, 5, 9,  13, 17, 21,
                                                       2, 6, 10, 14, 18, 22, 3, 7, 11, 15, 19, 23});
  CHECK(floats(transpose(cube())) == Floats{0, 12, 4, 16, 8,  20, 1, 13, 5, 17, 9,  21,
                                            2, 14, 6, 18, 10, 22, 3, 15, 7, 19, 11, 23});
  CHECK(transpose(cube()).shape() == Shape{4, 3, 2});
  // Larger than the tiles, not a multiple of them: element (i, j) of 37 x 53 goes to (j, i).
  const Tensor big = transpose(reshape(arange(0, 37 * 53), {37, 53}));
  bool right = true;
  for (int i = 0; i < 37; ++i)
    for (int j = 0; j < 53; ++j)
      right = right && big.data<float>()[static_cast<std::size_t>(j * 37 + i)] ==
                           static_cast<float>(i * 53 + j);
  CHECK(right);
}

TEST_CASE("shape ops: broadcast and flip") {
  const Tensor column = tensor<float>({1.f, 2.f});
  CHECK(floats(broadcast_to(expand_dims(column, {1}), {2, 2, 3})) ==
        Floats{1, 1, 1, 2, 2, 2, 1, 1, 1, 2, 2, 2});
  CHECK(floats(broadcast_like(column, zeros({3, 2}))) == Floats{1, 2, 1, 2, 1, 2});
  CHECK(floats(flip(cube(), {0, 2})) == Floats{15, 14, 13, 12, 19, 18, 17, 16, 23, 22, 21, 20,
                                               3,  2,  1,  0,  7,  6,  5,  4,  11, 10, 9,  8});
  CHECK(flip(arange(0, 3, 1, DType::uint8), {-1}).to_vector<std::uint8_t>() ==
        std::vector<std::uint8_t>{2, 1, 0});
}

TEST_CASE("shape ops: slice, aliasing leading positions and copying others") {
  const Tensor x = cube();
  CHECK(floats(slice(x, {.axis = 1, .start = 1, .stop = 3})) ==
        Floats{4, 5, 6, 7, 8, 9, 10, 11, 16, 17, 18, 19, 20, 21, 22, 23});
  CHECK(floats(slice(x, {.axis = -1, .start = 1, .step = 2})) ==
        Floats{1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23});
  CHECK(floats(slice(x, {.axis = 2, .start = -1})) == Floats{3, 7, 11, 15, 19, 23});
  CHECK(slice(x, {.axis = 2, .stop = -1}).shape() == Shape{2, 3, 3});
  CHECK(slice(x, {.axis = 0, .start = 1}).raw_data() == x.raw_data() + 12 * sizeof(float));
  CHECK(slice(x, {.axis = 0, .step = 2}).raw_data() != x.raw_data());
  CHECK(slice(x, {.axis = 1, .start = 3}).shape() == Shape{2, 0, 4});
  CHECK_THROWS_WITH_AS(slice(x, {.axis = 1, .stop = 4}),
                       "[slice] range 0:4:1 on axis 1 does not fit shape (2, 3, 4)", ShapeError);
}

TEST_CASE("shape ops: pad and the forms that undo slices") {
  const Tensor x = tensor(Floats{1, 2, 3, 4}, {2, 2});
  CHECK(floats(pad(x, {.axis = 1, .before = 1, .after = 2, .value = -1})) ==
        Floats{-1, 1, 2, -1, -1, -1, 3, 4, -1, -1});
  CHECK(floats(pad_like(x, zeros({2, 4}), {.axis = 1, .start = 1, .step = 2})) ==
        Floats{0, 1, 0, 2, 0, 3, 0, 4});
  CHECK(floats(pad_like(x, zeros({3, 2}), {.axis = 0, .start = 1})) == Floats{0, 0, 1, 2, 3, 4});
  CHECK(floats(slice_like(cube(), zeros({2, 3, 2}), {.axis = 2, .start = 2})) ==
        Floats{2, 3, 6, 7, 10, 11, 14, 15, 18, 19, 22, 23});
}

TEST_CASE("shape ops: concat, stack, split and unstack") {
  const Tensor a = tensor(Floats{1, 2}, {2, 1}), b = tensor(Floats{3, 4, 5, 6}, {2, 2});
  CHECK(floats(concat({a, b}, -1)) == Floats{1, 3, 4, 2, 5, 6});
  CHECK(concat({b, zeros({0, 2})}, 0).shape() == Shape{2, 2});
  CHECK(floats(stack({squeeze(a), tensor<float>({7.f, 8.f})}, 1)) == Floats{1, 7, 2, 8});
  const Tensors parts = split(cube(), std::vector<Dim>{1, 3}, 2);
  CHECK(floats(parts[0]) == Floats{0, 4, 8, 12, 16, 20});
  CHECK(parts[1].shape() == Shape{2, 3, 3});
  CHECK(split(cube(), 3, 1)[2].shape() == Shape{2, 1, 4});
  CHECK(floats(unstack(cube(), 1)[1]) == Floats{4, 5, 6, 7, 16, 17, 18, 19});
  const Tensors many(100, tensor<float>({1.f, 2.f}));
  CHECK(concat(many).shape() == Shape{200});
  CHECK_THROWS_WITH_AS(split(cube(), 2, 1),
                       "[split] axis 1 of shape (2, 3, 4) cannot be cut into 2 equal parts",
                       ShapeError);
}

TEST_CASE("shape ops: gather and scatter_add") {
  const Tensor indices = tensor(std::vector<std::int64_t>{2, 0, 1, 1}, {2, 2});
  const Tensor taken = gather(cube(), indices, 1);
  CHECK(taken.shape() == Shape{2, 2, 2, 4});
  CHECK(floats(taken) == Floats{8,  9,  10, 11, 0,  1,  2,  3,  4,  5,  6,  7,  4,  5,  6,  7,
                                20, 21, 22, 23, 12, 13, 14, 15, 16, 17, 18, 19, 16, 17, 18, 19});
  // numpy.add.at(ones((3, 2)), [1, 1, 0], [[1, 2], [3, 4], [5, 6]])
  CHECK(floats(scatter_add(ones({3, 2}), tensor({1, 1, 0}),
                           tensor(Floats{1, 2, 3, 4, 5, 6}, {3, 2}))) == Floats{6, 7, 5, 7, 1, 1});
  CHECK_THROWS_WITH_AS(gather(cube(), tensor({0, 3}), 1),
                       "[gather] index 3 at position 1 of indices (2,) is out of range for an axis "
                       "of size 3",
                       ValueError);
  CHECK_THROWS_WITH_AS(scatter_add(ones({3}), tensor({-1}), ones({1})),
                       "[scatter_add_like] index -1 at position 0 of indices (1,) is out of range "
                       "for an axis of size 3",
                       ValueError);
}

TEST_CASE("shape ops: one_hot gives rows of zeros outside of the classes") {
  CHECK(floats(one_hot(tensor({1, -1, 3, 0}), 3)) == Floats{0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0});
}

TEST_CASE("shape ops: rules hold for a symbolic leading size") {
  const Dim n = symbolic_dim(1);
  const Spec x{{n, 3, 4}, DType::float32};
  CHECK(infer(Op::reshape, ShapeAttrs{{-1, 4}}, {x})[0].shape == Shape{symbolic_dim(1, 3), 4});
  CHECK(infer(Op::flatten, AxesAttrs{{1, 2}}, {x})[0].shape == Shape{n, 12});
  CHECK(infer(Op::flatten, AxesAttrs{{0, 1}}, {x})[0].shape == Shape{symbolic_dim(1, 3), 4});
  CHECK(infer(Op::reshape_like, NoAttrs{}, {x, {{n, 12}, DType::float32}})[0].shape ==
        Shape{n, 12});
  CHECK(infer(Op::concat, AxisAttrs{0}, {x, x})[0].shape == Shape{symbolic_dim(1, 2), 3, 4});
  CHECK(infer(Op::split_like, AxisAttrs{0}, {{{symbolic_dim(1, 2), 3, 4}, DType::float32}, x, x})[1]
            .shape == x.shape);
  CHECK(infer(Op::slice, SliceAttrs{.axis = 1, .start = 1}, {x})[0].shape == Shape{n, 2, 4});
  CHECK(infer(Op::gather, AxisAttrs{0}, {x, {{2}, DType::int32}})[0].shape == Shape{2, 3, 4});
  CHECK(infer(Op::one_hot, OneHotAttrs{5}, {{{n}, DType::int32}})[0].shape == Shape{n, 5});
  CHECK_THROWS_WITH_AS(infer(Op::slice, SliceAttrs{.axis = 0, .start = 1}, {x}),
                       "[slice] axis 0 of shape (N, 3, 4) has no known size to slice", ShapeError);
}

TEST_CASE("shape: sizes below 0 are refused, not multiplied") {
  CHECK_THROWS_WITH_AS(zeros({-1, -1}), "[shape] (-1, -1) has the size -1; expected 0 or more",
                       ShapeError);
  CHECK_THROWS_WITH_AS(zeros({2, -7}), "[shape] (2, -7) has the size -7; expected 0 or more",
                       ShapeError);
  CHECK_THROWS_WITH_AS(reshape(zeros({4}), {-2, 2}), "[reshape] shape (4,) cannot become (-2, 2)",
                       ShapeError);
  CHECK_THROWS_WITH_AS(split(zeros({3}), std::vector<Dim>{-1, 4}),
                       "[split] a part of size -1 on axis 0 of shape (3,)", ShapeError);
}

TEST_CASE("shape: more bytes than 64 bits can count are memory that cannot be had") {
  CHECK_THROWS_AS(zeros({Dim{1} << 61}, DType::float64), std::bad_alloc);
  CHECK_THROWS_AS(broadcast_to(zeros({1}), {Dim{1} << 62}), std::bad_alloc);
  CHECK_THROWS_AS(arange(0, 1e30), std::bad_alloc);
}

TEST_CASE("expand_dims: an axis named twice is refused, counted from either end") {
  const char* message = "[expand_dims] axis 0 of shape (2,) is named twice";
  CHECK_THROWS_WITH_AS(expand_dims(zeros({2}), {0, 0}), message, ShapeError);
  CHECK_THROWS_WITH_AS(expand_dims(zeros({2}), {0, -3}), message, ShapeError);
}

TEST_CASE("full and arange: numbers that the dtype cannot hold are refused") {
  CHECK_THROWS_WITH_AS(full({}, 9223372036854775808.0, DType::int64),
                       "[full] 9.223372036854776e+18 is not a int64 number", ValueError);
  CHECK(full({}, -9223372036854775808.0, DType::int64).item<std::int64_t>() ==
        std::numeric_limits<std::int64_t>::min());
  CHECK(full({}, 255, DType::uint8).item() == 255);
  CHECK_THROWS_WITH_AS(arange(250, 260, 1, DType::uint8), "[arange] 259 is not a uint8 number",
                       ValueError);
  CHECK_THROWS_WITH_AS(arange(0, 2, 0.5, DType::int32), "[arange] 1.5 is not a int32 number",
                       ValueError);
  CHECK_THROWS_WITH_AS(arange(0, 1.25, 0.25, DType::int32),
                       "[arange] a step of 0.25 between int32 numbers", ValueError);
  CHECK(arange(254, 256, 1, DType::uint8).to_vector<std::uint8_t>() ==
        std::vector<std::uint8_t>{254, 255});
  CHECK(arange(3, 0, -1, DType::int32).to_vector<std::int32_t>() ==
        std::vector<std::int32_t>{3, 2, 1});
}
