#include "convert/journal.h"

#include <algorithm>
#include <set>

#include "base/error.h"
#include "base/hash.h"
#include "base/strings.h"
#include "system/build_id.h"
#include "system/machine.h"

namespace assay {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kBegins = "{\"assay_journal\":";
constexpr int kVersion = 1;
constexpr size_t kHashChars = 16;
constexpr const char* kDamaged = "its journal is damaged";

std::string HashOf(std::string_view line) {
  return HashHex(line).substr(0, kHashChars);
}

/// Where encoders may choose other instructions, sums may have other last bits.
Json MakerJson() {
  return {{"build", BuildId()}, {"processor", CpuFeatureText(Cpu())}};
}

/// Without the device, which has another number when the machine starts again.
Json SourceJson(const std::vector<FileState>& files) {
  Json all = Json::array();
  for (const FileState& file : files)
    all.push_back({file.path.filename().string(), file.inode, file.bytes, file.modified_ns, file.changed_ns});
  return all;
}

/// What both have and what differs, for people: "to q4_0, now q8_0".
std::string Differences(const Json& before, const Json& now) {
  std::vector<std::string> apart;
  for (const auto& [key, value] : now.items()) {
    if (before.contains(key) && before[key] == value) continue;
    apart.push_back(fmt::format("{} {}, now {}", key, before.contains(key) ? DumpJson(before[key]) : "not stated",
                                DumpJson(value)));
  }
  return Join(apart, "; ");
}

/// A folder that is there may be called by a name that nothing can lie beside ("..").
fs::path Target(const fs::path& out) {
  const fs::path target = out.has_filename() ? out : out.parent_path();
  std::error_code error;
  return fs::is_directory(fs::symlink_status(target, error)) ? fs::canonical(target) : target;
}

}  // namespace

fs::path OutputJournal::NameOf(const fs::path& out) {
  fs::path name = Target(out);
  name += ".journal.part";
  return name;
}

OutputJournal::OutputJournal(const fs::path& out, const OutputIdentity& identity)
    : out_(Target(out)), identity_(identity) {
  std::error_code ignored;
  if (!fs::exists(fs::symlink_status(NameOf(out_), ignored))) return;
  file_.emplace(NameOf(out_), kBegins);
  try {
    Read();
  } catch (const std::exception&) {  // lines that hash as they should and say what no journal says
    why_anew_ = kDamaged;
  }
  leaves_ = why_anew_.empty() && written_.any();
  if (!leaves_) Drop(std::move(why_anew_));
}

void OutputJournal::Drop(std::string why) {
  why_anew_ = std::move(why);
  useless_.insert(useless_.end(), left_.begin(), left_.end());
  left_.clear();
  written_ = {};
  leaves_ = false;
}

OutputJournal::~OutputJournal() {
  if (file_ && begun_ && !leaves_) file_->Discard();
}

void OutputJournal::Read() {
  const std::string text = file_->Text();
  size_t at = 0;
  for (size_t end; (end = text.find('\n', at)) != text.npos; at = end + 1) {
    if (!ReadLine(std::string_view(text).substr(at, end - at), at == 0)) {
      if (at == 0)
        why_anew_ = "its journal is damaged, so that it stays";
      else if (end + 1 < text.size())
        why_anew_ = kDamaged;
      break;  // the plug was pulled while the last one was written: those before it are whole
    }
    if (!why_anew_.empty()) break;
  }
  if (why_anew_.empty()) file_->Keep(at);
  if (text.find('\n') >= text.size() - 1) why_anew_.clear();  // no row was there yet
}

/// False where it does not hash as it says.
bool OutputJournal::ReadLine(std::string_view line, bool first) {
  const size_t hash = line.rfind(' ');
  if (hash == line.npos || line.substr(hash + 1) != HashOf(line.substr(0, hash))) return false;
  const Json json = ParseJson(line.substr(0, hash), "journal");
  first ? ReadHeader(json) : ReadRows(json);
  return true;
}

void OutputJournal::ReadHeader(const Json& header) {
  if (header.at("output") != out_.filename().string()) {
    why_anew_ = "its journal is of another output";
    return;
  }
  std::set<std::string> names;
  files_ = header.at("files");
  for (const Json& file : files_) {
    const fs::path name = file.at(0).get<std::string>(), path = out_.parent_path() / name;
    names.insert(name.begin()->string());
    std::error_code error;
    if (fs::file_size(path, error) != file.at(1).get<uint64_t>() || error)
      why_anew_ = fmt::format("{} is not what its journal says", path.string());
  }
  left_.assign(names.begin(), names.end());
  if (header.at("assay_journal") != kVersion || header.at("maker") != MakerJson() || BuildId().empty())
    why_anew_ = "another build of this program began it, or on another processor";
  else if (header.at("source") != SourceJson(identity_.source))
    why_anew_ = "the model has been changed or replaced since";
  else if (header.at("settings") != identity_.settings)
    why_anew_ =
        fmt::format("it was begun with other settings: {}", Differences(header["settings"], identity_.settings));
  else if (header.at("plan") != identity_.plan)
    why_anew_ = "it was begun with other tensors";
}

void OutputJournal::ReadRows(const Json& line) {
  WrittenRows next{line.at("tensor"), line.at("row"), std::move(written_.tensors)};
  next.tensors.resize(written_.tensor);  // what was a part comes again
  for (const Json& tensor : line.at("written"))
    next.tensors.push_back({tensor.at(0), tensor.at(1), tensor.at(2), tensor.at(3)});
  if (std::pair(next.tensor, next.row) <= std::pair(written_.tensor, written_.row) ||
      next.tensors.size() != next.tensor + (next.row > 0))
    why_anew_ = kDamaged;
  written_ = std::move(next);
}

void OutputJournal::Begin(const CheckpointWriter& writer) {
  begun_ = true;
  if (written_.any() && FilesJson(writer) != files_)
    Fail(ErrorKind::kInvalid, "{}: is of other files than {} has; remove it", file_->part().string(), out_.string());
  if (written_.any()) return;
  for (const std::string& name : useless_) RemoveLeft(name, out_);
  {
    const SignalsHeld held;
    if (!file_) file_.emplace(NameOf(out_), kBegins);
    Leave(false);
  }
  file_->Keep(0);
  Append({{"assay_journal", kVersion},
          {"maker", MakerJson()},
          {"source", SourceJson(identity_.source)},
          {"settings", identity_.settings},
          {"plan", identity_.plan},
          {"output", out_.filename().string()},
          {"files", FilesJson(writer)}});
}

Json OutputJournal::FilesJson(const CheckpointWriter& writer) const {
  Json files = Json::array();
  for (const UnfinishedFile& file : writer.unfinished())
    files.push_back({file.path.lexically_relative(out_.parent_path()).generic_string(), file.bytes});
  return files;
}

void OutputJournal::Save(const WrittenRows& rows) {
  Json written = Json::array();
  for (size_t i = written_.tensor; i < rows.tensors.size(); ++i) {
    const WrittenTensor& tensor = rows.tensors[i];
    written.push_back({tensor.squared_error, tensor.squared_source, tensor.global_scale, tensor.global_divisor});
  }
  Append({{"tensor", rows.tensor}, {"row", rows.row}, {"written", std::move(written)}});
  file_->Flush();
  written_.tensor = rows.tensor;
  written_.row = rows.row;
}

void OutputJournal::Append(const Json& line) {
  const std::string text = DumpJson(line);
  file_->Append(fmt::format("{} {}\n", text, HashOf(text)));
}

void OutputJournal::Leave(bool leaves) {
  leaves_ = leaves;
  mark_ = leaves ? UnfinishedMark() : UnfinishedMark(file_->part());
}

void OutputJournal::Finish() {
  leaves_ = false;
  mark_.Release();
  if (file_) file_->Discard();
  file_.reset();
}

}  // namespace assay
