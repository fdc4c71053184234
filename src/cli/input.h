#pragma once
// What a user gives as a file or on standard input.

#include <string>

namespace assay {

/// The whole file, or standard input for "-". More than ReadFile's limit is refused.
std::string ReadInput(const std::string& path);

}  // namespace assay
