#pragma once
// The parts of `assay inspect` that look at files without opening a model: what cannot be run, what lies on a server.

#include <optional>
#include <string>

#include "checkpoint/file_listing.h"
#include "checkpoint/remote_headers.h"
#include "cli/command.h"

namespace assay {

/// A table by stored type; every tensor with `all`.
int PrintListing(const FileListing& listing, const std::string& name, bool all, const CommonFlags& flags);

/// The remote model that `text` names: an address, hf://…, or org/name that is neither a path nor in the cache. Nothing
/// when the user asked to stay offline (HF_HUB_OFFLINE, TRANSFORMERS_OFFLINE) or the text cannot be one.
std::optional<RemoteModel> FindRemote(const std::string& text);

/// Reads headers by range requests (HF_ENDPOINT, HF_TOKEN) and prints them.
int InspectRemote(const RemoteModel& model, const std::string& name, bool all, const CommonFlags& flags);

}  // namespace assay
