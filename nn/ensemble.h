// Ensemble: models of one kind, trained with seeds of their own, whose predictions are averaged.
#pragma once

#include "nn/model.h"

#include <cstdint>
#include <functional>
#include <vector>

namespace milgrad::nn {

struct EnsembleOptions {
  /// Member i is built, and its training shuffled, with seeds from SeedScope(derive_seed(seed, i)).
  std::uint64_t seed = 0;
  /// Trains the members at the same time, each on one thread (see set_num_threads): the results are
  /// the same bits. Callbacks and progress are then called by several threads, and a member that is
  /// interrupted does not keep the others from ending.
  bool side_by_side = false;
};

class Ensemble {
 public:
  /// Makes member i, compiled if it is to be trained.
  using Factory = std::function<Model(int member)>;
  /// The options with which member i is trained; callbacks must be its own.
  using MemberFitOptions = std::function<FitOptions(int member)>;
  /// Called before member i is trained and, with i = members, at the end.
  using Progress = std::function<void(int member, int members)>;

  /// Calls the factory once per member. Throws ValueError for less than one.
  Ensemble(int members, const Factory& factory, const EnsembleOptions& options = {});

  /// The seed of the SeedScope in which member i was built.
  std::uint64_t seed(int member) const { return seeds_[index_of(member)]; }
  /// The first `count` members alone.
  Ensemble first(int count) const;

  int size() const { return static_cast<int>(members_.size()); }
  /// Throws ValueError for a member that is not there, as does seed().
  Model& operator[](int member) { return members_[index_of(member)]; }
  const Model& operator[](int member) const { return members_[index_of(member)]; }

  /// Trains one member after the other and stops behind one that was interrupted, or all side by
  /// side. Where the options give no shuffle_seed, each member gets its own.
  std::vector<History> fit(const OneOrMany<Tensor>& inputs, const Tensor& labels,
                           const MemberFitOptions& options, const Progress& progress = {});

  /// The mean over the members of each output.
  OneOrMany<Tensor> predict(const OneOrMany<Tensor>& inputs,
                            const PredictOptions& options = {}) const;
  /// The mean over the members of each member's loss and metrics.
  Logs evaluate(const OneOrMany<Tensor>& inputs, const Tensor& labels,
                const EvaluateOptions& options = {}) const;

  /// An ensemble of models made from the members, such as those that give the attention weights:
  /// ensemble.transform([](const Model& m) { return Model(m.input(), ...); }).
  Ensemble transform(const std::function<Model(const Model& member)>& make) const;

 private:
  Ensemble() = default;
  History fit_member(int member, const OneOrMany<Tensor>& inputs, const Tensor& labels,
                     FitOptions options);
  std::size_t index_of(int member) const;

  std::vector<Model> members_;
  std::vector<std::uint64_t> seeds_;
  std::vector<std::uint64_t> shuffle_seeds_;
  bool side_by_side_ = false;
};

}  // namespace milgrad::nn
