#include "base/decimal.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>

#include "base/error.h"

namespace assay {
namespace {

constexpr size_t kMaxDigits = 2000;
constexpr int64_t kMaxExponent = 5000;
constexpr size_t kQuotientDigits = 40;

bool IsDigit(char c) {
  return c >= '0' && c <= '9';
}

// Natural numbers as digits, the most significant first.
std::string Sum(std::string_view a, std::string_view b) {
  std::string out(std::max(a.size(), b.size()) + 1, '0');
  int carry = 0;
  for (size_t i = 0; i < out.size(); ++i) {
    int digit = carry + (i < a.size() ? a[a.size() - 1 - i] - '0' : 0) + (i < b.size() ? b[b.size() - 1 - i] - '0' : 0);
    out[out.size() - 1 - i] = static_cast<char>('0' + digit % 10);
    carry = digit / 10;
  }
  return out;
}

std::string Difference(std::string_view a, std::string_view b) {  // a is not less than b
  std::string out(a);
  int borrow = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    int digit = a[a.size() - 1 - i] - '0' - borrow - (i < b.size() ? b[b.size() - 1 - i] - '0' : 0);
    borrow = digit < 0;
    out[out.size() - 1 - i] = static_cast<char>('0' + digit + (borrow ? 10 : 0));
  }
  return out;
}

std::string_view WithoutLeadingZeros(std::string_view digits) {
  return digits.substr(std::min(digits.find_first_not_of('0'), digits.size()));
}

bool Less(std::string_view a, std::string_view b) {  // both without leading zeros
  return a.size() != b.size() ? a.size() < b.size() : a < b;
}

// Digits of dividend / divisor, one for each digit of the dividend, and what is left.
std::string LongDivision(std::string_view dividend, std::string_view divisor, std::string& rest) {
  std::string quotient;
  rest.clear();
  for (char digit : dividend) {
    if (!rest.empty() || digit != '0') rest += digit;
    char count = '0';
    for (; !Less(rest, divisor); ++count) rest = WithoutLeadingZeros(Difference(rest, divisor));
    quotient += count;
  }
  return quotient;
}

}  // namespace

Decimal::Decimal(bool negative, std::string digits, int64_t exponent) : digits_(WithoutLeadingZeros(digits)) {
  size_t kept = digits_.find_last_not_of('0') + 1;  // 0 when there is none
  if (digits_.empty()) return;
  negative_ = negative;
  exponent_ = exponent + static_cast<int64_t>(digits_.size() - kept);
  digits_.resize(kept);
}

std::optional<Decimal> Decimal::Parse(std::string_view text) {
  bool negative = text.starts_with('-');
  if (negative || text.starts_with('+')) text.remove_prefix(1);
  std::string digits;
  int64_t exponent = 0;
  size_t at = 0;
  while (at < text.size() && IsDigit(text[at])) digits += text[at++];
  if (at < text.size() && text[at] == '.')
    for (++at; at < text.size() && IsDigit(text[at]); --exponent) digits += text[at++];
  if (digits.empty() || digits.size() > kMaxDigits) return {};
  if (at < text.size() && (text[at] == 'e' || text[at] == 'E')) {
    std::string_view power = text.substr(at + 1);
    if (power.starts_with('+')) {
      power.remove_prefix(1);
      if (power.starts_with('-')) return {};  // from_chars knows one sign
    }
    int64_t value = 0;
    auto [stop, status] = std::from_chars(power.data(), power.data() + power.size(), value);
    if (status != std::errc() || stop != power.data() + power.size()) return {};
    if (value > kMaxExponent || value < -kMaxExponent) return {};
    exponent += value;
    at = text.size();
  }
  if (at != text.size()) return {};
  return Decimal(negative, std::move(digits), exponent);
}

Decimal Decimal::Shortest(double value) {
  ASSAY_CHECK(std::isfinite(value));
  char buffer[40];
  auto [end, status] = std::to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::scientific);
  ASSAY_CHECK(status == std::errc());
  std::optional<Decimal> parsed = Parse({buffer, static_cast<size_t>(end - buffer)});
  ASSAY_CHECK(parsed.has_value());
  return *parsed;
}

std::string Decimal::Text() const {
  if (zero()) return "0";
  std::string out = negative_ ? "-" : "";
  auto size = static_cast<int64_t>(digits_.size());
  int64_t point = size + exponent_;  // digits before the point
  if (exponent_ >= 0 && point <= 400) return out + digits_ + std::string(static_cast<size_t>(exponent_), '0');
  if (point > 0 && exponent_ < 0)
    return out + digits_.substr(0, static_cast<size_t>(point)) + "." + digits_.substr(static_cast<size_t>(point));
  if (point <= 0 && point > -6) return out + "0." + std::string(static_cast<size_t>(-point), '0') + digits_;
  out += digits_[0];
  if (size > 1) out += "." + digits_.substr(1);
  return out + "e" + std::to_string(point - 1);
}

double Decimal::Rounded() const {
  std::string text = (negative_ ? "-" : "") + (zero() ? "0" : digits_) + "e" + std::to_string(exponent_);
  return std::strtod(text.c_str(), nullptr);  // infinity beyond the doubles
}

Decimal Decimal::Negated() const {
  Decimal out = *this;
  out.negative_ = !zero() && !negative_;
  return out;
}

Decimal Decimal::Magnitude() const {
  return negative_ ? Negated() : *this;
}

Decimal Decimal::Plus(const Decimal& other) const {
  if (zero()) return other;
  if (other.zero()) return *this;
  int64_t exponent = std::min(exponent_, other.exponent_);
  std::string a = digits_ + std::string(static_cast<size_t>(exponent_ - exponent), '0');
  std::string b = other.digits_ + std::string(static_cast<size_t>(other.exponent_ - exponent), '0');
  if (negative_ == other.negative_) return {negative_, Sum(a, b), exponent};
  bool swap = CompareMagnitudes(*this, other) < 0;
  return {swap ? other.negative_ : negative_, swap ? Difference(b, a) : Difference(a, b), exponent};
}

Decimal Decimal::Times(const Decimal& other) const {
  std::string product(digits_.size() + other.digits_.size(), '0');
  for (size_t i = digits_.size(); i-- > 0;) {
    int carry = 0;
    for (size_t j = other.digits_.size(); j-- > 0;) {
      char& digit = product[i + j + 1];
      int value = (digit - '0') + (digits_[i] - '0') * (other.digits_[j] - '0') + carry;
      digit = static_cast<char>('0' + value % 10);
      carry = value / 10;
    }
    if (!other.digits_.empty()) product[i] = static_cast<char>(product[i] + carry);
  }
  return {negative_ != other.negative_, std::move(product), exponent_ + other.exponent_};
}

Decimal Decimal::Over(const Decimal& divisor) const {
  ASSAY_CHECK(!divisor.zero());
  size_t more = divisor.digits_.size() + kQuotientDigits;
  std::string rest;
  std::string quotient = LongDivision(digits_ + std::string(more, '0'), divisor.digits_, rest);
  return {negative_ != divisor.negative_, std::move(quotient),
          exponent_ - divisor.exponent_ - static_cast<int64_t>(more)};
}

bool Decimal::IsMultipleOf(const Decimal& divisor) const {
  if (zero()) return true;
  if (divisor.zero()) return false;
  // Digits end without zeros: with fewer decimal places than the divisor demands there is none, with more they must
  // divide out.
  int64_t shift = exponent_ - divisor.exponent_;
  std::string rest;
  if (shift >= 0) {
    LongDivision(digits_ + std::string(static_cast<size_t>(shift), '0'), divisor.digits_, rest);
  } else {
    LongDivision(digits_, divisor.digits_ + std::string(static_cast<size_t>(-shift), '0'), rest);
  }
  return rest.empty();
}

int Decimal::CompareMagnitudes(const Decimal& a, const Decimal& b) {
  if (a.zero() || b.zero()) return static_cast<int>(!a.zero()) - static_cast<int>(!b.zero());
  int64_t a_top = static_cast<int64_t>(a.digits_.size()) + a.exponent_,
          b_top = static_cast<int64_t>(b.digits_.size()) + b.exponent_;
  if (a_top != b_top) return a_top < b_top ? -1 : 1;
  return a.digits_.compare(b.digits_);  // zeros at the end are left out: the longer one is the greater
}

int Decimal::Compare(const Decimal& a, const Decimal& b) {
  if (a.negative_ != b.negative_) return a.negative_ ? -1 : 1;
  int order = CompareMagnitudes(a, b);
  return a.negative_ ? -order : order;
}

}  // namespace assay
