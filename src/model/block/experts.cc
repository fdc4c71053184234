// Mixtures of experts.

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <numeric>
#include <optional>

#include "model/block/feed_forward.h"
#include "model/block/table.h"

namespace assay {
namespace {

struct Route {
  int64_t expert;
  float weight;
};
struct Guest {
  int64_t token;
  float weight;
};
using Guests = std::vector<std::vector<Guest>>;  // of each expert

class Experts : public Block {
 public:
  Experts(const BlockContext& context, const WeightReader& reader);
  void Plan(const BatchShape& shape, Arena& arena) const override { Scratch(arena, *this, shape); }
  void Run(const Pass& pass, const float* x, float* out) const override;
  void VisitLinears(const LinearVisitor& visit) const override;

 private:
  // For all tokens, so that it is the same however they spread.
  struct Scratch {
    Scratch(Arena& arena, const Experts& block, const BatchShape& shape)
        : scores(arena.Floats(shape.n * block.config_.experts.count)),
          in(arena.Floats(shape.n * block.config_.hidden)),
          result(arena.Floats(shape.n * block.config_.hidden)),
          inner(arena, shape.n,
                std::max({block.config_.experts.feed_forward, block.config_.experts.shared_feed_forward,
                          block.beside_ ? block.beside_->width : 0})),
          normed(block.beside_ ? arena.Floats(shape.n * block.config_.hidden) : nullptr),
          sum(block.beside_ ? arena.Floats(shape.n * block.config_.hidden) : nullptr) {}
    float *scores, *in, *result;
    FeedForward::Scratch inner;
    float *normed, *sum;  // beside a dense block
  };
  /// A dense block beside the experts, and the norms of both: all three parts read the residual itself.
  struct Beside {
    int64_t width;
    FeedForward dense;
    NormWeights dense_norm, dense_post_norm, experts_norm, experts_post_norm;
    Vector router_norm;   // [hidden]
    Vector expert_scale;  // [count] on the experts' weights, or empty
  };
  void RunBeside(const Pass& pass, const Scratch& scratch, const float* x, float* out) const;
  Guests Invite(const Pass& pass, const Scratch& scratch, const float* x) const;
  void AddExperts(const Pass& pass, const Scratch& scratch, const Guests& guests, const float* x, float* out) const;
  void Score(float* scores) const;
  std::vector<int64_t> Allowed(const std::vector<float>& merit) const;
  void Choose(int32_t token, float* scores, std::vector<Route>& out) const;
  void RunShared(const Pass& pass, const Scratch& scratch, const float* x, float* out) const;
  void RunExpert(const Pass& pass, const Scratch& scratch, const FeedForward& expert, std::span<const Guest> guests,
                 const float* x, float* out) const;

  const ModelConfig& config_;
  Linear router_;
  Vector correction_;  // [count] or empty
  Vector by_token_;    // [vocab, used]: the experts of a token, or empty
  std::vector<FeedForward> experts_;
  std::optional<FeedForward> shared_;
  Vector shared_gate_;  // [hidden] or empty
  std::optional<Beside> beside_;
};

Experts::Experts(const BlockContext& context, const WeightReader& reader) : config_(context.config) {
  const ModelConfig& c = config_;
  const ExpertConfig& e = c.experts;
  router_ = reader.ReadLinear("ffn_gate_inp", e.count, c.hidden);
  correction_ = reader.ReadOptionalVector("exp_probs_b.bias", e.count);
  if (context.layer.hashed) by_token_ = reader.ReadTable("ffn_gate_tid2eid.weight", c.vocab, e.used);
  experts_.reserve(static_cast<size_t>(e.count));
  for (int64_t i = 0; i < e.count; ++i)
    experts_.emplace_back(c, reader, "." + std::to_string(i), e.feed_forward, c.gated);
  if (e.beside_dense) {
    const int64_t width = c.FeedForward(context.layer);
    beside_.emplace(Beside{width, FeedForward(c, reader, "", width, c.gated), reader.ReadNorm("ffn_norm", c.hidden),
                           reader.ReadNorm("post_ffw_norm_1", c.hidden), reader.ReadNorm("pre_ffw_norm_2", c.hidden),
                           reader.ReadNorm("post_ffw_norm_2", c.hidden),
                           reader.ReadVector("ffn_gate_inp_scale.weight", c.hidden),
                           reader.ReadOptionalVector("ffn_down_exps_scale.weight", e.count)});
    const float scale = 1.0f / std::sqrt(static_cast<float>(c.hidden));
    for (float& weight : beside_->router_norm) weight *= scale;
  }
  if (e.shared_feed_forward == 0) return;
  shared_.emplace(c, reader, "_shexp", e.shared_feed_forward, c.gated);
  if (e.shared_gate) shared_gate_ = reader.ReadTable("ffn_gate_inp_shexp.weight", 1, c.hidden);
}

// scores [count]: the router's logits, changed in place.
void Experts::Score(float* scores) const {
  const ExpertConfig& e = config_.experts;
  if (e.sqrt_softplus) {
    for (int64_t i = 0; i < e.count; ++i) scores[i] = std::sqrt(Softplus(scores[i]));
  } else if (e.sigmoid) {
    for (int64_t i = 0; i < e.count; ++i) scores[i] = Sigmoid(scores[i]);
  } else {
    float largest = *std::max_element(scores, scores + e.count), sum = 0;
    for (int64_t i = 0; i < e.count; ++i) sum += scores[i] = std::exp(scores[i] - largest);
    for (int64_t i = 0; i < e.count; ++i) scores[i] /= sum;
  }
}

// Experts by number: those of the best groups.
std::vector<int64_t> Experts::Allowed(const std::vector<float>& merit) const {
  const ExpertConfig& e = config_.experts;
  std::vector<int64_t> order(static_cast<size_t>(e.count));
  std::iota(order.begin(), order.end(), 0);
  if (e.groups <= 1 || e.groups_used >= e.groups) return order;
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
  return order;
}

// `scores` [count]: the router's logits, changed in place. Ties go to the lower number.
void Experts::Choose(int32_t token, float* scores, std::vector<Route>& out) const {
  const ExpertConfig& e = config_.experts;
  Score(scores);
  std::vector<float> merit(scores, scores + e.count);
  for (size_t i = 0; i < correction_.size(); ++i) merit[i] += correction_[i];
  std::vector<int64_t> order = Allowed(merit);
  std::stable_sort(order.begin(), order.end(),
                   [&](int64_t a, int64_t b) { return merit[static_cast<size_t>(a)] > merit[static_cast<size_t>(b)]; });
  order.resize(static_cast<size_t>(e.used));
  if (!by_token_.empty())
    for (int64_t i = 0; i < e.used; ++i)
      order[static_cast<size_t>(i)] = static_cast<int64_t>(by_token_[static_cast<size_t>(token * e.used + i)]);
  float sum = e.sigmoid || e.sqrt_softplus ? 1e-20f : 0.0f;
  for (int64_t i : order) sum += scores[i];
  out.clear();
  for (int64_t i : order) {
    float weight = e.renormalize ? scores[i] / sum : scores[i];
    const bool scaled = beside_ && !beside_->expert_scale.empty();
    if (scaled) weight *= beside_->expert_scale[static_cast<size_t>(i)];
    out.push_back({i, weight * static_cast<float>(e.scale)});
  }
}

// out [n, hidden]: of the expert that every token passes, or zero.
void Experts::RunShared(const Pass& pass, const Scratch& scratch, const float* x, float* out) const {
  const int64_t n = pass.n(), hidden = config_.hidden;
  if (!shared_) {
    std::fill_n(out, n * hidden, 0.0f);
    return;
  }
  shared_->Run(pass, scratch.inner, x, n, out);
  if (shared_gate_.empty()) return;
  pass.pool.For(n, 16, [&](int64_t begin, int64_t end, int) {
    for (int64_t t = begin; t < end; ++t) {
      float dot = 0;
      for (int64_t i = 0; i < hidden; ++i) dot += x[t * hidden + i] * shared_gate_[static_cast<size_t>(i)];
      const float weight = Sigmoid(dot);
      for (int64_t i = 0; i < hidden; ++i) out[t * hidden + i] *= weight;
    }
  });
}

void Experts::RunExpert(const Pass& pass, const Scratch& scratch, const FeedForward& expert,
                        std::span<const Guest> guests, const float* x, float* out) const {
  const int64_t hidden = config_.hidden;
  const bool weigh_input = config_.experts.weigh_input;
  const auto count = static_cast<int64_t>(guests.size());
  pass.pool.For(count, 16, [&](int64_t begin, int64_t end, int) {
    for (int64_t i = begin; i < end; ++i) {
      const Guest& guest = guests[static_cast<size_t>(i)];
      float* row = scratch.in + i * hidden;
      std::memcpy(row, x + guest.token * hidden, static_cast<size_t>(hidden) * 4);
      if (!weigh_input) continue;
      for (int64_t d = 0; d < hidden; ++d) row[d] *= guest.weight;
    }
  });
  expert.Run(pass, scratch.inner, scratch.in, count, scratch.result);
  // Pieces of columns: a token may be here twice.
  pass.pool.For(hidden, count < 16 ? hidden : 256, [&](int64_t begin, int64_t end, int) {
    for (int64_t i = 0; i < count; ++i) {
      const Guest& guest = guests[static_cast<size_t>(i)];
      const float weight = weigh_input ? 1.0f : guest.weight;
      const float* result = scratch.result + i * hidden;
      float* sum = out + guest.token * hidden;
      for (int64_t d = begin; d < end; ++d) sum[d] += weight * result[d];
    }
  });
}

// Each expert's tokens. x [n, hidden]: what the router reads.
Guests Experts::Invite(const Pass& pass, const Scratch& scratch, const float* x) const {
  const int64_t n = pass.n(), count = config_.experts.count;
  Multiply(pass, {x, config_.hidden}, n, {{router_, {scratch.scores, count}}});
  Guests guests(static_cast<size_t>(count));
  std::vector<Route> routes;
  for (int64_t t = 0; t < n; ++t) {
    Choose(pass.token(t).id, scratch.scores + t * count, routes);
    for (const Route& route : routes) guests[static_cast<size_t>(route.expert)].push_back({t, route.weight});
  }
  return guests;
}

// Adds to out [n, hidden] what the experts make of x [n, hidden]. Tokens are grouped by expert; experts go by their
// number, so a token's sum has an order of its own whatever stands beside it.
void Experts::AddExperts(const Pass& pass, const Scratch& scratch, const Guests& guests, const float* x,
                         float* out) const {
  // A table of tokens may name an expert twice: scratch is for n at a time.
  for (size_t i = 0; i < guests.size(); ++i)
    for (std::span<const Guest> rest = guests[i]; !rest.empty();) {
      const size_t some = std::min(rest.size(), static_cast<size_t>(pass.n()));
      RunExpert(pass, scratch, experts_[i], rest.first(some), x, out);
      rest = rest.subspan(some);
    }
}

void Experts::Run(const Pass& pass, const float* x, float* out) const {
  Arena::Scope scope(pass.arena);
  const Scratch scratch(pass.arena, *this, pass.shape);
  if (beside_) return RunBeside(pass, scratch, x, out);
  const Guests guests = Invite(pass, scratch, x);
  RunShared(pass, scratch, x, out);
  AddExperts(pass, scratch, guests, x, out);
}

void Experts::RunBeside(const Pass& pass, const Scratch& scratch, const float* x, float* out) const {
  const int64_t n = pass.n(), hidden = config_.hidden;
  const ConstRows in{x, hidden};
  const Rows normed{scratch.normed, hidden}, sum{scratch.sum, hidden}, result{out, hidden};
  NormalizeRms(pass, config_.rms_epsilon, beside_->router_norm, in, n, normed);
  const Guests guests = Invite(pass, scratch, scratch.normed);
  Normalize(pass, config_, beside_->experts_norm, in, n, normed);
  std::fill_n(scratch.sum, n * hidden, 0.0f);
  AddExperts(pass, scratch, guests, scratch.normed, scratch.sum);
  Normalize(pass, config_, beside_->experts_post_norm, sum, n, sum);
  Normalize(pass, config_, beside_->dense_norm, in, n, normed);
  beside_->dense.Run(pass, scratch.inner, scratch.normed, n, out);
  Normalize(pass, config_, beside_->dense_post_norm, result, n, result);
  AddRows(pass, sum, hidden, result);
}

void Experts::VisitLinears(const LinearVisitor& visit) const {
  visit(router_);
  for (const FeedForward& expert : experts_) expert.VisitLinears(visit);
  if (shared_) shared_->VisitLinears(visit);
  if (beside_) beside_->dense.VisitLinears(visit);
}

}  // namespace

BlockPointer LoadExperts(const BlockContext& context, const WeightReader& reader) {
  return std::make_unique<Experts>(context, reader);
}

}  // namespace assay
