// Which direction is better, and what counts as an improvement.
#include "nn/callbacks/monitor.h"

#include "tensor/error.h"

#include <cmath>
#include <utility>

#include <fmt/format.h>

namespace milgrad::nn {
namespace {

Direction direction_of(MonitorMode mode, const Run::Key& key) {
  if (mode == MonitorMode::min) return Direction::down;
  if (mode == MonitorMode::max) return Direction::up;
  return key.direction;
}

}  // namespace

MonitorCallback::MonitorCallback(std::string class_name, MonitorOptions options,
                                 std::optional<double> best)
    : class_name_(std::move(class_name)), options_(std::move(options)), best_(best) {}

void MonitorCallback::resolve() {
  const Run::Key* key = run().find_key(options_.monitor);
  if (key == nullptr)
    throw ValueError(
        fmt::format("[{}] there is no \"{}\" to monitor; the logs will hold: {}", class_name_,
                    options_.monitor, run().key_names()),
        options_.monitor.starts_with("val_") ? "validation_data gives the val_ values" : "");
  direction_ = direction_of(options_.mode, *key);
  if (direction_ == Direction::none)
    throw ValueError(fmt::format("[{}] whether greater or smaller values of \"{}\" are better is "
                                 "not known",
                                 class_name_, options_.monitor),
                     "set mode to MonitorMode::max or MonitorMode::min");
}

bool MonitorCallback::improves(double value, std::optional<double> reference) const {
  if (std::isnan(value)) return false;
  if (!reference) return true;
  const double delta = std::abs(options_.min_delta);
  const auto bar = static_cast<float>(*reference);
  return direction_ == Direction::up ? static_cast<float>(value - delta) > bar
                                     : static_cast<float>(value + delta) < bar;
}

}  // namespace milgrad::nn
