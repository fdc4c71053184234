#include "system/threads.h"

#include <sched.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "base/error.h"

namespace assay {
namespace {

thread_local bool t_inside_body = false;

inline void Pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

constexpr int kSpins =
    4000;  // some tens of microseconds: longer than the gap between two layers' loops, shorter than a time slice

}  // namespace

int ProcessorCount() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) == 0) return std::max(1, CPU_COUNT(&set));
  return std::max(1u, std::thread::hardware_concurrency());
}

struct ThreadPool::Shared {
  std::mutex mutex;
  std::condition_variable wake;
  std::atomic<uint64_t> generation{0};
  std::atomic<bool> stop{false};
  std::atomic<bool> running{false};  // a call of For
  std::atomic<int64_t> next{0};
  std::atomic<int> busy{0};
  int64_t n = 0, grain = 1;
  const std::function<void(int64_t, int64_t, int)>* body = nullptr;
  std::mutex error_mutex;
  std::exception_ptr error;
  std::vector<std::thread> workers;

  void Work(int worker) {
    t_inside_body = true;
    try {
      while (true) {
        int64_t begin = next.fetch_add(grain, std::memory_order_relaxed);
        if (begin >= n) break;
        (*body)(begin, std::min(n, begin + grain), worker);
      }
    } catch (...) {
      std::lock_guard lock(error_mutex);
      if (!error) error = std::current_exception();
      next.store(n, std::memory_order_relaxed);
    }
    t_inside_body = false;
  }

  void Loop(int worker) {
    uint64_t seen = 0;
    while (true) {
      for (int i = 0; i < kSpins && generation.load(std::memory_order_acquire) == seen && !stop.load(); ++i) Pause();
      if (generation.load(std::memory_order_acquire) == seen && !stop.load()) {
        std::unique_lock lock(mutex);
        wake.wait(lock, [&] { return generation.load(std::memory_order_acquire) != seen || stop.load(); });
      }
      if (stop.load()) return;
      seen = generation.load(std::memory_order_acquire);
      Work(worker);
      busy.fetch_sub(1, std::memory_order_release);
    }
  }
};

ThreadPool::ThreadPool(int threads) : threads_(threads > 0 ? threads : ProcessorCount()), shared_(new Shared) {
  shared_->workers.reserve(static_cast<size_t>(threads_ - 1));
  for (int i = 1; i < threads_; ++i) {
    try {
      shared_->workers.emplace_back([this, i] { shared_->Loop(i); });
    } catch (const std::system_error&) {  // no more threads for this process
      threads_ = i;
      break;
    }
  }
}

ThreadPool::~ThreadPool() {
  {
    std::lock_guard lock(shared_->mutex);
    shared_->stop.store(true);
  }
  shared_->wake.notify_all();
  for (std::thread& worker : shared_->workers) worker.join();
}

void ThreadPool::For(int64_t n, int64_t grain, const std::function<void(int64_t, int64_t, int)>& body) {
  if (n <= 0) return;
  grain = std::max<int64_t>(1, grain);
  if (t_inside_body || threads_ == 1 || n <= grain) {
    for (int64_t begin = 0; begin < n; begin += grain) body(begin, std::min(n, begin + grain), 0);
    return;
  }
  Shared& s = *shared_;
  ASSAY_CHECK(!s.running.exchange(true, std::memory_order_acquire));  // by another thread
  s.n = n;
  s.grain = grain;
  s.body = &body;
  s.next.store(0, std::memory_order_relaxed);
  s.busy.store(threads_ - 1, std::memory_order_relaxed);
  {
    std::lock_guard lock(s.mutex);
    s.generation.fetch_add(1, std::memory_order_release);
  }
  s.wake.notify_all();
  s.Work(0);
  for (int spins = 0; s.busy.load(std::memory_order_acquire) != 0; ++spins) {
    // The pieces are short; on an oversubscribed machine the worker needs our processor more than we do.
    if (spins < kSpins)
      Pause();
    else
      std::this_thread::yield();
  }
  const std::exception_ptr error = std::exchange(s.error, nullptr);
  s.running.store(false, std::memory_order_release);
  if (error) std::rethrow_exception(error);
}

}  // namespace assay
