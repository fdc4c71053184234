#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "checkpoint/convert_for_test.h"

namespace assay {
namespace {

namespace fs = std::filesystem;

const fs::path kModel = fs::path(ASSAY_TEST_DATA) / "golden/models/exl3";

/// The golden model with its tokenizer, whose tensors a test may change.
class Model {
 public:
  Model() : bytes_(ReadFile(kModel / "model.safetensors")) {
    for (const char* name : {"config.json", "quantization_config.json"}) fs::copy_file(kModel / name, path() / name);
    for (const char* name : {"tokenizer.json", "tokenizer_config.json"})
      fs::copy_file(fs::path(ASSAY_TEST_DATA) / "golden/checkpoint/tiny_llama" / name, path() / name);
    file = SafetensorsFile::Parse(std::as_bytes(std::span(bytes_)), "model.safetensors");
  }
  const fs::path& path() const { return folder_.path(); }
  SafetensorsTensor& Get(const std::string& name) {
    for (SafetensorsTensor& tensor : file.tensors)
      if (tensor.name == name) return tensor;
    throw std::runtime_error(name);
  }
  void Drop(const std::string& name) {
    std::erase_if(file.tensors, [&](const SafetensorsTensor& tensor) { return tensor.name == name; });
  }
  std::shared_ptr<const Checkpoint> Open() {
    std::vector<SafetensorsPart> parts;
    for (const SafetensorsTensor& tensor : file.tensors)
      parts.push_back({tensor.name, std::string(tensor.dtype), tensor.shape, tensor.data.size(), 0});
    AtomicFile out(path() / "model.safetensors");
    const std::string head = LaySafetensors(parts);
    uint64_t bytes = head.size();
    for (const SafetensorsPart& part : parts) bytes += part.bytes;
    out.Write(head);
    out.Extend(bytes);
    for (const SafetensorsPart& part : parts) out.WriteAt(part.offset, Get(part.name).data);
    out.Commit();
    return Checkpoint::Open(path());
  }
  /// When it is opened, or its tensors are loaded.
  std::string Refusal() {
    try {
      ThreadPool pool(2);
      const auto model = Open();
      for (const Tensor& tensor : model->tensors()) tensor.Load(pool);
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  }

  SafetensorsFile file;

 private:
  TempFolder folder_;
  std::string bytes_;
};

const std::string kUp = "model.layers.0.mlp.up_proj";

TEST(Exl3, TensorsAreDecodedAndSaidToBe) {
  auto model = Model().Open();
  EXPECT_EQ(model->scheme(), "exl3 2.50 bits, head 4, mcg");
  const Tensor& up = model->Get("blk.0.ffn_up.weight");
  EXPECT_EQ(up.shape, (std::vector<int64_t>{96, 64}));
  EXPECT_EQ(up.format->name, "f16");
  EXPECT_THAT(std::string(up.format_name()), testing::MatchesRegex("exl3 (3inst|mcg|mul1) [23]-bit"));
  // A coded head of a model that says tied is a head of its own.
  EXPECT_FALSE(model->config().tied_output);
  EXPECT_EQ(model->Get("output.weight").format_name().substr(0, 4), "exl3");
  EXPECT_EQ(model->Get("token_embd.weight").format_name(), "f16");
}

TEST(Exl3, BrokenModulesAreRefused) {
  const std::pair<const char*, std::function<void(Model&)>> kCases[] = {
      {"up_proj.trellis is missing", [](Model& m) { m.Drop(kUp + ".trellis"); }},
      {"up_proj.su is missing (or model.layers.0.mlp.up_proj.suh", [](Model& m) { m.Drop(kUp + ".suh"); }},
      {"up_proj.sv is missing", [](Model& m) { m.Drop(kUp + ".svh"); }},
      {"expected [in / 16, out / 16, 16 … 128], found",
       [](Model& m) {
         m.Get(kUp + ".trellis").shape = {static_cast<int64_t>(m.Get(kUp + ".trellis").data.size() / 2)};
       }},
      {"up_proj.trellis: expected shape [8, 8,",
       [](Model& m) { m.Get(kUp + ".trellis").shape[0] = 4, m.Get(kUp + ".trellis").shape[1] = 16; }},
      {"up_proj.trellis: expected dtype I16, found F16", [](Model& m) { m.Get(kUp + ".trellis").dtype = "F16"; }},
      {"up_proj.suh: expected dtype F16, found I16", [](Model& m) { m.Get(kUp + ".suh").dtype = "I16"; }},
      {"bits, but tensor_storage says",
       [](Model& m) {
         SafetensorsTensor& trellis = m.Get(kUp + ".trellis");
         trellis.shape[2] -= 16;
         trellis.data = trellis.data.first(trellis.data.size() * static_cast<size_t>(trellis.shape[2]) /
                                           static_cast<size_t>(trellis.shape[2] + 16));
       }},
      {"expected the factor 3417055213, which is the only one in use",
       [](Model& m) {
         static const uint32_t other = 12345;
         m.Drop(kUp + ".mul1");
         m.Drop(kUp + ".mcg");
         SafetensorsTensor marker = m.Get(kUp + ".suh");
         marker.name = kUp + ".mcg";
         marker.dtype = "I32";
         marker.shape = {};
         marker.data = std::as_bytes(std::span(&other, 1));
         m.file.tensors.push_back(marker);
       }},
      {"both model.layers.0.mlp.up_proj.trellis and model.layers.0.mlp.up_proj.weight are there",
       [](Model& m) {
         SafetensorsTensor weight = m.Get(kUp + ".suh");
         weight.name = kUp + ".weight";
         m.file.tensors.push_back(weight);
       }},
      {"element 5 is inf",
       [](Model& m) {
         static std::vector<std::byte> scales;
         SafetensorsTensor& suh = m.Get(kUp + ".suh");
         scales.assign(suh.data.begin(), suh.data.end());
         scales[10] = std::byte{0x00};
         scales[11] = std::byte{0x7c};
         suh.data = scales;
       }},
  };
  for (const auto& [message, change] : kCases) {
    Model model;
    change(model);
    EXPECT_THAT(model.Refusal(), testing::HasSubstr(message));
  }
}

}  // namespace
}  // namespace assay
