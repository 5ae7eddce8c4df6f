// Attention pooling and its gradient (Ilse et al., 2018). With a = tanh(h V + b_v),
// u = sigmoid(h U + b_u) (1 without a gate):
//   s = (a * u) w + b_w, alpha = softmax(s) within each bag, pooled = sum_i alpha_i h_i
// and with the gradients g of pooled and r of alpha:
//   q_i = g . h_i + r_i, ds_i = alpha_i (q_i - sum_k alpha_k q_k), dw = sum_i ds_i a_i u_i,
//   dt_v = ds w u (1 - a^2), dt_u = ds w a u (1 - u), dV = h^T dt_v, dU = h^T dt_u,
//   dh = alpha g^T + dt_v V^T + dt_u U^T
// Rows are handled in chunks, so that h is read while a chunk is near and only the gates that the
// forward pass is told to keep grow with their number. [V | U] stand side by side for one product.
#include "backends/cpu/attention_plan.h"
#include "backends/cpu/bags.h"
#include "backends/cpu/gemm.h"
#include "backends/kernel_table.h"

// clang-format off: the order matters
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/attention.cpp"
#include <hwy/foreach_target.h>
// clang-format on

#include "backends/cpu/softmax_rows.h"

#include <hwy/cache_control.h>

HWY_BEFORE_NAMESPACE();
namespace milgrad::cpu::HWY_NAMESPACE {
namespace {

/// Columns of pooled that one tile sums: 8 cache lines of float.
constexpr std::int64_t kPoolColumns = 128;
/// Rows of one product for the gradient of the weights: longer columns of h miss the cache.
constexpr std::int64_t kInnerRows = 640;
/// Rows that are summed in the precision of the elements before they join a double.
constexpr std::int64_t kSumRows = 32;

/// `count` elements: a whole vector, or what is left at the end of a row.
template <class D, class T = hn::TFromD<D>>
HWY_INLINE hn::Vec<D> load(D d, const T* x, std::int64_t count) {
  return count == static_cast<std::int64_t>(HWY_LANES(T)) ? hn::LoadU(d, x)
                                                          : load_first(d, x, count, T(0));
}
template <class D, class T = hn::TFromD<D>>
HWY_INLINE void store(hn::Vec<D> v, D d, T* y, std::int64_t count) {
  count == static_cast<std::int64_t>(HWY_LANES(T)) ? hn::StoreU(v, d, y)
                                                   : store_first(v, d, y, count);
}

/// Calls f(first, count) for the vectors of a row.
template <class T, class F>
HWY_INLINE void for_vectors(std::int64_t size, const F& f) {
  constexpr std::int64_t kLanes = HWY_LANES(T);
  std::int64_t i = 0;
  for (; i + kLanes <= size; i += kLanes) f(i, kLanes);
  if (i < size) f(i, size - i);
}

/// What both operations get; pointers that an operation lacks are null.
template <class T>
struct Operands {
  int next = 0;  // the input behind those taken
  AttentionPoolAttrs attrs;
  AttentionSizes sizes;
  const T *h, *v, *v_bias = nullptr, *u = nullptr, *u_bias = nullptr, *w, *w_bias = nullptr;
  const View* offsets = nullptr;

  explicit Operands(const Call& call)
      : attrs(call.get<AttentionPoolAttrs>()),
        sizes(call.in(0).shape, call.in(1).shape, attrs, sizeof(T)),
        h(take(call)),
        v(take(call)) {
    if (attrs.biases) v_bias = take(call);
    if (attrs.gated) u = take(call);
    if (attrs.gated && attrs.biases) u_bias = take(call);
    w = take(call);
    if (attrs.biases) w_bias = take(call);
    if (attrs.ragged) offsets = &call.in(next++);
  }
  const T* take(const Call& call) { return call.in(next++).as<const T>(); }

  /// [V | U], in `scratch` if there are two.
  const T* weights(T* scratch) const {
    if (!attrs.gated) return v;
    for (std::int64_t row = 0; row < sizes.features; ++row) {
      std::copy_n(v + row * sizes.hidden, sizes.hidden, scratch + row * sizes.columns);
      std::copy_n(u + row * sizes.hidden, sizes.hidden,
                  scratch + row * sizes.columns + sizes.hidden);
    }
    return scratch;
  }
};

/// The bags of a call: those of its offsets, or one of all instances.
class CallBags {
 public:
  CallBags(const View* offsets, const View& instances)
      : all_{0, instances.shape[0]},
        bags_(offsets == nullptr ? Bags(all_, 1, instances.shape)
                                 : Bags(*offsets, instances.shape)) {}
  CallBags(const CallBags&) = delete;
  const Bags& operator*() const { return bags_; }
  const Bags* operator->() const { return &bags_; }

 private:
  std::int64_t all_[2];
  Bags bags_;
};

/// Calls f(part, first row, rows) for the chunks of each part, in order within a part.
template <class F>
void for_chunks(const AttentionSizes& s, const F& f) {
  const std::int64_t parts = s.parts(), most = s.chunk_rows();
  parallel_for(parts, [&](std::int64_t part) {
    const std::int64_t first = s.part_begin(part), count = s.part_begin(part + 1) - first;
    const std::int64_t chunks = (count + most - 1) / most;
    for (std::int64_t i = 0; i < chunks; ++i) {
      const std::int64_t begin = count * i / chunks, end = count * (i + 1) / chunks;
      f(part, first + begin, end - begin);
    }
  });
}

/// gates = [tanh | sigmoid] of the products plus biases, and the score of each row unless null.
template <bool gated, class T>
HWY_NOINLINE void gate_rows(const Operands<T>& given, T* gates, std::int64_t rows, T* scores) {
  const hn::ScalableTag<T> d;
  const Operands<T> o = given;
  const std::int64_t hidden = o.sizes.hidden;
  const auto biased = [&](const T* x, const T* bias, std::int64_t j, std::int64_t count) {
    const auto value = load(d, x + j, count);
    return bias == nullptr ? value : hn::Add(value, load(d, bias + j, count));
  };
  for (std::int64_t row = 0; row < rows; ++row) {
    T* a = gates + row * o.sizes.columns;
    T* u = a + hidden;
    auto score = hn::Zero(d);
    for_vectors<T>(hidden, [&](std::int64_t j, std::int64_t count) {
      auto y = functors::tanh{}(biased(a, o.v_bias, j, count));
      store(y, d, a + j, count);
      if constexpr (gated) {
        const auto gate = functors::sigmoid{}(biased(u, o.u_bias, j, count));
        store(gate, d, u + j, count);
        y = hn::Mul(y, gate);
      }
      score = hn::MulAdd(y, load(d, o.w + j, count), score);
    });
    if (scores == nullptr) continue;
    scores[row] = hn::GetLane(hn::SumOfLanes(d, score)) + (o.w_bias == nullptr ? T(0) : *o.w_bias);
  }
}

/// gates [rows, columns] = [tanh | sigmoid] of the rows of h.
template <class T>
void compute_gates(const Operands<T>& o, const T* weights, std::int64_t row, std::int64_t rows,
                   T* gates, T* scores) {
  const AttentionSizes& s = o.sizes;
  gemm_block({.m = rows, .n = s.columns, .k = s.features}, o.h + row * s.features, s.features,
             weights, s.columns, gates, s.columns);
  o.attrs.gated ? gate_rows<true>(o, gates, rows, scores)
                : gate_rows<false>(o, gates, rows, scores);
}

/// y = sum of alpha_i times row i of h, over `width` columns.
template <class T>
HWY_NOINLINE void pool_columns(const T* __restrict h, const T* __restrict alpha, std::int64_t rows,
                               std::int64_t stride, std::int64_t width, T* __restrict y) {
  double total[kPoolColumns] = {};
  constexpr std::int64_t kLine = 64 / sizeof(T), kAhead = 16;  // rows
  for (std::int64_t first = 0; first < rows; first += kSumRows) {
    T block[kPoolColumns] = {};
    const std::int64_t last = std::min(rows, first + kSumRows);
    for (std::int64_t row = first; row < last; ++row) {
      const T* x = h + row * stride;
      for (std::int64_t c = 0; c < width; c += kLine) hwy::Prefetch(x + kAhead * stride + c);
      for (std::int64_t c = 0; c < width; ++c) block[c] += alpha[row] * x[c];
    }
    for (std::int64_t c = 0; c < width; ++c) total[c] += static_cast<double>(block[c]);
  }
  for (std::int64_t c = 0; c < width; ++c) y[c] = static_cast<T>(total[c]);
}

template <class T>
void pool(const AttentionSizes& s, const Bags& bags, const T* h, const T* alpha, T* pooled) {
  const std::int64_t strips = (s.features + kPoolColumns - 1) / kPoolColumns;
  const std::int64_t tiles = bags.count() * strips;
  const std::int64_t weight = tiles == 0 ? 0 : s.instances * s.features / tiles;
  parallel_ranges(tiles, std::max<std::int64_t>(1, weight), [&](std::int64_t i, std::int64_t end) {
    for (; i < end; ++i) {
      const std::int64_t bag = i / strips, column = i % strips * kPoolColumns;
      const std::int64_t first = bags.begin(bag);
      pool_columns(h + first * s.features + column, alpha + first, bags.end(bag) - first,
                   s.features, std::min(kPoolColumns, s.features - column),
                   pooled + bag * s.features + column);
    }
  });
}

template <class T>
void forward(const Call& call) {
  const Operands<T> o(call);
  const AttentionSizes& s = o.sizes;
  const AttentionScratch scratch = attention_scratch(s, o.attrs, sizeof(T));
  const auto at = [&](std::size_t offset) { return reinterpret_cast<T*>(call.workspace + offset); };
  T *alpha = call.out(1).as<T>(), *kept = call.out(2).as<T>();
  const T* weights = o.weights(at(scratch.weights));
  for_chunks(s, [&](std::int64_t part, std::int64_t row, std::int64_t rows) {
    T* gates = s.keeps_gates ? kept + row * s.columns
                             : at(scratch.gates) + part * s.chunk_rows() * s.columns;
    compute_gates(o, weights, row, rows, gates, alpha + row);
  });
  const CallBags rows(o.offsets, call.out(1)), bags(o.offsets, call.in(0));
  rows->clear_outside(alpha);
  rows->for_each(kExpWork, [&](std::int64_t, std::int64_t first, std::int64_t count) {
    if (count > 0) softmax_row(alpha + first, alpha + first, count);
  });
  pool(s, *bags, o.h, alpha, call.out(0).as<T>());
}

template <class T>
HWY_NOINLINE T dot(const T* x, const T* y, std::int64_t count) {
  const hn::ScalableTag<T> d;
  auto sum = hn::Zero(d);
  for_vectors<T>(count, [&](std::int64_t i, std::int64_t rest) {
    sum = hn::MulAdd(load(d, x + i, rest), load(d, y + i, rest), sum);
  });
  return hn::GetLane(hn::SumOfLanes(d, sum));
}

/// The gradient of each instance's score: ds_i = alpha_i (q_i - sum_k alpha_k q_k).
template <class T>
void score_gradients(const AttentionSizes& s, const Bags& bags, const T* h, const T* alpha,
                     const T* g, const T* r, T* ds) {
  for_chunks(s, [&](std::int64_t, std::int64_t row, std::int64_t rows) {
    bags.for_runs(row, row + rows, [&](std::int64_t bag, std::int64_t first, std::int64_t last) {
      for (std::int64_t i = first; i < last; ++i)
        ds[i] = bag < 0 ? T(0) : dot(g + bag * s.features, h + i * s.features, s.features) + r[i];
    });
  });
  bags.for_runs(0, s.instances, [&](std::int64_t bag, std::int64_t first, std::int64_t last) {
    if (bag < 0) return;
    double mean = 0;
    for (std::int64_t i = first; i < last; ++i) mean += static_cast<double>(alpha[i] * ds[i]);
    for (std::int64_t i = first; i < last; ++i) ds[i] = alpha[i] * (ds[i] - static_cast<T>(mean));
  });
}

/// For `rows` rows, whose score gradients are ds: dt = gradients of the products behind the gates,
/// and what they add to the sums [dw | db_v | db_u | db_w]. dt may be the gates themselves. Sums
/// over the rows stay in registers, since memory just written is slow to read; the next rows are
/// asked for ahead, since so many streams are too many for the processor to foresee.
template <bool gated, int rows, class T>
HWY_INLINE void gate_gradient_rows(const Operands<T>& o, const T* gates, const T* ds, T* dt,
                                   T* sums) {
  const hn::ScalableTag<T> d;
  const std::int64_t hidden = o.sizes.hidden, columns = o.sizes.columns;
  const auto one = hn::Set(d, T(1));
  const auto add = [&](T* sum, std::int64_t count, auto value) {
    store(hn::Add(load(d, sum, count), value), d, sum, count);
  };
  for_vectors<T>(hidden, [&](std::int64_t j, std::int64_t count) {
    const auto w = load(d, o.w + j, count);
    auto sum_w = hn::Zero(d), sum_v = sum_w, sum_u = sum_w;
    for (int row = 0; row < rows; ++row) {
      const T* gate = gates + row * columns + j;
      T* to = dt + row * columns + j;
      hwy::Prefetch(gate + rows * columns);
      hwy::Prefetch(to + rows * columns);
      if constexpr (gated) hwy::Prefetch(gate + rows * columns + hidden);
      if constexpr (gated) hwy::Prefetch(to + rows * columns + hidden);
      const auto a = load(d, gate, count), score = hn::Set(d, ds[row]), dy = hn::Mul(score, w);
      auto da = dy, y = a;
      if constexpr (gated) {
        const auto u = load(d, gate + hidden, count);
        y = hn::Mul(a, u);
        da = hn::Mul(dy, u);
        const auto du = hn::Mul(hn::Mul(dy, y), hn::Sub(one, u));
        store(du, d, to + hidden, count);
        sum_u = hn::Add(sum_u, du);
      }
      const auto dv = hn::Mul(da, hn::NegMulAdd(a, a, one));
      store(dv, d, to, count);
      sum_v = hn::Add(sum_v, dv);
      sum_w = hn::MulAdd(score, y, sum_w);
    }
    add(sums + j, count, sum_w);
    add(sums + hidden + j, count, sum_v);
    if constexpr (gated) add(sums + 2 * hidden + j, count, sum_u);
  });
  for (int row = 0; row < rows; ++row) sums[hidden + columns] += ds[row];
}

/// The same for the rows of a chunk; `block` holds the sums of a few rows.
template <bool gated, class T>
HWY_NOINLINE void gate_gradient(const Operands<T>& given, const T* gates, const T* ds,
                                std::int64_t rows, T* dt, T* block, double* sums) {
  constexpr int kRows = 4;
  const Operands<T> o = given;
  const std::int64_t columns = o.sizes.columns, count = o.sizes.sums();
  for (std::int64_t first = 0; first < rows; first += kSumRows) {
    std::fill_n(block, count, T(0));
    const std::int64_t last = std::min(rows, first + kSumRows);
    std::int64_t row = first;
    for (; row + kRows <= last; row += kRows)
      gate_gradient_rows<gated, kRows>(o, gates + row * columns, ds + row, dt + row * columns,
                                       block);
    for (; row < last; ++row)
      gate_gradient_rows<gated, 1>(o, gates + row * columns, ds + row, dt + row * columns, block);
    for (std::int64_t i = 0; i < count; ++i) sums[i] += static_cast<double>(block[i]);
  }
}

/// dh = product + alpha g, times sign(h) behind a relu; g is null outside of every bag. dh may be
/// h.
template <bool relu, class T>
HWY_NOINLINE void finish_input_gradient(const T* product, T alpha, const T* g, const T* h,
                                        std::int64_t count, T* dh) {
  const hn::ScalableTag<T> d;
  const auto weight = hn::Set(d, alpha);
  for_vectors<T>(count, [&](std::int64_t i, std::int64_t rest) {
    auto y = load(d, product + i, rest);
    if (g != nullptr) y = hn::MulAdd(weight, load(d, g + i, rest), y);
    if constexpr (relu) y = hn::Mul(y, functors::sign{}(load(d, h + i, rest)));
    store(y, d, dh + i, rest);
  });
}

/// What the gradient reads and writes beside the operands.
template <class T>
struct Gradient {
  Operands<T> o;
  const T *alpha, *kept, *g, *r;
  T *dh, *dv, *dv_bias = nullptr, *du = nullptr, *du_bias = nullptr, *dw, *dw_bias = nullptr;
  double* sums;
  T *sum_block, *scores, *gates, *inputs, *partial;
  const T* weights;

  explicit Gradient(const Call& call) : o(call) {
    alpha = o.take(call), kept = o.take(call), g = o.take(call), r = o.take(call);
    int next = 0;
    const auto give = [&] { return call.out(next++).as<T>(); };
    dh = give(), dv = give();
    if (o.attrs.biases) dv_bias = give();
    if (o.attrs.gated) du = give();
    if (o.attrs.gated && o.attrs.biases) du_bias = give();
    dw = give();
    if (o.attrs.biases) dw_bias = give();
    const AttentionScratch scratch = attention_gradient_scratch(o.sizes, o.attrs, sizeof(T));
    const auto at = [&](std::size_t i) { return reinterpret_cast<T*>(call.workspace + i); };
    sums = reinterpret_cast<double*>(call.workspace + scratch.sums);
    sum_block = at(scratch.sum_block), scores = at(scratch.scores), gates = at(scratch.gates);
    inputs = at(scratch.inputs), partial = at(scratch.partial);
    weights = o.weights(at(scratch.weights));
  }

  /// Gradient of the products behind the gates, for a chunk.
  T* product_gradients(std::int64_t part, std::int64_t row, std::int64_t rows) {
    const AttentionSizes& s = o.sizes;
    T* dt = gates + part * s.chunk_rows() * s.columns;
    const T* values = kept + row * s.columns;
    if (!s.keeps_gates) {
      compute_gates(o, weights, row, rows, dt, static_cast<T*>(nullptr));
      values = dt;
    }
    const auto run = o.attrs.gated ? gate_gradient<true, T> : gate_gradient<false, T>;
    run(o, values, scores + row, rows, dt, sum_block + part * s.sums(), sums + part * s.sums());
    return dt;
  }

  void add_weight_gradient(std::int64_t part, std::int64_t row, std::int64_t rows, const T* dt) {
    const AttentionSizes& s = o.sizes;
    T* sum = partial + part * s.features * s.columns;
    for (std::int64_t first = 0; first < rows; first += kInnerRows) {
      const bool begins = row + first == s.part_begin(part);
      gemm_block<T>({.m = s.features,
                     .n = s.columns,
                     .k = std::min(kInnerRows, rows - first),
                     .transpose_a = true,
                     .accumulate = !begins},
                    o.h + (row + first) * s.features, s.features, dt + first * s.columns, s.columns,
                    sum, s.columns);
    }
  }

  /// dh = alpha g^T + dt [V | U]^T, which may overwrite h.
  void input_gradient(const Bags& bags, std::int64_t part, std::int64_t row, std::int64_t rows,
                      const T* dt) {
    const AttentionSizes& s = o.sizes;
    // h is still read where the relu is, so that the product cannot go into its memory.
    T* out = dh + row * s.features;
    T* product = o.attrs.through_relu ? inputs + part * s.chunk_rows() * s.features : out;
    gemm_block<T>({.m = rows, .n = s.features, .k = s.columns, .transpose_b = true}, dt, s.columns,
                  weights, s.columns, product, s.features);
    const auto finish =
        o.attrs.through_relu ? finish_input_gradient<true, T> : finish_input_gradient<false, T>;
    bags.for_runs(row, row + rows, [&](std::int64_t bag, std::int64_t first, std::int64_t last) {
      const T* of_bag = bag < 0 ? nullptr : g + bag * s.features;
      for (std::int64_t i = first; i < last; ++i)
        finish(product + (i - row) * s.features, alpha[i], of_bag, o.h + i * s.features, s.features,
               dh + i * s.features);
    });
  }

  /// The parts added up, as a binary tree.
  void combine() {
    const AttentionSizes& s = o.sizes;
    const std::int64_t parts = s.parts(), size = s.features * s.columns;
    parallel_ranges(s.features, parts * s.columns, [&](std::int64_t row, std::int64_t end) {
      for (; row < end; ++row) {
        T* own = partial + row * s.columns;
        for (std::int64_t stride = 1; stride < parts; stride *= 2)
          for (std::int64_t i = 0; i + stride < parts; i += 2 * stride)
            for (std::int64_t c = 0; c < s.columns; ++c)
              own[i * size + c] += own[(i + stride) * size + c];
        std::copy_n(own, s.hidden, dv + row * s.hidden);
        if (du != nullptr) std::copy_n(own + s.hidden, s.hidden, du + row * s.hidden);
      }
    });
    const auto give = [&](std::int64_t first, std::int64_t count, T* to) {
      for (std::int64_t i = first; to != nullptr && i < first + count; ++i) {
        double sum = 0;
        for (std::int64_t part = 0; part < parts; ++part) sum += sums[part * s.sums() + i];
        to[i - first] = static_cast<T>(sum);
      }
    };
    give(0, s.hidden, dw);
    give(s.hidden, s.hidden, dv_bias);
    give(2 * s.hidden, s.hidden, du_bias);
    give(s.hidden + s.columns, 1, dw_bias);
  }
};

template <class T>
void backward(const Call& call) {
  Gradient<T> gradient(call);
  const Operands<T>& o = gradient.o;
  const AttentionSizes& s = o.sizes;
  const CallBags bags(o.offsets, call.in(0));
  score_gradients(s, *bags, o.h, gradient.alpha, gradient.g, gradient.r, gradient.scores);
  std::fill_n(gradient.sums, s.parts() * s.sums(), 0.0);
  if (s.instances == 0) std::fill_n(gradient.partial, s.features * s.columns, T(0));
  for_chunks(s, [&](std::int64_t part, std::int64_t row, std::int64_t rows) {
    const T* dt = gradient.product_gradients(part, row, rows);
    gradient.add_weight_gradient(part, row, rows, dt);
    if (o.attrs.input_gradient) gradient.input_gradient(*bags, part, row, rows, dt);
  });
  gradient.combine();
}

}  // namespace

void gated_attention_pool(const Call& call) {
  visit_floating(call.out().dtype, [&]<class T>() { forward<T>(call); });
}
void gated_attention_pool_gradient(const Call& call) {
  visit_floating(call.out().dtype, [&]<class T>() { backward<T>(call); });
}

}  // namespace milgrad::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace milgrad::cpu {

HWY_EXPORT(gated_attention_pool);
HWY_EXPORT(gated_attention_pool_gradient);

void gated_attention_pool(const Call& call) { MILGRAD_DISPATCH(gated_attention_pool)(call); }
void gated_attention_pool_gradient(const Call& call) {
  MILGRAD_DISPATCH(gated_attention_pool_gradient)(call);
}

}  // namespace milgrad::cpu
#endif
