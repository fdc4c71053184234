// Sums over rows against long double, where float32 would do and where it would not.
#include "convert/row_sums.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "base/random.h"

namespace assay {
namespace {

struct Sums {
  long double error = 0, energy = 0;
};
Sums Exact(const std::vector<float>& a, const std::vector<float>& b) {
  Sums sums;
  for (size_t i = 0; i < a.size(); ++i) {
    const long double x = a[i], y = b[i];
    sums.error += (x - y) * (x - y);
    sums.energy += y * y;
  }
  return sums;
}

void ExpectSums(const std::vector<float>& a, const std::vector<float>& b, double tolerance) {
  const Sums exact = Exact(a, b);
  double error = 3, energy = 5;  // they are added to
  AddSquares(a.data(), b.data(), static_cast<int64_t>(a.size()), &error, &energy);
  EXPECT_NEAR(error, 3 + static_cast<double>(exact.error), tolerance * static_cast<double>(exact.error));
  EXPECT_NEAR(energy, 5 + static_cast<double>(exact.energy), tolerance * static_cast<double>(exact.energy));
}

TEST(RowSums, SquaresOfAnyLength) {
  Random random(4);
  for (const size_t n : {0u, 1u, 7u, 8u, 15u, 16u, 31u, 511u, 512u, 513u, 1024u, 5000u}) {
    std::vector<float> a, b;
    for (size_t i = 0; i < n; ++i) {
      b.push_back(static_cast<float>(100 * random.Normal()));
      a.push_back(b.back() + static_cast<float>(random.Normal()));
    }
    ExpectSums(a, b, 3e-6);
  }
}

// Squares that leave the range of float32 on either side, alone and among others.
TEST(RowSums, SquaresBeyondFloat32) {
  for (const float scale : {1e-30f, 1e-22f, 1e-16f, 1e14f, 1e18f, 1e25f}) {
    for (const size_t every : {1u, 700u}) {
      Random random(5);
      std::vector<float> a, b;
      for (size_t i = 0; i < 2048; ++i) {
        const float unit = i % every == 0 ? scale : 1.0f;
        b.push_back(static_cast<float>(random.Normal()) * unit);
        a.push_back(b.back() * 1.25f);
      }
      const Sums exact = Exact(a, b);
      double error = 0, energy = 0;
      AddSquares(a.data(), b.data(), 2048, &error, &energy);
      EXPECT_NEAR(error / static_cast<double>(exact.error), 1, 3e-6) << scale << " " << every;
      EXPECT_NEAR(energy / static_cast<double>(exact.energy), 1, 3e-6) << scale << " " << every;
    }
  }
}

// An error of nothing is nothing, and the least one is seen.
TEST(RowSums, NoErrorAndTheLeast) {
  std::vector<float> b(512, 1.0f), a = b;
  double error = 0, energy = 0;
  AddSquares(a.data(), b.data(), 512, &error, &energy);
  EXPECT_EQ(error, 0);
  EXPECT_EQ(energy, 512);
  b[100] = 0x1p-100f;
  a[100] = 0x1.000002p-100f;
  AddSquares(a.data(), b.data(), 512, &error, &energy);
  EXPECT_EQ(error, 0x1p-246);
}

TEST(RowSums, FiniteAndMagnitudes) {
  for (const size_t n : {1u, 8u, 29u}) {
    for (size_t at = 0; at < n; ++at) {
      std::vector<float> x(n, -2.0f);
      EXPECT_TRUE(AllFinite(x.data(), static_cast<int64_t>(n)));
      x[at] = 3.0f;
      float largest = 1, sum = 10;
      AddMagnitudes(x.data(), static_cast<int64_t>(n), &largest, &sum);
      EXPECT_EQ(largest, 3.0f);
      EXPECT_EQ(sum, 11.0f + 2.0f * static_cast<float>(n));
      for (const float bad : {std::nanf(""), -std::numeric_limits<float>::infinity()}) {
        x[at] = bad;
        EXPECT_FALSE(AllFinite(x.data(), static_cast<int64_t>(n)));
      }
    }
  }
}

}  // namespace
}  // namespace assay
