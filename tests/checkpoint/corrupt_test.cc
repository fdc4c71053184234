// Broken files: every one is refused with a message that names the place, and none crashes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "base/error.h"
#include "checkpoint/convert_for_test.h"
#include "checkpoint/expect_error.h"
#include "checkpoint/gguf/gguf_checkpoint.h"
#include "checkpoint/hf/hf_tensors.h"
#include "checkpoint/small_gguf.h"

namespace assay {
namespace {

namespace fs = std::filesystem;

const fs::path kGolden = fs::path(ASSAY_TEST_DATA) / "golden" / "checkpoint";

std::shared_ptr<GgufCheckpoint> OpenBytes(std::string_view bytes) {
  std::vector<GgufFile> files;
  files.push_back(GgufFile::Parse(std::as_bytes(std::span(bytes)), "small.gguf"));
  return std::make_shared<GgufCheckpoint>("small.gguf", std::move(files), std::vector<MappedFile>{});
}

TEST(SmallGguf, IsReadAsItIs) {
  std::string bytes = SmallGguf().Bytes();
  auto model = OpenBytes(bytes);
  EXPECT_EQ(model->config().head_dim, 2);
  EXPECT_EQ(model->config().n_kv_heads, 2);
  EXPECT_TRUE(model->config().tied_output);
  EXPECT_EQ(model->config().rope_theta, 10000.0);
  EXPECT_EQ(Decode(model->Get("blk.0.ffn_up.weight")), std::vector<float>(16, 0.25f));
  EXPECT_EQ(model->tokenizer().tokens[6], "ab");
  EXPECT_EQ(model->metadata()["llama.context_length"], 16);
}

TEST(SmallGguf, TruncatedAnywhereIsRefused) {
  std::string bytes = SmallGguf().Bytes();
  for (size_t n = 0; n < bytes.size(); ++n) {
    std::string part = bytes.substr(0, n);
    EXPECT_THROW(OpenBytes(part), Error) << "accepted when cut to " << n << " of " << bytes.size();
  }
}

TEST(SmallGguf, EveryByteFlippedNeverCrashes) {
  std::string bytes = SmallGguf().Bytes();
  int refused = 0;
  for (size_t i = 0; i < bytes.size(); ++i)
    for (int flip : {0x01, 0x80, 0xff}) {
      std::string broken = bytes;
      broken[i] = static_cast<char>(broken[i] ^ flip);
      try {
        OpenBytes(broken);
      } catch (const Error&) {
        ++refused;
      }
    }
  EXPECT_GT(refused, 1000);
}

struct GgufCase {
  const char* name;
  ErrorKind kind;
  const char* message;
  std::function<std::string()> bytes;
};

std::string Patched(size_t at, std::initializer_list<int> values) {
  std::string bytes = SmallGguf().Bytes();
  for (int value : values) bytes[at++] = static_cast<char>(value);
  return bytes;
}

std::string With(const char* key, const std::function<void(GgufMetadata&)>& add) {
  SmallGguf file(key);
  add(file.metadata);
  return file.Bytes();
}

std::string WithTensor(const char* name, const std::function<void(SmallTensor&)>& change) {
  SmallGguf file;
  change(file.tensor(name));
  return file.Bytes();
}

/// A value's bytes by hand: type id and what follows.
std::string WithRaw(const std::vector<uint8_t>& encoded) {
  SmallGguf file;
  file.metadata.AddEncoded("x", std::as_bytes(std::span(encoded)));
  return file.Bytes();
}

const std::vector<uint8_t> kDeepArray = {9, 0, 0, 0, 9, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 1, 0,
                                         0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0,
                                         1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 7};

const GgufCase kGgufCases[] = {
    {"magic", ErrorKind::kCorrupt,
     "small.gguf: expected a GGUF file, which begins with \"GGUF\", found bytes 47 47 55 4c",
     [] { return Patched(3, {'L'}); }},
    {"version_1", ErrorKind::kUnsupported, "small.gguf: GGUF version 1; versions 2 and 3 are read",
     [] { return Patched(4, {1}); }},
    {"big_endian", ErrorKind::kUnsupported, "big-endian GGUF (version field 0x03000000)",
     [] {
       return Patched(4, {0, 0, 0, 3});
     }},
    {"tensor_count", ErrorKind::kCorrupt, "tensor count at byte 8: 255 tensors cannot be in",
     [] { return Patched(8, {255}); }},
    {"metadata_count", ErrorKind::kCorrupt, "metadata count at byte 16: 1099511627789 entries cannot be in",
     [] { return Patched(21, {1}); }},
    {"key_length", ErrorKind::kCorrupt, "metadata key 0 at byte 24: a string of 1099511627796 bytes",
     [] { return Patched(29, {1}); }},
    {"value_type", ErrorKind::kCorrupt,
     "metadata general.architecture at byte 52: expected a value type of 0 to 12, found 99",
     [] { return Patched(52, {99}); }},
    {"array_count", ErrorKind::kCorrupt, "metadata x at byte",
     [] {
       return WithRaw({9, 0, 0, 0, 6, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0});
     }},
    {"string_array_count", ErrorKind::kCorrupt, "an array of 4294967296 string elements where",
     [] {
       return WithRaw({9, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0});
     }},
    {"nested_arrays", ErrorKind::kUnsupported, "arrays nested deeper than 4", [] { return WithRaw(kDeepArray); }},
    {"duplicate_key", ErrorKind::kCorrupt, "metadata llama.block_count at byte",
     [] { return With("", [](GgufMetadata& m) { m.AddUint32("llama.block_count", 1); }); }},
    {"alignment", ErrorKind::kCorrupt, "metadata general.alignment: expected a power of two, found 24",
     [] { return With("", [](GgufMetadata& m) { m.AddUint32("general.alignment", 24); }); }},
    {"dimensions", ErrorKind::kCorrupt, "tensor output_norm.weight at byte",
     [] { return WithTensor("output_norm.weight", [](SmallTensor& t) {
            t.dims = {1, 1, 1, 1, 4};
          }); }},
    {"dimension_overflow", ErrorKind::kCorrupt, "dimension 1 is 72057594037927936: empty, or too many elements",
     [] { return WithTensor("blk.0.attn_q.weight", [](SmallTensor& t) {
            t.dims = {256, uint64_t{1} << 56};
          }); }},
    {"dimension_zero", ErrorKind::kCorrupt, "dimension 0 is 0: empty, or too many elements",
     [] { return WithTensor("output_norm.weight", [](SmallTensor& t) { t.dims = {0}; }); }},
    {"unknown_type", ErrorKind::kUnsupported, "tensor blk.0.attn_q.weight: unknown tensor type 77",
     [] { return WithTensor("blk.0.attn_q.weight", [](SmallTensor& t) { t.type = 77; }); }},
    {"lacking_type", ErrorKind::kUnsupported, "tensor blk.0.attn_q.weight: tensor type 9 (Q8_1) is not supported",
     [] { return WithTensor("blk.0.attn_q.weight", [](SmallTensor& t) { t.type = 9; }); }},
    {"block_columns", ErrorKind::kCorrupt,
     "tensor blk.0.attn_q.weight: rows of 4 elements do not fit type Q4_0, whose blocks have 32",
     [] { return WithTensor("blk.0.attn_q.weight", [](SmallTensor& t) { t.type = 2; }); }},
    {"offset_alignment", ErrorKind::kCorrupt,
     "tensor blk.0.attn_q.weight: offset 33 is not a multiple of the alignment 32",
     [] { return WithTensor("blk.0.attn_q.weight", [](SmallTensor& t) { t.offset = 33; }); }},
    {"offset_beyond", ErrorKind::kCorrupt,
     "tensor blk.0.attn_q.weight: expected 64 bytes at offset 4096 of the data, found 656",
     [] { return WithTensor("blk.0.attn_q.weight", [](SmallTensor& t) { t.offset = 4096; }); }},
    {"overlap", ErrorKind::kCorrupt, "tensors token_embd.weight and blk.0.attn_q.weight overlap at offset 0",
     [] { return WithTensor("blk.0.attn_q.weight", [](SmallTensor& t) { t.offset = 0; }); }},
    {"duplicate_tensor", ErrorKind::kCorrupt, "tensor blk.0.attn_q.weight at byte",
     [] { return WithTensor("blk.0.attn_k.weight", [](SmallTensor& t) { t.name = "blk.0.attn_q.weight"; }); }},
    {"architecture", ErrorKind::kUnsupported, "architecture mamba is not supported; supported: ",
     [] {
       return With("general.architecture", [](GgufMetadata& m) { m.AddString("general.architecture", "mamba"); });
     }},
    {"folder_only", ErrorKind::kUnsupported,
     "GGUF of architecture bitnet-b1.58 is not supported; a Hugging Face folder of BitNetForCausalLM is",
     [] {
       return With("general.architecture",
                   [](GgufMetadata& m) { m.AddString("general.architecture", "bitnet-b1.58"); });
     }},
    {"no_layers", ErrorKind::kCorrupt, "metadata llama.block_count is missing",
     [] { return SmallGguf("llama.block_count").Bytes(); }},
    {"layers_type", ErrorKind::kCorrupt, "metadata llama.block_count: expected an integer, found string",
     [] { return With("llama.block_count", [](GgufMetadata& m) { m.AddString("llama.block_count", "1"); }); }},
    {"more_layers", ErrorKind::kCorrupt,
     "tensor blk.1.attn_norm.weight [4] is missing (the configuration says 2 layers)",
     [] { return With("llama.block_count", [](GgufMetadata& m) { m.AddUint32("llama.block_count", 2); }); }},
    {"heads", ErrorKind::kCorrupt, "2 attention heads are not a multiple of 3 key-value heads",
     [] { return With("", [](GgufMetadata& m) { m.AddUint32("llama.attention.head_count_kv", 3); }); }},
    {"experts", ErrorKind::kCorrupt, "experts used per token: expected 1 to 8, found 0",
     [] { return With("", [](GgufMetadata& m) { m.AddUint32("llama.expert_count", 8); }); }},
    {"rope_type", ErrorKind::kCorrupt, "tensor rope_factors_long.weight: expected 1 factors, found 0",
     [] { return With("", [](GgufMetadata& m) { m.AddString("llama.rope.scaling.type", "longrope"); }); }},
    {"missing_tensor", ErrorKind::kCorrupt, "tensor blk.0.ffn_up.weight [4, 4] is missing",
     [] {
       SmallGguf file;
       std::erase_if(file.tensors, [](const SmallTensor& t) { return t.name == "blk.0.ffn_up.weight"; });
       return file.Bytes();
     }},
    {"shape", ErrorKind::kCorrupt, "tensor blk.0.ffn_up.weight: the configuration expects shape [4, 4], found [2, 8]",
     [] { return WithTensor("blk.0.ffn_up.weight", [](SmallTensor& t) {
            t.dims = {8, 2};
          }); }},
    {"extra_tensor", ErrorKind::kUnsupported,
     "tensor blk.0.attn_q_norm.weight [4] has no place in the llama architecture",
     [] {
       SmallGguf file;
       file.tensors.push_back({"blk.0.attn_q_norm.weight", {4}, 0, 16, -1});
       return file.Bytes();
     }},
    {"vocabulary", ErrorKind::kCorrupt, "llama.vocab_size says 9, but tokenizer.ggml.tokens has 8",
     [] { return With("", [](GgufMetadata& m) { m.AddUint32("llama.vocab_size", 9); }); }},
    {"embedding_rows", ErrorKind::kCorrupt,
     "tensor token_embd.weight: the configuration expects shape [7, 4], found [8, 4]",
     [] {
       return With("tokenizer.ggml.tokens", [](GgufMetadata& m) {
         m.AddStrings("tokenizer.ggml.tokens", {"a", "b", "c", "d", "e", "f", "g"});
       });
     }},
    {"token_types", ErrorKind::kCorrupt, "metadata tokenizer.ggml.token_type: expected 8 items, one a token, found 2",
     [] {
       return With("tokenizer.ggml.token_type", [](GgufMetadata& m) {
         m.AddInts("tokenizer.ggml.token_type", {1, 1});
       });
     }},
    {"token_id", ErrorKind::kCorrupt, "metadata tokenizer.ggml.eos_token_id: token 8 of 8",
     [] {
       return With("tokenizer.ggml.eos_token_id",
                   [](GgufMetadata& m) { m.AddUint32("tokenizer.ggml.eos_token_id", 8); });
     }},
    {"tokenizer_model", ErrorKind::kUnsupported, "tokenizer.ggml.model \"rwkv\"",
     [] { return With("tokenizer.ggml.model", [](GgufMetadata& m) { m.AddString("tokenizer.ggml.model", "rwkv"); }); }},
    {"split_count", ErrorKind::kCorrupt, "metadata split.count says 3 files, found 1",
     [] { return With("", [](GgufMetadata& m) { m.AddUint16("split.count", 3); }); }},
};

TEST(CorruptGguf, EachIsRefusedWithItsMessage) {
  for (const GgufCase& c : kGgufCases) {
    SCOPED_TRACE(c.name);
    std::string bytes = c.bytes();
    ExpectError(c.kind, c.message, [&] { OpenBytes(bytes); });
  }
}

TEST(SplitGguf, IsReadAsOneAndChecked) {
  TempFolder folder;
  SmallGguf whole;
  WriteFileAtomically(folder.path() / "whole.gguf", whole.Bytes());
  auto part = [&](int number, int count, size_t begin, size_t end, int stated_tensors) {
    SmallGguf file;
    file.metadata.AddUint16("split.no", static_cast<uint16_t>(number));
    file.metadata.AddUint16("split.count", static_cast<uint16_t>(count));
    file.metadata.AddInt32("split.tensors.count", stated_tensors);
    file.tensors = {file.tensors.begin() + static_cast<ptrdiff_t>(begin),
                    file.tensors.begin() + static_cast<ptrdiff_t>(end)};
    return file.Bytes();
  };
  const int n = static_cast<int>(whole.tensors.size());
  fs::path first = folder.path() / "m-00001-of-00002.gguf", second = folder.path() / "m-00002-of-00002.gguf";
  WriteFileAtomically(first, part(0, 2, 0, 5, n));
  WriteFileAtomically(second, part(1, 2, 5, static_cast<size_t>(n), n));
  auto model = Checkpoint::Open(first);
  EXPECT_EQ(model->tensors().size(), static_cast<size_t>(n));
  EXPECT_EQ(model->fingerprint(), Checkpoint::Open(folder.path() / "whole.gguf")->fingerprint());
  EXPECT_EQ(model->file_bytes(), fs::file_size(first) + fs::file_size(second));
  ExpectError(ErrorKind::kInvalid, "open the first file of the set", [&] { Checkpoint::Open(second); });
  WriteFileAtomically(second, part(0, 2, 5, static_cast<size_t>(n), n));
  ExpectError(ErrorKind::kCorrupt, "metadata split.no: expected 1, found 0", [&] { Checkpoint::Open(first); });
  WriteFileAtomically(second, part(1, 2, 5, static_cast<size_t>(n) - 1, n));
  ExpectError(ErrorKind::kCorrupt, "split.tensors.count says 11 tensors, the 2 files have 10",
              [&] { Checkpoint::Open(first); });
  WriteFileAtomically(second, part(1, 2, 4, static_cast<size_t>(n), n + 1));
  ExpectError(ErrorKind::kCorrupt, "split.tensors.count differs", [&] { Checkpoint::Open(first); });
  fs::remove(second);
  ExpectError(ErrorKind::kNotFound, "m-00002-of-00002.gguf", [&] { Checkpoint::Open(first); });
}

std::string Safetensors(const std::string& header, size_t data_bytes) {
  uint64_t size = header.size();
  std::string out(reinterpret_cast<const char*>(&size), 8);
  return out + header + std::string(data_bytes, '\1');
}

struct SafetensorsCase {
  const char* header;
  size_t data_bytes;
  ErrorKind kind;
  const char* message;
};

const SafetensorsCase kSafetensorsCases[] = {
    {"[1]", 0, ErrorKind::kCorrupt, "x: the header at byte 8 should begin with {"},
    {"{\"a\":", 0, ErrorKind::kCorrupt, "x: header: not JSON"},
    {R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})",
     8, ErrorKind::kCorrupt, "duplicate key \"a\""},
    {R"({"a":{"dtype":"F31","shape":[1],"data_offsets":[0,4]}})", 4, ErrorKind::kUnsupported,
     "x: tensor a: unknown dtype F31"},
    {R"({"a":{"shape":[1],"data_offsets":[0,4]}})", 4, ErrorKind::kCorrupt, "x: tensor a: \"dtype\" is missing"},
    {R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}})", 4, ErrorKind::kCorrupt,
     "x: tensor a: F32 [2] takes 8 bytes, but data_offsets are [0, 4]"},
    {R"({"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}})", 4, ErrorKind::kCorrupt,
     "expected a non-negative integer, found -1"},
    {R"({"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,4]}})", 4, ErrorKind::kCorrupt,
     "has too many elements"},
    {R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}})", 4, ErrorKind::kCorrupt, "data_offsets are [4, 0]"},
    {R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0]}})", 4, ErrorKind::kCorrupt,
     "data_offsets should be two numbers"},
    {R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})",
     8, ErrorKind::kCorrupt, "x: tensor b begins at offset 4 inside a, which ends at 8"},
    {R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[8,12]}})",
     12, ErrorKind::kCorrupt, "x: tensor b: expected offset 4 after a, found 8: a hole of 4 bytes"},
    {R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})", 4, ErrorKind::kCorrupt,
     "x: tensor a ends at offset 8 of the data, found 4 bytes of data (truncated file?)"},
    {R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})", 5, ErrorKind::kCorrupt,
     "the tensors end at offset 4 of the data, found 5"},
    {R"({"a":{"dtype":"F4","shape":[1],"data_offsets":[0,1]}})", 1, ErrorKind::kCorrupt, "is not whole bytes"},
    {R"({"__metadata__":{"format":1}})", 0, ErrorKind::kCorrupt, "__metadata__: \"format\" should be a string"},
};

TEST(CorruptSafetensors, EachIsRefusedWithItsMessage) {
  for (const SafetensorsCase& c : kSafetensorsCases) {
    SCOPED_TRACE(c.header);
    std::string bytes = Safetensors(c.header, c.data_bytes);
    ExpectError(c.kind, c.message, [&] { SafetensorsFile::Parse(std::as_bytes(std::span(bytes)), "x"); });
  }
  std::string huge = Safetensors("{}", 0);
  huge[6] = 1;
  ExpectError(ErrorKind::kCorrupt, "not a safetensors file?",
              [&] { SafetensorsFile::Parse(std::as_bytes(std::span(huge)), "x"); });
}

TEST(CorruptSafetensors, TruncatedAnywhereIsRefused) {
  std::string whole = ReadFile(kGolden / "tiny_llama" / "model.safetensors");
  std::string bytes = whole.substr(0, 3000);
  for (size_t n = 0; n < bytes.size(); ++n) {
    std::string part = bytes.substr(0, n);
    EXPECT_THROW(SafetensorsFile::Parse(std::as_bytes(std::span(part)), "x"), Error) << n;
  }
  for (size_t n = whole.size() - 200; n < whole.size(); ++n) {
    std::string part = whole.substr(0, n);
    EXPECT_THROW(SafetensorsFile::Parse(std::as_bytes(std::span(part)), "x"), Error) << n;
  }
}

struct ConfigCase {
  const char* pointer;  // JSON pointer into config.json
  const char* value;    // "" removes it
  ErrorKind kind;
  const char* message;
};

const ConfigCase kConfigCases[] = {
    {"/architectures", R"(["MambaForCausalLM"])", ErrorKind::kUnsupported,
     "architecture MambaForCausalLM is not supported; supported: LlamaForCausalLM, "},
    {"/architectures", R"(["LlamaForCausalLN"])", ErrorKind::kUnsupported,
     "architecture LlamaForCausalLN is not supported; supported: LlamaForCausalLM, "},
    {"/num_hidden_layers", "", ErrorKind::kInvalid, "\"num_hidden_layers\" is missing"},
    {"/num_hidden_layers", "3", ErrorKind::kCorrupt,
     "tensor model.layers.2.input_layernorm.weight is missing (expected [64]; config.json says 3 layers)"},
    {"/num_hidden_layers", "1", ErrorKind::kUnsupported,
     "has no place in a llama with 1 layers (and config.json has no quantization_config)"},
    {"/num_hidden_layers", "1000000000", ErrorKind::kCorrupt, "layers: expected 1 to 4096, found 1000000000"},
    {"/hidden_size", "\"64\"", ErrorKind::kInvalid, "\"hidden_size\" should be an integer, found string"},
    {"/num_key_value_heads", "4", ErrorKind::kCorrupt,
     "tensor model.layers.0.self_attn.k_proj.weight: config.json expects shape [64, 64], found [32, 64]"},
    {"/num_key_value_heads", "3", ErrorKind::kCorrupt, "4 attention heads are not a multiple of 3 key-value heads"},
    {"/vocab_size", "300", ErrorKind::kCorrupt,
     "tensor model.embed_tokens.weight: config.json expects shape [300, 64], found [272, 64]"},
    {"/hidden_act", "\"mish\"", ErrorKind::kUnsupported, "hidden_act mish is not supported"},
    {"/tie_word_embeddings", "false", ErrorKind::kCorrupt, "tensor lm_head.weight is missing"},
    {"/attention_bias", "true", ErrorKind::kCorrupt, "self_attn.q_proj.bias is missing"},
    {"/rope_parameters/rope_type", "\"longrope\"", ErrorKind::kCorrupt,
     "rope_parameters: short_factor: expected a list of 8 numbers"},
    {"/rope_scaling", R"({"type":"proportional","factor":2.0})", ErrorKind::kUnsupported,
     "RoPE type proportional is not supported"},
    {"/rope_scaling", R"({"type":"mrope"})", ErrorKind::kUnsupported, "RoPE type mrope is not supported"},
    {"/intermediate_size", "", ErrorKind::kInvalid, "\"intermediate_size\" is missing"},
    {"/eos_token_id", "9999", ErrorKind::kCorrupt, "eos_token_id: expected a token below 272, found 9999"},
    {"/quantization_config", R"({"quant_method":"rot13"})", ErrorKind::kUnsupported,
     "quantization_config: quant_method rot13 is not supported; supported: compressed-tensors, bitsandbytes, gptq"},
    {"/quantization_config", R"({"quant_method":"aqlm"})", ErrorKind::kUnsupported,
     "quant_method aqlm is not read: its weights are sums of codebook vectors"},
    {"/quantization_config", R"({"quant_method":"exl3"})", ErrorKind::kCorrupt,
     "config.json says quant_method exl3, but no tensor is called *.trellis"},
    {"/quantization_config", R"({"quant_method":"gptq"})", ErrorKind::kCorrupt,
     "config.json says quant_method gptq, but no tensor is called *.qweight"},
    {"/quantization_config", R"({"quant_method":"bitsandbytes","load_in_8bit":true})", ErrorKind::kCorrupt,
     "BF16 although config.json says load_in_8bit and does not skip model.layers.0.self_attn.q_proj"},
    {"/quantization_config", R"({"quant_method":"bitsandbytes"})", ErrorKind::kInvalid,
     "expected one of load_in_4bit and load_in_8bit, found neither"},
    {"/quantization_config", R"({"quant_method":"bitsandbytes","load_in_4bit":true,"bnb_4bit_quant_type":"nf4"})",
     ErrorKind::kCorrupt, "BF16 although config.json says nf4 and does not skip model.layers.0.self_attn.q_proj"},
    {"/quantization_config",
     R"({"quant_method":"compressed-tensors","format":"pack-quantized","config_groups":{"group_0":{"targets":["Linear"],"weights":{"num_bits":4,"group_size":32,"strategy":"group","symmetric":true}}}})",
     ErrorKind::kCorrupt,
     "tensor model.layers.0.self_attn.q_proj.weight_packed is missing (config.json says int4_g32, group_0)"},
    {"/quantization_config",
     R"({"quant_method":"compressed-tensors","format":"pack-quantized","config_groups":{"group_0":{"targets":["Linear"],"weights":{"num_bits":4,"group_size":32,"strategy":"group","symmetric":false}}}})",
     ErrorKind::kCorrupt, "weight_packed is missing (config.json says int4_g32_asym, group_0)"},
    {"/quantization_config",
     R"({"quant_method":"compressed-tensors","format":"float-quantized","config_groups":{"group_0":{"targets":["Linear"],"weights":{"num_bits":8,"type":"float","strategy":"channel"},"input_activations":{"num_bits":8,"type":"float","strategy":"tensor","dynamic":false}}}})",
     ErrorKind::kCorrupt, "q_proj.weight: expected dtype F8_E4M3, found BF16"},
    {"/quantization_config",
     R"({"quant_method":"compressed-tensors","format":"marlin-24","config_groups":{"group_0":{"targets":["Linear"],"weights":{"num_bits":4}}}})",
     ErrorKind::kUnsupported, "weights int4 tensor with 16-bit activations in format marlin-24 are not supported"},
    {"/quantization_config",
     R"({"quant_method":"compressed-tensors","format":"float-quantized","config_groups":{"group_0":{"targets":["re:("],"weights":{"num_bits":8,"type":"float","strategy":"channel"}}}})",
     ErrorKind::kInvalid, "\"re:(\" is not a regular expression"},
};

TEST(CorruptConfig, EachIsRefusedWithItsMessage) {
  for (const ConfigCase& c : kConfigCases) {
    SCOPED_TRACE(std::string(c.pointer) + " = " + c.value);
    TempFolder folder;
    fs::path model = folder.path() / "m";
    fs::create_directory(model);
    for (const fs::directory_entry& entry : fs::directory_iterator(kGolden / "tiny_llama"))
      fs::create_symlink(entry.path(), model / entry.path().filename());
    Json config = ParseJson(ReadFile(model / "config.json"), "config.json");
    Json::json_pointer pointer(c.pointer);
    if (*c.value)
      config[pointer] = ParseJson(c.value, "case");
    else
      config.erase(pointer.back());
    fs::remove(model / "config.json");
    WriteFileAtomically(model / "config.json", DumpJson(config));
    ExpectError(c.kind, c.message, [&] { Checkpoint::Open(model); });
  }
}

TEST(CorruptFolder, MissingFilesAreNamed) {
  TempFolder folder;
  ExpectError(ErrorKind::kNotFound, "no such file or folder", [&] { Checkpoint::Open(folder.path() / "nothing"); });
  ExpectError(ErrorKind::kNotFound, "neither config.json nor a .gguf file", [&] { Checkpoint::Open(folder.path()); });
  fs::copy_file(kGolden / "tiny_llama" / "config.json", folder.path() / "config.json");
  ExpectError(ErrorKind::kNotFound, "expected model.safetensors or model.safetensors.index.json",
              [&] { Checkpoint::Open(folder.path()); });
  WriteFileAtomically(folder.path() / "model.safetensors.index.json",
                      R"({"weight_map":{"a":"../../etc/passwd.safetensors"}})");
  ExpectError(ErrorKind::kCorrupt, "is not the name of a safetensors file in this folder",
              [&] { Checkpoint::Open(folder.path()); });
  fs::remove(folder.path() / "model.safetensors.index.json");
  fs::create_symlink(kGolden / "tiny_llama" / "model.safetensors", folder.path() / "model.safetensors");
  ExpectError(ErrorKind::kNotFound, "neither tokenizer.json nor tokenizer.model",
              [&] { Checkpoint::Open(folder.path()); });
}

}  // namespace
}  // namespace assay
