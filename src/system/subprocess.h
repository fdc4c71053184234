#pragma once
// Running another program and reading what it prints.

#include <string>
#include <vector>

namespace assay {

struct SubprocessResult {
  int exit_code = 0;  // 128 + signal when it was killed
  std::string output, error_output;
};

/// Runs arguments[0] (a path, or a name looked up in PATH) with stdin closed and waits. No shell is involved. At most
/// 64 MiB of each stream is kept. Throws Error{kIo} when it cannot be started.
SubprocessResult RunSubprocess(const std::vector<std::string>& arguments);

/// The path of this program's own file.
std::string SelfPath();

}  // namespace assay
