#pragma once
// Which build of this program is running.

#include <string>

namespace assay {

/// What the linker noted of the program's contents, hexadecimal: another build has another. "": it noted nothing.
std::string BuildId();

}  // namespace assay
