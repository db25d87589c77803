#include "tools/starling/input.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <iterator>
#include <utility>

#include "base/check.h"

namespace starling::cli {

namespace {

// All that a signal handler may touch. The pipe is what wakes a poll, whichever thread was hit.
volatile std::sig_atomic_t noted_signal = 0;
int noted_pipe[2] = {-1, -1};

extern "C" void NoteSignal(int number) {
  const int before = errno;
  noted_signal = number;
  // It can't be full: a second signal ends the process.
  [[maybe_unused]] const ssize_t written = write(noted_pipe[1], "", 1);
  errno = before;
}

}  // namespace

Interrupt::Interrupt() {
  CHECK(noted_pipe[0] == -1);
  CHECK(pipe2(noted_pipe, O_CLOEXEC | O_NONBLOCK) == 0);
  noted_signal = 0;
  struct sigaction action {};
  action.sa_handler = NoteSignal;
  action.sa_flags = SA_RESTART | static_cast<int>(SA_RESETHAND);
  for (const int number : {SIGINT, SIGTERM}) sigaction(number, &action, nullptr);
}

Interrupt::~Interrupt() {
  for (const int number : {SIGINT, SIGTERM}) std::signal(number, SIG_DFL);
  for (int& fd : noted_pipe) close(std::exchange(fd, -1));
}

int Interrupt::signal() const { return noted_signal; }
int Interrupt::fd() const { return noted_pipe[0]; }

base::Result<std::unique_ptr<Input>> Input::Open(const std::string& name) {
  const int fd = name == "-" ? dup(STDIN_FILENO) : open(name.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd >= 0) return std::unique_ptr<Input>(new Input(fd));
  return base::Fail(
      base::Io(fmt::format("file '{}' can't be read: {}", name, std::strerror(errno))));
}

Input::~Input() { close(fd_); }

Input::int_type Input::underflow() {
  // poll passes over a descriptor of -1.
  pollfd either[] = {{.fd = fd_, .events = POLLIN, .revents = 0},
                     {.fd = interrupt_fd_, .events = POLLIN, .revents = 0}};
  ssize_t count = -1;
  do {
    if (poll(either, std::size(either), -1) < 0) continue;
    if (either[1].revents != 0) return traits_type::eof();
    count = read(fd_, bytes_.data(), bytes_.size());
  } while (count < 0 && errno == EINTR);
  if (count < 0) status_ = base::Io(std::strerror(errno));
  if (count <= 0) return traits_type::eof();
  setg(bytes_.data(), bytes_.data(), bytes_.data() + count);
  return traits_type::to_int_type(bytes_[0]);
}

}  // namespace starling::cli
