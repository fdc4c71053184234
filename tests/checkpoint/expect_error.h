#pragma once
// What a refusal must say.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>

#include "base/error.h"

namespace assay {

inline void ExpectError(ErrorKind kind, const std::string& message, const std::function<void()>& body) {
  try {
    body();
    ADD_FAILURE() << "accepted; expected: " << message;
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), testing::HasSubstr(message));
    EXPECT_EQ(ErrorKindName(error.kind()), ErrorKindName(kind)) << error.what();
  }
}

}  // namespace assay
