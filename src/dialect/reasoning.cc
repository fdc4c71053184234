#include "dialect/reasoning.h"

#include <algorithm>

#include "base/strings.h"

namespace assay {
namespace {

struct Marks {
  std::string_view open, close;
  bool alone = true;  // the closing mark tells enough by itself
};

// Of reasoning; the sentences are what Granite 3.2 and Apriel write in place of tags.
constexpr Marks kReasoning[] = {
    {"<think>", "</think>"},
    {"<thinking>", "</thinking>"},
    {"<seed:think>", "</seed:think>"},
    {"<mm:think>", "</mm:think>"},
    {"<|START_THINKING|>", "<|END_THINKING|>"},
    {"[THINK]", "[/THINK]"},
    {"<|channel>thought", "<channel|>"},
    {"<|open|>think<|sep|>", "<|close|>think<|sep|>"},
    {"<|inner_prefix|>", "<|inner_suffix|>"},
    {"Here is my thought process:", "Here is my response:", false},
    {"Here are my reasoning steps:", "[BEGIN FINAL RESPONSE]", false},
};

// Around what follows reasoning.
constexpr Marks kResponse[] = {
    {"<response>", "</response>"},      {"<|START_RESPONSE|>", "<|END_RESPONSE|>"},
    {"<|START_TEXT|>", "<|END_TEXT|>"}, {"<|open|>response<|sep|>", "<|close|>response<|sep|>"},
    {"", "[END FINAL RESPONSE]"},
};

constexpr std::string_view kChannel = "<|channel|>", kMessage = "<|message|>";

std::string_view TrimLeft(std::string_view text) {
  size_t first = text.find_first_not_of(" \t\r\n");
  return first == std::string_view::npos ? std::string_view() : text.substr(first);
}

// gpt-oss: [<|start|>assistant][ to=…]<|channel|>analysis|commentary|final …<|message|>text<|end|>…
AnswerParts SplitHarmony(std::string_view text) {
  AnswerParts parts;
  parts.found = true;
  bool answered = false;
  for (size_t at = 0; at < text.size();) {
    size_t message = text.find(kMessage, at);
    if (message == std::string_view::npos) break;
    std::string_view head = text.substr(at, message - at);
    size_t begin = message + kMessage.size(), end = begin;
    while (end < text.size()) {  // a message ends at <|end|>, <|call|>, <|return|> or where the next one starts
      end = std::min(text.find("<|", end), text.size());
      std::string_view mark = text.substr(end);
      if (mark.starts_with("<|end|>") || mark.starts_with("<|call|>") || mark.starts_with("<|return|>") ||
          mark.starts_with("<|start|>") || mark.starts_with(kChannel))
        break;
      end = std::min(end + 2, text.size());
    }
    std::string_view body = text.substr(begin, end - begin);
    if (head.find("to=") != std::string_view::npos) {
      parts.content.append(head).append(kMessage).append(body).append("<|call|>");
      answered = true;
    } else if (head.find("analysis") != std::string_view::npos) {
      parts.reasoning += body;
    } else {
      parts.content += body;
      answered = true;
    }
    at = end;
    for (std::string_view mark : {"<|end|>", "<|call|>", "<|return|>"})
      if (text.substr(at).starts_with(mark)) at += mark.size();
  }
  parts.unfinished = !answered;
  return parts;
}

std::string_view WithoutResponseMarks(std::string_view text) {
  for (const Marks& marks : kResponse) {
    if (!TrimLeft(text).starts_with(marks.open)) continue;
    std::string_view inner = TrimLeft(text).substr(marks.open.size());
    size_t close = inner.rfind(marks.close);
    if (marks.open.empty() && close == std::string_view::npos) continue;
    // What follows a response, such as calls, stays.
    if (close == std::string_view::npos || Trim(inner.substr(close + marks.close.size())).empty())
      return inner.substr(0, close);
  }
  return text;
}

}  // namespace

AnswerParts SplitReasoning(std::string_view text, bool opened) {
  size_t channel = text.find(kChannel);
  if (channel != std::string_view::npos && text.find(kMessage, channel) != std::string_view::npos)
    return SplitHarmony(text);
  AnswerParts parts;
  std::string_view rest = text;
  for (bool again = true; again;) {
    again = false;
    for (const Marks& marks : kReasoning) {
      std::string_view trimmed = TrimLeft(rest);
      bool begins = trimmed.starts_with(marks.open);
      // Without its opening mark only once, at the beginning.
      bool implied = false;
      if (!begins && !parts.found && marks.alone) {
        size_t close = rest.find(marks.close);
        implied = close != std::string_view::npos && rest.substr(0, close).find(marks.open) == std::string_view::npos;
      }
      if (!begins && !implied) continue;
      parts.found = again = true;
      std::string_view inside = begins ? trimmed.substr(marks.open.size()) : rest;
      size_t end = inside.find(marks.close);
      parts.unfinished = end == std::string_view::npos;
      parts.reasoning += Trim(inside.substr(0, end));
      rest = parts.unfinished ? std::string_view() : inside.substr(end + marks.close.size());
      break;
    }
  }
  if (!parts.found && opened) {
    parts.found = parts.unfinished = true;
    parts.reasoning = Trim(text);
    return parts;
  }
  std::string_view content = parts.found ? TrimLeft(rest) : rest;
  std::string_view inner = WithoutResponseMarks(content);
  parts.found = parts.found || inner.size() != content.size();
  parts.content = inner;
  return parts;
}

bool EndsInReasoning(std::string_view prompt) {
  std::string_view end = Trim(prompt);
  for (const Marks& marks : kReasoning)
    if (end.ends_with(marks.open)) return true;
  return false;
}

}  // namespace assay
