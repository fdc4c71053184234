#pragma once
// What the proxy writes down of an exchange: the request, and the answer put together from its pieces. A line of JSON
// each (docs/capture.md). Headers are not written, and what a header gave as a secret is taken out of what was said.

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "remote/completion_reader.h"
#include "serve/upstream.h"
#include "system/appended_file.h"

namespace assay {

/// How a recording's line begins, in every file of them.
inline constexpr std::string_view kRecordingHead = "{\"assay_capture\":1,";

/// Whether requests to that path are completions, which are written down: ".../chat/completions", ".../completions".
bool IsCompletionPath(std::string_view path);

/// Keys and passwords in the headers of a request, and in the query of its target.
std::vector<std::string> SecretsOf(const HeaderLines& headers, std::string_view target);
/// `json` without them, wherever they stand: in names, in texts, in JSON that is a text (the arguments of a call).
Json WithoutSecrets(const Json& json, const std::vector<std::string>& secrets);

struct RecorderCounts {
  int64_t recorded = 0;    // lines
  int64_t unanswered = 0;  // of these: with an error in place of an answer
  int64_t left_out = 0;    // completions that were passed on and are no line: their request is not JSON, or too long
};

class Recorder {
 public:
  /// Throws as AppendedFile does.
  explicit Recorder(const std::filesystem::path& path) : file_(path, kRecordingHead) {}
  bool continued() const { return file_.continued(); }
  RecorderCounts counts() const;
  /// Why lines could not be written any more; empty: all were.
  std::string failure();

 private:
  friend class Recording;
  void Write(const Json& line, bool answered);
  AppendedFile file_;
  std::mutex mutex_;
  std::string failed_;  // why a line could not be written, from then on
  std::atomic<int64_t> recorded_ = 0, unanswered_ = 0, left_out_ = 0;
};

/// One exchange. Whatever befalls it, one line is written when it ends.
class Recording {
 public:
  /// `path` without its query.
  Recording(Recorder& recorder, std::string path, std::string_view body, std::vector<std::string> secrets);
  ~Recording();
  Recording(const Recording&) = delete;
  Recording& operator=(const Recording&) = delete;

  /// The response begins. `encoding`: its Content-Encoding, empty where there is none.
  void Begin(int status, std::string_view encoding);
  void Take(std::string_view piece);
  /// It is whole, or ended for the reason given.
  void End();
  void Break(std::string_view why);

 private:
  void Write(std::string_view why);
  Recorder& recorder_;
  std::string path_;
  std::vector<std::string> secrets_;
  Json request_;  // null: nothing is written
  CompletionReader reader_{0};
  std::string error_body_, encoding_;
  uint64_t received_ = 0;
  int status_ = 0;
  int64_t time_ms_ = 0;
  double started_ = 0, first_byte_s_ = 0;
  bool written_ = false;
};

}  // namespace assay
