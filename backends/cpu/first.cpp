#include "backends/cpu/broadcast.h"
#include "backends/kernel_table.h"

#include <cmath>
#include <cstring>
namespace milgrad::cpu {
void matmul(const Call& c) {
  visit_floating(c.out().dtype, [&]<class T>() {
    auto [ta, tb] = c.get<MatmulAttrs>();
    const Shape &as = c.in(0).shape, &bs = c.in(1).shape, &os = c.out().shape;
    Dim m = os[os.rank() - 2], n = os[os.rank() - 1], k = as[as.rank() - (ta ? 2 : 1)];
    auto batch = [](const Shape& s) {
      return Shape(std::span<const Dim>(s.begin(), std::size_t(s.rank() - 2)));
    };
    BroadcastIndex ai(batch(as), batch(os)), bi(batch(bs), batch(os));
    for (Dim q = 0; q < batch(os).numel(); ++q) {
      const T *a = c.in(0).as<T>() + ai(q) * m * k, *b = c.in(1).as<T>() + bi(q) * k * n;
      T* o = c.out().as<T>() + q * m * n;
      for (Dim i = 0; i < m; ++i)
        for (Dim j = 0; j < n; ++j) {
          T s = 0;
          for (Dim p = 0; p < k; ++p)
            s += a[ta ? p * m + i : i * k + p] * b[tb ? j * k + p : p * n + j];
          o[i * n + j] = s;
        }
    }
  });
}
}  // namespace milgrad::cpu
