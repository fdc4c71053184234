#pragma once
// Scratch memory. What takes a piece from an arena plans it too: on an arena without memory the same code only counts.

#include <cstddef>
#include <cstdint>
#include <memory>

namespace assay {

class Arena {
 public:
  /// Counts: Take gives null.
  Arena() = default;
  /// Hands out the `size` bytes at `data`, which is 64-byte aligned.
  Arena(std::byte* data, int64_t size) : data_(data), size_(size) {}

  /// 64-byte aligned, not cleared. What is taken while a Scope lives is given back with it.
  template <typename T>
  T* Take(int64_t count) {
    return reinterpret_cast<T*>(TakeBytes(count * static_cast<int64_t>(sizeof(T))));
  }
  float* Floats(int64_t count) { return Take<float>(count); }

  class Scope {
   public:
    explicit Scope(Arena& arena) : arena_(arena), used_(arena.used_) {}
    ~Scope() { arena_.used_ = used_; }
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    Arena& arena_;
    int64_t used_;
  };

  /// The most that was taken at a time.
  int64_t peak() const { return peak_; }

 private:
  std::byte* TakeBytes(int64_t bytes);
  std::byte* data_ = nullptr;
  int64_t size_ = 0, used_ = 0, peak_ = 0;
};

/// The size of a Workspace.
class WorkspacePlan {
 public:
  WorkspacePlan() = default;
  explicit WorkspacePlan(int64_t bytes) : bytes_(bytes) {}
  int64_t bytes() const { return bytes_; }

 private:
  int64_t bytes_ = 0;
};

/// The memory behind arenas: grows to the largest plan seen and is then reused.
class Workspace {
 public:
  /// Room for a plan; what was there before is lost.
  Arena Reserve(const WorkspacePlan& plan);
  int64_t bytes() const { return size_; }

 private:
  std::unique_ptr<std::byte[]> data_;
  int64_t size_ = 0;
};

}  // namespace assay
