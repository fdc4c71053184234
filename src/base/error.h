#pragma once
// Errors of input. Bad input (a file, task, flag or server) throws Error while loading or planning; a bug of ours fails
// ASSAY_CHECK, which no file content may reach.

#include <fmt/core.h>

#include <stdexcept>
#include <string>
#include <utility>

namespace assay {

enum class ErrorKind {
  kInvalid,      // what the user asked for makes no sense
  kNotFound,     // it is not there
  kCorrupt,      // the file lies about itself
  kUnsupported,  // it is fine, we lack it
  kIo,           // the system refused
  kResource,     // not enough memory, disk or time
};

std::string_view ErrorKindName(ErrorKind kind);

class Error : public std::runtime_error {
 public:
  Error(ErrorKind kind, const std::string& message) : std::runtime_error(message), kind_(kind) {}
  ErrorKind kind() const { return kind_; }

 private:
  ErrorKind kind_;
};

/// The user asked to stop (Ctrl-C). What was done so far has been saved by whoever throws it.
struct Interrupted : std::runtime_error {
  Interrupted() : std::runtime_error("interrupted") {}
};

/// Throws Error with a formatted message. Messages name the file, the tensor or line, what was expected and what was
/// found.
template <typename... Args>
[[noreturn]] void Fail(ErrorKind kind, fmt::format_string<Args...> format, Args&&... args) {
  throw Error(kind, fmt::format(format, std::forward<Args>(args)...));
}

[[noreturn]] void CheckFailed(const char* condition, const char* file, int line);

/// For our own bugs only; active in every build.
#define ASSAY_CHECK(condition)                              \
  do {                                                      \
    if (!(condition)) [[unlikely]]                          \
      ::assay::CheckFailed(#condition, __FILE__, __LINE__); \
  } while (false)

}  // namespace assay
