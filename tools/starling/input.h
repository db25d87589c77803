// tools/starling/input.h: what import reads, and how Ctrl-C ends it between two lines.
//
// Thread: confined to one thread, signals aside.
#pragma once

#include <array>
#include <memory>
#include <streambuf>
#include <string>

#include "base/status.h"

namespace starling::cli {

// While it lives, the first SIGINT or SIGTERM is noted; a second one ends the process.
// REQUIRES: one at a time.
class Interrupt {
 public:
  Interrupt();
  ~Interrupt();
  Interrupt(const Interrupt&) = delete;
  Interrupt& operator=(const Interrupt&) = delete;

  int signal() const;  // 0: none came yet.
  int fd() const;      // Readable once one has come.
};

// The buffer of a std::istream. A read that waits, as for a pipe, ends with an interrupt, which no
// std::ifstream does: it is then at its end.
class Input final : public std::streambuf {
 public:
  // "-" is standard input. Fails with Io, naming the file.
  static base::Result<std::unique_ptr<Input>> Open(const std::string& name);
  ~Input() override;
  Input(const Input&) = delete;
  Input& operator=(const Input&) = delete;

  // REQUIRES: `interrupt` outlives all reads.
  void EndAt(const Interrupt& interrupt) { interrupt_fd_ = interrupt.fd(); }

  // Why reading ended, if not at the end of the file or by an interrupt.
  const base::Status& status() const { return status_; }

 private:
  explicit Input(int fd) : fd_(fd) {}
  int_type underflow() override;

  const int fd_;
  int interrupt_fd_ = -1;
  base::Status status_;
  std::array<char, 64 * 1024> bytes_;
};

}  // namespace starling::cli
