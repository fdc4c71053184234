#pragma once
// A server as an arm of a check: the flags that it takes, and what is told of it.

#include <string>
#include <vector>

#include "cli/arm.h"
#include "cli/flags.h"
#include "remote/remote_backend.h"

namespace assay {

struct PromptFlags;

struct ServerFlags {
  int64_t concurrency = 8;
  std::string key_file;
  std::vector<std::string> endpoints;
  bool hold_schema = false;
  bool slow_displacement = false;  // of `assay check` alone
  Patience patience;
};
void AddServerFlags(CommandLine& command, ServerFlags& flags);

/// MODEL with the URLs of --endpoint. Throws Error{kInvalid} when there are some and it is no server.
std::string WithEndpoints(const std::string& model, const ServerFlags& flags);

/// Tells how often each of its URLs failed, where any did.
void NoteFaults(const LoadedArm& arm, const CommonFlags& flags);

/// A model behind a URL. Probes the server, and tells what it is and what it lacks.
LoadedArm LoadServer(const std::string& url, const ServerFlags& server_flags, const PromptFlags& prompt_flags,
                     const CommonFlags& flags, Progress& progress);

/// What answers of a server that were asked for in one sitting have in common. A check that was interrupted goes on
/// with its answers for a day; one that ended never gives its answers to another, since nothing tells whether the same
/// weights are still behind the same name.
std::string BeginSitting(const LoadedArm& arm, const Task& task, Cache& cache);
void EndSitting(const LoadedArm& arm, const Task& task, Cache& cache);

}  // namespace assay
