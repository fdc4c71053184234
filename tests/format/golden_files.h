#pragma once
// Files of golden/format/.

#include <cstring>
#include <string>
#include <vector>

#include "number/bf16.h"
#include "system/file.h"

namespace assay {

inline std::string ReadGolden(const std::string& name) {
  return ReadFile(std::string(ASSAY_TEST_DATA "/golden/format/") + name);
}

inline std::vector<float> ReadGoldenBf16(const std::string& name) {
  const std::string bytes = ReadGolden(name);
  std::vector<float> values;
  for (size_t i = 0; i + 1 < bytes.size(); i += 2) {
    uint16_t code;
    std::memcpy(&code, bytes.data() + i, sizeof code);
    values.push_back(DecodeBf16(code));
  }
  return values;
}

}  // namespace assay
