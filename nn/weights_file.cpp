// Writes and reads the tree of a .weights.h5 file.
#include "nn/weights_file.h"

#include "nn/io/hdf5.h"
#include "nn/model.h"
#include "nn/names.h"
#include "tensor/ops.h"

#include <algorithm>
#include <optional>
#include <set>
#include <utility>

#include <fmt/format.h>

namespace milgrad::nn {
namespace {

io::ElementType element_type(DType dtype) {
  return visit_dtype(dtype, []<class T>() { return io::element_type_of<T>(); });
}

io::Array to_array(const Tensor& x) {
  io::Array array{element_type(x.dtype()), {}, {}};
  for (Dim size : x.shape()) array.dims.push_back(static_cast<std::size_t>(size));
  const auto* first = reinterpret_cast<const std::uint8_t*>(x.raw_data());
  array.bytes.assign(first,
                     first + static_cast<std::size_t>(x.numel()) * milgrad::size_of(x.dtype()));
  return array;
}

template <class T>
Tensor to_tensor_of(const io::Array& array, const Shape& shape) {
  return tensor(io::values_of<T>(array), shape);
}

Tensor to_tensor(const io::Array& array, const Shape& shape) {
  switch (array.type) {
    case io::ElementType::float32:
      return to_tensor_of<float>(array, shape);
    case io::ElementType::float64:
      return to_tensor_of<double>(array, shape);
    case io::ElementType::int32:
      return to_tensor_of<std::int32_t>(array, shape);
    case io::ElementType::int64:
      return to_tensor_of<std::int64_t>(array, shape);
    case io::ElementType::uint8:
      return to_tensor_of<std::uint8_t>(array, shape);
    case io::ElementType::boolean:
      break;
  }
  return to_tensor_of<bool>(array, shape);
}

bool is_floating(io::ElementType type) {
  return type == io::ElementType::float32 || type == io::ElementType::float64;
}

/// Where each layer stands in the file: its class's snake_case name, numbered within the model.
std::vector<std::string> layer_groups(const Model& model) {
  std::map<std::string, int> used;
  std::vector<std::string> groups;
  for (const auto& layer : model.layers()) {
    const std::string base = snake_case(layer->class_name());
    const int before = used[base]++;
    groups.push_back(before == 0 ? base : fmt::format("{}_{}", base, before));
  }
  return groups;
}

std::vector<Variable> variables_of(const Layer& layer) {
  std::vector<Variable> variables;
  for (const Weight& weight : layer.weights()) variables.push_back(weight.variable);
  return variables;
}

void put_variables(io::Hdf5Group& tree, const std::string& place, const std::string& name,
                   const std::vector<Variable>& variables) {
  io::Hdf5Group& group = tree.make_group(place);
  group.attributes["name"] = name;
  for (std::size_t i = 0; i < variables.size(); ++i)
    group.datasets[std::to_string(i)] = {to_array(variables[i].value())};
}

/// The values of a file on their way into variables; nothing is written before all were checked.
class Loading {
 public:
  Loading(const io::Hdf5Group& tree, const std::filesystem::path& path,
          const LoadWeightsOptions& options)
      : tree_(tree), path_(path.string()), options_(options) {}

  void read_layers(const Model& model) {
    // The name that TensorFlow 2.13's Keras gave the group.
    const std::string top =
        tree_.find_group("layers") == nullptr ? "_layer_checkpoint_dependencies" : "layers";
    const std::vector<std::string> groups = layer_groups(model);
    for (std::size_t i = 0; i < groups.size(); ++i)
      read_layer(*model.layers()[i], fmt::format("{}/{}/vars", top, groups[i]));
    refuse_other_layers(top, groups);
  }

  void read_optimizer(const OptimizerState& optimizer) {
    const std::string place = "optimizer/vars";
    const io::Hdf5Group* group = tree_.find_group(place);
    if (group == nullptr) return;
    const std::string problem = compare(group, place, optimizer.variables(), {});
    if (problem.empty())
      stage(*group, optimizer.variables());
    else
      skip(fmt::format("the state of optimizer \"{}\": {}", optimizer.name(), problem));
  }

  std::vector<std::string> finish() {
    for (const auto& [variable, value] : staged_) variable.assign(value);
    return std::move(skipped_);
  }

 private:
  void read_layer(const Layer& layer, const std::string& place) {
    const io::Hdf5Group* group = tree_.find_group(place);
    const std::vector<Variable> variables = variables_of(layer);
    if (group == nullptr && variables.empty()) return;
    const std::string problem = compare(group, place, variables, layer.weights());
    if (problem.empty()) return stage(*group, variables);
    const std::string where = fmt::format("layer \"{}\": {}", layer.name(), problem);
    if (!options_.skip_mismatch)
      throw ShapeError(fmt::format("{}: {}", path_, where),
                       "the file holds the weights of another architecture; build the model that "
                       "wrote it, or skip what differs with skip_mismatch");
    skip(where);
  }

  void refuse_other_layers(const std::string& top, const std::vector<std::string>& groups) {
    const io::Hdf5Group* layers = tree_.find_group(top);
    if (layers == nullptr) return;
    const std::set<std::string> known(groups.begin(), groups.end());
    for (const auto& [name, group] : layers->groups) {
      const io::Hdf5Group* vars = group.find_group("vars");
      if (known.contains(name) || vars == nullptr || vars->datasets.empty()) continue;
      const std::string what = fmt::format("{}/{} holds {} weights of a layer that the model lacks",
                                           top, name, vars->datasets.size());
      if (!options_.skip_mismatch)
        throw ValueError(fmt::format("{}: {}", path_, what),
                         "build the model that wrote it, or skip what differs with skip_mismatch");
      skip(what);
    }
  }

  /// Why the group does not fit the variables; "" if it does.
  static std::string compare(const io::Hdf5Group* group, const std::string& place,
                             const std::vector<Variable>& variables,
                             const std::vector<Weight>& weights) {
    const std::size_t count = group == nullptr ? 0 : group->datasets.size();
    if (count != variables.size())
      return fmt::format("{} holds {} variables; expected {}", place, count, variables.size());
    for (std::size_t i = 0; i < count; ++i) {
      const io::Hdf5Dataset* found = group->find_dataset(std::to_string(i));
      if (found == nullptr) return fmt::format("{}/{} is missing", place, i);
      const io::Array& values = found->values;
      const Variable& variable = variables[i];
      const std::string name = weights.empty() ? std::string() : " (" + weights[i].name + ")";
      if (io::dims_text(values.dims) != variable.shape().to_string())
        return fmt::format("{}/{}{} has shape {}; expected {}", place, i, name,
                           io::dims_text(values.dims), variable.shape().to_string());
      if (is_floating(values.type) != milgrad::is_floating(variable.dtype()))
        return fmt::format("{}/{}{} holds {}; expected {}", place, i, name,
                           io::element_name(values.type), name_of(variable.dtype()));
    }
    return {};
  }

  void stage(const io::Hdf5Group& group, const std::vector<Variable>& variables) {
    for (std::size_t i = 0; i < variables.size(); ++i) {
      const Variable& variable = variables[i];
      const Tensor value =
          to_tensor(group.find_dataset(std::to_string(i))->values, variable.shape());
      staged_.emplace_back(
          variable, value.dtype() == variable.dtype() ? value : cast(value, variable.dtype()));
    }
  }

  void skip(const std::string& what) { skipped_.push_back(path_ + ": not loaded: " + what); }

  const io::Hdf5Group& tree_;
  std::string path_;
  LoadWeightsOptions options_;
  std::vector<std::pair<Variable, Tensor>> staged_;
  std::vector<std::string> skipped_;
};

}  // namespace

void save_weights(const Model& model, const std::filesystem::path& path,
                  const SaveWeightsOptions& options) {
  io::Hdf5Group tree;
  for (const auto& [name, text] : options.root_attributes) tree.attributes[name] = text;
  put_variables(tree, "vars", model.name(), {});
  const std::vector<std::string> groups = layer_groups(model);
  for (std::size_t i = 0; i < groups.size(); ++i) {
    const Layer& layer = *model.layers()[i];
    put_variables(tree, "layers/" + groups[i] + "/vars", layer.name(), variables_of(layer));
  }
  if (const auto& optimizer = model.optimizer_state())
    put_variables(tree, "optimizer/vars", optimizer->name(), optimizer->variables());
  io::write_file(path, io::hdf5_image(tree), {.keep_previous = options.keep_previous});
}

LoadReport load_weights(Model& model, const std::filesystem::path& path,
                        const LoadWeightsOptions& options) {
  io::Hdf5Group tree;
  const io::ReadOutcome outcome = io::read_file_or_previous(
      path, [&](const io::Bytes& bytes, const std::filesystem::path& from) {
        tree = io::parse_hdf5(bytes, from);
      });
  Loading loading(tree, outcome.path, options);
  loading.read_layers(model);
  if (const auto& optimizer = model.optimizer_state()) loading.read_optimizer(*optimizer);
  return {.skipped = loading.finish(), .note = outcome.note};
}

std::map<std::string, std::string> read_root_attributes(const std::filesystem::path& path) {
  std::map<std::string, std::string> result;
  io::read_file_or_previous(path, [&](const io::Bytes& bytes, const std::filesystem::path& from) {
    const io::Hdf5Group tree = io::parse_hdf5(bytes, from);
    result.clear();
    for (const auto& [name, value] : tree.attributes)
      if (const auto* text = std::get_if<std::string>(&value)) result[name] = *text;
  });
  return result;
}

}  // namespace milgrad::nn
