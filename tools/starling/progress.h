// tools/starling/progress.h: how far a long command is: one line on stderr, rewritten in place on a
// terminal, else a new one every two seconds.
//
// Thread: one.
#pragma once

#include <fmt/core.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <string>

namespace starling::cli {

class Progress {
 public:
  void Show(const std::string& text) {
    const auto now = Clock::now();
    if (now - shown_ < (terminal_ ? std::chrono::milliseconds(200) : std::chrono::seconds(2)))
      return;
    shown_ = now;
    if (terminal_)
      fmt::print(stderr, "\r\x1b[K{}", text);
    else
      fmt::print(stderr, "{}\n", text);
    std::fflush(stderr);
  }
  void End() const {
    if (terminal_) fmt::print(stderr, "\r\x1b[K");
  }
  double seconds() const { return std::chrono::duration<double>(Clock::now() - start_).count(); }

 private:
  using Clock = std::chrono::steady_clock;

  const bool terminal_ = isatty(STDERR_FILENO) != 0;
  const Clock::time_point start_ = Clock::now();
  Clock::time_point shown_ = start_;
};

}  // namespace starling::cli
