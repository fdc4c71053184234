#pragma once
// Reads the logs of those who serve models: each line is recognised by what it holds, whatever the file is called.
// docs/capture.md lists the layouts. What looks like a request and cannot be read is kept by file and line.

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "capture/captured.h"

namespace assay {

struct UnreadLine {
  std::string file;
  int64_t line = 0;
  std::string why;
};

struct LayoutCount {
  std::string file, layout;  // "vLLM's log"
  int64_t requests = 0;
};

class LogReader {
 public:
  /// The text of a log; `file` stands for it in messages. Logs belong together: an answer finds its request by the id
  /// that both have, in whichever file.
  void Read(std::string_view text, const std::string& file);
  /// Call once all are read. Answers without a request are unread lines.
  std::vector<Captured> Take();

  const std::vector<LayoutCount>& layouts() const { return layouts_; }
  const std::vector<UnreadLine>& unread() const { return unread_; }
  /// Lines of a log that are about something else, and those of the requests' own that say nothing more.
  int64_t other_lines() const { return other_lines_; }

 private:
  struct Waiting {  // an answer whose request has not come yet
    Json response;
    std::string no_answer, file;
    int64_t line = 0;
  };
  void Line(std::string_view text, int depth);
  void Object(const Json& object, int depth);
  bool TextLine(std::string_view text);
  bool VllmLine(std::string_view text);
  bool LlamaServerLine(std::string_view text);
  void Add(Captured request, std::string_view layout, const std::string& id = {});
  void Answer(const std::string& id, Json response, std::string no_answer);
  void Unread(std::string why);

  std::string file_;
  int64_t line_ = 0;
  std::vector<Captured> requests_;
  std::unordered_map<std::string, size_t> by_id_;  // of requests
  std::unordered_map<std::string, Waiting> waiting_;
  std::unordered_map<std::string, std::string> parameters_;  // of vLLM's requests that are told apart from the prompt
  std::vector<size_t> unanswered_;                           // of llama-server's, in this file
  std::vector<LayoutCount> layouts_;
  std::vector<UnreadLine> unread_;
  int64_t other_lines_ = 0;
};

}  // namespace assay
