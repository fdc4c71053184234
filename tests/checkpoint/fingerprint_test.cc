// A cache answers by fingerprint: every member of the configuration and of the tokenizer moves it.

#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <set>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "checkpoint/checkpoint.h"

namespace assay {
namespace {

class Described : public Checkpoint {
 public:
  Described(const ModelConfig& config, const TokenizerSpec& tokenizer) {
    config_ = config;
    tokenizer_ = tokenizer;
  }
  Described(const std::string& chat_template, const std::map<std::string, std::string>& further) {
    chat_template_ = chat_template;
    extra_chat_templates_ = further;
  }
};

std::string FingerprintOf(const ModelConfig& config, const TokenizerSpec& tokenizer) {
  return Described(config, tokenizer).fingerprint();
}

template <typename T>
void ChangeEach(T& value, const std::function<void()>& changed);

template <typename T>
void ChangeItems(std::vector<T>& values, const std::function<void()>& changed) {
  values.emplace_back();
  changed();
  ChangeEach(values.back(), changed);
  values.pop_back();
}

/// Calls `changed` with each leaf of `value` changed in turn, and puts it back.
template <typename T>
void ChangeEach(T& value, const std::function<void()>& changed) {
  if constexpr (std::is_same_v<T, bool>) {
    value = !value;
    changed();
    value = !value;
  } else if constexpr (std::is_enum_v<T>) {
    const T before = value;
    value = static_cast<T>(static_cast<int>(value) + 1);
    changed();
    value = before;
  } else if constexpr (std::is_arithmetic_v<T>) {
    const T before = value;
    value = value + 1;
    changed();
    value = before;
  } else if constexpr (std::is_same_v<T, std::string>) {
    value += 'x';
    changed();
    value.pop_back();
  } else if constexpr (requires { value.emplace_back(); }) {
    ChangeItems(value, changed);
  } else {
    // Fields are references into `value`, which is not const here.
    std::apply(
        [&](const auto&... members) {
          (ChangeEach(const_cast<std::remove_cvref_t<decltype(members)>&>(members), changed), ...);
        },
        Fields(value));
  }
}

TEST(Fingerprint, EveryMemberMovesIt) {
  ModelConfig config;
  TokenizerSpec tokenizer;
  const std::string plain = FingerprintOf(config, tokenizer);
  EXPECT_EQ(plain, FingerprintOf(config, tokenizer));
  std::set<std::string> seen;
  int changes = 0, same = 0;
  auto look = [&] {
    const std::string found = FingerprintOf(config, tokenizer);
    ++changes;
    if (found == plain)
      ++same;
    else
      seen.insert(found);
  };
  ChangeEach(config, look);
  ChangeEach(tokenizer, look);
  EXPECT_EQ(same, 3) << "only what says where a model came from: its name, and remarks (one more, another text)";
  EXPECT_EQ(static_cast<int>(seen.size()), changes - same) << "two changes look alike";
  EXPECT_GT(changes, 150);
  config.name = "elsewhere";
  tokenizer.remarks = {"a file elsewhere says so"};
  EXPECT_EQ(plain, FingerprintOf(config, tokenizer));
}

TEST(Fingerprint, EveryChatTemplateMovesIt) {
  std::set<std::string> seen;
  for (const auto& [main, further] : std::vector<std::pair<std::string, std::map<std::string, std::string>>>{
           {"", {}}, {"a", {}}, {"a", {{"tool_use", "b"}}}, {"a", {{"tool_use", "c"}}}, {"a", {{"rag", "b"}}}})
    EXPECT_TRUE(seen.insert(Described(main, further).fingerprint()).second) << main << further.size();
}

}  // namespace
}  // namespace assay
