#include "remote/native/told_facts.h"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>

#include "base/hash.h"
#include "base/json_member.h"
#include "base/strings.h"
#include "system/http.h"

namespace assay {
namespace {

std::string WholeText(const Json& object, std::string_view key) {
  const Json* value = FindMember(object, key);
  return value && value->is_string() ? value->get<std::string>() : "";
}

class Telling {
 public:
  Telling(Asker& asker, const Json& entry, ServerFacts& facts, Progress& progress)
      : asker_(asker), entry_(entry), facts_(facts), progress_(progress) {}

  void Go() {
    LlamaServer() || Ollama() || Sglang() || Vllm() || LlamaCppPython() || Tgi();
    if (facts_.context == 0) facts_.context = CountAt(entry_, "max_model_len");
  }

 private:
  std::optional<Json> Fetch(const std::string& path, const Json& body = {}) {
    return asker_.Fetch(path, progress_, body);
  }
  /// A setting is kept as the server says it.
  void Set(const char* name, const Json& object, std::string_view key) {
    if (const Json* value = FindMember(object, key)) facts_.settings[name] = *value;
  }

  bool LlamaServer() {
    // One that has several models at once (router) chooses by name.
    const std::string of_model = "?model=" + UrlSegment(facts_.model);
    const std::optional<Json> props = Fetch("/props" + of_model);
    const Json* defaults = props ? FindMember(*props, "default_generation_settings") : nullptr;
    if (!defaults) return false;
    facts_.kind = ServerKind::kLlamaServer;
    facts_.version = TextAt(*props, "build_info");
    facts_.weights = TextAt(*props, "model_path");
    facts_.context = CountAt(*defaults, "n_ctx");
    // As a file's templates are hashed: the one, or all with their names.
    const std::string chat = WholeText(*props, "chat_template"), tools = WholeText(*props, "chat_template_tool_use");
    if (!chat.empty())
      facts_.template_hash = HashHex(tools.empty() ? chat : fmt::format("default\n{}\ntool_use\n{}\n", chat, tools));
    if (const Json* meta = FindMember(entry_, "meta")) {
      facts_.weight_bytes = static_cast<uint64_t>(CountAt(*meta, "size"));
      facts_.parameters = static_cast<uint64_t>(CountAt(*meta, "n_params"));
    }
    if (const Json* params = FindMember(*defaults, "params"))
      for (const char* name : {"reasoning_format", "reasoning_in_content", "speculative.types", "backend_sampling"})
        Set(name, *params, name);
    // What it does with a request that asks for nothing: a grammar and biases of its own.
    if (const auto bare = Fetch("/completion", {{"model", facts_.model}, {"prompt", "A"}, {"n_predict", 1}}))
      if (const Json* used = FindMember(*bare, "generation_settings"))
        for (const char* name : {"grammar", "logit_bias"}) Set(name, *used, name);
    if (const auto adapters = Fetch("/lora-adapters" + of_model);
        adapters && adapters->is_array() && !adapters->empty()) {
      Json lora = Json::array();
      for (const Json& adapter : *adapters) {
        Json one = {{"path", TextAt(adapter, "path")}};
        if (const Json* scale = FindMember(adapter, "scale")) one["scale"] = *scale;
        lora.push_back(std::move(one));
      }
      facts_.settings["lora"] = std::move(lora);
    }
    return true;
  }

  bool Ollama() {
    const std::optional<Json> version = Fetch("/api/version");
    if (!version || !FindMember(*version, "version")) return false;
    facts_.kind = ServerKind::kOllama;
    facts_.version = TextAt(*version, "version");
    if (const auto tags = Fetch("/api/tags"))
      if (const Json* models = FindMember(*tags, "models"); models && models->is_array())
        for (const Json& model : *models)
          if (TextAt(model, "name") == facts_.model || TextAt(model, "model") == facts_.model) {
            facts_.weights = TextAt(model, "digest");
            facts_.weight_bytes = static_cast<uint64_t>(CountAt(model, "size"));
          }
    const std::optional<Json> shown = Fetch("/api/show", {{"model", facts_.model}});
    if (!shown) return true;
    if (const std::string text = WholeText(*shown, "template"); !text.empty()) facts_.template_hash = HashHex(text);
    if (const Json* info = FindMember(*shown, "model_info"))
      facts_.parameters = static_cast<uint64_t>(CountAt(*info, "general.parameter_count"));
    for (const char* name : {"system", "renderer", "parser", "template_source", "messages", "thinking"})
      Set(name, *shown, name);
    // A line for each parameter of the Modelfile. The context is what it says, not what the model could take; what
    // requests say wins over the others that they can name.
    Json parameters = Json::object();
    for (const std::string& line : Split(TextAt(*shown, "parameters"), '\n')) {
      const std::string_view words = Trim(line);
      const size_t gap = words.find_first_of(" \t");
      if (gap == std::string_view::npos) continue;
      const std::string name(words.substr(0, gap)), value(Trim(words.substr(gap)));
      if (int64_t tokens = 0;
          name == "num_ctx" && std::from_chars(value.data(), value.data() + value.size(), tokens).ec == std::errc())
        facts_.context = std::max<int64_t>(tokens, 0);
      if (name == "num_ctx" || name == "temperature" || name == "top_p" || name == "seed" || name == "num_predict")
        continue;
      Json& values = parameters[name];  // several of one name: stop
      if (!values.is_array()) values = Json::array();
      values.push_back(value);
    }
    if (!parameters.empty()) facts_.settings["parameters"] = std::move(parameters);
    return true;
  }

  bool Sglang() {
    const std::optional<Json> info = Fetch("/get_model_info");
    if (!info || !FindMember(*info, "model_path")) return false;
    facts_.kind = ServerKind::kSglang;
    facts_.weights = TextAt(*info, "model_path");
    if (const auto server = Fetch("/get_server_info")) {
      facts_.version = TextAt(*server, "version");
      facts_.context = CountAt(*server, "context_length");
      for (const char* name : {"dtype", "kv_cache_dtype", "chat_template", "tool_call_parser", "reasoning_parser",
                               "lora_paths", "speculative_algorithm", "allow_auto_truncate"})
        Set(name, *server, name);
    }
    return true;
  }

  bool Vllm() {
    const std::optional<Json> version = Fetch("/version");
    if (!version || !FindMember(*version, "version") ||
        !(TextAt(entry_, "owned_by") == "vllm" || FindMember(entry_, "max_model_len")))
      return false;
    facts_.kind = ServerKind::kVllm;
    facts_.version = TextAt(*version, "version");
    facts_.weights = TextAt(entry_, "root");
    Set("lora of", entry_, "parent");  // an adapter is a model of its own, with a parent
    return true;
  }

  bool LlamaCppPython() {
    if (TextAt(entry_, "owned_by") != "me") return false;
    const std::optional<Json> page = Fetch("/openapi.json");
    const Json* about = page ? FindMember(*page, "info") : nullptr;
    if (!about || TextAt(*about, "title").find("llama.cpp") == std::string::npos) return false;
    facts_.kind = ServerKind::kLlamaCppPython;
    facts_.version = TextAt(*about, "version");
    return true;
  }

  bool Tgi() {
    const std::optional<Json> info = Fetch("/info");
    if (!info || !FindMember(*info, "model_id") || !FindMember(*info, "max_total_tokens")) return false;
    facts_.kind = ServerKind::kTgi;
    facts_.version = TextAt(*info, "version");
    facts_.weights = TextAt(*info, "model_id");
    if (const std::string commit = TextAt(*info, "model_sha"); !commit.empty()) facts_.weights += "@" + commit;
    facts_.context = CountAt(*info, "max_total_tokens");
    Set("max_input_tokens", *info, "max_input_tokens");
    return true;
  }

  Asker& asker_;
  const Json& entry_;
  ServerFacts& facts_;
  Progress& progress_;
};

}  // namespace

void TakeToldFacts(Asker& asker, const Json& entry, ServerFacts& facts, Progress& progress) {
  Telling(asker, entry, facts, progress).Go();
}

}  // namespace assay
