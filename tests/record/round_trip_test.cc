// Every member of every record comes back from a file as it was: by value, whatever its real numbers are.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <cstring>
#include <functional>
#include <limits>
#include <optional>
#include <set>
#include <tuple>

#include "base/error.h"
#include "record/bench_record.h"
#include "record/cache.h"
#include "record/check_record.h"
#include "record/json_fields.h"
#include "record/quant_record.h"
#include "record/run_record.h"

namespace assay {
namespace {

using testing::HasSubstr;

/// All members of a struct; one that is left out does not compile.
#define MEMBERS(Type, ...)        \
  auto Fields(Type& value) {      \
    auto& [__VA_ARGS__] = value;  \
    return std::tie(__VA_ARGS__); \
  }
MEMBERS(ModelIdentity, a, b, c, d, e, f)
MEMBERS(Capabilities, a, b, c, d, e, f, g)
MEMBERS(RunHeader, a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t, u, v)
MEMBERS(CheckResult, a, b, c, d, e)
MEMBERS(ExampleResult, a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r)
MEMBERS(RunRecord, a, b, c)
MEMBERS(Displacement, a, b, c, d, e, f, g, h)
MEMBERS(ServedSpeed, a, b, c, d, e, f, g, h, i)
MEMBERS(ArmCost, a, b, c, d)
MEMBERS(ArmQuality, a, b, c, d, e)
MEMBERS(AnswerLabel, a, b, c, d)
MEMBERS(Arm, a, b, c, d, e)
MEMBERS(PromptPart, a, b)
MEMBERS(ExampleText, a, b, c, d)
MEMBERS(NoiseFloor, a, b, c, d, e)
MEMBERS(CheckRecord, a, b, c, d, e, f, g, h, i, j, k, l, m, n, o)
MEMBERS(TensorQuantization, a, b, c, d, e, f, g, h)
MEMBERS(QuantRecord, a, b, c, d, e, f, g, h, i, j, k, l, m)
MEMBERS(BenchRow, a, b, c)
MEMBERS(BenchRecord, a, b, c, d, e, f, g, h, i, j)
#undef MEMBERS

template <typename T>
inline constexpr bool kIsOptional = false;
template <typename T>
inline constexpr bool kIsOptional<std::optional<T>> = true;

/// Gives every member a value of its own, and all real numbers the same.
class Filler {
 public:
  explicit Filler(double real) : real_(real) {}

  template <typename T>
  void Fill(T& value) {
    if constexpr (std::is_floating_point_v<T>) {
      value = static_cast<T>(real_);
    } else if constexpr (std::same_as<T, bool>) {
      value = true;
    } else if constexpr (std::same_as<T, uint64_t>) {
      value = std::numeric_limits<T>::max() - Next();
    } else if constexpr (std::is_integral_v<T>) {
      value = static_cast<T>(Next());
    } else if constexpr (std::same_as<T, std::string>) {
      value = "text " + std::to_string(Next());
    } else if constexpr (std::same_as<T, Json>) {
      value = {{"member", Next()}};
    } else if constexpr (kIsOptional<T>) {
      Fill(value.emplace());
    } else if constexpr (kIsVector<T>) {
      value.resize(2);
      for (auto& item : value) Fill(item);
    } else {
      std::apply([&](auto&... members) { (Fill(members), ...); }, Fields(value));
      Limit(value);
    }
  }

 private:
  uint64_t Next() { return ++last_; }

  // Members that are more than their type.
  template <typename T>
  void Limit(T&) {}
  void Limit(RunHeader& header) {
    header.version = kRunRecordVersion;
    header.margin = 7.25;
    header.samples = 3;
  }
  void Limit(ExampleResult& result) { result.sample = 2; }
  void Limit(AnswerLabel& label) { label.right = "both"; }
  void Limit(CheckRecord& record) { record.version = kCheckRecordVersion; }
  void Limit(QuantRecord& record) { record.version = kQuantRecordVersion; }
  void Limit(BenchRecord& record) { record.version = kBenchRecordVersion; }

  double real_;
  uint64_t last_ = 0;
};

template <typename T>
bool Same(T& a, T& b) {
  if constexpr (std::is_floating_point_v<T>) {
    return (std::isnan(a) && std::isnan(b)) || (a == b && std::signbit(a) == std::signbit(b));
  } else if constexpr (JsonScalar<T>) {
    return a == b;
  } else if constexpr (kIsOptional<T>) {
    return a.has_value() == b.has_value() && (!a || Same(*a, *b));
  } else if constexpr (kIsVector<T>) {
    bool same = a.size() == b.size();
    for (size_t i = 0; same && i < a.size(); ++i) same = Same(a[i], b[i]);
    return same;
  } else {
    auto all = [&]<size_t... i>(auto x, auto y, std::index_sequence<i...>) {
      return (Same(std::get<i>(x), std::get<i>(y)) && ...);
    };
    auto members = Fields(a);
    return all(members, Fields(b), std::make_index_sequence<std::tuple_size_v<decltype(members)>>());
  }
}

template <typename T>
T ReadAs(const Json& json);
template <>
RunHeader ReadAs(const Json& json) {
  return RunHeaderFromJson(json, "f");
}
template <>
ExampleResult ReadAs(const Json& json) {
  return ExampleResultFromJson(json, "f");
}
template <>
Displacement ReadAs(const Json& json) {
  return DisplacementFromJson(json, "f");
}
template <>
ArmQuality ReadAs(const Json& json) {
  return ArmQualityFromJson(json, "f");
}
template <>
CheckRecord ReadAs(const Json& json) {
  return CheckRecordFromJson(json, "f");
}
template <>
QuantRecord ReadAs(const Json& json) {
  return QuantRecordFromJson(json, "f");
}
template <>
BenchRecord ReadAs(const Json& json) {
  return BenchRecordFromJson(json, "f");
}

template <typename T>
T Filled(double real) {
  T value{};
  Filler(real).Fill(value);
  return value;
}

template <typename T>
class RoundTrip : public testing::Test {};
using Records =
    testing::Types<RunHeader, ExampleResult, Displacement, ArmQuality, CheckRecord, QuantRecord, BenchRecord>;
TYPED_TEST_SUITE(RoundTrip, Records);

TYPED_TEST(RoundTrip, EveryMemberIsWhatItWas) {
  for (double real : {kNaN, kInfinity, -kInfinity, 0.0, -0.0, 0.1, 16.0, 5e-324, 1e-45, -2.2e-308, 1e308, 3.4e38}) {
    TypeParam value = Filled<TypeParam>(real);
    const std::string text = DumpJson(ToJson(value));
    TypeParam back = ReadAs<TypeParam>(ParseJson(text, "f"));
    EXPECT_TRUE(Same(value, back)) << real << ": " << text;
    EXPECT_EQ(DumpJson(ToJson(back)), text) << real;
    back = ReadAs<TypeParam>(ToJson(value));  // without a file between
    EXPECT_TRUE(Same(value, back)) << real;
  }
}

TYPED_TEST(RoundTrip, WhatIsEmptyStaysSo) {
  TypeParam value{}, filled = Filled<TypeParam>(0.5);
  TypeParam back = ReadAs<TypeParam>(ParseJson(DumpJson(ToJson(value)), "f"));
  EXPECT_TRUE(Same(value, back)) << DumpJson(ToJson(value));
  EXPECT_FALSE(Same(value, filled));
}

/// Calls `visit` with each member of an object, at any depth, and its path. `json` is as it was afterwards.
void ForMembers(Json& json, const std::string& path,
                const std::function<void(const std::string& path, const std::string& key, Json& object)>& visit) {
  if (json.is_array())
    for (size_t i = 0; i < json.size(); ++i) ForMembers(json[i], fmt::format("{}[{}]", path, i), visit);
  if (!json.is_object()) return;
  std::vector<std::string> keys;
  for (const auto& [key, value] : json.items()) keys.push_back(key);
  for (const std::string& key : keys) {
    const std::string inside = path.empty() ? key : path + "." + key;
    ForMembers(json[key], inside, visit);
    const Json kept = json;
    visit(inside, key, json);
    json = kept;
  }
}

TYPED_TEST(RoundTrip, AMissingMemberIsNamedOrHasItsDefault) {
  // What no default can stand for.
  static const std::set<std::string> kRequired = {
      "assay_run",  "assay_check", "assay_quant", "assay_bench",  "model",      "task_hash", "id",          "answer",
      "answer_ids", "logprobs",    "checks",      "type",         "header",     "examples",  "prompt",      "baseline",
      "run",        "cost",        "quality",     "displacement", "candidates", "candidate", "right",       "source",
      "result",     "tensors",     "name",        "shape",        "rows",       "test",      "tokens_per_s"};
  Json json = ToJson(Filled<TypeParam>(0.5));
  ForMembers(json, "", [&](const std::string& path, const std::string& key, Json& object) {
    object.erase(key);
    try {
      ReadAs<TypeParam>(json);
      // A model's name is a label, a tensor's is what it is.
      EXPECT_TRUE(key == "name" || !kRequired.contains(key)) << path;
    } catch (const Error& error) {
      EXPECT_TRUE(kRequired.contains(key)) << error.what();
      EXPECT_THAT(error.what(), HasSubstr(key.starts_with("assay_") ? key : "f: \"" + path + "\" is missing"));
    }
  });
}

TYPED_TEST(RoundTrip, AnotherTypeIsRefusedWithItsPlace) {
  Json json = ToJson(Filled<TypeParam>(0.5));
  ForMembers(json, "", [&](const std::string& path, const std::string& key, Json& object) {
    if (path.find("sampling") != std::string::npos || path.find("template_variables") != std::string::npos ||
        path.find("server") != std::string::npos)
      return;
    if (key == "median_tokens_per_s" || key == "standard_deviation") return;  // computed
    object[key] = object[key].is_string() ? Json(7) : Json("seven");
    try {
      ReadAs<TypeParam>(json);
      ADD_FAILURE() << path << " is read as " << object[key];
    } catch (const Error& error) {
      const std::string place = key.starts_with("assay_") ? key : path;
      EXPECT_THAT(error.what(), HasSubstr("\"" + place + "\" should be "));
      EXPECT_THAT(error.what(), HasSubstr(", found "));
    }
  });
}

TEST(RealNumbers, InAFile) {
  EXPECT_EQ(NumberJson(kInfinity), "inf");
  EXPECT_EQ(NumberJson(-kInfinity), "-inf");
  EXPECT_EQ(NumberJson(kNaN), Json(nullptr));
  EXPECT_EQ(NumberJson(kNaN, kInfinity), "nan");
  EXPECT_EQ(NumberJson(-std::numeric_limits<float>::infinity()), "-inf");
  EXPECT_EQ(DumpJson(NumberJson(-0.1f)), "-0.1");
  EXPECT_EQ(DumpJson(NumberJson(-0.0)), "-0.0");
  for (float value : {1e-38f, 3.14159274f, -1e-45f, 16777217.0f, 0.0f})
    EXPECT_EQ(NumberJson(value).get<float>(), value);
}

// What this program wrote while null stood for both: where only an infinity could be, it still stands for that.
TEST(FilesOfBefore, AreReadAndKeepTheirText) {
  const std::string run =
      R"({"header":{"assay_run":1,"model":{"name":"demo","fingerprint":"f00d","architecture":"llama","format":"bf16","bits_per_weight":16.0,"file_bytes":1000},)"
      R"("task_name":"t.jsonl","task_hash":"t","tokenizer_hash":"k","template_hash":"","sampling":{"temperature":0},"arithmetic":"deployed","build":"b","machine":"m","started":"s"},)"
      R"("complete":true,"examples":[{"id":"e0","slice":"json","index":0,"prompt_hash":"p","prompt_tokens":17,"answer":"yes","answer_ids":[1,49151],"logprobs":[-0.1,null],)"
      R"("finish":"stop","pass":true,"checks":[{"type":"equals","pass":true}]}]})";
  const std::string text =
      R"({"assay_check":1,"started":"s","elapsed_s":61.5,"build":"b","machine":"m","task_name":"t.jsonl","text_name":"text.txt","margin":10.0,"as_given":false,)"
      R"("examples":[{"id":"e0","slice":"json","prompt":[{"role":"user","text":"?"}],"expected":"yes"}],"baseline":{"run":)" +
      run +
      R"(,"cost":{"prefill_tokens_per_s":0.0,"decode_tokens_per_s":0.0,"peak_memory_bytes":0},"quality":{"perplexity":12.25,"perplexity_error":0.5},"displacement":[]},)"
      R"("candidates":[{"run":)" +
      run +
      R"(,"cost":{"prefill_tokens_per_s":100.5,"decode_tokens_per_s":20.25,"peak_memory_bytes":1073741824},)"
      R"("quality":{"perplexity":null,"perplexity_error":null,"mean_kl":null,"p99_kl":null,"same_top":0.9},)"
      R"("displacement":[{"id":"e0","tokens":12,"mean_kl":null,"max_kl":null,"same_top":0.75,"first_divergence":3}]}]})";
  CheckRecord record = CheckRecordFromJson(ParseJson(text, "f"), "f");
  const Arm& arm = record.candidates.at(0);
  EXPECT_TRUE(std::isnan(*arm.quality.perplexity));
  EXPECT_EQ(arm.quality.mean_kl, kInfinity);
  EXPECT_EQ(arm.quality.p99_kl, kInfinity);
  EXPECT_EQ(arm.quality.same_top, 0.9);
  EXPECT_EQ(arm.displacement[0].mean_kl, kInfinity);
  EXPECT_EQ(arm.displacement[0].max_kl, kInfinity);
  EXPECT_EQ(arm.run.examples[0].logprobs[1], -kInfinity);
  EXPECT_FALSE(record.baseline.quality.mean_kl);
  std::string now = text;
  for (const char* key : {"mean_kl", "p99_kl", "max_kl"})
    for (size_t at; (at = now.find(fmt::format("\"{}\":null", key))) != std::string::npos;)
      now.replace(at + std::strlen(key) + 3, 4, "\"inf\"");
  for (size_t at; (at = now.find("[-0.1,null]")) != std::string::npos;) now.replace(at + 6, 4, "\"-inf\"");
  EXPECT_EQ(DumpJson(ToJson(record)), now);

  const std::string quant =
      R"({"assay_quant":1,"source":{"name":"demo"},"result":{"name":"demo-q4"},"tensors":[{"name":"w","shape":[64,128],"rmse":null,"relative_error":null}]})";
  const QuantRecord quantized = QuantRecordFromJson(ParseJson(quant, "f"), "f");
  EXPECT_TRUE(std::isnan(quantized.tensors[0].rmse));
  EXPECT_TRUE(std::isnan(quantized.tensors[0].relative_error));
  EXPECT_EQ(quantized.output, "");
}

// A perplexity beyond a double ended the next run, whose cache then had null for it and for its error.
TEST(RealNumbers, OfTheCache) {
  const auto folder = std::filesystem::temp_directory_path() / ("assay_quality_" + std::to_string(::getpid()));
  {
    ResultCache cache(folder / "results.sqlite");
    ArmQuality quality{kInfinity, kNaN, kInfinity, kInfinity, 0};
    cache.Put("k", DumpJson(ToJson(quality)));
    ArmQuality back = ArmQualityFromJson(ParseJson(*cache.Get("k"), "cache"), "cache");
    EXPECT_TRUE(Same(quality, back));
  }
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace assay
