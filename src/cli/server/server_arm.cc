#include "cli/server/server_arm.h"

#include <ctime>

#include "base/error.h"
#include "base/hash.h"
#include "base/strings.h"
#include "cli/prompt_flags.h"
#include "cli/ranges.h"
#include "system/file.h"
#include "system/machine.h"

namespace assay {
namespace {

constexpr uint64_t kMostKey = 64 << 10;
constexpr int64_t kSittingLasts = 86'400;

/// It goes into a line of HTTP, and is looked for in what servers say: byte for byte.
std::string ReadKey(const ServerFlags& flags) {
  const bool file = !flags.key_file.empty();
  const std::string key(Trim(file ? ReadFile(flags.key_file, kMostKey) : Environment("ASSAY_API_KEY")));
  const std::string where = file ? flags.key_file : "ASSAY_API_KEY";
  if (file && key.empty()) Fail(ErrorKind::kInvalid, "{}: expected an API key, found nothing", where);
  for (size_t i = 0; i < key.size(); ++i)
    if (key[i] <= ' ' || key[i] > '~')
      Fail(ErrorKind::kInvalid,
           "{}: expected an API key, one word of printable ASCII; its byte {} of {} is 0x{:02x} (the key is not shown)",
           where, i + 1, key.size(), static_cast<unsigned char>(key[i]));
  return key;
}

RunHeader OriginOf(const ServerFacts& facts, const Capabilities& can, const ServerAddress& address) {
  RunHeader header;
  header.model.name = facts.model;
  // All that tells one deployment from another; the weights themselves cannot be seen.
  const Json identity = {
      Join(address.urls(), ","), facts.model,      ServerKindName(facts.kind), facts.version, facts.weights,
      facts.weight_bytes,        facts.parameters, facts.template_hash};
  header.model.fingerprint = HashHex(DumpJson(identity));
  header.model.format = fmt::format("{} @ {}{}", facts.model, address.host(),
                                    address.more.empty() ? "" : fmt::format(" and {} more", address.more.size()));
  header.model.file_bytes = facts.weight_bytes;
  if (facts.parameters > 0)
    header.model.bits_per_weight =
        8.0 * static_cast<double>(facts.weight_bytes) / static_cast<double>(facts.parameters);
  header.tokenizer_probe = facts.tokenizer_probe;
  header.template_hash = facts.template_hash;
  header.prompts_by = PromptsBy(facts.kind);
  header.arithmetic = "the server's";
  header.build = BuildText();
  header.machine = facts.title();
  header.can = can;
  header.server = ToJson(facts);
  if (!address.more.empty()) header.server["urls"] = address.urls();
  return header;
}

std::string SittingKey(const LoadedArm& arm, const Task& task) {
  return KeyOf({"sitting", arm.identity().fingerprint, task.hash});
}

}  // namespace

std::string WithEndpoints(const std::string& model, const ServerFlags& flags) {
  if (flags.endpoints.empty()) return model;
  if (!IsServer(model))
    Fail(ErrorKind::kInvalid, "--endpoint {}: one more URL of a server, and MODEL is none: {}", flags.endpoints[0],
         model);
  std::string all = model.substr(0, model.find('#'));
  for (const std::string& url : flags.endpoints) all += "," + url;
  return all + model.substr(std::min(model.find('#'), model.size()));
}

void NoteFaults(const LoadedArm& arm, const CommonFlags& flags) {
  for (const Endpoint& endpoint : arm.server->endpoints())
    if (endpoint.faults > 0)
      Note(flags, fmt::format("{}: {} of its requests failed and {} asked again: {}", endpoint.url, endpoint.faults,
                              endpoint.faults == 1 ? "was" : "were", endpoint.fault));
}

void AddServerFlags(CommandLine& command, ServerFlags& flags) {
  command.Option("--concurrency", flags.concurrency, "requests that a server (http://host:port#model) has at once")
      .ShowDefault()
      .Within(IntegerBetween(1, 1024));
  command.Option("--endpoint", flags.endpoints,
                 "one more URL of MODEL, where the same is deployed (repeatable; a candidate's: URL,URL#model)");
  command.Option("--api-key-file", flags.key_file, "file with the servers' API key (default: ASSAY_API_KEY)");
  command.Switch("--hold-schema", flags.hold_schema,
                 "send response_schema to servers as response_format: hides damage, shows what is deployed so");
  command
      .Option("--server-silence", flags.patience.silence_s,
              "seconds without a word in the middle of a server's answer, after which it is asked again")
      .ShowDefault()
      .Within(NumberBetween(0.1, 86400.0));
  command
      .Option("--server-wait", flags.patience.first_byte_s,
              "seconds until a server's answer begins, after which it is asked again")
      .ShowDefault()
      .Within(NumberBetween(0.1, 86400.0));
}

LoadedArm LoadServer(const std::string& url, const ServerFlags& server_flags, const PromptFlags& prompt_flags,
                     const CommonFlags& flags, Progress& progress) {
  const ServerAddress address = ParseServerAddress(url);
  if (!prompt_flags.chat_template.empty())
    Fail(ErrorKind::kInvalid, "--template: {} makes its prompts itself: expected none, found {}", address.url,
         prompt_flags.chat_template);
  if (!prompt_flags.now.empty())
    Fail(ErrorKind::kInvalid, "--now: {} has a clock of its own: expected none, found {}", address.url,
         prompt_flags.now);
  ServerAccess access;
  access.key = ReadKey(server_flags);
  if (access.key.size() >= kShortestKey && url.find(access.key) != std::string::npos)
    Fail(ErrorKind::kInvalid, "the server's URL holds the API key: give it in ASSAY_API_KEY or --api-key-file alone");
  access.concurrency = static_cast<int>(server_flags.concurrency);
  access.patience = server_flags.patience;
  for (const ServerAddress& each : EachServer(address))
    if (!access.key.empty() && !each.encrypted() && !each.local())
      Note(flags, fmt::format("{}: the API key goes over a connection that is not encrypted", each.url));
  RemoteOptions options;
  options.hold_schema = server_flags.hold_schema;
  options.slow_displacement = server_flags.slow_displacement;
  if (!prompt_flags.variables.empty()) options.template_variables = prompt_flags.options().template_variables;
  auto backend = std::make_unique<RemoteBackend>(address, access, options, progress);
  const ServerFacts& facts = backend->facts();
  Note(flags, fmt::format("{}: {}{}{}", facts.title(), facts.model,
                          facts.context ? fmt::format(", context of {} tokens", facts.context) : "",
                          facts.template_hash.empty() ? "" : ", tells its chat template"));
  for (const std::string& remark : facts.remarks) Note(flags, fmt::format("{}: {}", facts.url, remark));
  LoadedArm arm;
  arm.origin = OriginOf(facts, backend->can(), address);
  arm.origin.template_variables = options.template_variables;
  arm.server = backend.get();
  arm.backend = std::move(backend);
  return arm;
}

std::string BeginSitting(const LoadedArm& arm, const Task& task, Cache& cache) {
  const std::string key = SittingKey(arm, task);
  const int64_t now = std::time(nullptr);
  if (const auto found = cache.Get(key); found && found->is_object()) {
    const int64_t age = now - JsonInt(*found, "began", "result cache");
    if (age >= 0 && age < kSittingLasts) return JsonString(*found, "id", "result cache");
  }
  const std::string id = HashHex(fmt::format("{} {}", UtcTimestamp(), Now()));
  cache.Put(key, {{"id", id}, {"began", now}});
  return id;
}

void EndSitting(const LoadedArm& arm, const Task& task, Cache& cache) {
  cache.Put(SittingKey(arm, task), nullptr);
}

}  // namespace assay
