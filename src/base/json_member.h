#pragma once
// A member that may not be there.

#include <string_view>

#include "base/json.h"

namespace assay {

/// Null where `object` is none, has no such member, or has null for it.
inline const Json* FindMember(const Json& object, std::string_view key) {
  const auto it = object.find(key);
  return it == object.end() || it->is_null() ? nullptr : &*it;
}

}  // namespace assay
