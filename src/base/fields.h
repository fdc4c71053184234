#pragma once
// The members of a plain struct, named once, for code that has to see every one of them.

#include <concepts>
#include <span>
#include <string>
#include <tuple>
#include <type_traits>
#include <vector>

#include "base/hash.h"

/// Fields(value): a tuple of references to all members, for a struct that lists them in order. One that is left out
/// does not compile where it is called. A template, so that only who calls it pays for tuples of sixty members.
#define ASSAY_FIELDS(Type, ...)        \
  template <std::same_as<Type> Struct> \
  auto Fields(const Struct& value) {   \
    const auto& [__VA_ARGS__] = value; \
    return std::tie(__VA_ARGS__);      \
  }

namespace assay {

/// Numbers, enumerations, texts, lists and structs with Fields, whole.
template <typename T>
void AddFields(Hasher& hasher, const T& value) {
  if constexpr (std::is_arithmetic_v<T> || std::is_enum_v<T>) {
    hasher.Add(std::as_bytes(std::span(&value, 1)));
  } else if constexpr (std::is_same_v<T, std::string>) {
    hasher.AddText(value);
  } else {
    std::apply([&](const auto&... members) { (AddFields(hasher, members), ...); }, Fields(value));
  }
}

template <typename T>
void AddFields(Hasher& hasher, const std::vector<T>& values) {
  AddFields(hasher, values.size());
  for (const T& value : values) AddFields(hasher, value);
}

}  // namespace assay
