// The control registers of floating-point units.
#include "backends/flush_denormals.h"

#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

namespace milgrad {
namespace {

#if defined(__x86_64__)
constexpr std::uint64_t kFlush = 0x8040;  // MXCSR: flush to zero, denormals are zero
std::uint64_t control() { return _mm_getcsr(); }
void set_control(std::uint64_t bits) { _mm_setcsr(static_cast<unsigned>(bits)); }
#elif defined(__aarch64__)
constexpr std::uint64_t kFlush = std::uint64_t{1} << 24;  // FPCR: flush to zero
std::uint64_t control() {
  std::uint64_t bits;
  asm volatile("mrs %0, fpcr" : "=r"(bits));
  return bits;
}
void set_control(std::uint64_t bits) { asm volatile("msr fpcr, %0" : : "r"(bits)); }
#else
constexpr std::uint64_t kFlush = 0;
std::uint64_t control() { return 0; }
void set_control(std::uint64_t) {}
#endif

}  // namespace

FlushDenormals::FlushDenormals(bool flush) : previous_(control()) {
  set_control(flush ? previous_ | kFlush : previous_ & ~kFlush);
}
FlushDenormals::~FlushDenormals() { set_control(previous_); }

bool FlushDenormals::active() { return (control() & kFlush) != 0; }

}  // namespace milgrad
