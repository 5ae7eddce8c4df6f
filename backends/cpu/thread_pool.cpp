// Persistent workers that wait for a job by spinning for a moment and then sleeping. There are two
// kinds of jobs. Of a shared one, whoever has done its share takes tiles of the others', so that a
// busy machine delays nobody. The parts of an owned one go to fixed threads, each through a mailbox
// of its own, with as few messages between cores as there can be.
#include "backends/cpu/thread_pool.h"

#include "backends/flush_denormals.h"
#include "tensor/error.h"

#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace milgrad {
namespace {

// A worker looks for the next job this often before it sleeps: some ten microseconds, what waking
// it would cost.
constexpr int kSpins = 300;
/// With KeepWorkersAwake: a millisecond or more.
constexpr int kSpinsAwake = 40'000;
/// So often the caller looks whether an owned part is done before it takes the part over.
constexpr int kPatience = 100;

std::atomic<int> keepers_awake{0};

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

/// The tiles meant for one thread; others take what is left when they have done theirs.
struct alignas(64) Share {
  std::atomic<std::int64_t> next{0};
  std::int64_t end = 0;
};

/// An owned job on its way to one worker. Written by the caller before `posted`; read by whoever
/// moves `claimed` on to the same number: the worker, or the caller if the worker does not run.
struct alignas(64) Mailbox {
  std::atomic<std::uint32_t> posted{0};
  bool flush_denormals = false;
  std::int64_t first = 0;
  std::int64_t last = 0;
  void (*run)(const void*, std::int64_t) = nullptr;
  alignas(16) std::byte body[cpu::detail::kOwnedBodyBytes];
  alignas(64) std::atomic<std::uint32_t> claimed{0};
  alignas(64) std::atomic<std::uint32_t> done{0};
  alignas(64) std::atomic<bool> asleep{false};
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
    if (inside_parallel_for || count() == 1 || !lock.try_lock() || count() == 1) {
      for (std::int64_t tile = 0; tile < job.tiles; ++tile) job.run(job.body, tile);
      return;
    }
    start();
    share_out(job);
    open_ = true;
    generation_.fetch_add(1);
    generation_.notify_all();
    work_on_job(0);
    // A worker that the system has not woken yet finds the job closed; nobody waits for it.
    open_ = false;
    for (std::uint32_t inside; (inside = inside_.load()) != 0;) wait_for_change(inside_, inside);
    if (error_) std::rethrow_exception(std::exchange(error_, nullptr));
  }

  void run_owned(std::int64_t parts, void (*run)(const void*, std::int64_t), const void* body,
                 std::size_t bytes, bool wake) {
    std::unique_lock lock(busy_, std::defer_lock);
    if (inside_parallel_for || count() == 1 || !lock.try_lock() || count() == 1) {
      for (std::int64_t part = 0; part < parts; ++part) run(body, part);
      return;
    }
    start();
    const auto threads = std::min<std::int64_t>(parts, count());
    for (std::int64_t i = 1; i < threads; ++i) {
      Mailbox& mailbox = mailboxes_[static_cast<std::size_t>(i)];
      mailbox.flush_denormals = FlushDenormals::active();
      mailbox.first = parts * i / threads;
      mailbox.last = parts * (i + 1) / threads;
      mailbox.run = run;
      std::memcpy(mailbox.body, body, bytes);
      // Sequentially consistent, as `asleep` is: either the worker sees the post or we that it
      // sleeps.
      mailbox.posted.store(mailbox.posted.load(std::memory_order_relaxed) + 1);
      if (mailbox.asleep.load() && (wake || keepers_awake.load(std::memory_order_relaxed) > 0)) {
        generation_.fetch_add(1);
        generation_.notify_all();
      }
    }
    run_parts(run, body, 0, parts / threads);
    for (std::int64_t i = 1; i < threads; ++i) finish(mailboxes_[static_cast<std::size_t>(i)]);
    if (error_) std::rethrow_exception(std::exchange(error_, nullptr));
  }

 private:
  void run_parts(void (*run)(const void*, std::int64_t), const void* body, std::int64_t first,
                 std::int64_t last) {
    inside_parallel_for = true;
    try {
      for (std::int64_t part = first; part < last; ++part) run(body, part);
    } catch (...) {
      const std::lock_guard lock(error_mutex_);
      if (!error_) error_ = std::current_exception();
    }
    inside_parallel_for = false;
  }

  static bool claim(Mailbox& mailbox, std::uint32_t post) {
    std::uint32_t before = post - 1;
    return mailbox.claimed.compare_exchange_strong(before, post, std::memory_order_acq_rel);
  }

  /// The caller waits for the worker, or does its parts if it has not begun them.
  void finish(Mailbox& mailbox) {
    const std::uint32_t post = mailbox.posted.load(std::memory_order_relaxed);
    for (int i = 0; mailbox.done.load(std::memory_order_acquire) != post; ++i) {
      if (i < kPatience && !mailbox.asleep.load(std::memory_order_relaxed)) {
        pause_briefly();
      } else if (claim(mailbox, post)) {
        run_parts(mailbox.run, mailbox.body, mailbox.first, mailbox.last);
        mailbox.done.store(post, std::memory_order_relaxed);
      } else if (i < kSpinsAwake) {
        pause_briefly();
      } else {
        std::this_thread::yield();
      }
    }
  }

  void work_on_mailbox(Mailbox& mailbox, std::uint32_t post) {
    if (!claim(mailbox, post)) return;
    const FlushDenormals mode(mailbox.flush_denormals);
    run_parts(mailbox.run, mailbox.body, mailbox.first, mailbox.last);
    mailbox.done.store(post, std::memory_order_release);
  }

  void share_out(const Job& job) {
    job_ = job;
    const auto threads = static_cast<std::int64_t>(shares_.size());
    for (std::int64_t i = 0; i < threads; ++i) {
      Share& share = shares_[static_cast<std::size_t>(i)];
      share.next.store(job.tiles * i / threads, std::memory_order_relaxed);
      share.end = job.tiles * (i + 1) / threads;
    }
  }

  void work_on_job(std::size_t own) {
    const FlushDenormals mode(job_.flush_denormals);
    inside_parallel_for = true;
    for (std::size_t i = 0; i < shares_.size(); ++i) run_tiles(shares_[(own + i) % shares_.size()]);
    inside_parallel_for = false;
  }

  void run_tiles(Share& share) {
    for (std::int64_t tile;
         (tile = share.next.fetch_add(1, std::memory_order_relaxed)) < share.end;)
      try {
        job_.run(job_.body, tile);
      } catch (...) {
        const std::lock_guard lock(error_mutex_);
        if (!error_) error_ = std::current_exception();
      }
  }

  void start() {
    if (!workers_.empty()) return;
    shares_ = std::vector<Share>(static_cast<std::size_t>(count()));
    mailboxes_ = std::vector<Mailbox>(static_cast<std::size_t>(count()));
    const std::uint32_t seen = generation_.load();
    for (std::size_t i = 1; i < shares_.size(); ++i)
      workers_.emplace_back([this, i, seen] { work(i, seen); });
  }

  void work(std::size_t index, std::uint32_t seen) {
    Mailbox& mailbox = mailboxes_[index];
    std::uint32_t post = 0;
    for (;;) {
      wait_for_job(mailbox, post, seen);
      if (const std::uint32_t posted = mailbox.posted.load(std::memory_order_acquire);
          posted != post) {
        post = posted;
        work_on_mailbox(mailbox, post);
        continue;
      }
      seen = generation_.load();
      if (stopping_) return;
      // The order of these two steps, and of run()'s closing and counting, keeps a worker from
      // touching a job that is over: each side writes before it reads (sequentially consistent).
      inside_.fetch_add(1);
      if (open_) work_on_job(index);
      if (inside_.fetch_sub(1) == 1) inside_.notify_one();
    }
  }

  /// Until there is another post than `post` or another generation than `seen`.
  void wait_for_job(Mailbox& mailbox, std::uint32_t post, std::uint32_t seen) {
    for (int i = 0;; ++i) {
      if (mailbox.posted.load(std::memory_order_acquire) != post) return;
      if (generation_.load(std::memory_order_acquire) != seen) return;
      if (i >= kSpins && (i >= kSpinsAwake || keepers_awake.load(std::memory_order_relaxed) == 0))
        break;
      pause_briefly();
    }
    mailbox.asleep.store(true);
    if (mailbox.posted.load() == post) generation_.wait(seen);
    mailbox.asleep.store(false);
  }

  void stop() {
    stopping_ = true;
    generation_.fetch_add(1);
    generation_.notify_all();
    for (std::thread& worker : workers_) worker.join();
    workers_.clear();
    stopping_ = false;
  }

  std::mutex busy_;  // held while a job runs or the workers change
  std::atomic<int> count_;
  std::vector<std::thread> workers_;
  std::atomic<bool> stopping_{false};
  Job job_;  // published by open_, as the shares are
  std::vector<Share> shares_;
  std::vector<Mailbox> mailboxes_;  // the first, the caller's, is not used
  std::mutex error_mutex_;
  std::exception_ptr error_;  // of the tile that failed first
  alignas(64) std::atomic<std::uint32_t> generation_{0};
  alignas(64) std::atomic<bool> open_{false};
  alignas(64) std::atomic<std::uint32_t> inside_{0};
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

void cpu::detail::parallel_owned(std::int64_t parts, void (*run)(const void*, std::int64_t),
                                 const void* body, std::size_t bytes, bool wake) {
  pool().run_owned(parts, run, body, bytes, wake);
}

cpu::KeepWorkersAwake::KeepWorkersAwake() { keepers_awake.fetch_add(1); }
cpu::KeepWorkersAwake::~KeepWorkersAwake() { keepers_awake.fetch_sub(1); }

}  // namespace milgrad
