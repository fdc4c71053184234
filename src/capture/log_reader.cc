#include "capture/log_reader.h"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <iterator>
#include <optional>
#include <tuple>
#include <utility>

#include "base/error.h"
#include "base/json_member.h"
#include "base/strings.h"
#include "capture/python_text.h"
#include "capture/responses.h"
#include "text/unicode.h"

namespace assay {
namespace {

constexpr size_t kMaxLineBytes = size_t{1} << 24;  // as in a task
constexpr int kMostWrappings = 3;                  // a log's line in a log's line

bool Asks(const Json& object) {
  const Json *messages = FindMember(object, "messages"), *prompt = FindMember(object, "prompt");
  return (messages && messages->is_array()) || prompt;
}

/// What stands behind `mark`; nothing where it is not there.
std::optional<std::string_view> Behind(std::string_view text, std::string_view mark) {
  const size_t at = text.find(mark);
  if (at == std::string_view::npos) return std::nullopt;
  return text.substr(at + mark.size());
}

/// "max_tokens=128" out of "SamplingParams(n=1, …)".
std::optional<int64_t> Parameter(std::string_view parameters, std::string_view name) {
  const std::string mark = std::string(name) + "=";
  for (size_t at = parameters.find(mark); at != std::string_view::npos; at = parameters.find(mark, at + 1)) {
    if (at > 0 && parameters[at - 1] != ' ' && parameters[at - 1] != '(') continue;
    int64_t value = 0;
    const char* begin = parameters.data() + at + mark.size();
    if (std::from_chars(begin, parameters.data() + parameters.size(), value).ec == std::errc()) return value;
    return std::nullopt;
  }
  return std::nullopt;
}

void SetParameters(std::string_view parameters, Json& request) {
  if (const std::optional<int64_t> tokens = Parameter(parameters, "max_tokens")) request["max_tokens"] = *tokens;
}

/// The id that a request has in all its lines: vLLM puts the kind before it, and numbers a text completion's prompts.
std::string VllmId(std::string_view id) {
  const bool text = id.starts_with("cmpl-");
  if (text || id.starts_with("chatcmpl-")) id.remove_prefix(id.find('-') + 1);
  if (text && id.ends_with("-0")) id.remove_suffix(2);
  return "vllm " + std::string(id);
}

/// A request of llama-server's own interface, or a slot of it, in OpenAI's words.
Json SlotRequest(const Json& slot) {
  Json request = {{"prompt", slot["prompt"]}};
  if (const Json* parameters = FindMember(slot, "params"))
    for (const char* name : {"n_predict", "max_tokens", "temperature", "top_p", "top_k", "min_p", "stop"})
      if (const Json* value = FindMember(*parameters, name)) request[name] = *value;
  return request;
}

}  // namespace

void LogReader::Unread(std::string why) {
  unread_.push_back({file_, line_, std::move(why)});
}

void LogReader::Add(Captured request, std::string_view layout, const std::string& id) {
  request.file = file_;
  request.line = line_;
  auto count = std::find_if(layouts_.begin(), layouts_.end(),
                            [&](const LayoutCount& c) { return c.file == file_ && c.layout == layout; });
  if (count == layouts_.end()) count = layouts_.insert(layouts_.end(), {file_, std::string(layout), 0});
  ++count->requests;
  if (!id.empty()) {
    if (!by_id_.emplace(id, requests_.size()).second) {
      --count->requests;
      return Unread(fmt::format("the id {} was a request's before, {}", id.substr(id.find(' ') + 1),
                                requests_[by_id_[id]].Place()));
    }
    if (const auto waits = waiting_.find(id); waits != waiting_.end()) {
      request.response = std::move(waits->second.response);
      request.no_answer = std::move(waits->second.no_answer);
      waiting_.erase(waits);
    }
  }
  requests_.push_back(std::move(request));
}

void LogReader::Answer(const std::string& id, Json response, std::string no_answer) {
  if (const auto asked = by_id_.find(id); asked != by_id_.end()) {
    Captured& request = requests_[asked->second];
    if (!request.response.is_null() || !request.no_answer.empty()) return Unread("a second answer to one request");
    request.response = std::move(response);
    request.no_answer = std::move(no_answer);
  } else if (!waiting_.try_emplace(id, Waiting{std::move(response), std::move(no_answer), file_, line_}).second) {
    Unread("a second answer to one request");
  }
}

void LogReader::Read(std::string_view text, const std::string& file) {
  file_ = file;
  line_ = 0;
  unanswered_.clear();
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  // A file that is one JSON value over several lines, or a list: the elements are its lines.
  const std::string_view trimmed = Trim(text);
  const size_t first_end = trimmed.find('\n');
  if (!trimmed.empty() && (trimmed[0] == '[' || (trimmed[0] == '{' && first_end != std::string_view::npos))) {
    const std::string_view first = trimmed.substr(0, first_end);
    Json whole;
    if (trimmed[0] == '[' || !Json::accept(first)) {
      try {
        whole = ParseJson(trimmed, file);
      } catch (const Error&) {  // then by lines, where the mistake has a place
      }
    }
    if (!whole.is_null()) {
      if (whole.is_object()) whole = Json::array({whole});
      for (const Json& element : whole) {
        ++line_;
        if (element.is_object())
          Object(element, 0);
        else
          Unread(fmt::format("expected an object, found {}", element.type_name()));
      }
      return;
    }
  }
  while (!text.empty()) {
    const size_t end = text.find('\n');
    std::string_view row = text.substr(0, end);
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
    ++line_;
    Line(row, 0);
  }
}

void LogReader::Line(std::string_view text, int depth) {
  text = Trim(text);
  if (text.empty()) return;
  if (text.size() > kMaxLineBytes)
    return Unread(fmt::format("expected at most {} bytes in a line, found {}", kMaxLineBytes, text.size()));
  if (text[0] != '{') {
    if (!TextLine(text)) ++other_lines_;
    return;
  }
  Json object;
  try {
    if (!IsValidUtf8(text)) return Unread(fmt::format("byte {} is no UTF-8", ValidUtf8Prefix(text) + 1));
    object = ParseJson(text, "");
  } catch (const Error& error) {
    std::string_view why = error.what();
    if (why.starts_with(": ")) why.remove_prefix(2);
    return Unread(fmt::format("expected a JSON object: {}", why));
  }
  Object(object, depth);
}

void LogReader::Object(const Json& object, int depth) {
  const Json *request = FindMember(object, "request"), *response = FindMember(object, "response"),
             *body = FindMember(object, "body"), *id = FindMember(object, "custom_id"),
             *logged = FindMember(object, "standard_logging_object");
  const auto answer = [&](Captured& of, const Json& said) {
    const ReadResponse read = ResponseOf(said);
    of.response = read.response;
    of.no_answer = read.why;
  };
  Captured out;
  if (logged && logged->is_object()) return Object(*logged, depth);
  if (object.contains("assay_capture")) {
    if (!request || !Asks(*request)) return Unread("a recording without a request");
    out.request = *request;
    if (const Json* status = FindMember(object, "status"); status && status->is_number_integer())
      out.status = status->get<int>();
    if (response) answer(out, *response);
    if (const Json* error = FindMember(object, "error"); error && error->is_string())
      out.no_answer = error->get<std::string>();
    return Add(std::move(out), "recordings of assay task capture --proxy");
  }
  if (id && id->is_string() && !Asks(object)) {  // what asks by itself only carries the name
    const std::string key = "batch " + id->get<std::string>();
    if (body && Asks(*body)) {
      out.request = *body;
      return Add(std::move(out), "OpenAI batch requests", key);
    }
    if (body) return Unread("a batch request that is no completion");
    if (!response && !FindMember(object, "error"))
      return Unread("a batch line without \"body\", \"response\" or \"error\"");
    const ReadResponse read = ResponseOf(response ? *response : object);
    return Answer(key, read.response, read.why);
  }
  if (const Json* type = FindMember(object, "call_type");
      type &&
      (FindMember(object, "model_parameters") || FindMember(object, "response_cost") || object.contains("status"))) {
    if (!Asks(object) && FindMember(object, "messages") && FindMember(object, "messages")->is_string()) {
      out.request = {{"prompt", object["messages"]}};
    } else if (!Asks(object)) {
      return Unread(fmt::format("LiteLLM logged no messages with this {} call: are they turned off there?",
                                type->is_string() ? type->get<std::string>() : "unnamed"));
    } else {
      out.request = {{"messages", object["messages"]}};
    }
    if (const Json* parameters = FindMember(object, "model_parameters"); parameters && parameters->is_object())
      for (const auto& [name, value] : parameters->items()) out.request[name] = value;
    if (response) answer(out, *response);
    if (const Json* error = FindMember(object, "error_str"); error && error->is_string())
      out.no_answer = error->get<std::string>();
    return Add(std::move(out), "LiteLLM's log");
  }
  if (FindMember(object, "prompt") && FindMember(object, "params") && object.contains("n_ctx")) {
    out.request = SlotRequest(object);
    const Json* busy = FindMember(object, "is_processing");
    if (const Json* said = FindMember(object, "generated");
        said && said->is_string() && !said->get_ref<const std::string&>().empty() && busy && *busy == false)
      answer(out, *said);
    return Add(std::move(out), "llama-server's slots");
  }
  if (request && Asks(*request)) {
    out.request = *request;
    if (response) answer(out, *response);
    return Add(std::move(out), "lines of {\"request\", \"response\"}");
  }
  if (Asks(object)) {
    out.request = object;
    for (const char* name : {"response", "answer", "completion", "output", "choices"}) {
      const Json* said = FindMember(object, name);
      if (!said) continue;
      answer(out, std::string_view(name) == "choices" ? object : *said);
      out.request.erase(name);
      break;
    }
    // A conversation that ends with its answer.
    if (Json* messages = out.request.contains("messages") ? &out.request["messages"] : nullptr;
        messages && messages->is_array() && messages->size() > 1 && FindMember(messages->back(), "role") &&
        messages->back()["role"] == "assistant" && out.response.is_null()) {
      const Json last = messages->back();
      messages->erase(messages->size() - 1);
      answer(out, last);
    }
    return Add(std::move(out), "lines of {\"messages\" or \"prompt\"}");
  }
  if (FindMember(object, "choices")) return Unread("a response without its request");
  // Loggers that write JSON wrap what they are told.
  for (const char* name : {"message", "msg", "log", "event"})
    if (const Json* told = FindMember(object, name); told && told->is_string() && depth < kMostWrappings)
      return Line(told->get_ref<const std::string&>(), depth + 1);
  if (request || FindMember(object, "messages")) return Unread("a request without \"messages\" or \"prompt\"");
  ++other_lines_;
}

bool LogReader::TextLine(std::string_view text) {
  return VllmLine(text) || LlamaServerLine(text);
}

bool LogReader::VllmLine(std::string_view text) {
  // The newest say it best: "Request ID JSON body: {…}".
  if (const size_t at = text.find(" JSON body: {"); at != std::string_view::npos) {
    const size_t begin = text.rfind("Request ", at);
    if (begin == std::string_view::npos) return false;
    const std::string id = VllmId(text.substr(begin + 8, at - begin - 8));
    Captured out;
    try {
      out.request = ParseJson(text.substr(text.find('{', at)), "");
    } catch (const Error&) {
      Unread("expected the body as one line of JSON: is it cut by --max-log-len?");
      return true;
    }
    if (!Asks(out.request)) {
      ++other_lines_;
    } else if (const auto asked = by_id_.find(id); asked != by_id_.end()) {
      requests_[asked->second].request = std::move(out.request);
    } else {
      Add(std::move(out), "vLLM's log", id);
    }
    return true;
  }
  // "Received request ID: prompt: 'TEXT', params: SamplingParams(…), …", or, where only debugging shows prompts,
  // "Request ID details: prompt: 'TEXT', …" and "Received request ID: params: …".
  std::optional<std::string_view> rest = Behind(text, "Received request ");
  const bool details = !rest && text.find(" details: prompt: ") != std::string_view::npos;
  if (details) rest = Behind(text, "Request ");
  if (rest) {
    const size_t colon = rest->find(details ? " details: prompt: " : ": ");
    if (colon == std::string_view::npos || colon == 0 || rest->substr(0, colon).find(' ') != std::string_view::npos)
      return false;
    const std::string id = VllmId(rest->substr(0, colon));
    std::string_view told = rest->substr(colon);
    const std::optional<std::string_view> prompt = Behind(told, ": prompt: ");
    const auto asked = by_id_.find(id);
    if (!prompt) {
      if (!told.starts_with(": params: ")) return false;
      if (asked != by_id_.end())
        SetParameters(told, requests_[asked->second].request);
      else
        parameters_[id] = told;
      ++other_lines_;
      return true;
    }
    if (details && asked != by_id_.end()) {  // as it was rendered; its body is known
      ++other_lines_;
      return true;
    }
    std::string_view value = *prompt;
    std::optional<std::string> words = TakePythonText(value);
    if (!words || words->empty()) {
      Unread(value.starts_with("None") || words ? "vLLM logged tokens or nothing in place of the prompt's text"
                                                : "expected the prompt as Python writes a string");
      return true;
    }
    Captured out;
    out.request = {{"prompt", std::move(*words)}};
    SetParameters(value, out.request);
    if (const auto known = parameters_.find(id); known != parameters_.end()) {
      SetParameters(known->second, out.request);
      parameters_.erase(known);
    }
    Add(std::move(out), "vLLM's log", id);
    return true;
  }
  // "Generated response ID (streaming complete): output: 'TEXT', …, finish_reason: stop"
  if (rest = Behind(text, "Generated response "); !rest) return false;
  const std::optional<std::string_view> output = Behind(*rest, ": output: ");
  if (!output) return false;
  std::string_view id = rest->substr(0, rest->find(": output: "));
  if (id.ends_with(" (streaming delta)")) {  // the whole comes at its end
    ++other_lines_;
    return true;
  }
  id = id.substr(0, id.find(' '));
  std::string_view value = *output;
  const std::optional<std::string> words = TakePythonText(value);
  if (!words) {
    Unread("expected the output as Python writes a string");
    return true;
  }
  std::string finish = "stop";
  if (const std::optional<std::string_view> told = Behind(value, "finish_reason: "))
    finish = std::string(told->substr(0, told->find_first_of(", \t")));
  Answer(VllmId(id), {{"choices", Json::array({{{"text", *words}, {"finish_reason", finish}}})}}, {});
  return true;
}

bool LogReader::LlamaServerLine(std::string_view text) {
  if (const std::optional<std::string_view> slot = Behind(text, "launching slot : "); slot && slot->starts_with('{')) {
    Line(*slot, kMostWrappings);
    return true;
  }
  const bool logged = text.find("log_server_r") != std::string_view::npos;
  const std::optional<std::string_view> converted = Behind(text, "converted request: ");
  if (!logged && !(converted && converted->starts_with('{'))) return false;
  const auto json = [&](std::string_view value) -> std::optional<Json> {
    try {
      return ParseJson(Trim(value), "");
    } catch (const Error&) {
      return std::nullopt;
    }
  };
  const std::optional<std::string_view> asked = converted ? converted : Behind(text, "request:");
  if (asked && Trim(*asked).starts_with('{')) {
    const std::optional<Json> body = json(*asked);
    if (!body) {
      Unread("expected a request as one line of JSON");
      return true;
    }
    if (!Asks(*body)) {
      ++other_lines_;
      return true;
    }
    Captured out;
    out.request = *body;
    unanswered_.push_back(requests_.size());
    Add(std::move(out), "llama-server's log");
    return true;
  }
  const std::optional<std::string_view> said = Behind(text, "response:");
  if (!logged || !said) {  // "done request: POST /v1/chat/completions 127.0.0.1 200"
    ++other_lines_;
    return logged;
  }
  const std::vector<size_t> waiting = std::exchange(unanswered_, {});
  const std::optional<Json> body = json(*said);
  const Json* content = body ? FindMember(*body, "content") : nullptr;
  if (waiting.size() > 1) {
    // Requests at once: the log does not say whose answer this is.
    for (size_t at : waiting) requests_[at].no_answer = "the log mixes answers of requests at once";
  } else if (waiting.size() == 1 && body && (FindMember(*body, "choices") || FindMember(*body, "error") || content)) {
    const ReadResponse read = ResponseOf(content ? *content : *body);
    requests_[waiting[0]].response = read.response;
    requests_[waiting[0]].no_answer = read.why;
  } else if (waiting.size() == 1) {
    requests_[waiting[0]].no_answer = "llama-server logs no answers that it streams";
  } else {
    ++other_lines_;
  }
  return true;
}

std::vector<Captured> LogReader::Take() {
  for (auto& [id, answer] : std::exchange(waiting_, {}))
    unread_.push_back({answer.file, answer.line, "an answer without its request; its log must be given too"});
  std::stable_sort(unread_.begin(), unread_.end(), [](const UnreadLine& a, const UnreadLine& b) {
    return std::tie(a.file, a.line) < std::tie(b.file, b.line);
  });
  by_id_.clear();
  return std::exchange(requests_, {});
}

}  // namespace assay
