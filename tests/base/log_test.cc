// Goal:   a line of the log is one line, whatever it quotes.
// Method: standard error goes into a file meanwhile.
#include "base/log.h"

#include <unistd.h>

#include <cstdio>
#include <string>

#include "tests/test.h"

namespace starling::base {
namespace {

// What is written to standard error while it lives.
class Captured {
 public:
  Captured() : before_(dup(STDERR_FILENO)), file_(std::tmpfile()) {
    REQUIRE(file_ != nullptr);
    REQUIRE(dup2(fileno(file_), STDERR_FILENO) >= 0);
  }
  Captured(const Captured&) = delete;
  Captured& operator=(const Captured&) = delete;
  ~Captured() {
    dup2(before_, STDERR_FILENO);
    close(before_);
    std::fclose(file_);
  }

  std::string Text() {
    std::string text(4096, '\0');
    const ssize_t size = pread(fileno(file_), text.data(), text.size(), 0);
    text.resize(size < 0 ? 0 : static_cast<std::size_t>(size));
    return text;
  }

 private:
  const int before_;
  std::FILE* const file_;
};

TEST_SUITE("base/log") {
  TEST_CASE("what a peer calls itself begins no line and clears no terminal") {
    std::string text;
    {
      Captured captured;
      log::SetLevel(log::Level::kError);
      log::Error("control", "this is no node of '{}'", "evil\nE storage: gone\x1b[2J");
      log::SetLevel(log::Level::kOff);  // As tests/main.cc has it.
      text = captured.Text();
    }
    EXPECT(text.ends_with(" E control: this is no node of 'evil\\nE storage: gone\\x1b[2J'\n"));
    EXPECT(text.find('\n') == text.size() - 1);
  }
}

}  // namespace
}  // namespace starling::base
