#include "system/subprocess.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "base/error.h"

extern char** environ;

namespace assay {
namespace {

constexpr size_t kKeep = size_t{64} << 20;

struct Pipe {
  int ends[2] = {-1, -1};
  Pipe() {
    if (::pipe2(ends, O_CLOEXEC) != 0) Fail(ErrorKind::kIo, "cannot make a pipe: {}", std::strerror(errno));
  }
  ~Pipe() {
    Close(0);
    Close(1);
  }
  void Close(int which) {
    if (ends[which] >= 0) ::close(ends[which]);
    ends[which] = -1;
  }
};

// Reads both pipes until both are closed.
void Drain(Pipe& out, Pipe& err, SubprocessResult& result) {
  std::array<pollfd, 2> polled{{{out.ends[0], POLLIN, 0}, {err.ends[0], POLLIN, 0}}};
  std::array<std::string*, 2> targets{&result.output, &result.error_output};
  int open = 2;
  char buffer[65536];
  while (open > 0) {
    if (::poll(polled.data(), polled.size(), -1) < 0 && errno != EINTR)
      Fail(ErrorKind::kIo, "poll: {}", std::strerror(errno));
    for (size_t i = 0; i < polled.size(); ++i) {
      if (polled[i].fd < 0 || !(polled[i].revents & (POLLIN | POLLHUP | POLLERR))) continue;
      ssize_t got = ::read(polled[i].fd, buffer, sizeof buffer);
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0) {
        polled[i].fd = -1;
        --open;
      } else if (targets[i]->size() < kKeep) {
        targets[i]->append(buffer, static_cast<size_t>(got));
      }
    }
  }
}

}  // namespace

SubprocessResult RunSubprocess(const std::vector<std::string>& arguments) {
  ASSAY_CHECK(!arguments.empty());
  Pipe out, err;
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, out.ends[1], 1);
  posix_spawn_file_actions_adddup2(&actions, err.ends[1], 2);
  std::vector<char*> argv;
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  pid_t pid = 0;
  int error = ::posix_spawnp(&pid, argv[0], &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) Fail(ErrorKind::kIo, "{}: cannot be started: {}", arguments[0], std::strerror(error));
  out.Close(1);
  err.Close(1);
  SubprocessResult result;
  Drain(out, err, result);
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  result.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return result;
}

std::string SelfPath() {
  return std::filesystem::read_symlink("/proc/self/exe").string();
}

}  // namespace assay
