#pragma once
// Decimal numbers as they are written, without rounding: what people and JSON mean by 29.76 or by an integer of thirty
// digits.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace assay {

class Decimal {
 public:
  Decimal() = default;  // 0
  /// "-12.50", "1e3", ".5", "+7": a sign, digits with at most one point, an exponent. Nothing for other texts, and for
  /// numbers of more than 2000 digits or an exponent beyond ±5000.
  static std::optional<Decimal> Parse(std::string_view text);
  /// The shortest text that reads back as `value`, which must be finite.
  static Decimal Shortest(double value);

  bool zero() const { return digits_.empty(); }
  bool negative() const { return negative_; }
  bool whole() const { return exponent_ >= 0; }
  /// Plain digits where they are few: "29.76", "-12345678901234567890"; otherwise with an exponent: "1.5e300".
  std::string Text() const;
  double Rounded() const;

  Decimal Negated() const;
  Decimal Magnitude() const;
  Decimal Plus(const Decimal& other) const;
  Decimal Minus(const Decimal& other) const { return Plus(other.Negated()); }
  Decimal Times(const Decimal& other) const;
  /// To 40 significant digits, cut; the divisor may not be 0.
  Decimal Over(const Decimal& divisor) const;
  bool IsMultipleOf(const Decimal& divisor) const;

  /// Below, at or above 0 as a is less than, equal to or greater than b.
  static int Compare(const Decimal& a, const Decimal& b);
  friend bool operator==(const Decimal& a, const Decimal& b) { return Compare(a, b) == 0; }

 private:
  Decimal(bool negative, std::string digits, int64_t exponent);  // in any form
  static int CompareMagnitudes(const Decimal& a, const Decimal& b);

  bool negative_ = false;
  std::string digits_;    // without zeros at either end; empty is 0
  int64_t exponent_ = 0;  // the value is digits · 10^exponent
};

}  // namespace assay
