// Feed-forward blocks of the decoder: dense ones and mixtures of experts.

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>

#include "base/error.h"
#include "kernel/ops.h"
#include "model/decoder.h"

namespace assay {
namespace {

float Sigmoid(float x) {
  return 1.0f / (1.0f + std::exp(-x));
}

template <typename F>
void MulEach(const float* gate, const float* up, int64_t n, float* out, F f) {
  for (int64_t i = 0; i < n; ++i) out[i] = up ? f(gate[i]) * up[i] : f(gate[i]);
}

}  // namespace

/// `up` is null in blocks without a gate.
void Decoder::Activate(const float* gate, const float* up, int64_t n, float* out) const {
  switch (config().activation) {
    case Activation::kSilu:
      if (up) return SiluMul(gate, up, n, out);
      return MulEach(gate, nullptr, n, out, [](float x) { return x * Sigmoid(x); });
    case Activation::kGeluTanh:
      return GeluTanhMul(gate, up, n, out);
    case Activation::kGelu:
      return GeluMul(gate, up, n, out);
    case Activation::kRelu:
      return MulEach(gate, up, n, out, [](float x) { return std::max(x, 0.0f); });
    case Activation::kRelu2:
      return Relu2Mul(gate, up, n, out);
    case Activation::kQuickGelu:
      return MulEach(gate, up, n, out, [](float x) { return x * Sigmoid(1.702f * x); });
    case Activation::kTanh:
      return MulEach(gate, up, n, out, [](float x) { return std::tanh(x); });
    case Activation::kClampedSilu: {
      ASSAY_CHECK(up != nullptr);
      const auto limit = static_cast<float>(config().swiglu_limit);
      for (int64_t i = 0; i < n; ++i) {
        const float g = std::min(gate[i], limit);
        out[i] = g * Sigmoid(g) * std::clamp(up[i], -limit, limit);
      }
      return;
    }
    case Activation::kClampedSwiglu:
      ASSAY_CHECK(up != nullptr);
      return ClampedSwiglu(gate, up, n, static_cast<float>(config().swiglu_limit), out);
  }
}

/// out [n, hidden]; uses the slots gate_slot and gate_slot + 1.
void Decoder::Dense(const FeedForward& block, const float* x, int64_t n, float* out, Workspace& workspace,
                    int gate_slot, ThreadPool& pool) const {
  const int64_t width = block.up.weight.rows;
  float* gate = workspace.Floats(gate_slot, n * width);
  float* up = workspace.Floats(gate_slot + 1, n * width);
  const bool gated = block.gate.kernel != nullptr;
  if (gated)
    RunLinears({&block.gate, &block.up}, x, n, {gate, up}, workspace, kPrepared, pool);
  else
    RunLinears({&block.up}, x, n, {gate}, workspace, kPrepared, pool);
  pool.For(n, 4, [&](int64_t begin, int64_t end, int) {
    Activate(gate + begin * width, gated ? up + begin * width : nullptr, (end - begin) * width, gate + begin * width);
  });
  if (!block.sub_norm.weight.empty()) Normalize(gate, block.sub_norm, n, gate, pool);
  RunLinears({&block.down}, gate, n, {out}, workspace, kPrepared, pool);
}

float* Decoder::FeedForwardBlock(const Pass& pass, const DecoderLayer& layer) const {
  float* out = pass.workspace.Floats(kFeedForward, pass.n * config().hidden);
  if (layer.experts)
    Experts(pass, *layer.experts, out);
  else
    Dense(layer.feed_forward, pass.workspace.Floats(kNormed, 0), pass.n, out, pass.workspace, kGate, pass.pool);
  return out;
}

void Decoder::LoadExperts(const std::string& block, const WeightReader& reader, DecoderLayer& layer) const {
  const ModelConfig& c = config();
  const ExpertConfig& e = c.experts;
  layer.experts = std::make_unique<ExpertLayer>();
  ExpertLayer& experts = *layer.experts;
  experts.router = reader.ReadLinear(block + "ffn_gate_inp", e.count, c.hidden);
  experts.correction = reader.ReadOptionalVector(block + "exp_probs_b.bias", e.count);
  if (layer.config.hashed) experts.by_token = reader.ReadTable(block + "ffn_gate_tid2eid.weight", c.vocab, e.used);
  experts.experts.resize(static_cast<size_t>(e.count));
  for (int64_t i = 0; i < e.count; ++i) {
    FeedForward& expert = experts.experts[static_cast<size_t>(i)];
    expert.gate = reader.ReadLinear(fmt::format("{}ffn_gate.{}", block, i), e.feed_forward, c.hidden);
    expert.up = reader.ReadLinear(fmt::format("{}ffn_up.{}", block, i), e.feed_forward, c.hidden);
    expert.down = reader.ReadLinear(fmt::format("{}ffn_down.{}", block, i), c.hidden, e.feed_forward);
  }
  if (e.shared_feed_forward == 0) return;
  experts.shared.gate = reader.ReadLinear(block + "ffn_gate_shexp", e.shared_feed_forward, c.hidden);
  experts.shared.up = reader.ReadLinear(block + "ffn_up_shexp", e.shared_feed_forward, c.hidden);
  experts.shared.down = reader.ReadLinear(block + "ffn_down_shexp", c.hidden, e.shared_feed_forward);
  if (e.shared_gate) experts.shared_gate = reader.ReadTable(block + "ffn_gate_inp_shexp.weight", 1, c.hidden);
}

struct Decoder::Route {
  int64_t expert;
  float weight;
};

/// `scores` [count]: the router's logits, changed in place. Ties go to the lower number.
void Decoder::ChooseExperts(const ExpertLayer& layer, TokenId token, float* scores, std::vector<Route>& out) const {
  const ExpertConfig& e = config().experts;
  if (e.sqrt_softplus) {
    for (int64_t i = 0; i < e.count; ++i)
      scores[i] = std::sqrt(scores[i] > 20.0f ? scores[i] : std::log1p(std::exp(scores[i])));
  } else if (e.sigmoid) {
    for (int64_t i = 0; i < e.count; ++i) scores[i] = Sigmoid(scores[i]);
  } else {
    float largest = *std::max_element(scores, scores + e.count), sum = 0;
    for (int64_t i = 0; i < e.count; ++i) sum += scores[i] = std::exp(scores[i] - largest);
    for (int64_t i = 0; i < e.count; ++i) scores[i] /= sum;
  }
  std::vector<float> merit(scores, scores + e.count);
  for (size_t i = 0; i < layer.correction.size(); ++i) merit[i] += layer.correction[i];
  std::vector<int64_t> order(static_cast<size_t>(e.count));
  std::iota(order.begin(), order.end(), 0);
  if (e.groups > 1 && e.groups_used < e.groups) {
    const int64_t size = e.count / e.groups;
    std::vector<float> group_merit;
    for (int64_t g = 0; g < e.groups; ++g) {
      std::vector<float> members(merit.begin() + g * size, merit.begin() + (g + 1) * size);
      std::sort(members.begin(), members.end(), std::greater<>());
      group_merit.push_back(e.group_top2 && size > 1 ? members[0] + members[1] : members[0]);
    }
    std::vector<int64_t> groups(static_cast<size_t>(e.groups));
    std::iota(groups.begin(), groups.end(), 0);
    std::stable_sort(groups.begin(), groups.end(), [&](int64_t a, int64_t b) {
      return group_merit[static_cast<size_t>(a)] > group_merit[static_cast<size_t>(b)];
    });
    groups.resize(static_cast<size_t>(e.groups_used));
    std::erase_if(order, [&](int64_t i) { return std::find(groups.begin(), groups.end(), i / size) == groups.end(); });
  }
  std::stable_sort(order.begin(), order.end(),
                   [&](int64_t a, int64_t b) { return merit[static_cast<size_t>(a)] > merit[static_cast<size_t>(b)]; });
  order.resize(static_cast<size_t>(e.used));
  if (!layer.by_token.empty())
    for (int64_t i = 0; i < e.used; ++i)
      order[static_cast<size_t>(i)] = static_cast<int64_t>(layer.by_token[static_cast<size_t>(token * e.used + i)]);
  float sum = e.sigmoid || e.sqrt_softplus ? 1e-20f : 0.0f;
  for (int64_t i : order) sum += scores[i];
  out.clear();
  for (int64_t i : order) {
    float weight = e.renormalize ? scores[i] / sum : scores[i];
    out.push_back({i, weight * static_cast<float>(e.scale)});
  }
}

// Tokens are grouped by expert; experts go by their number, so a token's sum has an order of its own whatever stands
// beside it.
void Decoder::Experts(const Pass& pass, const ExpertLayer& layer, float* out) const {
  const ModelConfig& c = config();
  const ExpertConfig& e = c.experts;
  Workspace& workspace = pass.workspace;
  const int64_t n = pass.n, hidden = c.hidden;
  const float* x = workspace.Floats(kNormed, 0);
  float* scores = workspace.Floats(kRouter, n * e.count);
  RunLinears({&layer.router}, x, n, {scores}, workspace, kPrepared, pass.pool);
  struct Visit {
    int64_t token;
    float weight;
  };
  std::vector<std::vector<Visit>> visits(static_cast<size_t>(e.count));
  std::vector<Route> routes;
  for (int64_t t = 0; t < n; ++t) {
    ChooseExperts(layer, pass.batch[static_cast<size_t>(t)].id, scores + t * e.count, routes);
    for (const Route& route : routes) visits[static_cast<size_t>(route.expert)].push_back({t, route.weight});
  }
  if (e.shared_feed_forward > 0) {
    Dense(layer.shared, x, n, out, workspace, kExpertGate, pass.pool);
    if (!layer.shared_gate.empty())
      for (int64_t t = 0; t < n; ++t) {
        float dot = 0;
        for (int64_t i = 0; i < hidden; ++i) dot += x[t * hidden + i] * layer.shared_gate[static_cast<size_t>(i)];
        float weight = Sigmoid(dot);
        for (int64_t i = 0; i < hidden; ++i) out[t * hidden + i] *= weight;
      }
  } else {
    std::fill_n(out, n * hidden, 0.0f);
  }
  // The same memory however the tokens spread.
  WorkspacePlan plan;
  PlanExperts(layer, n, plan);
  workspace.Reserve(plan);
  for (size_t expert = 0; expert < visits.size(); ++expert) {
    const std::vector<Visit>& guests = visits[expert];
    if (guests.empty()) continue;
    const auto count = static_cast<int64_t>(guests.size());
    float* in = workspace.Floats(kExpertIn, count * hidden);
    float* result = workspace.Floats(kExpertOut, count * hidden);
    for (int64_t i = 0; i < count; ++i) {
      const Visit& guest = guests[static_cast<size_t>(i)];
      std::memcpy(in + i * hidden, x + guest.token * hidden, static_cast<size_t>(hidden) * 4);
      if (e.weigh_input)
        for (int64_t d = 0; d < hidden; ++d) in[i * hidden + d] *= guest.weight;
    }
    Dense(layer.experts[expert], in, count, result, workspace, kExpertGate, pass.pool);
    for (int64_t i = 0; i < count; ++i) {
      const Visit& guest = guests[static_cast<size_t>(i)];
      const float weight = e.weigh_input ? 1.0f : guest.weight;
      for (int64_t d = 0; d < hidden; ++d) out[guest.token * hidden + d] += weight * result[i * hidden + d];
    }
  }
}

}  // namespace assay
