// What optimizers do with a vector of gradients, for kernels that update weights in one pass;
// compiled once per SIMD target, as simd.h says. Square roots and quotients are exact.
#if defined(MILGRAD_BACKENDS_CPU_DENSE_UPDATE_RULES_H) == defined(HWY_TARGET_TOGGLE)
#ifdef MILGRAD_BACKENDS_CPU_DENSE_UPDATE_RULES_H
#undef MILGRAD_BACKENDS_CPU_DENSE_UPDATE_RULES_H
#else
#define MILGRAD_BACKENDS_CPU_DENSE_UPDATE_RULES_H
#endif

#include "backends/cpu/root_plus_epsilon.h"
#include "backends/cpu/simd_memory.h"

HWY_BEFORE_NAMESPACE();
namespace milgrad::cpu::HWY_NAMESPACE {

/// The numbers of a rule: step size, 1 - beta_1, 1 - beta_2, epsilon of Adam; learning rate and
/// momentum of SGD.
template <class T>
struct RuleNumbers {
  T step = 0;
  T a = 0;
  T b = 0;
  T epsilon = 0;
  bool nesterov = false;
};

/// A variable and its slots; SGD has the first, or none without momentum.
template <class T>
struct Slots {
  T* x = nullptr;
  T* first = nullptr;
  T* second = nullptr;
};

/// m += (g - m)(1 - b1); v += (g^2 - v)(1 - b2); x -= m step / (sqrt(v) + epsilon)
template <class T>
class AdamRule {
 public:
  using D = hn::ScalableTag<T>;
  using V = hn::Vec<D>;
  AdamRule(const RuleNumbers<T>& n, const Slots<T>& s)
      : s_(s),
        step_(hn::Set(D(), n.step)),
        rest_1_(hn::Set(D(), n.a)),
        rest_2_(hn::Set(D(), n.b)),
        root_(n.epsilon) {}

  /// One step of the elements from `at` on, whose values are x and gradients g.
  template <class Lanes>
  HWY_INLINE void apply(V x, V g, std::int64_t at, Lanes lanes) const {
    const D d;
    V m = lanes.load(d, s_.first + at), v = lanes.load(d, s_.second + at);
    m = hn::MulAdd(rest_1_, hn::Sub(g, m), m);
    v = hn::MulAdd(rest_2_, hn::MulSub(g, g, v), v);
    lanes.store(m, d, s_.first + at);
    lanes.store(v, d, s_.second + at);
    const V change = hn::Div(hn::Mul(step_, m), root_(v, at));
    lanes.store(hn::Sub(x, change), d, s_.x + at);
  }

 private:
  Slots<T> s_;
  V step_, rest_1_, rest_2_;
  RootPlusEpsilon<T> root_;
};

/// x -= lr g; with momentum v = mu v - lr g and x += v, or with Nesterov's look-ahead
/// x += mu v - lr g.
template <class T>
class SgdRule {
 public:
  using D = hn::ScalableTag<T>;
  using V = hn::Vec<D>;
  SgdRule(const RuleNumbers<T>& n, const Slots<T>& s)
      : s_(s),
        rate_(hn::Set(D(), n.step)),
        momentum_(hn::Set(D(), n.a)),
        has_velocity_(s.first != nullptr),
        nesterov_(n.nesterov) {}

  template <class Lanes>
  HWY_INLINE void apply(V x, V g, std::int64_t at, Lanes lanes) const {
    const D d;
    const V step = hn::Mul(rate_, g);
    if (!has_velocity_) return lanes.store(hn::Sub(x, step), d, s_.x + at);
    const V v = hn::MulSub(momentum_, lanes.load(d, s_.first + at), step);
    lanes.store(v, d, s_.first + at);
    lanes.store(hn::Add(x, nesterov_ ? hn::MulSub(momentum_, v, step) : v), d, s_.x + at);
  }

 private:
  Slots<T> s_;
  V rate_, momentum_;
  bool has_velocity_, nesterov_;
};

}  // namespace milgrad::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // MILGRAD_BACKENDS_CPU_DENSE_UPDATE_RULES_H
