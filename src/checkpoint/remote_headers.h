#pragma once
// The headers of a model that lies on a server: enough to list what is in it, some megabytes of hundreds of gigabytes.

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <span>
#include <string>

#include "system/http.h"

namespace assay {

/// A model on a Hugging Face hub: "org/name" is a repository of safetensors, "org/name/file.gguf" one file of it.
struct RemoteModel {
  std::string endpoint = "https://huggingface.co";
  std::string repository;  // "org/name"
  std::string revision = "main";
  std::string file;  // empty: the safetensors of the repository

  /// From "org/name[/file]", "hf://org/name[@revision][/file]" or the address of a file or repository on `endpoint`.
  /// Nothing when the text is none of these.
  static std::optional<RemoteModel> Parse(std::string_view text, const std::string& endpoint);
};

/// Copies headers and configuration into `folder`, by range requests: weight files have their true length there, with
/// holes for the weights. Returns the path to give to ListWeightFiles. `fetched_bytes` is how much was really read.
/// Throws Error naming the URL.
std::filesystem::path FetchHeaders(const RemoteModel& model, const std::filesystem::path& folder, HttpClient& http,
                                   uint64_t* fetched_bytes);

/// Bytes that header, metadata and tensor directory of a GGUF file take; nothing when `prefix` ends before them. Throws
/// Error{kCorrupt} when the prefix is not GGUF.
std::optional<uint64_t> GgufHeaderBytes(std::span<const std::byte> prefix, const std::string& where);

}  // namespace assay
