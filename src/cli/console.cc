#include <fcntl.h>
#include <fmt/core.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <mutex>

#include "base/error.h"
#include "base/strings.h"
#include "cli/command.h"
#include "record/json_fields.h"
#include "report/escape.h"
#include "system/machine.h"

namespace assay {
namespace {

constexpr size_t kLongestText = 16384;  // of one message or line; files can hold names of megabytes

std::atomic<bool> g_interrupted{false};

std::atomic<int> g_polled{0};  // objects that ask

void OnSignal(int number) {
  if (number != SIGPIPE && g_polled > 0 && !g_interrupted.exchange(true)) return;
  RemoveUnfinished();
  if (number != SIGPIPE) _exit(kInterrupted);
  signal(number, SIG_DFL);  // as without us, once this returns
  raise(number);
}

std::string Rate(double per_second, const std::string& unit) {
  if (unit == "bytes") return FormatBytes(static_cast<uint64_t>(per_second)) + "/s";
  return fmt::format("{:.{}f} {}/s", per_second, per_second < 10 ? 1 : 0, unit);
}

class ConsoleProgress : public Progress {
 public:
  ConsoleProgress(bool quiet) : quiet_(quiet), terminal_(isatty(STDERR_FILENO) == 1) { ++g_polled; }
  ~ConsoleProgress() override {
    --g_polled;
    Clear();
  }

  void Begin(std::string_view what, uint64_t total, std::string_view unit) override {
    std::lock_guard lock(mutex_);
    what_ = TerminalText(what, 200);
    unit_ = unit;
    total_ = total;
    done_ = 0;
    started_ = shown_ = Now();
    if (!terminal_ && !quiet_) std::fprintf(stderr, "%s …\n", what_.c_str());
    Draw();
  }
  void Advance(uint64_t units) override {
    done_.fetch_add(units, std::memory_order_relaxed);
    double now = Now();
    std::unique_lock lock(mutex_, std::try_to_lock);
    if (!lock || now - shown_ < (terminal_ ? 0.1 : 10.0)) return;
    shown_ = now;
    Draw();
  }
  void End() override {
    std::lock_guard lock(mutex_);
    Clear();
    what_.clear();
  }
  bool Cancelled() const override { return g_interrupted.load(std::memory_order_relaxed); }

 private:
  void Draw() {
    if (quiet_ || what_.empty()) return;
    double elapsed = Now() - started_;
    auto done = static_cast<double>(done_.load());
    double rate = elapsed > 0 ? done / elapsed : 0;
    std::string line;
    if (total_ > 0) {
      double share = std::min(1.0, done / static_cast<double>(total_));
      double eta = rate > 0 ? (static_cast<double>(total_) - done) / rate : 0;
      if (terminal_) {
        constexpr int kWidth = 24;
        int filled = static_cast<int>(share * kWidth);
        std::string bar;
        for (int i = 0; i < kWidth; ++i) bar += i < filled ? "█" : "░";
        line = fmt::format("{:<28.28} {} {:3.0f}%", what_, bar, share * 100);
      } else {
        line = fmt::format("{} {:.0f}%", what_, share * 100);
      }
      if (elapsed > 1 && done > 0)
        line += fmt::format("  {}  ETA {}", Rate(rate, unit_), FormatDuration(std::max(0.0, eta)));
    } else {
      line = fmt::format("{}  {:.0f} {}", what_, done, unit_);
    }
    if (terminal_) {
      std::fprintf(stderr, "\r\033[K%s", line.c_str());
      drawn_ = true;
    } else if (elapsed > 1) {
      std::fprintf(stderr, "%s\n", line.c_str());
    }
    std::fflush(stderr);
  }
  void Clear() {
    if (drawn_) std::fprintf(stderr, "\r\033[K");
    drawn_ = false;
  }

  bool quiet_, terminal_, drawn_ = false;
  std::mutex mutex_;
  std::string what_, unit_;
  uint64_t total_ = 0;
  std::atomic<uint64_t> done_{0};
  double started_ = 0, shown_ = 0;
};

/// What JSON has no numbers for, as records name it.
void NameInfinite(Json& json) {
  if (json.is_number_float()) json = NumberJson(json.get<double>());
  if (json.is_structured())
    for (Json& item : json) NameInfinite(item);
}

}  // namespace

void CatchSignals() {
  for (int number : {SIGINT, SIGTERM, SIGHUP, SIGPIPE}) {
    struct sigaction action {};
    sigaction(number, nullptr, &action);
    if (action.sa_handler == SIG_IGN) continue;  // nohup
    action = {};
    action.sa_handler = OnSignal;
    sigaction(number, &action, nullptr);
  }
}

void OpenStandardStreams() {
  for (int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (fcntl(fd, F_GETFD) >= 0 || errno != EBADF) continue;
    // The lowest free number is this one. Reading from stdin ends at once, writing to stdout fails.
    if (open("/dev/null", fd == STDERR_FILENO ? O_WRONLY : O_RDONLY) < 0) _exit(kError);
  }
}

void FinishOutput() {
  std::cout.flush();
  if (std::fflush(stdout) == 0 && !std::ferror(stdout) && std::cout) return;
  Fail(ErrorKind::kIo, "standard output: cannot be written: {}", std::strerror(errno ? errno : EIO));
}

void Print(std::string_view line) {
  PrintTrusted(VisibleText(Shortened(line, kLongestText), true));
}

void PrintTrusted(std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fputc('\n', stdout);
  FinishOutput();
}

void PrintJson(const Json& json) {
  Json named = json;
  NameInfinite(named);
  PrintTrusted(PrintableJson(DumpJson(named)));
}

void PrintAnswer(std::string_view piece) {
  const std::string text = AnswerText(piece);
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fflush(stdout);
}

void Note(const CommonFlags& flags, std::string_view line) {
  if (!flags.quiet) std::fprintf(stderr, "%s\n", VisibleText(Shortened(line, kLongestText), true).c_str());
}

void Ask(std::string_view prompt) {
  std::fprintf(stderr, "%s", VisibleText(prompt, false).c_str());
}

std::optional<bool> Agrees(std::string_view question) {
  if (isatty(STDIN_FILENO) != 1 || isatty(STDERR_FILENO) != 1) return std::nullopt;
  std::fprintf(stderr, "%s [y/N] ", VisibleText(Shortened(question, kLongestText), true).c_str());
  std::string answer;
  return std::getline(std::cin, answer) && (answer == "y" || answer == "Y" || ToLowerAscii(answer) == "yes");
}

void PrintError(std::string_view message) {
  std::fprintf(stderr, "assay: %s\n", VisibleText(Shortened(message, kLongestText), true).c_str());
}

bool ColorOutput() {
  return isatty(STDOUT_FILENO) == 1 && !std::getenv("NO_COLOR");
}

int TerminalWidth() {
  winsize size{};
  if (isatty(STDOUT_FILENO) == 1 && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
  return 120;
}

std::unique_ptr<Progress> MakeProgress(const CommonFlags& flags) {
  return std::make_unique<ConsoleProgress>(flags.quiet);
}

}  // namespace assay
