// Logs: the named values of a batch, an epoch or an evaluation, in order.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace milgrad::nn {

/// The shortest digits that read back as the same number, written as Python does: 0.5, 1.0, 1e-05.
std::string number_text(double value);

/// Names and values in the order in which they were set.
class Logs {
 public:
  using Entry = std::pair<std::string, double>;

  Logs() = default;
  Logs(std::initializer_list<Entry> entries) : entries_(entries) {}

  /// Throws ValueError that lists the names if there is none such.
  double operator[](std::string_view name) const;
  std::optional<double> find(std::string_view name) const;
  /// Replaces the value of that name, or appends it.
  void set(std::string_view name, double value);
  /// The same entries, ordered by name.
  Logs sorted() const;
  /// "accuracy, loss"
  std::string names() const;

  std::size_t size() const { return entries_.size(); }
  bool empty() const { return entries_.empty(); }
  auto begin() const { return entries_.begin(); }
  auto end() const { return entries_.end(); }
  bool operator==(const Logs&) const = default;

 private:
  std::vector<Entry> entries_;
};

/// The running means after a batch. They stand in device memory: reading them is what costs, so
/// that a callback which does not look at them costs nothing.
class BatchLogs {
 public:
  /// `loss` gives the running mean of the loss, `all` every value.
  BatchLogs(std::function<double()> loss, std::function<Logs()> all)
      : loss_(std::move(loss)), all_(std::move(all)) {}
  double loss() const { return loss_(); }
  Logs all() const { return all_(); }

 private:
  std::function<double()> loss_;
  std::function<Logs()> all_;
};

/// What fit() did: one value per epoch and name, as in Keras's History.
class History {
 public:
  /// Zero-based numbers of the epochs that ended.
  std::vector<int> epoch;
  /// The hook `interrupted` of fit() ended the training, in the midst of an epoch that is not here.
  bool interrupted = false;

  /// Throws ValueError that lists the names if there is none such.
  const std::vector<double>& operator[](std::string_view name) const;
  /// In Keras's order: sorted as the first epoch logged them, then what callbacks added.
  const std::vector<std::string>& names() const { return names_; }
  void append(int epoch_number, const Logs& logs);

 private:
  std::vector<std::string> names_;
  std::map<std::string, std::vector<double>, std::less<>> values_;
};

}  // namespace milgrad::nn
