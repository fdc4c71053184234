#include "checkpoint/remote_headers.h"

#include <algorithm>
#include <cstring>

#include "base/error.h"
#include "base/json.h"
#include "base/strings.h"
#include "checkpoint/gguf/gguf_file.h"
#include "system/file.h"

namespace assay {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kMaxConfigBytes = 64u << 20, kMaxListBytes = 64u << 20;
constexpr uint64_t kFirstRange = 1u << 20;        // holds most headers of safetensors
constexpr uint64_t kMaxHeaderBytes = 512u << 20;  // of one file

/// Reads forward through bytes that may end too soon.
class Cursor {
 public:
  explicit Cursor(std::span<const std::byte> bytes) : bytes_(bytes) {}
  template <typename T>
  bool Read(T* value) {
    if (bytes_.size() - at_ < sizeof(T)) return false;
    std::memcpy(value, bytes_.data() + at_, sizeof(T));
    at_ += sizeof(T);
    return true;
  }
  bool Skip(uint64_t n) {
    if (bytes_.size() - at_ < n) return false;
    at_ += n;
    return true;
  }
  bool SkipText() {
    uint64_t length;
    return Read(&length) && Skip(length);
  }
  uint64_t at() const { return at_; }

 private:
  std::span<const std::byte> bytes_;
  size_t at_ = 0;
};

bool SkipValue(Cursor& cursor, uint32_t type, int depth, const std::string& where) {
  if (type > static_cast<uint32_t>(GgufType::kFloat64) || depth > 4)
    Fail(ErrorKind::kCorrupt, "{}: metadata value of type {} at byte {}", where, type, cursor.at());
  const auto kind = static_cast<GgufType>(type);
  if (kind == GgufType::kString) return cursor.SkipText();
  if (kind != GgufType::kArray) return cursor.Skip(GgufTypeBytes(kind));
  uint32_t element;
  uint64_t count;
  if (!cursor.Read(&element) || !cursor.Read(&count)) return false;
  const size_t width = element <= 12 ? GgufTypeBytes(static_cast<GgufType>(element)) : 0;
  if (width > 0) return count <= kMaxHeaderBytes && cursor.Skip(count * width);
  for (uint64_t i = 0; i < count; ++i)
    if (!SkipValue(cursor, element, depth + 1, where)) return false;
  return true;
}

/// Downloads a file's header into a file of the true length.
class HeaderFile {
 public:
  HeaderFile(const std::string& url, HttpClient& http, uint64_t* fetched) : url_(url), http_(http), fetched_(fetched) {}

  /// At least the first `n` bytes, or the whole file.
  std::span<const std::byte> Prefix(uint64_t n) {
    n = std::min(n, kMaxHeaderBytes);
    while (bytes_.size() < n && (total_ == 0 || bytes_.size() < total_)) {
      HttpRange range = http_.GetRange(url_, bytes_.size(), n - bytes_.size());
      if (range.body.empty()) break;
      if (total_ != 0 && range.total_bytes != total_)
        Fail(ErrorKind::kCorrupt, "{}: was {} bytes long and is now {}: it changed while its header was read", url_,
             total_, range.total_bytes);
      total_ = range.total_bytes;
      bytes_ += range.body;
      *fetched_ += range.body.size();
    }
    return std::as_bytes(std::span(bytes_));
  }
  uint64_t total_bytes() const { return total_; }

  void Save(const fs::path& path) {
    AtomicFile file(path);
    file.Write(bytes_);
    if (total_ > bytes_.size()) file.Extend(total_);
    file.Commit();
  }

 private:
  std::string url_, bytes_;
  HttpClient& http_;
  uint64_t* fetched_;
  uint64_t total_ = 0;
};

void FetchSafetensors(const std::string& url, const fs::path& to, HttpClient& http, uint64_t* fetched) {
  HeaderFile file(url, http, fetched);
  std::span<const std::byte> bytes = file.Prefix(kFirstRange);
  uint64_t length = 0;
  if (bytes.size() < sizeof length)
    Fail(ErrorKind::kCorrupt, "{}: {} bytes are no safetensors file", url, bytes.size());
  std::memcpy(&length, bytes.data(), sizeof length);
  if (length > kMaxHeaderBytes - 8)
    Fail(ErrorKind::kCorrupt, "{}: a header of {} bytes is no safetensors file", url, length);
  file.Prefix(length + 8);
  file.Save(to);
}

void FetchGguf(const std::string& url, const fs::path& to, HttpClient& http, uint64_t* fetched) {
  HeaderFile file(url, http, fetched);
  for (uint64_t n = kFirstRange; !GgufHeaderBytes(file.Prefix(n), url); n *= 2)
    if (n >= kMaxHeaderBytes || n >= file.total_bytes())
      Fail(ErrorKind::kCorrupt, "{}: the file ends inside its header", url);
  file.Save(to);
}

/// A path whose segments may hold anything. (A revision is one segment: refs/pr/1 is a name on a hub.)
std::string UrlPath(const std::string& path) {
  std::vector<std::string> segments = Split(path, '/');
  for (std::string& segment : segments) segment = UrlSegment(segment);
  return Join(segments, "/");
}

/// Files of the repository, by its API.
std::vector<std::string> RepositoryFiles(const RemoteModel& model, HttpClient& http) {
  const std::string url = fmt::format("{}/api/models/{}/revision/{}", model.endpoint, UrlPath(model.repository),
                                      UrlSegment(model.revision));
  const Json json = ParseJson(http.Get(url, kMaxListBytes), url);
  auto siblings = json.is_object() ? json.find("siblings") : json.end();
  if (!json.is_object() || siblings == json.end() || !siblings->is_array())
    Fail(ErrorKind::kCorrupt, "{}: expected an object with a list of \"siblings\"", url);
  std::vector<std::string> names;
  for (const Json& one : *siblings) names.push_back(JsonString(one, "rfilename", url));
  return names;
}

/// A name that stays inside the folder it is saved to.
bool PlainName(const std::string& name) {
  return !name.empty() && name.find('/') == std::string::npos && name.find('\\') == std::string::npos && name[0] != '.';
}

}  // namespace

std::optional<RemoteModel> RemoteModel::Parse(std::string_view text, const std::string& endpoint) {
  RemoteModel model;
  model.endpoint = endpoint;
  const bool address = text.starts_with(endpoint + "/");
  if (address)
    text.remove_prefix(endpoint.size() + 1);
  else if (text.starts_with("hf://"))
    text.remove_prefix(5);
  else if (text.find("://") != std::string_view::npos)
    return std::nullopt;
  if (address) text = text.substr(0, text.find_first_of("?#"));
  std::vector<std::string> parts = Split(text, '/');
  if (parts.size() < 2) return std::nullopt;
  if (address)
    for (std::string& part : parts) part = UrlDecoded(part);
  for (const std::string& part : parts)
    if (part.empty() || part == "." || part == "..") return std::nullopt;
  if (size_t at = parts[1].find('@'); at != std::string::npos) {
    model.revision = parts[1].substr(at + 1);
    parts[1].resize(at);
  }
  model.repository = parts[0] + "/" + parts[1];
  parts.erase(parts.begin(), parts.begin() + 2);
  if (address && parts.size() >= 2 && (parts[0] == "resolve" || parts[0] == "blob" || parts[0] == "tree")) {
    model.revision = parts[1];
    parts.erase(parts.begin(), parts.begin() + 2);
  }
  model.file = Join(parts, "/");
  return model;
}

std::optional<uint64_t> GgufHeaderBytes(std::span<const std::byte> prefix, const std::string& where) {
  Cursor cursor(prefix);
  uint32_t magic = 0, version = 0;
  uint64_t n_tensors = 0, n_entries = 0;
  if (!cursor.Read(&magic)) return std::nullopt;
  if (magic != 0x46554747) Fail(ErrorKind::kCorrupt, "{}: expected GGUF at the beginning, found {:08x}", where, magic);
  if (!cursor.Read(&version) || !cursor.Read(&n_tensors) || !cursor.Read(&n_entries)) return std::nullopt;
  for (uint64_t i = 0; i < n_entries; ++i) {
    uint32_t type;
    if (!cursor.SkipText() || !cursor.Read(&type) || !SkipValue(cursor, type, 0, where)) return std::nullopt;
  }
  for (uint64_t i = 0; i < n_tensors; ++i) {
    uint32_t n_dims;
    if (!cursor.SkipText() || !cursor.Read(&n_dims)) return std::nullopt;
    if (n_dims > 4) Fail(ErrorKind::kCorrupt, "{}: tensor {} has {} dimensions", where, i, n_dims);
    if (!cursor.Skip(n_dims * 8 + 4 + 8)) return std::nullopt;
  }
  return cursor.at();
}

fs::path FetchHeaders(const RemoteModel& model, const fs::path& folder, HttpClient& http, uint64_t* fetched_bytes) {
  *fetched_bytes = 0;
  auto address = [&](const std::string& file) {
    return fmt::format("{}/{}/resolve/{}/{}", model.endpoint, UrlPath(model.repository), UrlSegment(model.revision),
                       UrlPath(file));
  };
  if (!model.file.empty()) {
    const std::string name = fs::path(model.file).filename().string();
    if (name.ends_with(".safetensors"))
      FetchSafetensors(address(model.file), folder / name, http, fetched_bytes);
    else if (name.ends_with(".gguf"))
      FetchGguf(address(model.file), folder / name, http, fetched_bytes);
    else
      Fail(ErrorKind::kUnsupported, "{}: expected a .gguf or .safetensors file", address(model.file));
    return folder / name;
  }
  const std::vector<std::string> names = RepositoryFiles(model, http);
  int weights = 0;
  std::vector<std::string> others;
  for (const std::string& name : names) {
    if (!PlainName(name)) continue;
    if (name.ends_with(".safetensors") && !name.starts_with("consolidated")) {
      FetchSafetensors(address(name), folder / name, http, fetched_bytes);
      ++weights;
    } else if (name == "config.json") {
      const std::string text = http.Get(address(name), kMaxConfigBytes);
      *fetched_bytes += text.size();
      WriteFileAtomically(folder / name, text);
    } else if (name.ends_with(".gguf")) {
      others.push_back(name);
    }
  }
  if (weights == 0 && !others.empty())
    Fail(ErrorKind::kNotFound, "{}/{}: a repository of GGUF files; name one of them: {}", model.endpoint,
         model.repository, Join(others, ", "));
  if (weights == 0)
    Fail(ErrorKind::kNotFound, "{}/{}: no safetensors or GGUF files at its top", model.endpoint, model.repository);
  return folder;
}

}  // namespace assay
