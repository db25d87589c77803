#include "storage/rocksdb/info_log.h"

#include <algorithm>
#include <array>
#include <cstdarg>
#include <cstdio>
#include <string>
#include <string_view>

#include "base/log.h"

namespace starling::storage {
namespace {

constexpr std::size_t kLineMax = 1024;  // What is longer is cut.
// Said of a table that is being added, whose MANIFEST does not know it yet (table_adder.h): each is
// verified from then on.
constexpr std::string_view kOfAddedTables = "opened without unique ID to verify";

class InfoLog final : public rocksdb::Logger {
 public:
  InfoLog() : Logger(rocksdb::InfoLogLevel::WARN_LEVEL) {}

  using Logger::Logv;
  void LogHeader(const char*, std::va_list) override {}  // All options, at each start.
  void Logv(const char* format, std::va_list arguments) override {
    std::array<char, kLineMax> line;
    const int size = std::vsnprintf(line.data(), line.size(), format, arguments);
    if (size <= 0) return;
    std::string text(line.data(), std::min(static_cast<std::size_t>(size), line.size() - 1));
    if (text.find(kOfAddedTables) != std::string::npos) return;
    std::replace(text.begin(), text.end(), '\n', ' ');
    base::log::Warn("rocksdb", "{}", text);
  }
};

class SilentLog final : public rocksdb::Logger {
 public:
  using Logger::Logv;
  void Logv(const char*, std::va_list) override {}
};

}  // namespace

std::shared_ptr<rocksdb::Logger> MakeInfoLog() { return std::make_shared<InfoLog>(); }
std::shared_ptr<rocksdb::Logger> MakeSilentLog() { return std::make_shared<SilentLog>(); }

}  // namespace starling::storage
