#pragma once
// How far an output came that has not its name yet: OUT.journal.part, lines that end in their own hash. The first says
// what the output is made of, and by which build; each further one how many rows of which tensor are on the disk. A
// last line that was cut off is as good as none.

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "checkpoint/writer.h"
#include "system/growing_file.h"
#include "system/unfinished.h"

namespace assay {

/// Everything that determines the bytes of an output: its members are compared one by one.
struct OutputIdentity {
  std::vector<FileState> source;  // the model's files
  Json settings;                  // of the command, by name
  std::string plan;               // hash over the tensors to be written
};

/// Of a tensor whose rows are all there, or (the last) of those that are.
struct WrittenTensor {
  double squared_error = 0, squared_source = 0;  // as StreamJob has them
  float global_scale = 1.0f, global_divisor = 1.0f;
};

struct WrittenRows {
  size_t tensor = 0;                   // the first whose rows are not all there
  int64_t row = 0;                     // of it, the first that is not
  std::vector<WrittenTensor> tensors;  // all before it; with row > 0 also itself, so far
  bool any() const { return tensor > 0 || row > 0; }
};

class OutputJournal {
 public:
  static std::filesystem::path NameOf(const std::filesystem::path& out);

  /// Reads the journal that an interrupted process left for `out`, if any, and locks it: a second process gets
  /// Error{kResource}. What it holds of another identity or build, or damaged, is of no use; neither are files that are
  /// gone or have another length. Throws Error{kInvalid} for a file of that name that is no journal of this user.
  OutputJournal(const std::filesystem::path& out, const OutputIdentity& identity);
  /// Removes it when it was begun and Leave(true) was not called.
  ~OutputJournal();
  OutputJournal(const OutputJournal&) = delete;
  OutputJournal& operator=(const OutputJournal&) = delete;

  /// What can be continued; nothing: all has to be made.
  const WrittenRows& written() const { return written_; }
  /// Names of the unfinished files and folders that hold it, for OutputRules::left.
  const std::vector<std::string>& left() const { return left_; }
  /// Why what was left is of no use; "": nothing was, or it is.
  const std::string& why_anew() const { return why_anew_; }

  /// What was read is of no use.
  void Drop(std::string why);
  /// Once the writer has its files: begins the journal (removing what is of no use) unless it is continued.
  void Begin(const CheckpointWriter& writer);
  /// Adds what must be on the disk already, and has it there when this returns. `rows` goes on from the last.
  void Save(const WrittenRows& rows);
  /// Whether it outlives this process; at first only what was continued does.
  void Leave(bool leaves);
  /// The output has its name.
  void Finish();

 private:
  void Read();
  bool ReadLine(std::string_view line, bool first);
  void ReadHeader(const Json& header);
  void ReadRows(const Json& line);
  void Append(const Json& line);
  Json FilesJson(const CheckpointWriter& writer) const;

  std::filesystem::path out_;
  OutputIdentity identity_;
  std::optional<GrowingFile> file_;
  Json files_;  // names and lengths, of what was read
  std::vector<std::string> left_, useless_;
  WrittenRows written_;
  std::string why_anew_;
  bool begun_ = false, leaves_ = false;
  UnfinishedMark mark_;  // while it does not outlive this process
};

}  // namespace assay
