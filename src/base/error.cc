#include "base/error.h"

#include <cstdio>
#include <cstdlib>

namespace assay {

std::string_view ErrorKindName(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::kInvalid:
      return "invalid";
    case ErrorKind::kNotFound:
      return "not found";
    case ErrorKind::kCorrupt:
      return "corrupt";
    case ErrorKind::kUnsupported:
      return "unsupported";
    case ErrorKind::kIo:
      return "i/o";
    case ErrorKind::kResource:
      return "resource";
  }
  return "unknown";
}

void CheckFailed(const char* condition, const char* file, int line) {
  std::fprintf(stderr, "assay: internal error: %s does not hold (%s:%d)\n", condition, file, line);
  std::abort();
}

}  // namespace assay
