// The elementwise operations as functors, one per UNARY or BINARY row of ops.def. Written once for
// every device and vector width: the includer opens a namespace that holds `math`, a vocabulary
// (exp, select, ...) for its types, and includes this file there; so it has no guard and includes
// nothing. MILGRAD_FN is what the includer puts before every function.
//
// A functor must return NaN for NaN. `takes_integers` says that it is also defined on integers.
namespace functors {

struct neg {
  static constexpr bool takes_integers = true;
  template <class V>
  MILGRAD_FN V operator()(V x) const {
    return math::neg(x);
  }
};

struct abs {
  static constexpr bool takes_integers = true;
  template <class V>
  MILGRAD_FN V operator()(V x) const {
    return math::abs(x);
  }
};

struct sign {
  static constexpr bool takes_integers = true;
  template <class V>
  MILGRAD_FN V operator()(V x) const {
    const V zero = math::constant(x, 0);
    return math::select(x > zero, math::constant(x, 1),
                        math::select(x < zero, math::neg(math::constant(x, 1)), x));
  }
};

struct square {
  static constexpr bool takes_integers = true;
  template <class V>
  MILGRAD_FN V operator()(V x) const {
    return math::mul(x, x);
  }
};

struct reciprocal {
  template <class V>
  MILGRAD_FN V operator()(V x) const {
    return math::constant(x, 1) / x;
  }
};

struct sqrt {
  template <class V>
  MILGRAD_FN V operator()(V x) const {
    return math::sqrt(x);
  }
};

struct rsqrt {
  template <class V>
  MILGRAD_FN V operator()(V x) const {
    return math::constant(x, 1) / math::sqrt(x);
  }
};

struct exp {
  template <class V>
  MILGRAD_FN V operator()(V x) const {
    return math::exp(x);
  }
};

struct expm1 {
  template <class V>
  MILGRAD_FN V operator()(V x) const {
    return math::expm1(x);
  }
};

struct log {
  template <class V>
  MILGRAD_FN V operator()(V x) const {
    return math::log(x);
  }
};

struct log1p {
  template <class V>
  MILGRAD_FN V operator()(V x) const {
    return math::log1p(x);
  }
};

struct sin {
  template <class V>
  MILGRAD_FN V operator()(V x) const {
    return math::sin(x);
  }
};

struct cos {
  template <class V>
  MILGRAD_FN V operator()(V x) const {
    return math::cos(x);
  }
};

struct tanh {
  template <class V>
  MILGRAD_FN V operator()(V x) const {
    return math::tanh(x);
  }
};

struct erf {
  template <class V>
  MILGRAD_FN V operator()(V x) const {
    return math::erf(x);
  }
};

struct floor {
  template <class V>
  MILGRAD_FN V operator()(V x) const {
    return math::floor(x);
  }
};

struct round {
  template <class V>
  MILGRAD_FN V operator()(V x) const {
    return math::round_half_even(x);
  }
};

// 1 / (1 + e^-x), from e^-|x| so that neither tail overflows or loses its digits.
struct sigmoid {
  template <class V>
  MILGRAD_FN V operator()(V x) const {
    const V one = math::constant(x, 1);
    const V e = math::exp(math::neg(math::abs(x)));
    return math::select(x < math::constant(x, 0), e, one) / (one + e);
  }
};

// log(1 + e^x) = max(x, 0) + log(1 + e^-|x|)
struct softplus {
  template <class V>
  MILGRAD_FN V operator()(V x) const {
    const V zero = math::constant(x, 0);
    return math::select(x > zero, x, zero) + math::log1p(math::exp(math::neg(math::abs(x))));
  }
};

// max(x, 0), written so that a NaN passes.
struct relu {
  template <class V>
  MILGRAD_FN V operator()(V x) const {
    const V zero = math::constant(x, 0);
    return math::select(x < zero, zero, x);
  }
};

// x for x > 0, else alpha (e^x - 1)
struct elu {
  double alpha;
  template <class V>
  MILGRAD_FN V operator()(V x) const {
    return math::select(x > math::constant(x, 0), x, math::constant(x, alpha) * math::expm1(x));
  }
};

// x times the normal distribution function of x. Below -40 that is 0 in any precision, and the
// bound keeps -inf from becoming inf * 0.
struct gelu {
  template <class V>
  MILGRAD_FN V operator()(V x) const {
    constexpr double kSqrtHalf = 0.70710678118654752440;
    const V low = math::constant(x, -40);
    const V y = math::select(x < low, low, x);
    const V phi = math::constant(x, 1) + math::erf(y * math::constant(x, kSqrtHalf));
    return math::constant(x, 0.5) * y * phi;
  }
};

struct clip {
  double low;
  double high;
  template <class V>
  MILGRAD_FN V operator()(V x) const {
    const V a = math::constant(x, low);
    const V b = math::constant(x, high);
    return math::select(x < a, a, math::select(x > b, b, x));
  }
};

struct add {
  static constexpr bool takes_integers = true;
  template <class V>
  MILGRAD_FN V operator()(V a, V b) const {
    return math::add(a, b);
  }
};

struct sub {
  static constexpr bool takes_integers = true;
  template <class V>
  MILGRAD_FN V operator()(V a, V b) const {
    return math::sub(a, b);
  }
};

struct mul {
  static constexpr bool takes_integers = true;
  template <class V>
  MILGRAD_FN V operator()(V a, V b) const {
    return math::mul(a, b);
  }
};

struct div {
  template <class V>
  MILGRAD_FN V operator()(V a, V b) const {
    return a / b;
  }
};

struct pow {
  template <class V>
  MILGRAD_FN V operator()(V a, V b) const {
    return math::pow(a, b);
  }
};

struct maximum {
  static constexpr bool takes_integers = true;
  template <class V>
  MILGRAD_FN V operator()(V a, V b) const {
    return math::select(a > b, a, math::select(a == a, b, a));
  }
};

struct minimum {
  static constexpr bool takes_integers = true;
  template <class V>
  MILGRAD_FN V operator()(V a, V b) const {
    return math::select(a < b, a, math::select(a == a, b, a));
  }
};

}  // namespace functors
