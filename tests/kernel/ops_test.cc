// The operations on every instruction set that this processor has, against the same in double.

#include "kernel/ops.h"

#include <gtest/gtest.h>

#include <bit>
#include <limits>

#include "kernel/cpu/ops.h"
#include "number/f16.h"
#include "test_matrix.h"

namespace assay {
namespace {

constexpr int64_t kLengths[] = {1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 33, 64, 100, 576, 1023};

class Ops : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override { LimitCpu(GetParam()); }
  void TearDown() override { LimitCpu("avx512"); }
};

INSTANTIATE_TEST_SUITE_P(Levels, Ops, testing::Values("scalar", "avx2", "avx512"),
                         [](const auto& level) { return level.param; });

// Distance in units of the last place; both finite.
int64_t UlpDistance(float a, float b) {
  auto ordered = [](float x) {
    auto bits = std::bit_cast<int32_t>(x);
    return bits < 0 ? int64_t{std::numeric_limits<int32_t>::min()} - bits : int64_t{bits};
  };
  return std::abs(ordered(a) - ordered(b));
}

TEST_P(Ops, LevelsAreWhatTheyAreCalled) {
  EXPECT_FALSE(GetParam() == "scalar" && Cpu().avx2_fma);
  EXPECT_FALSE(GetParam() != "avx512" && Cpu().avx512);
}

TEST_P(Ops, RmsNorm) {
  for (int64_t n : kLengths) {
    std::vector<float> x = RandomActivations(n, 1, 3.0f), w = RandomActivations(n, 2), y(x.size() + 1, -5.0f);
    double sum = 0;
    for (float v : x) sum += static_cast<double>(v) * v;
    double factor = 1 / std::sqrt(sum / static_cast<double>(n) + 1e-5);
    RmsNorm(x.data(), w.data(), n, 1e-5f, y.data());
    for (size_t i = 0; i < x.size(); ++i)
      ASSERT_NEAR(y[i], x[i] * factor * w[i], 1e-6 * std::fabs(x[i] * factor * w[i])) << n;
    ASSERT_EQ(y.back(), -5.0f);
    RmsNorm(x.data(), w.data(), n, 1e-5f, x.data());  // in place
    x.push_back(-5.0f);
    ASSERT_EQ(x, y);
  }
}

TEST_P(Ops, AddTo) {
  for (int64_t n : kLengths) {
    std::vector<float> x = RandomActivations(n, 1), y = RandomActivations(n, 2), sum = x;
    for (size_t i = 0; i < x.size(); ++i) sum[i] += y[i];
    AddTo(x.data(), y.data(), n);
    ASSERT_EQ(x, sum);
  }
}

TEST_P(Ops, SiluMul) {
  for (int64_t n : kLengths) {
    std::vector<float> gate = RandomActivations(n, 1, 10.0f), up = RandomActivations(n, 2), y(gate.size());
    if (n > 3) {
      gate[0] = 0;
      gate[1] = 200;
      gate[2] = -200;
      gate[3] = -1e-20f;
    }
    SiluMul(gate.data(), up.data(), n, y.data());
    for (size_t i = 0; i < gate.size(); ++i) {
      double expected = gate[i] / (1 + std::exp(-static_cast<double>(gate[i]))) * up[i];
      ASSERT_NEAR(y[i], expected, 5e-7 * std::fabs(expected) + 1e-36) << gate[i];
    }
  }
}

TEST_P(Ops, LayerNorm) {
  for (int64_t n : kLengths) {
    std::vector<float> x = RandomActivations(n, 1, 3.0f), w = RandomActivations(n, 2), b = RandomActivations(n, 3);
    for (float& v : x) v += 4;
    double mean = 0, variance = 0;
    for (float v : x) mean += v / static_cast<double>(n);
    for (float v : x) variance += (v - mean) * (v - mean) / static_cast<double>(n);
    for (const float* bias : {static_cast<const float*>(nullptr), static_cast<const float*>(b.data())}) {
      std::vector<float> y(x.size() + 1, -5.0f), in_place = x;
      LayerNorm(x.data(), w.data(), bias, n, 1e-5f, y.data());
      for (size_t i = 0; i < x.size(); ++i) {
        double scaled = (x[i] - mean) / std::sqrt(variance + 1e-5) * w[i], shift = bias ? bias[i] : 0;
        ASSERT_NEAR(y[i], scaled + shift, 3e-7 * (std::fabs(scaled) + std::fabs(shift)) + 1e-9) << n;
      }
      ASSERT_EQ(y.back(), -5.0f);
      LayerNorm(in_place.data(), w.data(), bias, n, 1e-5f, in_place.data());
      in_place.push_back(-5.0f);
      ASSERT_EQ(in_place, y);
    }
  }
}

// Gated activations against themselves in double, `up` there and not; the edges by name.
void ExpectActivation(void (*call)(const float*, const float*, int64_t, float*), double (*oracle)(double),
                      double relative, double absolute) {
  for (int64_t n : kLengths) {
    std::vector<float> gate = RandomActivations(n, 1, 3.0f), up = RandomActivations(n, 2);
    const float edges[] = {0.0f, 60.0f, -60.0f, -1e-20f, 5.0f, -5.0f, -11.0f};
    for (size_t i = 0; i < std::min(gate.size(), std::size(edges)); ++i) gate[i] = edges[i];
    for (const float* factor : {static_cast<const float*>(nullptr), static_cast<const float*>(up.data())}) {
      std::vector<float> y(gate.size() + 1, -5.0f), in_place = gate;
      call(gate.data(), factor, n, y.data());
      for (size_t i = 0; i < gate.size(); ++i) {
        double expected = oracle(gate[i]) * (factor ? factor[i] : 1.0);
        ASSERT_NEAR(y[i], expected, relative * std::fabs(expected) + absolute) << gate[i] << " of " << n;
      }
      ASSERT_EQ(y.back(), -5.0f);
      call(in_place.data(), factor, n, in_place.data());
      in_place.push_back(-5.0f);
      ASSERT_EQ(in_place, y);
    }
  }
  std::vector<float> gate(20, 1.0f), up(20, 1.0f), y(20);
  gate[9] = up[11] = std::numeric_limits<float>::quiet_NaN();
  call(gate.data(), up.data(), 20, y.data());
  for (size_t i = 0; i < y.size(); ++i) ASSERT_EQ(std::isnan(y[i]), i == 9 || i == 11) << i;
}

// Far below zero 1 + tanh and 1 + erf cancel in the scalar path: absolute errors of float32's epsilon there.
TEST_P(Ops, GeluTanhMul) {
  ExpectActivation(
      GeluTanhMul,
      [](double x) { return 0.5 * x * (1 + std::tanh(std::sqrt(2 / 3.14159265358979) * (x + 0.044715 * x * x * x))); },
      2e-6, 1e-6);
}

TEST_P(Ops, GeluMul) {
  ExpectActivation(
      GeluMul, [](double x) { return 0.5 * x * std::erfc(-x / std::sqrt(2.0)); }, 1e-6, 1e-6);
}

TEST_P(Ops, Relu2Mul) {
  ExpectActivation(
      Relu2Mul, [](double x) { return x > 0 ? x * x : 0.0; }, 2e-7, 0);
}

TEST_P(Ops, ClampedSwiglu) {
  for (int64_t n : kLengths) {
    std::vector<float> gate = RandomActivations(n, 1, 8.0f), up = RandomActivations(n, 2, 8.0f), y(gate.size());
    const float edges[] = {0.0f, 7.0f, 7.5f, -60.0f, 1e30f, -1e30f, -7.0f};
    for (size_t i = 0; i < std::min(gate.size(), std::size(edges)); ++i) {
      gate[i] = edges[i];
      up[up.size() - 1 - i] = edges[i];
    }
    ClampedSwiglu(gate.data(), up.data(), n, 7.0f, y.data());
    for (size_t i = 0; i < gate.size(); ++i) {
      double g = std::min(static_cast<double>(gate[i]), 7.0), u = std::clamp(static_cast<double>(up[i]), -7.0, 7.0);
      double expected = (u + 1) * g / (1 + std::exp(-1.702 * g));
      // The exponent is rounded before it is raised.
      ASSERT_NEAR(y[i], expected, (1e-6 + 2e-7 * std::fabs(g)) * std::fabs(expected) + 1e-30)
          << gate[i] << " " << up[i];
    }
  }
  std::vector<float> gate(20, 1.0f), up(20, 1.0f), y(20);
  gate[9] = up[11] = std::numeric_limits<float>::quiet_NaN();
  ClampedSwiglu(gate.data(), up.data(), 20, 7.0f, y.data());
  for (size_t i = 0; i < y.size(); ++i) ASSERT_EQ(std::isnan(y[i]), i == 9 || i == 11) << i;
}

TEST_P(Ops, Softcap) {
  for (float cap : {5.0f, 30.0f, 50.0f}) {
    for (int64_t n : kLengths) {
      std::vector<float> x = RandomActivations(n, 1, 40.0f);
      const float edges[] = {0.0f, 1e4f, -1e4f, 1e-6f, 3e38f, -3e38f};
      for (size_t i = 0; i < std::min(x.size(), std::size(edges)); ++i) x[i] = edges[i];
      std::vector<float> y = x;
      y.push_back(-5.0f);
      Softcap(y.data(), n, cap);
      for (size_t i = 0; i < x.size(); ++i)  // 1 - 2 / (1 + e) near 0: absolute
        ASSERT_NEAR(y[i], cap * std::tanh(static_cast<double>(x[i]) / cap), 3e-7 * cap) << x[i];
      ASSERT_EQ(y.back(), -5.0f);
    }
  }
}

TEST_P(Ops, UnitLength) {
  for (int64_t n : kLengths) {
    const std::vector<float> x = RandomActivations(n, 1);
    double sum = 0;
    for (float v : x) sum += static_cast<double>(v) * v;
    for (float epsilon : {1e-6f, 2.0f}) {
      std::vector<float> y = x;
      UnitLength(y.data(), n, 0.25f, epsilon);
      for (size_t i = 0; i < x.size(); ++i)
        ASSERT_NEAR(y[i], 0.25 * x[i] / std::sqrt(sum + epsilon), 2e-6 * std::fabs(y[i])) << n;
    }
  }
}

TEST_P(Ops, ConvolveStep) {
  constexpr int64_t kChannels = 19, kSteps = 9;
  const std::vector<float> biases = RandomActivations(kChannels, 3);
  for (auto [kernel, bias] :
       {std::pair<int64_t, const float*>{1, nullptr}, {2, nullptr}, {4, nullptr}, {4, biases.data()}}) {
    std::vector<float> weights = RandomActivations(kChannels * kernel, 1),
                       in = RandomActivations(kChannels * kSteps, 2);
    std::vector<float> history(static_cast<size_t>(kChannels * (kernel - 1))), x = in;
    for (int64_t t = 0; t < kSteps; ++t) {
      ConvolveStep(weights.data(), bias, kChannels, kernel, history.data(), x.data() + t * kChannels);
      for (int64_t ch = 0; ch < kChannels; ++ch) {
        double sum = bias ? bias[ch] : 0.0;  // the last `kernel` inputs, nothing before the first
        for (int64_t i = 0; i < kernel; ++i)
          if (int64_t from = t - kernel + 1 + i; from >= 0)
            sum += static_cast<double>(weights[static_cast<size_t>(ch * kernel + i)]) *
                   in[static_cast<size_t>(from * kChannels + ch)];
        ASSERT_NEAR(x[static_cast<size_t>(t * kChannels + ch)], sum, 2e-6 * std::max(1.0, std::fabs(sum)))
            << kernel << " " << t;
      }
    }
  }
}

TEST_P(Ops, DeltaStep) {
  for (auto [key_dim, value_dim] : {std::pair<int64_t, int64_t>{8, 8}, {16, 12}, {128, 128}, {5, 33}, {1, 1}}) {
    std::vector<float> state = RandomActivations(key_dim * value_dim, 1, 0.3f), out(static_cast<size_t>(value_dim) + 1);
    std::vector<double> exact(state.begin(), state.end());
    state.push_back(-5.0f);
    out.back() = -5.0f;
    for (uint64_t step = 0; step < 5; ++step) {
      std::vector<float> q = RandomActivations(key_dim, 10 + step, 0.2f),
                         k = RandomActivations(key_dim, 20 + step, 0.2f), v = RandomActivations(value_dim, 30 + step);
      const float decay = 0.9f - 0.1f * static_cast<float>(step), beta = 0.3f + 0.1f * static_cast<float>(step);
      DeltaStep(state.data(), q.data(), k.data(), v.data(), decay, beta, key_dim, value_dim, out.data());
      for (int64_t e = 0; e < value_dim; ++e) {
        auto cell = [&, columns = value_dim](int64_t d) -> double& {
          return exact[static_cast<size_t>(d * columns + e)];
        };
        double answer = 0, expected = 0;
        for (size_t d = 0; d < k.size(); ++d) answer += (cell(static_cast<int64_t>(d)) *= decay) * k[d];
        for (size_t d = 0; d < k.size(); ++d)
          expected += (cell(static_cast<int64_t>(d)) += k[d] * (v[static_cast<size_t>(e)] - answer) * beta) * q[d];
        ASSERT_NEAR(out[static_cast<size_t>(e)], expected, 5e-6) << key_dim << " " << value_dim << " " << step;
      }
    }
    for (size_t i = 0; i < exact.size(); ++i) ASSERT_NEAR(state[i], exact[i], 2e-6);
    ASSERT_EQ(state.back(), -5.0f);
    ASSERT_EQ(out.back(), -5.0f);
  }
}

TEST_P(Ops, StateStep) {
  for (auto [key_dim, value_dim] : {std::pair<int64_t, int64_t>{8, 8}, {16, 12}, {128, 64}, {5, 33}, {1, 1}}) {
    std::vector<float> state = RandomActivations(key_dim * value_dim, 1, 0.3f), out(static_cast<size_t>(value_dim) + 1);
    std::vector<double> exact(state.begin(), state.end());
    state.push_back(-5.0f);
    out.back() = -5.0f;
    for (uint64_t step = 0; step < 5; ++step) {
      std::vector<float> q = RandomActivations(key_dim, 10 + step, 0.2f),
                         k = RandomActivations(key_dim, 20 + step, 0.2f), v = RandomActivations(value_dim, 30 + step);
      const float decay = 0.9f - 0.1f * static_cast<float>(step), gain = 0.3f + 0.1f * static_cast<float>(step);
      StateStep(state.data(), q.data(), k.data(), v.data(), decay, gain, key_dim, value_dim, out.data());
      for (size_t e = 0; e < v.size(); ++e) {
        double expected = 0;
        for (size_t d = 0; d < k.size(); ++d) {
          double& cell = exact[d * v.size() + e];
          cell = cell * decay + static_cast<double>(k[d]) * v[e] * gain;
          expected += cell * q[d];
        }
        ASSERT_NEAR(out[e], expected, 5e-6) << key_dim << " " << value_dim << " " << step;
      }
    }
    for (size_t i = 0; i < exact.size(); ++i) ASSERT_NEAR(state[i], exact[i], 2e-6);
    ASSERT_EQ(state.back(), -5.0f);
    ASSERT_EQ(out.back(), -5.0f);
  }
}

TEST_P(Ops, NotANumberStaysVisible) {
  std::vector<float> x(40, 1.0f), w(40, 1.0f), y(40);
  x[11] = std::numeric_limits<float>::quiet_NaN();
  SiluMul(x.data(), w.data(), 40, y.data());
  EXPECT_TRUE(std::isnan(y[11]));
  EXPECT_FALSE(std::isnan(y[12]));
  RmsNorm(x.data(), w.data(), 40, 1e-5f, y.data());
  for (float v : y) EXPECT_TRUE(std::isnan(v));
  EXPECT_TRUE(std::isnan(LogSumExp(x.data(), 40)));
}

TEST_P(Ops, Rope) {
  for (bool interleaved : {false, true}) {
    for (auto sizes : {std::pair<int64_t, int64_t>{64, 64}, {48, 48}, {80, 32}, {6, 4}, {128, 128}}) {
      const int64_t head_dim = sizes.first, rotary = sizes.second;
      constexpr int64_t kHeads = 3;
      std::vector<float> x = RandomActivations(kHeads * head_dim, 4), before = x;
      std::vector<float> cosine, sine;
      for (int64_t i = 0; i < rotary / 2; ++i) {
        cosine.push_back(std::cos(0.37f * static_cast<float>(i + 1)));
        sine.push_back(std::sin(0.37f * static_cast<float>(i + 1)));
      }
      Rope(x.data(), kHeads, head_dim, rotary, cosine.data(), sine.data(), interleaved);
      for (int64_t h = 0; h < kHeads; ++h) {
        for (int64_t i = 0; i < head_dim; ++i) {
          int64_t half = rotary / 2, pair = interleaved ? i / 2 : i % half;
          auto at = [&](int64_t j) { return static_cast<double>(before[static_cast<size_t>(h * head_dim + j)]); };
          double expected = at(i);
          if (i < rotary) {
            int64_t left = interleaved ? 2 * pair : pair, right = interleaved ? 2 * pair + 1 : pair + half;
            auto p = static_cast<size_t>(pair);
            expected =
                i == left ? at(left) * cosine[p] - at(right) * sine[p] : at(right) * cosine[p] + at(left) * sine[p];
          }
          ASSERT_NEAR(x[static_cast<size_t>(h * head_dim + i)], expected, 1e-6)
              << head_dim << " " << rotary << " " << i;
        }
      }
    }
  }
}

struct Cache {
  std::vector<float> floats;
  std::vector<uint16_t> halves;
  CacheView View(bool half, int64_t stride) const {
    return {half ? static_cast<const void*>(halves.data()) : floats.data(), half, stride};
  }
};
Cache MakeCache(int64_t n, uint64_t seed) {
  Cache cache;
  for (float v : RandomActivations(n, seed)) {
    cache.halves.push_back(EncodeF16(v));
    cache.floats.push_back(DecodeF16(cache.halves.back()));
  }
  return cache;
}

TEST_P(Ops, AttendHead) {
  for (int64_t head_dim : {4, 8, 16, 48, 64, 80, 128}) {
    int64_t stride = 2 * head_dim + 3;
    constexpr int64_t kPositions = 70;
    Cache keys = MakeCache(kPositions * stride, 5), values = MakeCache(kPositions * stride, 6);
    std::vector<float> q = RandomActivations(head_dim, 7), scores(kPositions),
                       out(static_cast<size_t>(head_dim) + 1, -5.0f);
    for (auto [first, last] : {std::pair<int64_t, int64_t>{0, 0}, {0, 1}, {3, 3}, {0, 15}, {5, 21}, {0, 69}, {2, 68}}) {
      int64_t offset = head_dim;
      float scale = 1 / std::sqrt(static_cast<float>(head_dim));
      std::vector<double> weights;
      double sum = 0;
      for (int64_t i = first; i <= last; ++i) {
        double dot = 0;
        for (int64_t d = 0; d < head_dim; ++d)
          dot += static_cast<double>(q[static_cast<size_t>(d)]) *
                 keys.floats[static_cast<size_t>(i * stride + offset + d)];
        weights.push_back(std::exp(dot * scale));
        sum += weights.back();
      }
      std::vector<float> of_floats;
      for (bool half : {false, true}) {
        AttendHead(q.data(), keys.View(half, stride), values.View(half, stride), offset, head_dim, first, last, scale,
                   scores.data(), out.data());
        for (int64_t d = 0; d < head_dim; ++d) {
          double expected = 0;
          for (int64_t i = first; i <= last; ++i)
            expected += weights[static_cast<size_t>(i - first)] / sum *
                        values.floats[static_cast<size_t>(i * stride + offset + d)];
          ASSERT_NEAR(out[static_cast<size_t>(d)], expected, 3e-6)
              << head_dim << " " << first << " " << last << " " << half;
        }
        ASSERT_EQ(out.back(), -5.0f);
        // Half values are exact in float32: the two caches hold the same numbers and must give the same bits.
        if (!half) {
          of_floats = out;
        } else {
          ASSERT_EQ(of_floats, out);
        }
      }
      AttendHead(q.data(), keys.View(true, stride), values.View(false, stride), offset, head_dim, first, last, scale,
                 scores.data(), out.data());
      for (size_t d = 0; d < out.size(); ++d) ASSERT_NEAR(out[d], of_floats[d], 3e-6);
    }
  }
}

// Scores with a softcap, and with a sink: a score that takes its share and has no value. Several heads at once, each
// with a sink of its own.
TEST_P(Ops, AttentionWithSoftcapAndSinks) {
  for (int64_t head_dim : {8, 20, 64, 576}) {
    constexpr int64_t kPositions = 45, kHeads = 5;
    const int64_t first = 2, last = 43;
    Cache keys = MakeCache(kPositions * head_dim, 5), values = MakeCache(kPositions * head_dim, 6);
    std::vector<float> q = RandomActivations(kHeads * head_dim, 7, 3.0f), scores(kHeads * kPositions),
                       sinks = RandomActivations(kHeads, 8, 4.0f);
    sinks[1] = 200.0f;  // leaves nothing
    sinks[2] = -200.0f;
    for (float softcap : {0.0f, 2.0f}) {
      for (bool with_sinks : {false, true}) {
        AttentionOptions options(0.3f / std::sqrt(static_cast<float>(head_dim)) * 8);
        options.softcap = softcap;
        options.sinks = with_sinks ? sinks.data() : nullptr;
        for (bool half : {false, true}) {
          std::vector<float> out(q.size());
          AttendHeads(q.data(), kHeads, keys.View(half, head_dim), values.View(half, head_dim), 0, head_dim, first,
                      last, options, scores.data(), out.data());
          for (int64_t h = 0; h < kHeads; ++h) {
            std::vector<double> weights;
            double largest = with_sinks ? sinks[static_cast<size_t>(h)] : -1e300, sum = 0;
            for (int64_t i = first; i <= last; ++i) {
              double dot = 0;
              for (int64_t d = 0; d < head_dim; ++d)
                dot += static_cast<double>(q[static_cast<size_t>(h * head_dim + d)]) *
                       keys.floats[static_cast<size_t>(i * head_dim + d)];
              dot *= options.scale;
              weights.push_back(softcap > 0 ? softcap * std::tanh(dot / softcap) : dot);
              largest = std::max(largest, weights.back());
            }
            for (double& weight : weights) sum += weight = std::exp(weight - largest);
            if (with_sinks) sum += std::exp(sinks[static_cast<size_t>(h)] - largest);
            for (int64_t d = 0; d < head_dim; ++d) {
              double expected = 0;
              for (int64_t i = first; i <= last; ++i)
                expected += weights[static_cast<size_t>(i - first)] / sum *
                            values.floats[static_cast<size_t>(i * head_dim + d)];
              ASSERT_NEAR(out[static_cast<size_t>(h * head_dim + d)], expected, 2e-5)
                  << head_dim << " " << softcap << " " << with_sinks << " " << h;
            }
          }
        }
      }
    }
  }
}

TEST_P(Ops, HeadsTogetherGiveTheBitsOfOneAlone) {
  for (int64_t head_dim : {8, 48, 64, 80}) {
    constexpr int64_t kPositions = 37;
    int64_t stride = 2 * head_dim;
    Cache keys = MakeCache(kPositions * stride, 5), values = MakeCache(kPositions * stride, 6);
    for (int64_t n_heads : {1, 2, 3, 4, 7, 8}) {
      std::vector<float> q = RandomActivations(n_heads * head_dim, 7),
                         scores(static_cast<size_t>(n_heads * kPositions));
      std::vector<float> together(q.size()), alone(q.size());
      for (auto [first, last] : {std::pair<int64_t, int64_t>{0, 0}, {1, 14}, {0, 36}}) {
        for (bool half : {false, true}) {
          AttendHeads(q.data(), n_heads, keys.View(half, stride), values.View(half, stride), head_dim, head_dim, first,
                      last, 0.1f, scores.data(), together.data());
          for (int64_t h = 0; h < n_heads; ++h)
            AttendHead(q.data() + h * head_dim, keys.View(half, stride), values.View(half, stride), head_dim, head_dim,
                       first, last, 0.1f, scores.data(), alone.data() + h * head_dim);
          ASSERT_EQ(together, alone) << head_dim << " " << n_heads << " " << last;
        }
      }
    }
  }
}

// The rows of a view in pages of 2^shift rows, each page somewhere else, behind `kOffset` bytes of something.
struct Pages {
  static constexpr int64_t kOffset = 64;
  std::vector<std::vector<std::byte>> memory;
  std::vector<const std::byte*> data;
  CacheView view;
  Pages(const CacheView& whole, int64_t rows, int shift) : view(whole) {
    const int64_t row_bytes = whole.stride * (whole.half ? 2 : 4), page = int64_t{1} << shift;
    for (int64_t first = 0; first < rows; first += page) {
      std::vector<std::byte>& here =
          memory.emplace_back(static_cast<size_t>(kOffset + page * row_bytes), std::byte{255});
      std::memcpy(here.data() + kOffset, static_cast<const std::byte*>(whole.data) + first * row_bytes,
                  static_cast<size_t>(std::min(page, rows - first) * row_bytes));
    }
    for (const std::vector<std::byte>& each : memory) data.push_back(each.data());
    view.data = nullptr;
    view.pages = data.data();
    view.offset = kOffset;
    view.page_shift = shift;
  }
};

TEST_P(Ops, PagesGiveTheBitsOfRowsTogether) {
  constexpr int64_t kPositions = 75;
  for (int64_t head_dim : {8, 20, 64, 80, 128}) {
    const int64_t stride = 2 * head_dim;
    const Cache keys = MakeCache(kPositions * stride, 5), values = MakeCache(kPositions * stride, 6);
    for (int64_t n_heads : {1, 2, 5}) {
      const std::vector<float> q = RandomActivations(n_heads * head_dim, 7), sinks = RandomActivations(n_heads, 8),
                               weights = RandomActivations(n_heads, 9);
      std::vector<float> scores(static_cast<size_t>(n_heads * kPositions)), together(q.size()), apart(q.size());
      AttentionOptions options(0.1f);
      options.softcap = n_heads == 2 ? 3.0f : 0.0f;
      options.sinks = n_heads == 5 ? sinks.data() : nullptr;
      for (int shift : {0, 1, 2, 3, 5, 8}) {
        for (bool half : {false, true}) {
          const CacheView k = keys.View(half, stride), v = values.View(half, stride);
          const Pages key_pages(k, kPositions, shift), value_pages(v, kPositions, shift);
          for (auto [first, last] : {std::pair<int64_t, int64_t>{0, 0}, {0, 7}, {0, 8}, {1, 14}, {31, 33}, {0, 74}}) {
            AttendHeads(q.data(), n_heads, k, v, head_dim, head_dim, first, last, options, scores.data(),
                        together.data());
            AttendHeads(q.data(), n_heads, key_pages.view, value_pages.view, head_dim, head_dim, first, last, options,
                        scores.data(), apart.data());
            ASSERT_EQ(together, apart) << head_dim << " " << n_heads << " " << shift << " " << first << " " << last;
            std::vector<float> whole(static_cast<size_t>(last - first + 1)), parts(whole.size());
            IndexScores(q.data(), weights.data(), n_heads, k, head_dim, first, last + 1, whole.data());
            IndexScores(q.data(), weights.data(), n_heads, key_pages.view, head_dim, first, last + 1, parts.data());
            ASSERT_EQ(whole, parts) << head_dim << " " << n_heads << " " << shift << " " << first << " " << last;
          }
        }
      }
    }
  }
}

TEST_P(Ops, IndexScores) {
  for (int64_t head_dim : {8, 16, 20, 128}) {
    constexpr int64_t kPositions = 150;
    Cache keys = MakeCache(kPositions * head_dim, 11);
    for (int64_t n_heads : {1, 2, 3, 5, 8}) {
      std::vector<float> q = RandomActivations(n_heads * head_dim, 12), weights = RandomActivations(n_heads, 13);
      std::vector<float> of_floats;
      for (bool half : {false, true}) {
        std::vector<float> out(kPositions + 1, -5.0f);
        IndexScores(q.data(), weights.data(), n_heads, keys.View(half, head_dim), head_dim, 0, kPositions, out.data());
        EXPECT_EQ(out.back(), -5.0f);
        for (int64_t i = 0; i < kPositions; ++i) {
          double expected = 0, size = 0;  // size: of all that is added, to which rounding is relative
          for (int64_t h = 0; h < n_heads; ++h) {
            double dot = 0, weight = weights[static_cast<size_t>(h)];
            for (int64_t d = 0; d < head_dim; ++d) {
              double term = static_cast<double>(q[static_cast<size_t>(h * head_dim + d)]) *
                            keys.floats[static_cast<size_t>(i * head_dim + d)];
              dot += term;
              size += std::fabs(weight * term);
            }
            expected += weight * std::max(0.0, dot);
          }
          ASSERT_NEAR(out[static_cast<size_t>(i)], expected, 1e-6 * size) << head_dim << " " << n_heads << " " << i;
        }
        // Whatever piece a position is scored in, and whatever the cache holds the same numbers in: the same bits.
        for (auto [begin, end] : {std::pair<int64_t, int64_t>{0, 1}, {7, 70}, {64, 128}, {149, 150}}) {
          std::vector<float> part(static_cast<size_t>(end - begin));
          IndexScores(q.data(), weights.data(), n_heads, keys.View(half, head_dim), head_dim, begin, end, part.data());
          ASSERT_TRUE(std::equal(part.begin(), part.end(), out.begin() + begin)) << begin;
        }
        if (!half) of_floats = out;
        ASSERT_EQ(out, of_floats);
      }
    }
  }
  std::vector<float> q(16, 1.0f), weight = {1.0f}, key(48, 1.0f), out(3);
  key[20] = std::numeric_limits<float>::quiet_NaN();
  IndexScores(q.data(), weight.data(), 1, {key.data(), false, 16}, 16, 0, 3, out.data());
  EXPECT_EQ(out[0], 16.0f);
  EXPECT_TRUE(std::isnan(out[1]));
}

TEST(TopPositions, AreTheBestInAscendingOrder) {
  for (int64_t n : kLengths) {
    std::vector<float> scores = RandomActivations(n, 14);
    if (n > 20) scores[3] = scores[17] = scores[20] = 0.25f;
    std::vector<int32_t> all(scores.size());
    for (size_t i = 0; i < all.size(); ++i) all[i] = static_cast<int32_t>(i);
    std::stable_sort(all.begin(), all.end(), [&](int32_t a, int32_t b) {
      return scores[static_cast<size_t>(a)] > scores[static_cast<size_t>(b)];
    });
    std::vector<uint64_t> order(scores.size());
    for (int64_t k : {int64_t{1}, (n + 1) / 2, n}) {
      std::vector<int32_t> expected(all.begin(), all.begin() + k), out(static_cast<size_t>(k));
      std::sort(expected.begin(), expected.end());
      TopPositions(scores.data(), n, k, order.data(), out.data());
      ASSERT_EQ(out, expected) << n << " " << k;
    }
  }
}

TEST(TopPositions, TakesTheFirstOfEqualsAndWhatIsNotANumber) {
  const float kNan = std::numeric_limits<float>::quiet_NaN(), kInf = std::numeric_limits<float>::infinity();
  std::vector<float> scores = {-1.0f, 0.0f, -0.0f, 0.0f, -kInf, 2.0f, -0.0f};
  std::vector<uint64_t> order(scores.size());
  std::vector<int32_t> out(3);
  TopPositions(scores.data(), 7, 3, order.data(), out.data());
  EXPECT_EQ(out, (std::vector<int32_t>{1, 2, 5}));
  scores[4] = kNan;
  scores[6] = kInf;
  TopPositions(scores.data(), 7, 3, order.data(), out.data());
  EXPECT_EQ(out, (std::vector<int32_t>{4, 5, 6}));
}

TEST_P(Ops, ToHalfRoundsAsTheNumberFormat) {
  std::vector<float> x = RandomActivations(101, 8, 1000.0f);
  float special[] = {0.0f, -0.0f, 65504.0f, 65519.0f, 65520.0f, 1e-8f, 5.96e-8f, 6.1e-5f, -3e-6f, 2049.0f, 2051.0f};
  std::copy(std::begin(special), std::end(special), x.begin());
  std::vector<uint16_t> out(x.size());
  ToHalf(x.data(), static_cast<int64_t>(x.size()), out.data());
  for (size_t i = 0; i < x.size(); ++i) ASSERT_EQ(out[i], EncodeF16(x[i])) << x[i];
}

TEST_P(Ops, LogSumExp) {
  for (int64_t n : kLengths) {
    std::vector<float> x = RandomActivations(n, 9, 8.0f);
    long double sum = 0;
    for (float v : x) sum += std::exp(static_cast<long double>(v));
    ASSERT_NEAR(LogSumExp(x.data(), n), static_cast<double>(std::log(sum)), 2e-14) << n;
  }
  std::vector<float> far = {1000.0f, -1000.0f, 1000.0f, -std::numeric_limits<float>::infinity()};
  far.resize(40, -std::numeric_limits<float>::infinity());
  EXPECT_NEAR(LogSumExp(far.data(), 40), 1000 + std::log(2.0), 1e-12);
}

TEST_P(Ops, ArgMaxTakesTheFirstOfEquals) {
  for (int64_t n : kLengths) {
    std::vector<float> x = RandomActivations(n, 10);
    auto expected = static_cast<int64_t>(std::max_element(x.begin(), x.end()) - x.begin());
    ASSERT_EQ(ArgMax(x.data(), n), expected);
    std::vector<float> equal(static_cast<size_t>(n), -3.0f);
    ASSERT_EQ(ArgMax(equal.data(), n), 0);
    if (n > 2) {
      x[static_cast<size_t>(n - 1)] = x[static_cast<size_t>(n / 2)] = 100;
      ASSERT_EQ(ArgMax(x.data(), n), n / 2);
      x[1] = std::numeric_limits<float>::quiet_NaN();
      ASSERT_EQ(ArgMax(x.data(), n), n / 2 != 1 ? n / 2 : n - 1);
    }
  }
}

// The exponential inside SiluMul and AttendHead, through SiluMul(gate) = gate / (1 + e^-gate) where 1 + e vanishes
// beside e.
TEST_P(Ops, ExponentialIsWithinTwoUlp) {
  std::vector<float> scores, q = {1.0f}, keys, values;
  // One head of one dimension: out = sum p_i v_i with v = 1 for one position reads e^(s_i - max) itself.
  for (int i = 0; i < 2000; ++i) {
    float s = -87.0f * static_cast<float>(i) / 2000.0f;
    float k[2] = {0.0f, s}, v[2] = {0.0f, 1.0f}, scratch[2], out;
    AttendHead(q.data(), {k, false, 1}, {v, false, 1}, 0, 1, 0, 1, 1.0f, scratch, &out);
    auto expected = static_cast<float>(std::exp(static_cast<double>(s)));
    ASSERT_LE(UlpDistance(scratch[1], expected), 2) << s;
    ASSERT_EQ(scratch[0], 1.0f);
  }
}

TEST(OpsDispatch, EveryLevelOfThisProcessorIsReached) {
#if defined(__x86_64__)
  // The levels differ in the order of additions, which shows in the bits: the dispatched call must equal the level's
  // own.
  std::vector<float> x = RandomActivations(1023, 3), w = RandomActivations(1023, 4), y(1023), own(1023);
  LimitCpu("avx2");
  if (Cpu().avx2_fma) {
    RmsNorm(x.data(), w.data(), 1023, 1e-5f, y.data());
    avx2::RmsNorm(x.data(), w.data(), 1023, 1e-5f, own.data());
    EXPECT_EQ(y, own);
  }
  LimitCpu("avx512");
  if (Cpu().avx512) {
    RmsNorm(x.data(), w.data(), 1023, 1e-5f, y.data());
    avx512::RmsNorm(x.data(), w.data(), 1023, 1e-5f, own.data());
    EXPECT_EQ(y, own);
  }
#endif
}

}  // namespace
}  // namespace assay
