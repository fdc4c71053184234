#pragma once
// Small text helpers.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace assay {

std::string_view Trim(std::string_view text);  // ASCII white space
std::vector<std::string> Split(std::string_view text, char separator);
std::string Join(const std::vector<std::string>& parts, std::string_view separator);
std::string ToLowerAscii(std::string_view text);
bool ReplaceAll(std::string& text, std::string_view from, std::string_view to);
/// "1.50 MiB".
std::string FormatBytes(uint64_t bytes);
/// "1:02:03" or "0:07".
std::string FormatDuration(double seconds);
/// The candidate nearest to `word` by edit distance, empty when none is near: for "did you mean".
std::string Nearest(std::string_view word, const std::vector<std::string>& candidates);

}  // namespace assay
