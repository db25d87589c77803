// tools/gossip_sim/progress.h: how far a long computation is, for who looks at a terminal.
//
// A line on stderr that is written over ten times a second, and gone at the end; nothing where
// stderr is no terminal, so that logs and pipes stay clean.
//
// Thread: confined to one thread.
#pragma once

#include <fmt/core.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <string>
#include <utility>

namespace starling::gossip_sim {

class Progress {
 public:
  // `unit` names what is counted: "runs".
  Progress(std::string unit, std::uint64_t total)
      : unit_(std::move(unit)), total_(total), terminal_(isatty(STDERR_FILENO) != 0) {}
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  ~Progress() {
    if (shown_) fmt::print(stderr, "\r\x1b[K");
  }

  void At(std::uint64_t done) {
    if (!terminal_) return;
    const auto now = std::chrono::steady_clock::now();
    if (now < next_) return;
    next_ = now + std::chrono::milliseconds(100);
    if (!shown_) {
      shown_ = true;  // Not at once: what is done in a moment needs no progress.
      return;
    }
    fmt::print(stderr, "\r\x1b[K{} of {} {}", done, total_, unit_);
    std::fflush(stderr);
  }

 private:
  std::string unit_;
  std::uint64_t total_;
  bool terminal_;
  bool shown_ = false;
  std::chrono::steady_clock::time_point next_{};
};

}  // namespace starling::gossip_sim
