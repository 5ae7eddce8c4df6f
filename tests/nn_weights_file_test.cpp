// Weight files: layout, transactional loading, optimizer state, damaged files.
#include "nn/io/hdf5.h"
#include "nn/model.h"
#include "nn/names.h"
#include "nn/weights_file.h"
#include "tests/nn_support.h"
#include "tests/support.h"

#include <string>
#include <vector>

#include <doctest/doctest.h>

using namespace milgrad;
using test::error_of;
using test::ramp;

namespace {

nn::Model small_model(std::int64_t units = 3, DType dtype = DType::float32) {
  nn::clear_session();
  const auto a = nn::Input({2});
  const auto hidden = nn::Dense(units, {.name = "any_name", .dtype = dtype})(a);
  return nn::Model(a, nn::Dense(1, {.dtype = dtype})(nn::Flatten()(hidden)));
}

std::shared_ptr<test::BuiltAdam> adam(std::size_t slots) {
  return std::make_shared<test::BuiltAdam>(scalar(7, DType::int32), scalar(0.125),
                                           Tensors(slots, ramp({2, 3})));
}

std::vector<std::vector<float>> values_of(const nn::Model& model) {
  std::vector<std::vector<float>> values;
  for (const Tensor& x : model.get_weights()) values.push_back(x.to_vector<float>());
  return values;
}

}  // namespace

TEST_CASE("nn weights file: Keras's tree, by class and position, not by name") {
  const test::TemporaryDirectory folder;
  const auto path = folder / "w.weights.h5";
  nn::Model model = small_model();
  model.set_optimizer_state(adam(2));
  model.save_weights(path, {.root_attributes = {{"config", "{\"bags\": 3}"}}});
  const io::Hdf5Group tree = io::read_hdf5(path);
  REQUIRE(tree.find_group("vars") != nullptr);
  CHECK(*tree.find_group("vars")->find_text("name") == "functional");
  CHECK(*tree.find_group("layers/dense/vars")->find_text("name") == "any_name");
  CHECK(*tree.find_group("layers/dense_1/vars")->find_text("name") == "dense");
  CHECK(*tree.find_group("layers/input_layer/vars")->find_text("name") == "input_layer");
  CHECK(tree.find_group("layers/flatten/vars")->datasets.empty());
  const io::Hdf5Dataset* kernel = tree.find_dataset("layers/dense/vars/0");
  REQUIRE(kernel != nullptr);
  CHECK(kernel->values.dims == std::vector<std::size_t>{2, 3});
  CHECK(kernel->values.type == io::ElementType::float32);
  CHECK(tree.find_dataset("layers/dense/vars/1")->values.dims == std::vector<std::size_t>{3});
  CHECK(*tree.find_group("optimizer/vars")->find_text("name") == "adam");
  CHECK(tree.find_dataset("optimizer/vars/0")->values.type == io::ElementType::int32);
  CHECK(tree.find_dataset("optimizer/vars/0")->values.dims.empty());
  CHECK(tree.find_group("optimizer/vars")->datasets.size() == 4);
  CHECK(nn::read_root_attributes(path) ==
        std::map<std::string, std::string>{{"config", "{\"bags\": 3}"}});
}

TEST_CASE("nn weights file: a round trip, optimizer included") {
  const test::TemporaryDirectory folder;
  const auto path = folder / "w.weights.h5";
  nn::Model model = small_model();
  model.set_optimizer_state(adam(2));
  model.save_weights(path);
  nn::Model other = small_model();
  CHECK(values_of(other)[0] != values_of(model)[0]);
  const auto state = adam(2);
  for (const Variable& variable : state->variables())
    variable.assign(zeros(variable.shape(), variable.dtype()));
  other.set_optimizer_state(state);
  const nn::LoadReport report = other.load_weights(path);
  CHECK(report.skipped.empty());
  CHECK(report.note.empty());
  CHECK(values_of(other) == values_of(model));
  CHECK(state->variables()[0].value().item() == 7);
  CHECK(state->variables()[1].value().item() == 0.125);
  CHECK(state->variables()[3].value().to_vector<float>() == ramp({2, 3}).to_vector<float>());
}

TEST_CASE("nn weights file: another architecture changes nothing and names both shapes") {
  const test::TemporaryDirectory folder;
  const auto path = folder / "w.weights.h5";
  small_model(4).save_weights(path);
  nn::Model model = small_model(3);
  const auto before = values_of(model);
  CHECK(error_of<ShapeError>([&] { model.load_weights(path); }) ==
        path.string() +
            ": layer \"any_name\": layers/dense/vars/0 (kernel) has shape (2, 4); expected (2, 3)");
  CHECK(values_of(model) == before);
  const nn::LoadReport report = model.load_weights(path, {.skip_mismatch = true});
  REQUIRE(report.skipped.size() == 2);
  CHECK(report.skipped[1] ==
        path.string() +
            ": not loaded: layer \"dense\": layers/dense_1/vars/0 (kernel) has shape (4, 1); "
            "expected (3, 1)");
  CHECK(values_of(model) == before);
}

TEST_CASE("nn weights file: a mismatch in the last layer leaves the first as it was") {
  const test::TemporaryDirectory folder;
  const auto path = folder / "w.weights.h5";
  small_model().save_weights(path);
  nn::clear_session();
  const auto a = nn::Input({2});
  nn::Model model(a, nn::Dense(2)(nn::Dense(3)(a)));
  const auto before = values_of(model);
  CHECK_THROWS_AS(model.load_weights(path), ShapeError);
  CHECK(values_of(model) == before);
  CHECK(model.load_weights(path, {.skip_mismatch = true}).skipped.size() == 1);
  CHECK(values_of(model)[0] != before[0]);
  CHECK(values_of(model)[2] == before[2]);
}

TEST_CASE("nn weights file: layers that only one side has") {
  const test::TemporaryDirectory folder;
  const auto path = folder / "w.weights.h5";
  small_model().save_weights(path);
  nn::clear_session();
  const auto a = nn::Input({2});
  nn::Model shorter(a, nn::Dense(3)(a));
  CHECK(error_of<ValueError>([&] { shorter.load_weights(path); }) ==
        path.string() + ": layers/dense_1 holds 2 weights of a layer that the model lacks");
  nn::Model longer(a, nn::Dense(1)(nn::Dense(1)(nn::Dense(3)(a))));
  CHECK(error_of<ShapeError>([&] { longer.load_weights(path); }) ==
        path.string() + ": layer \"dense_1\": layers/dense_2/vars holds 0 variables; expected 2");
}

TEST_CASE("nn weights file: float64 is stored as such and converts on loading") {
  const test::TemporaryDirectory folder;
  const auto path = folder / "w.weights.h5";
  const nn::Model precise = small_model(3, DType::float64);
  precise.save_weights(path);
  CHECK(io::read_hdf5(path).find_dataset("layers/dense/vars/0")->values.type ==
        io::ElementType::float64);
  nn::Model model = small_model();
  model.load_weights(path);
  const auto expected = precise.get_weights()[0].to_vector<double>();
  const auto values = model.get_weights()[0].to_vector<float>();
  for (std::size_t i = 0; i < values.size(); ++i)
    CHECK(values[i] == static_cast<float>(expected[i]));
}

TEST_CASE("nn weights file: another optimizer's state is left out, and that is said") {
  const test::TemporaryDirectory folder;
  const auto path = folder / "w.weights.h5";
  nn::Model model = small_model();
  model.set_optimizer_state(adam(2));
  model.save_weights(path);
  model.set_optimizer_state(adam(0));
  const nn::LoadReport report = model.load_weights(path);
  REQUIRE(report.skipped.size() == 1);
  CHECK(report.skipped[0] ==
        path.string() +
            ": not loaded: the state of optimizer \"adam\": optimizer/vars holds 4 "
            "variables; expected 2");
  model.set_optimizer_state(nullptr);
  CHECK(model.load_weights(path).skipped.empty());
}

TEST_CASE("nn weights file: a damaged file falls back on the older generation and says so") {
  const test::TemporaryDirectory folder;
  const auto path = folder / "w.weights.h5";
  nn::Model model = small_model();
  const auto first = values_of(model);
  model.save_weights(path, {.root_attributes = {{"epoch", "1"}}});
  Tensors changed = model.get_weights();
  for (Tensor& value : changed) value = value + 1;
  model.set_weights(changed);
  model.save_weights(path, {.root_attributes = {{"epoch", "2"}}, .keep_previous = true});
  std::string bytes = test::read_file(path);
  bytes[bytes.size() / 2] ^= 1;
  test::write_file(path, bytes);
  const nn::LoadReport report = model.load_weights(path);
  CHECK(report.note.find(path.string() + ".1") != std::string::npos);
  CHECK(values_of(model) == first);
  CHECK(nn::read_root_attributes(path).at("epoch") == "1");
  std::filesystem::remove(folder / "w.weights.h5.1");
  CHECK_THROWS_AS(model.load_weights(path), FormatError);
  CHECK(values_of(model) == first);
  CHECK_THROWS_AS(model.load_weights(folder / "none.weights.h5"), NotFoundError);
}
