// MonitorCallback: the base of callbacks that wait for a value to improve.
#pragma once

#include "nn/callbacks/callback.h"

#include <optional>

namespace milgrad::nn {

/// Whether a smaller or a greater value is better; automatic: by the metric's own direction.
enum class MonitorMode { automatic, min, max };

struct MonitorOptions {
  std::string monitor = "val_loss";
  MonitorMode mode = MonitorMode::automatic;
  /// A smaller change is no improvement.
  double min_delta = 0;
};

class MonitorCallback : public Callback {
 public:
  const std::string& monitor() const { return options_.monitor; }
  /// Empty before the first value.
  std::optional<double> best() const { return best_; }

 protected:
  /// `class_name` begins the messages of errors.
  MonitorCallback(std::string class_name, MonitorOptions options, std::optional<double> best = {});

  /// Finds the direction. Throws ValueError that lists the names if the logs will have no value of
  /// this name, or if it has no direction and the mode is automatic.
  void resolve();
  /// Keras's rule: strictly better than the reference by more than min_delta, compared in float32;
  /// the first value is an improvement. NaN never is.
  bool improves(double value, std::optional<double> reference) const;
  void set_best(std::optional<double> best) { best_ = best; }

 private:
  std::string class_name_;
  MonitorOptions options_;
  std::optional<double> best_;
  Direction direction_ = Direction::none;
};

}  // namespace milgrad::nn
