// Training and averaging of several models.
#include "nn/ensemble.h"

#include "backends/cpu/thread_pool.h"
#include "nn/seed.h"
#include "tensor/mode.h"
#include "tensor/operators.h"
#include "tensor/random.h"

#include <mutex>
#include <utility>

#include <fmt/format.h>

namespace milgrad::nn {

Ensemble::Ensemble(int members, const Factory& factory, const EnsembleOptions& options)
    : side_by_side_(options.side_by_side) {
  if (members < 1)
    throw ValueError(fmt::format("[Ensemble] {} members; expected 1 or more", members));
  if (!factory)
    throw ValueError("[Ensemble] got an empty function; expected one that makes models");
  for (int i = 0; i < members; ++i) {
    seeds_.push_back(derive_seed(options.seed, static_cast<std::uint64_t>(i)));
    const SeedScope seeds(seeds_.back());
    members_.push_back(factory(i));
    shuffle_seeds_.push_back(next_seed());
  }
}

std::size_t Ensemble::index_of(int member) const {
  if (member >= 0 && member < size()) return static_cast<std::size_t>(member);
  throw ValueError(
      fmt::format("[Ensemble] there is no member {}; expected 0..{}", member, size() - 1));
}

Ensemble Ensemble::first(int count) const {
  if (count < 1 || count > size())
    throw ValueError(
        fmt::format("[Ensemble] first({}) of {} members; expected 1 to {}", count, size(), size()));
  Ensemble part = *this;
  const auto kept = static_cast<std::size_t>(count);
  part.members_.erase(part.members_.begin() + count, part.members_.end());
  part.seeds_.resize(kept);
  part.shuffle_seeds_.resize(kept);
  return part;
}

History Ensemble::fit_member(int member, const OneOrMany<Tensor>& inputs, const Tensor& labels,
                             FitOptions options) {
  const std::size_t i = index_of(member);
  if (!options.shuffle_seed) options.shuffle_seed = shuffle_seeds_[i];
  return members_[i].fit(inputs, labels, options);
}

std::vector<History> Ensemble::fit(const OneOrMany<Tensor>& inputs, const Tensor& labels,
                                   const MemberFitOptions& options, const Progress& progress) {
  std::vector<History> histories;
  if (side_by_side_) {
    std::vector<FitOptions> own;
    for (int i = 0; i < size(); ++i) own.push_back(options(i));
    histories.resize(members_.size());
    std::mutex reporting;
    cpu::parallel_for(size(), [&](std::int64_t member) {
      const int i = static_cast<int>(member);
      if (const std::lock_guard lock(reporting); progress) progress(i, size());
      histories[index_of(i)] = fit_member(i, inputs, labels, own[index_of(i)]);
    });
  } else {
    for (int i = 0; i < size(); ++i) {
      if (progress) progress(i, size());
      histories.push_back(fit_member(i, inputs, labels, options(i)));
      if (histories.back().interrupted) return histories;
    }
  }
  if (progress) progress(size(), size());
  return histories;
}

OneOrMany<Tensor> Ensemble::predict(const OneOrMany<Tensor>& inputs,
                                    const PredictOptions& options) const {
  const NoGrad no_grad;
  Tensors total = members_[0].predict(inputs, options).list();
  for (int i = 1; i < size(); ++i) {
    const OneOrMany<Tensor> next = (*this)[i].predict(inputs, options);
    for (std::size_t k = 0; k < total.size(); ++k) total[k] = total[k] + next[k];
  }
  for (Tensor& x : total) x = x / static_cast<double>(size());
  return total;
}

Logs Ensemble::evaluate(const OneOrMany<Tensor>& inputs, const Tensor& labels,
                        const EvaluateOptions& options) const {
  Logs mean;
  for (Model member : members_) {
    for (const auto& [name, value] : member.evaluate(inputs, labels, options))
      mean.set(name, mean.find(name).value_or(0) + value / size());
  }
  return mean;
}

Ensemble Ensemble::transform(const std::function<Model(const Model& member)>& make) const {
  Ensemble made;
  for (const Model& member : members_) made.members_.push_back(make(member));
  made.seeds_ = seeds_;
  made.shuffle_seeds_ = shuffle_seeds_;
  made.side_by_side_ = side_by_side_;
  return made;
}

}  // namespace milgrad::nn
