// Persistent workers that wait for a job by spinning for a moment and then sleeping.
#include "backends/cpu/thread_pool.h"

#include "backends/flush_denormals.h"
#include "tensor/error.h"

#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace milgrad {
namespace {

// A worker looks for the next job this often before it sleeps: some ten microseconds, what waking
// it would cost.
constexpr int kSpins = 300;

thread_local bool inside_parallel_for = false;

void pause_briefly() {
#if defined(__x86_64__)
  _mm_pause();
#else
  std::this_thread::yield();
#endif
}

/// Waits until `value` differs from `old`.
void wait_for_change(const std::atomic<std::uint32_t>& value, std::uint32_t old) {
  for (int i = 0; i < kSpins; ++i) {
    if (value.load(std::memory_order_acquire) != old) return;
    pause_briefly();
  }
  value.wait(old, std::memory_order_acquire);
}

struct Job {
  std::int64_t tiles = 0;
  void (*run)(const void*, std::int64_t) = nullptr;
  const void* body = nullptr;
  bool flush_denormals = FlushDenormals::active();  // of the caller, so of all its threads
};

class ThreadPool {
 public:
  ThreadPool() : count_(static_cast<int>(std::max(1u, std::thread::hardware_concurrency()))) {}
  ~ThreadPool() { stop(); }

  int count() const { return count_.load(std::memory_order_relaxed); }

  void set_count(int count) {
    std::lock_guard lock(busy_);
    stop();
    count_ = count;
  }

  void run(const Job& job) {
    std::unique_lock lock(busy_, std::defer_lock);
    if (inside_parallel_for || count() == 1 || !lock.try_lock() || count() == 1)
      return run_tiles(job, 0, job.tiles);
    start();
    job_ = job;
    errors_.assign(static_cast<std::size_t>(count()), nullptr);
    pending_.store(static_cast<std::uint32_t>(workers_.size()), std::memory_order_relaxed);
    generation_.fetch_add(1, std::memory_order_release);
    generation_.notify_all();
    run_share(0);
    for (std::uint32_t left; (left = pending_.load(std::memory_order_acquire)) != 0;)
      wait_for_change(pending_, left);
    for (const std::exception_ptr& error : errors_)
      if (error) std::rethrow_exception(error);
  }

 private:
  static void run_tiles(const Job& job, std::int64_t first, std::int64_t last) {
    for (std::int64_t tile = first; tile < last; ++tile) job.run(job.body, tile);
  }

  void run_share(int index) {
    const FlushDenormals mode(job_.flush_denormals);
    inside_parallel_for = true;
    try {
      run_tiles(job_, job_.tiles * index / count(), job_.tiles * (index + 1) / count());
    } catch (...) {
      errors_[static_cast<std::size_t>(index)] = std::current_exception();
    }
    inside_parallel_for = false;
  }

  void start() {
    const std::uint32_t seen = generation_.load(std::memory_order_relaxed);
    while (static_cast<int>(workers_.size()) < count() - 1)
      workers_.emplace_back(
          [this, index = static_cast<int>(workers_.size()) + 1, seen] { work(index, seen); });
  }

  void work(int index, std::uint32_t seen) {
    for (;;) {
      wait_for_change(generation_, seen);
      seen = generation_.load(std::memory_order_acquire);
      if (stopping_) return;
      run_share(index);
      if (pending_.fetch_sub(1, std::memory_order_acq_rel) == 1) pending_.notify_one();
    }
  }

  void stop() {
    stopping_ = true;
    generation_.fetch_add(1, std::memory_order_release);
    generation_.notify_all();
    for (std::thread& worker : workers_) worker.join();
    workers_.clear();
    stopping_ = false;
  }

  std::mutex busy_;  // held while a job runs or the workers change
  std::atomic<int> count_;
  std::vector<std::thread> workers_;
  bool stopping_ = false;  // published by generation_, as the job is
  Job job_;
  std::vector<std::exception_ptr> errors_;  // one per thread
  alignas(64) std::atomic<std::uint32_t> generation_{0};
  alignas(64) std::atomic<std::uint32_t> pending_{0};
};

ThreadPool& pool() {
  static ThreadPool pool;
  return pool;
}

}  // namespace

void set_num_threads(int count) {
  if (count < 1)
    throw ValueError("[set_num_threads] got " + std::to_string(count) + "; expected at least 1");
  pool().set_count(count);
}

int num_threads() { return pool().count(); }

void cpu::detail::parallel_for(std::int64_t tiles, void (*run)(const void*, std::int64_t),
                               const void* body) {
  if (tiles > 0) pool().run({tiles, run, body});
}

}  // namespace milgrad
