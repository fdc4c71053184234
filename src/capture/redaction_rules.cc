#include "capture/redaction_rules.h"

#include <arpa/inet.h>

#include <algorithm>
#include <cctype>
#include <string>

namespace assay {
namespace {

std::string DigitsOf(std::string_view text) {
  std::string digits;
  for (char c : text)
    if (c >= '0' && c <= '9') digits += c;
  return digits;
}

bool IsCard(std::string_view found) {
  const std::string digits = DigitsOf(found);
  if (digits.size() < 13 || digits.size() > 19 || digits[0] < '2' || digits[0] > '6') return false;
  if (digits.find_first_not_of(digits[0]) == std::string::npos) return false;
  int sum = 0;  // Luhn
  for (size_t i = 0; i < digits.size(); ++i) {
    int digit = digits[digits.size() - 1 - i] - '0';
    if (i % 2 == 1) digit = digit * 2 > 9 ? digit * 2 - 9 : digit * 2;
    sum += digit;
  }
  return sum % 10 == 0;
}

bool IsIban(std::string_view found) {
  std::string text;
  for (char c : found)
    if (std::isalnum(static_cast<unsigned char>(c))) text += static_cast<char>(std::toupper(c));
  if (text.size() < 15 || text.size() > 34) return false;
  std::rotate(text.begin(), text.begin() + 4, text.end());
  int rest = 0;  // ISO 13616: modulo 97
  for (char c : text) rest = c <= '9' ? (rest * 10 + (c - '0')) % 97 : (rest * 100 + (c - 'A' + 10)) % 97;
  return rest == 1;
}

bool IsIpv4(std::string_view found) {
  in_addr address{};
  if (::inet_pton(AF_INET, std::string(found).c_str(), &address) != 1) return false;
  return !found.starts_with("127.") && found != "0.0.0.0" && found != "255.255.255.255";
}

bool IsIpv6(std::string_view found) {
  in6_addr address{};
  return found != "::" && found != "::1" && found.size() >= 6 &&
         ::inet_pton(AF_INET6, std::string(found).c_str(), &address) == 1;
}

/// No word of a sentence ("the password is required") or of a form ("password: string").
bool IsPassword(std::string_view found) {
  while (found.ends_with('.') || found.ends_with('!') || found.ends_with('?')) found.remove_suffix(1);
  if (found.size() < 4) return false;
  bool upper = false, lower = false, other = false;
  for (size_t i = 0; i < found.size(); ++i) {
    const auto c = static_cast<unsigned char>(found[i]);
    lower |= std::islower(c) != 0;
    upper |= i > 0 && std::isupper(c) != 0;
    other |= c < 0x80 && !std::isalpha(c) && c != '-' && c != '_';
  }
  return other || (upper && lower);
}

/// Not a date, and as many digits as numbers of the world have.
bool IsPhone(std::string_view found) {
  const std::string digits = DigitsOf(found);
  if (digits.size() < 8 || digits.size() > 15) return false;
  return found[0] == '+' || found.find('(') != std::string_view::npos || found.starts_with("00") || found[0] == '0' ||
         digits.size() == 10 || digits.size() == 11;
}

bool IsSocialSecurity(std::string_view found) {
  return !found.starts_with("000") && !found.starts_with("666") && found[0] != '9' && found.substr(4, 2) != "00" &&
         found.substr(7) != "0000";
}

constexpr RedactionRule kRules[] = {
    {"private-key", "PRIVATE_KEY", "a private key in PEM",
     R"(-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]{0,20000}?-----END [A-Z ]*PRIVATE KEY-----)"},
    {"jwt", "TOKEN", "a JSON Web Token", R"(\beyJ[\w-]{8,}\.eyJ[\w-]{4,}\.[\w-]*)"},
    {"api-key", "API_KEY", "keys by the marks that their makers give them (OpenAI, Anthropic, GitHub, AWS, Google …)",
     R"((?<![\w-])(?:sk-(?:ant-|proj-|or-v1-)?[\w-]{16,}|gh[pousr]_\w{30,}|github_pat_\w{30,}|glpat-[\w-]{20,}|xox[abeprs]-[\w-]{10,}|(?:AKIA|ASIA)[0-9A-Z]{16}|AIza[\w-]{35}|hf_\w{30,}|npm_\w{30,}|(?:sk|rk|pk)_(?:live|test)_\w{16,}|SG\.[\w-]{16,}\.[\w-]{16,}|dop_v1_\w{40,})(?![\w-]))"},
    {"bearer", "TOKEN", "what follows \"Bearer\" or \"Basic\" in a header",
     R"((?i)\b(?:bearer|basic)\s+(?<v>[\w.~+/-]{16,}=*))"},
    {"url-password", "PASSWORD", "a password inside a URL",
     R"(\b[a-z][a-z0-9+.-]*://[^\s/:@]{1,100}:(?<v>[^\s/@]{1,200})@)"},
    {"password", "PASSWORD", "what a text calls a password, a secret or an API key, where it is no plain word",
     R"((?i)(?<![a-z])(?:password|passwd|passwort|pwd|passphrase|secret|api[ _-]?key|access[ _-]?key|auth[ _-]?token|access[ _-]?token|client[ _-]?secret)["']?(?:\s+is|\s*[:=])\s*["'`]?(?<v>[^\s"'`,;<>\[\](){}]{4,200}))",
     IsPassword, true},
    {"email", "EMAIL", "an e-mail address",
     R"((?<![\w.+-])[\w.+%-]{1,64}@(?:[\p{L}\p{N}](?:[\p{L}\p{N}-]{0,61}[\p{L}\p{N}])?\.)+\p{L}{2,24}\b)"},
    {"iban", "IBAN", "an account's number (IBAN, check digits right)",
     R"(\b[A-Z]{2}[0-9]{2}(?:[ ]?[A-Z0-9]{4}){2,7}(?:[ ]?[A-Z0-9]{1,4})?\b)", IsIban},
    {"card", "CARD", "a credit card's number (Luhn's check digit right)",
     R"((?<![\w.-])[2-6](?:[ -]?[0-9]){12,18}(?![\w-]))", IsCard},
    {"ipv4", "IP", "an IPv4 address, but for loopback", R"((?<![\w.])[0-9]{1,3}(?:\.[0-9]{1,3}){3}(?![\w]|\.[0-9]))",
     IsIpv4},
    {"ipv6", "IP", "an IPv6 address, but for loopback",
     R"((?<![\w:.])[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){2,7}(?![\w:]))", IsIpv6},
    {"mac", "MAC", "a network card's address",
     R"((?<![\w:-])[0-9A-Fa-f]{2}(?:(?::[0-9A-Fa-f]{2}){5}|(?:-[0-9A-Fa-f]{2}){5})(?![\w:-]))"},
    {"ssn", "SSN", "a US social security number", R"((?<![\w-])[0-9]{3}-[0-9]{2}-[0-9]{4}(?![\w-]))", IsSocialSecurity},
    {"phone", "PHONE", "a telephone number, written with +, 0, brackets or groups",
     R"((?<![\w.+-])(?:\+[0-9]{1,3}[ .-]?(?:\([0-9]{1,4}\)[ .-]?)?[0-9]{1,5}(?:[ .\/-]?[0-9]{2,5}){1,4}|\([0-9]{2,5}\)[ .-]?[0-9]{3,5}(?:[ .-]?[0-9]{2,5}){1,3}|0[0-9]{1,4}[ \/-][0-9]{3,5}(?:[ -]?[0-9]{2,5}){1,3}|[0-9]{3}[ .-][0-9]{3}[ .-][0-9]{4})(?![\w]|[.-][0-9]))",
     IsPhone},
    {"birth-date", "BIRTH_DATE", "a date that is called someone's birth",
     R"((?i)\b(?:born(?:\s+on)?|date of birth|birth ?date|birthday|dob|geboren(?:\s+am)?|geburtsdatum)["']?\s*(?:is|:|=)?\s*["']?(?<v>[0-9]{1,4}[.\/-][0-9]{1,2}[.\/-][0-9]{1,4}|[0-9]{1,2}\.? \p{L}{3,9}\.? [0-9]{4}|\p{L}{3,9} [0-9]{1,2},? [0-9]{4}))",
     nullptr, true},
    {"titled-name", "NAME", "a name behind Mr, Mrs, Ms, Dr, Herr, Frau …, or behind \"my name is\"",
     R"((?:\b(?:Mr|Mrs|Ms|Dr|Prof|Herr|Frau|Monsieur|Madame|Señor|Señora)\b\.?|\b[Mm]y name is|\b[Ii]ch heiße|\b[Jj]e m'appelle|\b[Mm]e llamo) +(?<v>\p{Lu}[\p{L}'’-]+(?: \p{Lu}[\p{L}'’-]+){0,3}))"},
};

}  // namespace

std::span<const RedactionRule> RedactionRules() {
  return kRules;
}

}  // namespace assay
