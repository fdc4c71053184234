#include "remote/completion_reader.h"

#include <fmt/core.h>

#include <utility>

#include "base/error.h"
#include "base/json_member.h"
#include "dialect/answer_text.h"
#include "dialect/call/call_syntax.h"
#include "remote/token_logprobs.h"
#include "task/check/check.h"
#include "task/message.h"
#include "text/unicode.h"

namespace assay {
namespace {

/// A status that an error inside a stream names.
int64_t CodeOf(const Json& error) {
  const Json* code = error.is_object() ? FindMember(error, "code") : nullptr;
  return code && code->is_number_integer() ? code->get<int64_t>() : 500;
}

}  // namespace

RemoteAnswer Faulty(Fault fault, std::string_view why) {
  RemoteAnswer reading;
  reading.fault = fault;
  reading.answer.finish = "error";
  reading.answer.error = fmt::format("{}: {}", FaultName(fault), ValidUtf8(why));
  return reading;
}

void CompletionReader::Set(Fault fault, std::string why) {
  if (fault_ != Fault::kNone) return;
  fault_ = fault;
  why_ = std::move(why);
}

void CompletionReader::Take(std::string_view bytes) {
  if (!known_) {
    buffer_ += bytes;
    const size_t first = buffer_.find_first_not_of(" \t\r\n");
    if (first == std::string::npos) return;
    known_ = true;
    stream_ = buffer_[first] != '{' && buffer_[first] != '[';
    if (!stream_) return;
    const std::string begun = std::exchange(buffer_, {});
    bytes = {};
    return Take(begun);
  }
  if (!stream_) {
    buffer_ += bytes;
    return;
  }
  // Lines end in \n, \r\n or, which no server of this kind uses, a lone \r.
  while (!bytes.empty()) {
    const size_t end = bytes.find('\n');
    buffer_ += bytes.substr(0, end);
    if (end == std::string_view::npos) return;
    bytes.remove_prefix(end + 1);
    if (buffer_.ends_with('\r')) buffer_.pop_back();
    Line(buffer_);
    buffer_.clear();
  }
}

void CompletionReader::Line(std::string_view line) {
  if (line.empty()) {
    if (std::exchange(has_data_, false)) Event(std::exchange(data_, {}));
    return;
  }
  if (line[0] == ':') return;  // a comment: the server is still there
  const size_t colon = line.find(':');
  const std::string_view field = line.substr(0, colon);
  std::string_view value = colon == std::string_view::npos ? std::string_view() : line.substr(colon + 1);
  if (value.starts_with(' ')) value.remove_prefix(1);
  if (field == "error") {  // older llama-server
    Set(Fault::kServerError, std::string(value));
  } else if (field == "data") {
    if (has_data_) data_ += '\n';
    data_ += value;
    has_data_ = true;
  } else if (field != "event" && field != "id" && field != "retry") {
    if (!IsValidUtf8(line))
      Set(Fault::kNotUtf8, "a line of the stream has invalid bytes");
    else
      Set(Fault::kWrongJson, fmt::format("expected a line \"data: …\" of a stream, found {}", Quote(line)));
  }
}

void CompletionReader::Event(std::string_view data) {
  if (fault_ != Fault::kNone || done_) return;
  if (data == "[DONE]") {
    done_ = true;
    return;
  }
  if (const size_t good = ValidUtf8Prefix(data); good < data.size()) {
    Set(Fault::kNotUtf8, fmt::format("byte {} of a chunk of the answer is 0x{:02X}", good,
                                     static_cast<unsigned>(static_cast<unsigned char>(data[good]))));
    return;
  }
  try {
    Chunk(ParseJson(data, "a chunk of the answer"));
  } catch (const Error& error) {
    Set(Fault::kWrongJson, error.what());
  } catch (const FieldError& error) {
    Set(Fault::kWrongJson, fmt::format("a chunk of the answer: {}: {}", error.field, error.message));
  }
}

void CompletionReader::Chunk(const Json& chunk) {
  if (!chunk.is_object()) throw FieldError{"chunk", fmt::format("expected an object, found {}", QuoteJson(chunk, 60))};
  if (const Json* error = FindMember(chunk, "error")) {
    Answer answer;
    SetError(*error, answer);
    Set(CodeOf(*error) == 429       ? Fault::kBusy
        : CodeOf(*error) / 100 == 4 ? Fault::kRefused
                                    : Fault::kServerError,
        answer.error);
    return;
  }
  if (const Json* model = FindMember(chunk, "model"); model && model->is_string()) model_ = model->get<std::string>();
  if (const Json* usage = FindMember(chunk, "usage")) usage_ = *usage;
  const Json* choices = FindMember(chunk, "choices");
  if (!choices) return;  // usage alone, or what a server adds for itself
  if (!choices->is_array()) throw FieldError{"choices", "expected a list"};
  if (choices->size() > 1) throw FieldError{"choices", fmt::format("expected one answer, found {}", choices->size())};
  if (choices->empty()) return;
  const Json& choice = (*choices)[0];
  if (!choice.is_object()) throw FieldError{"choices[0]", "expected an object"};
  if (const Json* index = FindMember(choice, "index"); index && *index != 0)
    throw FieldError{"choices[0].index",
                     fmt::format("expected 0, found {}: one answer was asked for", QuoteJson(*index, 20))};
  const Json* delta = FindMember(choice, "delta");
  const Json* text = FindMember(choice, "text");
  Logprobs(choice);
  Ids(choice);
  if (delta) {
    if (!delta->is_object()) throw FieldError{"choices[0].delta", "expected an object"};
    Delta(*delta);
  }
  if (text) {
    has_text_ = true;
    Text(*text, text_, "choices[0].text");
  }
  const Json* finish = FindMember(choice, "finish_reason");
  if (!delta && !text && !finish)
    throw FieldError{"choices[0].delta", "is missing, and so are \"text\" and \"finish_reason\""};
  if (finish) {
    // Behind a first reason nothing may be said; the same once more says nothing.
    if (HasFinish() && *finish != finish_)
      throw FieldError{"choices[0].finish_reason",
                       fmt::format("is {} after {}", QuoteJson(*finish, 30), QuoteJson(finish_, 30))};
    if (!finish->is_string()) throw FieldError{"choices[0].finish_reason", "expected a string"};
    finish_ = *finish;
  }
}

/// Lists that cannot be read are no fault of the answer: then it has none.
void CompletionReader::Logprobs(const Json& choice) {
  const Json* logprobs = FindMember(choice, "logprobs");
  if (!logprobs) return;
  logprobs_ = true;
  top_readable_ = top_readable_ && TakeTokenLogprobs(*logprobs, top_logprobs_);
}

void CompletionReader::Ids(const Json& choice) {
  if (const Json* reason = FindMember(choice, "stop_reason")) stop_string_ = reason->is_string();
  const Json* ids = FindMember(choice, "token_ids");
  if (!ids) return;
  ids_readable_ = ids_readable_ && ids->is_array();
  if (!ids_readable_) return;
  for (const Json& id : *ids) {
    ids_readable_ = ids_readable_ && id.is_number_unsigned() && id.get<uint64_t>() <= INT32_MAX;
    if (ids_readable_) ids_.push_back(id.get<int32_t>());
  }
}

void CompletionReader::Text(const Json& value, std::string& to, const char* name) {
  if (!value.is_string()) throw FieldError{name, fmt::format("expected a string, found {}", QuoteJson(value, 60))};
  const auto& piece = value.get_ref<const std::string&>();
  if (piece.empty()) return;
  if (HasFinish()) throw FieldError{name, "more of the answer after its finish_reason"};
  begun_ = true;
  to += piece;
}

void CompletionReader::Delta(const Json& delta) {
  if (const Json* content = FindMember(delta, "content")) {
    has_content_ = true;
    Text(*content, content_, "choices[0].delta.content");
  }
  // Servers that are changing names send both, the same text twice.
  if (const Json* thought = FindMember(delta, "reasoning_content"))
    Text(*thought, reasoning_, "choices[0].delta.reasoning_content");
  else if (const Json* reasoning = FindMember(delta, "reasoning"); reasoning && reasoning->is_string())
    Text(*reasoning, reasoning_, "choices[0].delta.reasoning");
  if (const Json* refusal = FindMember(delta, "refusal")) Text(*refusal, refusal_, "choices[0].delta.refusal");
  if (const Json* calls = FindMember(delta, "tool_calls")) {
    if (!calls->is_array()) throw FieldError{"choices[0].delta.tool_calls", "expected a list"};
    for (const Json& call : *calls) CallDelta(call);
  }
}

void CompletionReader::CallDelta(const Json& delta) {
  const std::string field = "choices[0].delta.tool_calls";
  if (!delta.is_object()) throw FieldError{field, "expected objects"};
  if (HasFinish()) throw FieldError{field, "more of the answer after its finish_reason"};
  begun_ = true;
  size_t at = calls_.size();
  const Json* id = FindMember(delta, "id");
  const bool new_id = id && id->is_string() && !id->get_ref<const std::string&>().empty();
  if (const Json* index = FindMember(delta, "index")) {
    if (!index->is_number_unsigned() || index->get<uint64_t>() > calls_.size())
      throw FieldError{field + ".index",
                       fmt::format("expected 0 to {}, found {}", calls_.size(), QuoteJson(*index, 20))};
    at = index->get<size_t>();
    // Some servers call every whole call number 0; another id is another call.
    if (at < calls_.size() && new_id && !calls_[at].id.empty() && *id != calls_[at].id) at = calls_.size();
  } else if (!new_id && !calls_.empty()) {
    at = calls_.size() - 1;
  }
  if (at > kMaxCalls) throw FieldError{field, fmt::format("more than {} calls", kMaxCalls)};
  if (at == calls_.size()) calls_.emplace_back();
  Call& call = calls_[at];
  if (new_id) call.id = id->get<std::string>();
  const Json* function = FindMember(delta, "function");
  if (!function) return;
  if (!function->is_object()) throw FieldError{field + ".function", "expected an object"};
  if (const Json* name = FindMember(*function, "name")) {
    if (!name->is_string()) throw FieldError{field + ".function.name", "expected a string"};
    if (*name != call.name) call.name += name->get<std::string>();  // some repeat it in every chunk
  }
  if (const Json* arguments = FindMember(*function, "arguments")) {
    if (arguments->is_object())
      call.arguments = DumpJson(*arguments);
    else if (arguments->is_string())
      call.arguments += arguments->get<std::string>();
    else
      throw FieldError{field + ".function.arguments", "expected a string or an object"};
  }
}

Json CompletionReader::Response() const {
  Json choice = {{"index", 0}, {"finish_reason", finish_}};
  if (has_text_) {
    choice["text"] = text_;
  } else {
    Json message = {{"role", "assistant"}, {"content", has_content_ ? Json(content_) : Json(nullptr)}};
    if (!reasoning_.empty()) message["reasoning_content"] = reasoning_;
    if (!refusal_.empty()) message["refusal"] = refusal_;
    for (const Call& call : calls_)
      message["tool_calls"].push_back(
          {{"type", "function"}, {"function", {{"name", call.name}, {"arguments", call.arguments}}}});
    choice["message"] = std::move(message);
  }
  return {{"choices", Json::array({choice})}, {"usage", usage_}};
}

RemoteAnswer CompletionReader::Finish(bool cut) {
  if (!cut && stream_) {
    // A last event without an empty line behind it.
    if (!buffer_.empty()) Line(std::exchange(buffer_, {}));
    Line("");
  }
  if (!known_) return Faulty(cut ? Fault::kCut : Fault::kEmpty, "the response has no body");
  Json response, prompt_logprobs;
  if (stream_) {
    if (fault_ == Fault::kNone && !HasFinish())
      Set(Fault::kCut, fmt::format("the stream ended without a finish_reason{}", done_ ? "" : " and without [DONE]"));
    if (fault_ != Fault::kNone) return Faulty(fault_, why_);
    response = Response();
  } else {
    if (cut) return Faulty(Fault::kCut, "the response ended before it was whole");
    if (const size_t good = ValidUtf8Prefix(buffer_); good < buffer_.size())
      return Faulty(Fault::kNotUtf8, fmt::format("byte {} of the response", good));
    try {
      response = ParseJson(buffer_, "the response");
    } catch (const Error& error) {
      return Faulty(Fault::kWrongJson, error.what());
    }
    if (!response.is_object()) return Faulty(Fault::kWrongJson, "the response: expected an object");
    if (const Json* model = FindMember(response, "model"); model && model->is_string())
      model_ = model->get<std::string>();
    if (auto choices = response.find("choices");
        choices != response.end() && choices->is_array() && !choices->empty()) {
      Json& choice = (*choices)[0];
      const Json* finish = choice.is_object() ? FindMember(choice, "finish_reason") : nullptr;
      if (!finish) return Faulty(Fault::kWrongJson, "the response: choices[0].finish_reason: is missing");
      finish_ = *finish;
      Logprobs(choice);
      Ids(choice);
      if (auto told = choice.find("prompt_logprobs"); told != choice.end())
        prompt_logprobs = std::exchange(*told, nullptr);
    }
    if (const Json* error = FindMember(response, "error")) {
      Answer answer;
      SetError(*error, answer);
      return Faulty(CodeOf(*error) / 100 == 4 ? Fault::kRefused : Fault::kServerError, answer.error);
    }
  }
  RemoteAnswer reading;
  reading.model = model_;
  reading.logprobs = logprobs_;
  try {
    reading.answer = ReadCompletion(response);
  } catch (const FieldError& error) {
    return Faulty(Fault::kWrongJson, fmt::format("the response: {}: {}", error.field, error.message));
  }
  reading.prompt_logprobs = std::move(prompt_logprobs);
  if (top_readable_) reading.answer.top_logprobs = std::move(top_logprobs_);
  const Answer& answer = reading.answer;
  // Some of them are kept back with the reasoning that a request hides.
  if (ids_readable_ && !ids_.empty() && std::ssize(ids_) == answer.answer_tokens) {
    if (answer.finish == "stop" && !stop_string_) ids_.pop_back();
    reading.answer.ids = std::move(ids_);
  }
  if (answer.finish == "error")
    return Faulty(finish_ == "content_filter" ? Fault::kContentFilter : Fault::kServerError, answer.error);
  const int64_t tokens = answer.answer_tokens;  // 0: not told
  if (max_tokens_ > 0 && tokens > max_tokens_ + 1)
    return Faulty(Fault::kTooLong, fmt::format("the server counts {} tokens of the answer, at most {} were asked for",
                                               tokens, max_tokens_));
  if (answer.text.empty() && answer.reasoning.empty() && answer.tool_calls.is_null()) {
    // A model that ends at once says nothing, and is scored for that; more tokens than its end were said and are lost.
    if (tokens == 0) return Faulty(Fault::kEmpty, "the server ended the answer and counts no token of it");
    if (tokens > 2)
      return Faulty(Fault::kEmpty, fmt::format("the server counts {} tokens of the answer and sent no text", tokens));
  }
  if (max_tokens_ > 0 && answer.finish == "length" && tokens > 0 && tokens < max_tokens_ - 1)
    return Faulty(Fault::kTruncated,
                  fmt::format("after {} tokens of at most {}: is its context full?", tokens, max_tokens_));
  return reading;
}

}  // namespace assay
