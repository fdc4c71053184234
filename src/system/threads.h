#pragma once
// A fixed set of threads for data-parallel loops. Idle workers spin for some microseconds, then sleep.

#include <cstdint>
#include <functional>
#include <memory>

namespace assay {

class ThreadPool {
 public:
  /// `threads` counts the calling thread too; 0 means one per processor this process may run on. Where the system
  /// gives fewer, threads() says how many there are.
  explicit ThreadPool(int threads = 0);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int threads() const { return threads_; }

  /// Calls body(begin, end, worker) for pieces of [0, n) of up to `grain`, on whatever worker (0 … threads()-1), until
  /// all are done. Any thread may call it, one at a time (checked); in a body of any pool it runs on its thread alone,
  /// as worker 0. The first exception is rethrown here, pieces not begun are left out, and the pool may be used on.
  void For(int64_t n, int64_t grain, const std::function<void(int64_t begin, int64_t end, int worker)>& body);

 private:
  struct Shared;
  int threads_;
  std::unique_ptr<Shared> shared_;
};

/// Processors this process may run on (affinity mask), at least 1.
int ProcessorCount();

}  // namespace assay
