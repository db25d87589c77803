// Goal:   a history is read back as it was written, a torn one up to its tear, and nonsense is
// refused by the number of its line.
//
// Method: files in a temporary directory, written by HistoryFile and spoilt by hand.
#include "tools/stress/history.h"

#include <fmt/core.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "base/random.h"
#include "tests/test.h"

namespace starling::stress {
namespace {

class TempFile {
 public:
  TempFile() {
    std::string name = (std::filesystem::temp_directory_path() / "history-XXXXXX").string();
    const int made = ::mkstemp(name.data());
    REQUIRE(made >= 0);
    ::close(made);
    path = name;
  }
  ~TempFile() { std::filesystem::remove(path); }

  std::string Read() const {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  void Write(std::string_view text) const { std::ofstream(path, std::ios::binary) << text; }

  std::string path;
};

const HistoryHead kHead{.run = 0xabc, .deletes = true, .keyspace = "name of a space"};
constexpr base::Version kVersion{100, 1, 5};

std::vector<Event> RandomEvents(std::size_t count) {
  base::Random random(5);
  std::vector<Event> events;
  for (std::size_t i = 0; i < count; ++i) {
    const auto invoke = static_cast<std::int64_t>(random.Below(1'000'000'000'000));
    const std::uint64_t ids[] = {kNothing, kForeign, random.Next() >> 1 | 1};
    events.push_back({.invoke_us = invoke,
                      .return_us = invoke + static_cast<std::int64_t>(random.Below(1'000'000)),
                      .type = static_cast<EventType>(random.Below(3)),
                      .outcome = static_cast<Outcome>(random.Below(3)),
                      .record = random.Below(2'000'000'000),
                      .id = ids[random.Below(3)]});
  }
  return events;
}

bool Same(const Event& a, const Event& b) {
  return a.invoke_us == b.invoke_us && a.return_us == b.return_us && a.type == b.type &&
         a.outcome == b.outcome && a.record == b.record && a.id == b.id;
}

void WriteHistory(const std::string& path, const std::vector<Event>& events) {
  auto file = HistoryFile::Create(path, kHead);
  REQUIRE(file.has_value());
  for (const Event& event : events)
    file->Write(event, event.type == EventType::kGet ? base::Version{} : kVersion);
  REQUIRE(file->End().ok());
}

TEST_SUITE("stress/history") {
  TEST_CASE("what is written is read back") {
    const TempFile at;
    const auto events = RandomEvents(1000);
    WriteHistory(at.path, events);
    const auto read = ReadHistory(at.path);
    REQUIRE(read.has_value());
    EXPECT(read->complete);
    EXPECT(read->head.run == kHead.run);
    EXPECT(read->head.deletes);
    EXPECT(read->head.keyspace == kHead.keyspace);
    REQUIRE(read->events.size() == events.size());
    for (std::size_t i = 0; i < events.size(); ++i) EXPECT(Same(read->events[i], events[i]));
  }

  TEST_CASE("of each record the highest version that was acknowledged is known") {
    const TempFile at;
    at.Write(FormatHead(kHead) +
             "\n"
             "1\t2\tput\tok\t7\tab\t100.2@1#00000001\n"
             "2\t3\tdel\tok\t7\t-\t100.10@1#00000002\n"
             "3\t4\tput\tok\t7\tac\t100.9@1#00000003\n"
             "4\t5\tput\tunknown\t7\tad\t200.0@1#00000004\n"
             "5\t6\tget\tok\t7\tad\t200.0@1#00000004\n"
             "6\t7\tput\tfailed\t8\tae\t-\n");
    const auto read = ReadHistory(at.path);
    REQUIRE(read.has_value());
    EXPECT(read->newest.size() == 1);
    EXPECT(read->newest.at(7) == base::Version{100 << 16 | 10, 1, 2});
  }

  TEST_CASE("a file cut anywhere is read up to its last whole line, as one that ends early") {
    const TempFile at;
    const auto events = RandomEvents(5);
    WriteHistory(at.path, events);
    const std::string whole = at.Read();
    const std::size_t head = whole.find('\n') + 1;
    for (std::size_t size = 0; size < whole.size(); ++size) {
      at.Write(whole.substr(0, size));
      const auto read = ReadHistory(at.path);
      if (size < head) {
        EXPECT(!read.has_value());
        continue;
      }
      REQUIRE(read.has_value());
      EXPECT(!read->complete);
      const auto lines = static_cast<std::size_t>(
          std::count(whole.begin() + static_cast<std::ptrdiff_t>(head),
                     whole.begin() + static_cast<std::ptrdiff_t>(size), '\n'));
      REQUIRE(read->events.size() == lines);
      for (std::size_t i = 0; i < lines; ++i) EXPECT(Same(read->events[i], events[i]));
    }
  }

  TEST_CASE("what was flushed survives a generator that is killed") {
    const TempFile at;
    auto file = HistoryFile::Create(at.path, kHead);
    REQUIRE(file.has_value());
    EXPECT(ReadHistory(at.path).has_value());  // The head is there at once.
    file->Write(RandomEvents(1)[0], kVersion);
    REQUIRE(file->Flush().ok());
    const auto read = ReadHistory(at.path);
    REQUIRE(read.has_value());
    EXPECT(read->events.size() == 1);
    EXPECT(!read->complete);
  }

  TEST_CASE("a line that makes no sense is refused by its number") {
    const TempFile at;
    const std::string head = FormatHead(kHead) + "\n";
    const std::string good = "1\t2\tput\tok\t7\t00000000000000ab\t-\n";
    for (const char* bad :
         {"", "garbage", "1\t2\tput\tok\t7\tab", "1\t2\tput\tok\t7\tab\t-\tmore",
          "1\t2\tpat\tok\t7\tab\t-", "1\t2\tput\tok\t7\tab\t17", "1\t2\tput\tgood\t7\tab\t-",
          "x\t2\tput\tok\t7\tab\t-", "1\t2\tput\tok\t-7\tab\t-", "1\t2\tput\tok\t7\txyz\t-",
          "2\t1\tput\tok\t7\tab\t-"}) {
      at.Write(fmt::format("{}{}{}\n{}", head, good, bad, good));
      const auto read = ReadHistory(at.path);
      REQUIRE(!read.has_value());
      EXPECT(read.error().code() == base::Code::kInvalidArgument);
      EXPECT(read.error().message().find("line 3") != std::string::npos);
    }
    at.Write(head + good + "# end\n" + good);
    const auto after_end = ReadHistory(at.path);
    REQUIRE(!after_end.has_value());
    EXPECT(after_end.error().message().find("line 4") != std::string::npos);
  }

  TEST_CASE("a file that is no history, or is not there, is said to be so") {
    const TempFile at;
    for (const char* text : {"", "\n", "# starling-history 2 run=1 deletes=no keyspace=k\n",
                             "# starling-history 1 run=0 deletes=no keyspace=k\n",
                             "# starling-history 1 run=1000000 deletes=no keyspace=k\n",
                             "# starling-history 1 run=1 deletes=maybe keyspace=k\n",
                             "# starling-history 1 run=1 deletes=no keyspace=\n",
                             "# starling-history 1 keyspace=k deletes=no run=1\n"}) {
      at.Write(text);
      const auto read = ReadHistory(at.path);
      REQUIRE(!read.has_value());
      EXPECT(read.error().message().find("is no history") != std::string::npos);
    }
    const auto absent = ReadHistory(at.path + ".absent");
    REQUIRE(!absent.has_value());
    EXPECT(absent.error().code() == base::Code::kIo);
    EXPECT(!HistoryFile::Create(at.path + ".absent/below", kHead).has_value());
  }

  TEST_CASE("a full disk is reported, not passed over") {
    if (!std::filesystem::exists("/dev/full")) return;
    auto file = HistoryFile::Create("/dev/full", kHead);
    REQUIRE(!file.has_value());
    EXPECT(file.error().code() == base::Code::kIo);
  }
}

}  // namespace
}  // namespace starling::stress
