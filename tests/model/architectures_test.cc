// A tiny random model of every architecture, made and run by transformers in float32 (tools/golden/tiny_models.py).
// Reference arithmetic agrees to float32 rounding, from the Hugging Face folder and from a GGUF written here; deployed
// arithmetic stays near; one batch or many, cached or fresh prefix: the same bits.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <set>

#include "base/error.h"
#include "base/json.h"
#include "checkpoint/convert_for_test.h"
#include "describe/arch/spec.h"
#include "describe/hf_config.h"
#include "describe/hf_wrapper.h"
#include "kernel/ops.h"
#include "model/model.h"
#include "system/file.h"

namespace assay {
namespace {
namespace fs = std::filesystem;

const fs::path kModels = fs::path(ASSAY_TEST_DATA) / "golden/models";

// Logits have a spread of 0.7 to 3; float32 sums of a few hundred terms round to about 1e-6 of that a layer.
constexpr double kReferenceTolerance = 1e-4;
// The state of a gated delta net adds up over all tokens: transformers' own float32 figures move by 4e-4 in float64.
constexpr double kRecurrentTolerance = 5e-4;

double ToleranceOf(const ModelConfig& config) {
  return config.delta.key_heads > 0 ? kRecurrentTolerance : kReferenceTolerance;
}

std::vector<std::string> Names() {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(kModels)) names.push_back(entry.path().filename().string());
  std::sort(names.begin(), names.end());
  return names;
}

// The folder of a model with the tokenizer that all share.
fs::path Assemble(const std::string& name, const fs::path& scratch) {
  // A GGUF whose name has phi3 in it wants that model's own vocabulary.
  fs::path folder = scratch / (name.starts_with("phi3") ? "a_phi" : name);
  fs::create_directories(folder);
  for (const char* file : {"config.json", "model.safetensors"})
    fs::copy_file(kModels / name / file, folder / file, fs::copy_options::overwrite_existing);
  for (const char* file : {"tokenizer.json", "tokenizer_config.json"})
    fs::copy_file(fs::path(ASSAY_TEST_DATA) / "golden/checkpoint/tiny_llama" / file, folder / file,
                  fs::copy_options::overwrite_existing);
  return folder;
}

struct Case {
  std::vector<int32_t> ids, greedy;
  std::vector<double> last, logprobs, margins;
  std::vector<int64_t> argmax;
};

Case Expected(const std::string& name) {
  Json json = ParseJson(ReadFile(kModels / name / "reference.json"), name);
  return {json.at("ids").get<std::vector<int32_t>>(),           json.at("greedy").get<std::vector<int32_t>>(),
          json.at("last_logits").get<std::vector<double>>(),    json.at("prompt_logprobs").get<std::vector<double>>(),
          json.at("greedy_margins").get<std::vector<double>>(), json.at("argmax").get<std::vector<int64_t>>()};
}

// Runs tokens [begin, end) of `ids` and returns their logits.
std::vector<float> RunTokens(const Model& model, Sequence& sequence, const std::vector<int32_t>& ids, size_t begin,
                             size_t end, int threads = 2) {
  Workspace workspace;
  ThreadPool pool(threads);
  std::vector<BatchToken> batch;
  for (size_t t = begin; t < end; ++t) batch.push_back({ids[t], &sequence, true});
  std::vector<float> logits(batch.size() * static_cast<size_t>(model.config().vocab));
  model.Forward(batch, workspace, pool, logits.data());
  return logits;
}

int64_t CapacityOf(const Case& expected) {
  return static_cast<int64_t>(expected.ids.size() + expected.greedy.size());
}

double Difference(const std::vector<float>& logits, const Case& expected) {
  double largest = 0;
  const float* row = logits.data() + logits.size() - expected.last.size();
  for (size_t i = 0; i < expected.last.size(); ++i)
    largest = std::max(largest, std::abs(static_cast<double>(row[i]) - expected.last[i]));
  return largest;
}

class Architectures : public testing::TestWithParam<std::string> {
 protected:
  std::shared_ptr<const Model> Load(Arithmetic arithmetic) const {
    return Model::Load(Checkpoint::Open(Assemble(GetParam(), scratch_.path())), {arithmetic, ""});
  }
  TempFolder scratch_;
};

void ExpectReference(const Model& model, const Case& expected, const std::string& label) {
  const int64_t vocab = model.config().vocab;
  Sequence sequence(model.config(), model.arithmetic(), CapacityOf(expected));
  std::vector<float> logits = RunTokens(model, sequence, expected.ids, 0, expected.ids.size());
  double largest = Difference(logits, expected);
  testing::Test::RecordProperty(label, std::to_string(largest));
  if (std::getenv("ASSAY_SHOW_DIFFERENCES"))
    std::printf("%s: max |difference of logits| %.2g\n", label.c_str(), largest);
  const double tolerance = ToleranceOf(model.config());
  EXPECT_LT(largest, tolerance);
  for (size_t t = 0; t < expected.logprobs.size(); ++t) {
    const float* row = logits.data() + static_cast<int64_t>(t) * vocab;
    EXPECT_NEAR(row[expected.ids[t + 1]] - LogSumExp(row, vocab), expected.logprobs[t], tolerance) << t;
  }
  std::vector<float> step(logits.end() - vocab, logits.end());
  std::vector<int32_t> all = expected.ids;
  for (size_t t = 0; t < expected.greedy.size() && expected.margins[t] > 2e-3; ++t) {
    EXPECT_EQ(ArgMax(step.data(), vocab), expected.greedy[t]) << t;
    all.push_back(expected.greedy[t]);
    step = RunTokens(model, sequence, all, all.size() - 1, all.size());
  }
}

TEST_P(Architectures, LogitsAndGreedyTextAgreeWithTransformers) {
  ExpectReference(*Load(Arithmetic::kReference), Expected(GetParam()), GetParam());
}

TEST_P(Architectures, DeployedArithmeticStaysNear) {
  Case expected = Expected(GetParam());
  auto model = Load(Arithmetic::kDeployed);
  Sequence sequence(model->config(), model->arithmetic(), CapacityOf(expected));
  std::vector<float> logits = RunTokens(*model, sequence, expected.ids, 0, expected.ids.size());
  // Activations rounded to BF16 (8 bits), the cache to half: a percent or two of a spread of 0.7 to 3, and experts at
  // the edge of being chosen may change.
  double total = 0;
  for (size_t t = 0; t < expected.logprobs.size(); ++t) {
    const float* row = logits.data() + static_cast<int64_t>(t) * model->config().vocab;
    total += std::abs(row[expected.ids[t + 1]] - LogSumExp(row, model->config().vocab) - expected.logprobs[t]);
  }
  const ModelConfig& c = model->config();
  const bool recurrent = c.delta.key_heads > 0 || c.mamba.heads > 0 || c.short_convolution > 0;
  const bool eight_bits = model->checkpoint().scheme().starts_with("fp8");  // activations have 4 bits of mantissa
  EXPECT_LT(total / static_cast<double>(expected.logprobs.size()), recurrent || eight_bits ? 0.25 : 0.1);
}

TEST_P(Architectures, BatchesAndPrefixesDoNotChangeABit) {
  Case expected = Expected(GetParam());
  const std::vector<int32_t>& ids = expected.ids;
  for (Arithmetic arithmetic : {Arithmetic::kReference, Arithmetic::kDeployed}) {
    auto model = Load(arithmetic);
    const auto vocab = static_cast<size_t>(model->config().vocab);
    const int64_t capacity = CapacityOf(expected);
    Sequence whole(model->config(), arithmetic, capacity), pieces(model->config(), arithmetic, capacity);
    std::vector<float> all = RunTokens(*model, whole, ids, 0, ids.size());
    std::vector<float> joined;
    for (size_t begin = 0; begin < ids.size(); begin += 7) {
      std::vector<float> part = RunTokens(*model, pieces, ids, begin, std::min(ids.size(), begin + 7), 1);
      joined.insert(joined.end(), part.begin(), part.end());
    }
    EXPECT_EQ(all, joined) << "in pieces of seven";

    // Beside another sequence, and behind a prefix that another computed.
    const size_t prefix = 21;
    Sequence owner(model->config(), arithmetic, capacity), heir(model->config(), arithmetic, capacity),
        other(model->config(), arithmetic, capacity);
    RunTokens(*model, owner, ids, 0, prefix);
    heir.CopyPrefix(owner, static_cast<int64_t>(prefix));
    std::vector<BatchToken> batch;
    for (size_t t = 0; t < 9; ++t) batch.push_back({ids[ids.size() - 1 - t], &other, false});
    for (size_t t = prefix; t < ids.size(); ++t) batch.push_back({ids[t], &heir, true});
    std::vector<float> logits((ids.size() - prefix) * vocab);
    Workspace workspace;
    ThreadPool pool(2);
    model->Forward(batch, workspace, pool, logits.data());
    EXPECT_TRUE(std::equal(logits.begin(), logits.end(), all.begin() + static_cast<ptrdiff_t>(prefix * vocab)))
        << "beside another sequence";

    // Going back, where the memory allows it.
    if (int64_t back = whole.Restorable(30); back == 30) {
      whole.Truncate(back);
      std::vector<float> again = RunTokens(*model, whole, ids, 30, ids.size());
      EXPECT_TRUE(std::equal(again.begin(), again.end(), all.begin() + static_cast<ptrdiff_t>(30 * vocab)));
    }
    whole.Truncate(0);
    EXPECT_EQ(RunTokens(*model, whole, ids, 0, ids.size()), all) << "from the beginning";
  }
}

// More tokens than a window and a step together, so that windows move, in one call and token by token.
TEST_P(Architectures, LongSequencesMoveTheirWindows) {
  auto model = Load(Arithmetic::kReference);
  const int64_t length = std::min<int64_t>(model->config().context, 3 * kStepTokens);
  Sequence one(model->config(), model->arithmetic(), length), many(model->config(), model->arithmetic(), length);
  std::vector<int32_t> ids;
  for (int64_t t = 0; t < length; ++t) ids.push_back(static_cast<int32_t>(4 + t * t % 251));
  std::vector<float> all = RunTokens(*model, one, ids, 0, ids.size());
  std::vector<float> joined;
  for (size_t begin = 0; begin < ids.size(); begin += 50) {
    std::vector<float> part = RunTokens(*model, many, ids, begin, std::min(ids.size(), begin + 50));
    joined.insert(joined.end(), part.begin(), part.end());
  }
  EXPECT_EQ(all, joined);
}

TEST_P(Architectures, OwnGgufGivesTheSameLogits) {
  auto source = Checkpoint::Open(Assemble(GetParam(), scratch_.path()));
  const fs::path path = scratch_.path() / "model.gguf";
  auto convert = [&] { ConvertForTest(*source, Container::kGguf, path, "f32", [](const Tensor&) { return "f32"; }); };
  // What GGUF's readers take for granted and these models have otherwise.
  const std::set<std::string> refused = {
      "command_r_plus",  "deepseek_v4",     "llama4",         "llama4_images",    "qwen2_moe",
      "qwen3_5",         "qwen3_moe_mixed", "gpt2_scaled",    "gemma3_two_ropes", "deepseek_v3_halves",
      "qwen3_next_gelu", "gemma3n_streams", "gemma3n_images", "deci_attention"};
  if (!FindArchitecture(source->config().architecture)->in_llama_cpp || refused.contains(GetParam())) {
    EXPECT_THROW(convert(), Error);
    EXPECT_FALSE(fs::exists(path));
    return;
  }
  convert();
  auto model = Model::Load(Checkpoint::Open(path), {Arithmetic::kReference, ""});
  EXPECT_EQ(model->checkpoint().container(), Container::kGguf);
  ExpectReference(*model, Expected(GetParam()), GetParam() + ".gguf");
}

// A config.json is written anew when the source is a GGUF: the same model comes back.
TEST_P(Architectures, OwnGgufBecomesAFolderAgain) {
  auto source = Checkpoint::Open(Assemble(GetParam(), scratch_.path()));
  const fs::path gguf = scratch_.path() / "model.gguf", folder = scratch_.path() / "again";
  auto as_f32 = [](const Tensor&) { return "f32"; };
  try {
    ConvertForTest(*source, Container::kGguf, gguf, "f32", as_f32);
  } catch (const Error& error) {
    ASSERT_EQ(error.kind(), ErrorKind::kUnsupported);  // OwnGgufGivesTheSameLogits knows which
    return;
  }
  ConvertForTest(*Checkpoint::Open(gguf), Container::kHuggingFace, folder, "", as_f32);
  auto model = Model::Load(Checkpoint::Open(folder), {Arithmetic::kReference, ""});
  const ModelConfig &a = source->config(), &b = model->config();
  EXPECT_EQ(GgufName(*FindArchitecture(a.architecture)), GgufName(*FindArchitecture(b.architecture)));
  EXPECT_EQ(a.context, b.context);
  for (int32_t id : a.stop_tokens)  // a GGUF ends at more tokens, by their names
    EXPECT_NE(std::find(b.stop_tokens.begin(), b.stop_tokens.end(), id), b.stop_tokens.end()) << id;
  if (GetParam() == "llama_dynamic") return;  // GGUF loses what there is beyond the context
  EXPECT_EQ(a.rope_scaling.kind, b.rope_scaling.kind);
  EXPECT_EQ(a.rope_scaling.original_context, b.rope_scaling.original_context);
  EXPECT_EQ(a.rope_scaling.factor, b.rope_scaling.factor);
  EXPECT_EQ(a.rope_scaling.truncate, b.rope_scaling.truncate);
  EXPECT_FLOAT_EQ(static_cast<float>(a.rope_scaling.attention_factor),
                  static_cast<float>(b.rope_scaling.attention_factor));
  EXPECT_EQ(a.experts, b.experts);
  EXPECT_EQ(a.latent, b.latent);
  EXPECT_EQ(a.delta, b.delta);
  EXPECT_EQ(a.mamba, b.mamba);
  for (int64_t i = 0; i < a.n_layers; ++i) EXPECT_EQ(a.Layer(i), b.Layer(i)) << i;
  ExpectReference(*model, Expected(GetParam()), GetParam() + " again");
}

TEST_P(Architectures, MemoryIsWhatThePlanSays) {
  const ModelConfig config = Checkpoint::Open(Assemble(GetParam(), scratch_.path()))->config();
  const int64_t capacity = 100000, all = 391 * kPagePositions;  // whole pages
  for (Arithmetic arithmetic : {Arithmetic::kReference, Arithmetic::kDeployed}) {
    const int64_t element = arithmetic == Arithmetic::kDeployed ? 2 : 4;
    Sequence sequence(config, arithmetic, capacity);
    int64_t expected = 0;
    for (int64_t i = 0; i < config.n_layers; ++i) {
      LayerConfig layer = config.Layer(i);
      if (!layer.HasMixer() || layer.linear || layer.kv_back > 0) continue;
      int64_t rows = layer.window > 0 ? layer.window - 1 + kStepTokens : all;
      int64_t width = config.latent.kv_rank > 0 ? config.latent.kv_rank + config.latent.rope_dim
                                                : 2 * config.KvHeads(layer) * config.HeadDim(layer);
      if (config.indexer.heads > 0 && !layer.shared_index) width += config.indexer.head_dim;
      if (config.compressed.q_rank > 0) {
        // One head that is key and value; an entry for every run, and what the open one remembers.
        const int64_t dim = config.head_dim + (layer.overlapped ? config.indexer.head_dim : 0);
        const int64_t open = layer.overlapped ? 2 * layer.compress * 2 * 2 * dim : layer.compress * 2 * dim;
        expected += rows * config.head_dim * element + 4 * open;
        // In pages where those have a whole number of entries.
        const int64_t positions = layer.compress > 0 && kPagePositions % layer.compress == 0 ? all : capacity;
        if (layer.compress > 0) expected += positions / layer.compress * dim * element;
        continue;
      }
      if (config.short_convolution > 0 && layer.recurrent) {
        expected += 4 * config.hidden * (config.short_convolution - 1);
        continue;
      }
      const DeltaConfig& d = config.delta;
      if (const MambaConfig& m = config.mamba; m.heads > 0 && (layer.recurrent || layer.beside)) {
        expected +=
            4 * (m.heads * m.head_dim * m.state + (m.heads * m.head_dim + 2 * m.groups * m.state) * (m.kernel - 1));
        if (layer.recurrent) continue;
      }
      expected += layer.recurrent ? 4 * (d.value_heads * d.key_dim * d.value_dim +
                                         (2 * d.key_heads * d.key_dim + d.value_heads * d.value_dim) * (d.kernel - 1))
                                  : rows * width * element;
    }
    const int64_t full = sequence.bytes() + sequence.PagesToTake(capacity) * sequence.plan().page_bytes;
    EXPECT_NEAR(static_cast<double>(full), static_cast<double>(expected), 128.0 * static_cast<double>(config.n_layers));
    EXPECT_EQ(full, PlanCache(config, arithmetic, capacity).bytes);
  }
}

TEST_P(Architectures, ScratchIsWhatThePlanSays) {
  auto checkpoint = Checkpoint::Open(Assemble(GetParam(), scratch_.path()));
  const Case expected = Expected(GetParam());
  const auto n = static_cast<int64_t>(expected.ids.size());
  ThreadPool pool(2);
  for (Arithmetic arithmetic : {Arithmetic::kReference, Arithmetic::kDeployed}) {
    auto model = Model::Load(checkpoint, {arithmetic, ""});
    Sequence sequence(model->config(), arithmetic, n + 1);
    Workspace workspace;
    std::vector<float> logits(static_cast<size_t>(model->config().vocab));
    std::vector<BatchToken> batch;
    for (int32_t id : expected.ids) batch.push_back({id, &sequence, static_cast<int64_t>(batch.size()) == n - 1});
    model->Forward(batch, workspace, pool, logits.data());
    EXPECT_EQ(workspace.bytes(), model->PlanWorkspace(n, 1, n, 2).bytes());
    BatchToken next{expected.greedy[0], &sequence, true};
    Workspace single;
    model->Forward(std::span(&next, 1), single, pool, logits.data());
    EXPECT_EQ(single.bytes(), model->PlanWorkspace(1, 1, n + 1, 2).bytes());
  }
}

INSTANTIATE_TEST_SUITE_P(Models, Architectures, testing::ValuesIn(Names()),
                         [](const auto& test) { return test.param; });

// The folder of a model with another value in its config.json.
fs::path Changed(const std::string& name, const char* pointer, const Json& value, const fs::path& scratch) {
  fs::path folder = Assemble(name, scratch);
  Json config = ParseJson(ReadFile(folder / "config.json"), "config.json");
  config[Json::json_pointer(pointer)] = value;
  WriteFileAtomically(folder / "config.json", DumpJson(config));
  return folder;
}

// What an indexer leaves out changes the logits, so that agreement says that it leaves out the right positions.
TEST(SparseAttention, WhatIsLeftOutMatters) {
  TempFolder scratch;
  for (const char* name : {"deepseek_v32", "glm_moe_dsa", "deepseek_v4"}) {
    auto model =
        Model::Load(Checkpoint::Open(Changed(name, "/index_topk", 1000, scratch.path())), {Arithmetic::kReference, ""});
    Case expected = Expected(name);
    Sequence sequence(model->config(), model->arithmetic(), CapacityOf(expected));
    EXPECT_GT(Difference(RunTokens(*model, sequence, expected.ids, 0, expected.ids.size()), expected), 0.05) << name;
  }
}

struct Mistake {
  const char *model, *pointer;
  Json value;
  ErrorKind kind;
  const char* message;
};

void ExpectRefused(const std::vector<Mistake>& mistakes) {
  TempFolder scratch;
  for (const Mistake& mistake : mistakes) {
    try {
      Checkpoint::Open(Changed(mistake.model, mistake.pointer, mistake.value, scratch.path()));
      ADD_FAILURE() << mistake.model << " " << mistake.pointer << ": no error";
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), mistake.kind) << error.what();
      EXPECT_NE(std::string(error.what()).find(mistake.message), std::string::npos) << error.what();
    }
  }
}

TEST(SparseAttention, ContradictionsAreRefused) {
  ExpectRefused({
      {"deepseek_v32", "/index_topk", 0, ErrorKind::kCorrupt, "positions that the indexer chooses: expected 1 to"},
      {"deepseek_v32", "/index_n_heads", 4, ErrorKind::kCorrupt, "indexer.wq_b.weight: config.json expects shape"},
      {"deepseek_v32", "/q_lora_rank", 0, ErrorKind::kCorrupt, "an indexer needs queries of low rank, found rank 0"},
      {"deepseek_v32", "/index_head_dim", 4, ErrorKind::kCorrupt, "the indexer rotates 8 elements of heads of 4"},
      {"glm_moe_dsa", "/indexer_types/0", "shared", ErrorKind::kCorrupt, "first layer has no indexer before it"},
      {"glm_moe_dsa", "/indexer_types/1", "half", ErrorKind::kUnsupported,
       "layer 1 is \"half\"; supported: full, shared"},
      {"deepseek_v4", "/hc_mult", 0, ErrorKind::kCorrupt, "residual streams: expected 1 to 16, found 0"},
      {"deepseek_v4", "/o_groups", 3, ErrorKind::kCorrupt, "4 heads are not a multiple of 3 groups"},
      {"deepseek_v4", "/layer_types/2", "linear_attention", ErrorKind::kUnsupported, "layer 2 is \"linear_attention\""},
      {"deepseek_v4", "/mlp_layer_types/1", "hash_moe", ErrorKind::kCorrupt, "layers.1.ffn.gate.tid2eid is missing"},
      {"deepseek_v4", "/scoring_func", "tanh", ErrorKind::kUnsupported, "supported are sqrtsoftplus, sigmoid, softmax"},
      {"deepseek_v4_fp4", "/quantization_config/expert_dtype", "fp6", ErrorKind::kUnsupported, "supported: fp8, fp4"},
  });
}

TEST(StateSpace, ContradictionsAreRefused) {
  ExpectRefused({
      {"granite4_h", "/mamba_n_heads", 5, ErrorKind::kCorrupt, "5 heads of Mamba do not make 64 channels"},
      {"granite4_h", "/mamba_d_head", 8, ErrorKind::kCorrupt, "4 heads of Mamba do not make 64 channels"},
      {"granite4_h", "/mamba_n_groups", 3, ErrorKind::kCorrupt, "4 heads of Mamba are not a multiple of 3 groups"},
      {"granite4_h", "/mamba_d_state", 8, ErrorKind::kCorrupt, "in_proj.weight: config.json expects shape [164, 32]"},
      {"granite4_h", "/mamba_conv_bias", false, ErrorKind::kUnsupported, "mamba_conv_bias false"},
      {"granite4_h_dense", "/time_step_limit", {0.0, 1.5}, ErrorKind::kUnsupported, "supported: 0 to infinity"},
      {"granite4_h", "/layer_types/1", "moe", ErrorKind::kUnsupported, "layer 1 is \"moe\""},
      {"ministral3", "/rope_parameters/original_max_position_embeddings", 0, ErrorKind::kCorrupt,
       "llama_4_scaling_beta 0.3 at every 0 positions"},
  });
}

TEST(Families, WhatIsNotRunIsRefused) {
  ExpectRefused({
      {"ernie4_5_moe", "/use_bias", true, ErrorKind::kUnsupported, "use_bias true is not supported"},
      {"ernie4_5_moe", "/moe_norm_min", 0.1, ErrorKind::kUnsupported, "moe_norm_min 0.1; supported: up to 1e-6"},
      {"ernie4_5_moe", "/moe_layer_interval", 0, ErrorKind::kCorrupt, "moe_layer_interval: expected at least 1"},
      {"ernie4_5_moe", "/moe_layer_start_index", 2, ErrorKind::kCorrupt, "layers.1.mlp.gate_proj.weight is missing"},
      {"lfm2", "/layer_types/1", "mamba", ErrorKind::kUnsupported, "layer 1 is \"mamba\"; supported: conv"},
      {"lfm2", "/conv_bias", true, ErrorKind::kUnsupported, "conv_bias true is not supported"},
      {"lfm2", "/conv_L_cache", 0, ErrorKind::kCorrupt, "conv_L_cache: expected at least 1, found 0"},
      {"lfm2", "/block_multiple_of", 0, ErrorKind::kCorrupt, "a multiple of 0"},
      {"lfm2_moe", "/num_dense_layers", 2, ErrorKind::kCorrupt, "layers.1.feed_forward.w1.weight is missing"},
      {"falcon_h1", "/projectors_bias", true, ErrorKind::kUnsupported, "projectors_bias true is not supported"},
      {"falcon_h1_norm", "/mamba_norm_before_gate", true, ErrorKind::kUnsupported, "mamba_norm_before_gate true"},
      {"falcon_h1",
       "/ssm_multipliers",
       {1.0, 2.0},
       ErrorKind::kCorrupt,
       "ssm_multipliers: expected a list of 5 numbers"},
      {"falcon_h1", "/key_multiplier", -1.0, ErrorKind::kCorrupt, "multiplier of keys: expected 0 to"},
      {"nemotron_h", "/layers_block_type/1", "sliding_attention", ErrorKind::kUnsupported, "layer 1 is \"sliding_att"},
      {"nemotron_h", "/layers_block_type/1", "full_attention", ErrorKind::kCorrupt, "1.mixer.q_proj.weight is missing"},
      {"nemotron_h", "/use_bias", true, ErrorKind::kUnsupported, "use_bias true is not supported"},
      {"nemotron_h_moe", "/moe_latent_size", 8, ErrorKind::kUnsupported, "moe_latent_size 8 is not supported"},
      {"deci", "/block_configs/0/attention/n_heads_in_group", 3, ErrorKind::kCorrupt,
       "4 heads are not a multiple of 3"},
      {"deci", "/block_configs/0/attention/window_length", 6, ErrorKind::kUnsupported,
       "block_configs: layer 0: attention: window_length 6 is not supported"},
      {"deci", "/block_configs/3/ffn/replace_with_linear", true, ErrorKind::kUnsupported,
       "layer 3: ffn: replace_with_linear true is not supported"},
      {"deci", "/block_configs/1/attention/no_op", true, ErrorKind::kCorrupt, "no_op and replace_with_linear"},
      {"deci", "/block_configs/0/ffn/ffn_mult", nullptr, ErrorKind::kInvalid, "layer 0: ffn: \"ffn_mult\" is missing"},
      {"deci", "/block_configs/0/ffn/ffn_mult", 1e12, ErrorKind::kCorrupt,
       "layer 0: ffn: ffn_mult 1000000000000 makes"},
      {"deci", "/block_configs/2", 1, ErrorKind::kCorrupt, "layer 2: expected an object, found number"},
      {"deci", "/num_hidden_layers", 4, ErrorKind::kCorrupt, "block_configs: expected a list of 4, one a layer"},
      {"deci", "/block_configs", nullptr, ErrorKind::kInvalid, "\"block_configs\" is missing"},
      {"deci", "/attention_bias", true, ErrorKind::kUnsupported, "attention_bias true is not supported"},
      {"deci", "/head_dim", 16, ErrorKind::kUnsupported, "head_dim 16: 4 heads of a DeciLMForCausalLM"},
      {"deci_heads", "/num_key_value_heads_per_layer/1", 0, ErrorKind::kCorrupt, "expected 1 to 4, found 0"},
      {"gemma3n", "/altup_active_idx", 4, ErrorKind::kCorrupt, "computed stream of AltUp: expected 0 to 3, found 4"},
      {"gemma3n", "/altup_num_inputs", 0, ErrorKind::kCorrupt, "altup_num_inputs: expected at least 1, found 0"},
      {"gemma3n", "/altup_num_inputs", 17, ErrorKind::kCorrupt, "residual streams of AltUp: expected 0 to 16"},
      {"gemma3n", "/altup_num_inputs", 3, ErrorKind::kCorrupt,
       "modality_router.weight: config.json expects shape [3, 32]"},
      {"gemma3n", "/laurel_rank", 0, ErrorKind::kCorrupt, "rank of the projection beside attention: expected 1 to"},
      {"gemma3n", "/hidden_size_per_layer_input", 0, ErrorKind::kCorrupt, "a layer's own embedding: expected 1 to"},
      {"gemma3n", "/vocab_size_per_layer_input", 300, ErrorKind::kUnsupported, "300 beside a vocabulary of 272"},
      {"gemma3n", "/activation_sparsity_pattern/1", 1.0, ErrorKind::kCorrupt, "layer 1: expected 0 to less than 1"},
      {"gemma3n", "/activation_sparsity_pattern", 0.95, ErrorKind::kCorrupt, "expected a list of 2, one a layer"},
      {"gemma3n", "/intermediate_size", {48}, ErrorKind::kCorrupt, "a number or a list of 2, one a layer"},
      {"gemma3n", "/num_kv_shared_layers", 1, ErrorKind::kCorrupt, "layer 1 shares keys and values, but none of its"},
      {"seed_oss", "/attention_out_bias", true, ErrorKind::kCorrupt, "layers.0.self_attn.o_proj.bias is missing"},
      {"starcoder2", "/intermediate_size", nullptr, ErrorKind::kInvalid, "intermediate_size"},
      {"olmo3", "/sliding_window", nullptr, ErrorKind::kUnsupported, "\"sliding_attention\", but there is no window"},
      {"hunyuan_moe", "/moe_topk", {2, 1}, ErrorKind::kUnsupported, "moe_topk: layers that differ (2 and 1)"},
      {"hunyuan_moe", "/moe_topk", {2}, ErrorKind::kCorrupt, "moe_topk: expected a number for each of 2 layers"},
      {"hunyuan_dense", "/rope_parameters/alpha", -2.0, ErrorKind::kCorrupt, "RoPE base frequency: expected"},
      {"apertus", "/hidden_act", "gelu", ErrorKind::kUnsupported, "act_fn.alpha_p BF16 [1] has no place"},
      {"apertus", "/hidden_act", "elu", ErrorKind::kUnsupported, "hidden_act elu is not supported"},
      {"glm4_moe_lite", "/mlp_layer_types/1", "dense", ErrorKind::kCorrupt, "layers.1.mlp.gate_proj.weight is missing"},
  });
}

// A new row of the table needs a tiny model.
TEST(ArchitectureTable, EveryRowHasAGoldenModel) {
  std::set<std::string> proven = {"llama"};  // golden_test.cc
  for (const std::string& name : Names()) {
    Json config = ParseJson(ReadFile(kModels / name / "config.json"), name);
    if (FindWrapper(config)) continue;
    proven.insert(HfModelConfig(config, nullptr, name).architecture);
  }
  for (const ArchitectureSpec& spec : ArchitectureSpecs())
    EXPECT_TRUE(proven.contains(std::string(spec.name))) << spec.name;
}

}  // namespace
}  // namespace assay
