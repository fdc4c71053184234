#include "checkpoint/remote_headers.h"

#include <gtest/gtest.h>

#include <string>

#include "base/error.h"
#include "checkpoint/file_listing.h"
#include "checkpoint/gguf/gguf_file.h"
#include "checkpoint/small_gguf.h"

namespace assay {
namespace {

constexpr char kHub[] = "https://hub.example";

std::string Parsed(std::string_view text) {
  std::optional<RemoteModel> model = RemoteModel::Parse(text, kHub);
  return model ? model->repository + "|" + model->revision + "|" + model->file : "none";
}

TEST(RemoteModel, AsPeopleNameThem) {
  EXPECT_EQ(Parsed("org/name"), "org/name|main|");
  EXPECT_EQ(Parsed("org/name/model-Q4_K_M.gguf"), "org/name|main|model-Q4_K_M.gguf");
  EXPECT_EQ(Parsed("hf://org/name@v1.0/sub/a.gguf"), "org/name|v1.0|sub/a.gguf");
  EXPECT_EQ(Parsed("https://hub.example/org/name"), "org/name|main|");
  EXPECT_EQ(Parsed("https://hub.example/org/name/resolve/abc/a.gguf?download=true"), "org/name|abc|a.gguf");
  EXPECT_EQ(Parsed("https://hub.example/org/name/tree/main"), "org/name|main|");
  EXPECT_EQ(Parsed("https://hub.example/org/name/resolve/refs%2Fpr%2F1/a%20b.gguf"), "org/name|refs/pr/1|a b.gguf");
  EXPECT_EQ(Parsed("https://hub.example/org/%2E%2E/tree/main"), "none");
  for (const char* none : {"name", "", "https://other.example/org/name", "org/../name", "org//name", "hf://org"})
    EXPECT_EQ(Parsed(none), "none") << none;
}

TEST(GgufHeader, EndsWhereTheTensorsBegin) {
  const std::string file = SmallGguf().Bytes();
  auto bytes = std::as_bytes(std::span(file));
  const std::optional<uint64_t> end = GgufHeaderBytes(bytes, "small");
  ASSERT_TRUE(end);
  const GgufFile parsed = GgufFile::Parse(bytes, "small");
  uint64_t first = bytes.size();
  for (const GgufTensor& tensor : parsed.tensors)
    first = std::min<uint64_t>(first, static_cast<uint64_t>(tensor.data - bytes.data()));
  EXPECT_EQ((*end + parsed.alignment - 1) / parsed.alignment * parsed.alignment, first);
  for (uint64_t n = 0; n < bytes.size(); ++n) {
    const std::optional<uint64_t> found = GgufHeaderBytes(bytes.first(n), "small");
    EXPECT_EQ(found.has_value(), n >= *end) << n;
    if (found) {
      EXPECT_EQ(*found, *end);
    }
  }
}

TEST(GgufHeader, HostileBytesEnd) {
  const std::string file = SmallGguf().Bytes();
  for (size_t i = 0; i < file.size(); ++i) {
    std::string broken = file;
    broken[i] = static_cast<char>(0xff);
    try {
      GgufHeaderBytes(std::as_bytes(std::span(broken)), "broken");
    } catch (const Error& e) {
      EXPECT_EQ(e.kind(), ErrorKind::kCorrupt);
    }
  }
}

TEST(QuantizationText, NamesTheFacts) {
  auto text = [](const char* json) { return QuantizationText(ParseJson(json, "c")); };
  EXPECT_EQ(text(R"({"quant_method": "gptq", "bits": 4, "group_size": 128, "desc_act": true, "sym": false})"),
            "gptq, 4 bits, group 128, act-order");
  EXPECT_EQ(text(R"({"quant_method": "fp8", "fmt": "e4m3", "weight_block_size": [128, 128]})"),
            "fp8, e4m3, blocks [128,128]");
  EXPECT_EQ(text(R"({"quant_method": "bitsandbytes", "load_in_8bit": false, "bnb_4bit_quant_type": "nf4"})"),
            "bitsandbytes, nf4");
}

}  // namespace
}  // namespace assay
