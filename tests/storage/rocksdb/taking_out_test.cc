// Goal:   damaged tables go together or not at all: whatever stops that half way, the next call
//         comes to what one call would have come to. What no other node has does not go.
// Method: two tables, both damaged, the newer of which hides the older; the nth I/O fails, alone or
//         with all that follow, as in a kill, after which the power may fail too; for each n.
#include <fmt/core.h>

#include <filesystem>

#include "tests/storage/engine_suite.h"
#include "tests/storage/rocksdb/damage.h"
#include "tests/storage/temp_directory.h"
#include "tests/stride.h"
#include "tests/test.h"

namespace starling::storage {
namespace {

using Cause = UnsyncedFs::Cause;
using Failing = UnsyncedFs::Failing;
namespace fs = std::filesystem;

constexpr int kKeysTakenOut = 600;
constexpr std::uint64_t kStepsMax = 1000;

void CopyInto(const std::string& from, const std::string& to) {
  fs::copy(from, to, fs::copy_options::recursive | fs::copy_options::overwrite_existing);
}

// Version 1 of all keys in one table and version 2 in another, and a bit of each flipped.
void MakeHurt(const std::string& directory) {
  std::string older;
  {
    const auto engine = OpenSmall(directory);
    Fill(*engine, 1, kKeysTakenOut);
    older = LargestTable(directory);
    Fill(*engine, 2, kKeysTakenOut);
  }
  for (const auto& file : fs::directory_iterator(directory))
    if (file.path().extension() == ".sst" && file.file_size() > fs::file_size(older) / 2)
      FlipBit(file.path().string(), file.path().string() == older ? 0.7 : 0.3);
}

std::map<std::string, std::string> FilesOf(const std::string& directory) {
  std::map<std::string, std::string> files;
  for (const auto& file : fs::directory_iterator(directory))
    files[file.path().filename().string()] = WholeFile(file.path());
  files.erase("LOCK");
  return files;
}

// What one call comes to that nothing stops.
std::map<std::string, std::string> Outcome(const std::string& hurt) {
  const TempDirectory directory;
  CopyInto(hurt, directory.path());
  const auto taken = TakeOut(directory.path());
  REQUIRE(taken.has_value());
  EXPECT(taken->tables == 2);
  return AllOf(*OpenSmall(directory.path()));
}

// The next start: it must come to `expected`, and leave nothing lying about.
void ExpectFinished(const std::string& directory,
                    const std::map<std::string, std::string>& expected) {
  const auto again = TakeOut(directory);
  const std::string outcome = again ? again->what : again.error().ToString();
  DOCTEST_INFO(outcome);
  REQUIRE(again.has_value());
  EXPECT(outcome.find("damaged") != std::string::npos);
  EXPECT(TookOutTables(directory));
  EXPECT((AllOf(*OpenSmall(directory)) == expected));
  for (const auto& file : fs::directory_iterator(directory)) {
    const std::string name = file.path().filename().string();
    EXPECT(!name.starts_with("salvaged-"));
    EXPECT(!name.ends_with(".part"));
  }
}

struct Failures {
  Failing failing = Failing::kFromThenOn;
  Cause cause = Cause::kBroken;
  std::uint64_t step = 1;
};

// Calls `check(directory, fs)` after a call in which the nth I/O failed, for each n that there is,
// or every step-th (tests/stride.h); the first n that there is not.
template <typename Check>
std::uint64_t ForEachFailure(const std::string& hurt, const Failures& failures, Check&& check) {
  const auto& [failing, cause, step] = failures;
  for (std::uint64_t n = 1; n < kStepsMax; n += step * Stride()) {
    DOCTEST_INFO("I/O ", n);
    const TempDirectory directory;
    CopyInto(hurt, directory.path());
    const auto file_system = std::make_shared<UnsyncedFs>();
    file_system->FailAt(n, failing, cause);
    const auto taken = TakeOut(directory.path(), {}, file_system);
    if (!file_system->has_failed()) {
      EXPECT(taken.has_value());
      return n;
    }
    if (!taken) {
      EXPECT(taken.error().code() == base::Code::kIo);
      EXPECT(taken.error().message().find("injected failure") != std::string::npos);
    }
    check(directory.path(), *file_system);
  }
  return kStepsMax;
}

TEST_SUITE("storage/rocksdb/taking_out") {
  TEST_CASE("both go, and where the newer one cannot be read the older does not show") {
    const TempDirectory hurt;
    MakeHurt(hurt.path());
    const auto left = Outcome(hurt.path());
    EXPECT(left.size() > kKeysTakenOut / 2);
    EXPECT(left.size() < kKeysTakenOut);
    for (int i = 0; i < kKeysTakenOut; ++i)
      if (const auto it = left.find(KeyOf(i)); it != left.end())
        EXPECT((it->second == EntryOf(i, 2)));
  }

  TEST_CASE("killed at any I/O, and without power, it is finished by the next start as ever") {
    const TempDirectory hurt;
    MakeHurt(hurt.path());
    const auto expected = Outcome(hurt.path());
    base::Random random(1);
    const std::uint64_t beyond =
        ForEachFailure(hurt.path(), {}, [&](const std::string& directory, UnsyncedFs& file_system) {
          const TempDirectory left;
          file_system.SaveSurvivors(directory, left.path(), random);
          ExpectFinished(directory, expected);
          ExpectFinished(left.path(), expected);
        });
    EXPECT(beyond > 20);
    EXPECT(beyond < kStepsMax);
  }

  TEST_CASE(
      "an I/O that fails once, or for want of room, ends it with its cause; nothing is lost") {
    const TempDirectory hurt;
    MakeHurt(hurt.path());
    const auto expected = Outcome(hurt.path());
    for (const Cause cause : {Cause::kBroken, Cause::kFull})
      ForEachFailure(
          hurt.path(), {Failing::kOnce, cause, cause == Cause::kFull ? 5U : 2U},
          [&](const std::string& directory, UnsyncedFs&) { ExpectFinished(directory, expected); });
  }

  TEST_CASE(
      "a table that may hold entries of a keyspace of one replica stays, and all is as it was") {
    const TempDirectory directory;
    std::string first, second;
    {
      const auto engine = OpenSmall(directory.path());
      Fill(*engine, 1, kKeysTakenOut);
      first = LargestTable(directory.path());
      Fill(*engine, 1, 2 * kKeysTakenOut, 1, 5);
      second = LargestTable(directory.path());
    }
    REQUIRE(first != second);
    const Irreplaceable lone{.keyspaces = {{5, "single"}}, .more = false};
    SUBCASE("its table is damaged") {
      FlipBit(second, 0.5);
      const auto before = FilesOf(directory.path());
      const auto refused = TakeOut(directory.path(), lone);
      REQUIRE(!refused.has_value());
      EXPECT(refused.error().code() == base::Code::kFailedPrecondition);
      for (const std::string& word : {second, std::string("keyspace 'single' has one replica")})
        EXPECT(refused.error().message().find(word) != std::string::npos);
      EXPECT((FilesOf(directory.path()) == before));
      EXPECT(TakeOut(directory.path())->tables == 1);  // An operator's word.
    }
    SUBCASE("both are: neither goes") {
      FlipBit(first, 0.5);
      FlipBit(second, 0.5);
      EXPECT(!TakeOut(directory.path(), lone).has_value());
      EXPECT(!TookOutTables(directory.path()));
    }
    SUBCASE("a table without any of it is damaged: that goes") {
      FlipBit(first, 0.5);
      const auto taken = TakeOut(directory.path(), lone);
      REQUIRE(taken.has_value());
      EXPECT(taken->tables == 1);
    }
    SUBCASE("nor does it go when which keyspaces have one replica is not all known") {
      FlipBit(first, 0.5);
      EXPECT(!TakeOut(directory.path(), {.keyspaces = {}, .more = true}).has_value());
    }
  }

  TEST_CASE("what was begun with an operator's word is finished without another") {
    const TempDirectory hurt;
    MakeHurt(hurt.path());
    const auto expected = Outcome(hurt.path());
    const Irreplaceable lone{.keyspaces = {{1, "single"}}, .more = false};
    std::uint64_t refused = 0, finished = 0;
    ForEachFailure(hurt.path(), {.step = 6}, [&](const std::string& directory, UnsyncedFs&) {
      if (!TakeOut(directory, lone)) return void(++refused);
      ++finished;
      EXPECT((AllOf(*OpenSmall(directory)) == expected));
    });
    EXPECT(refused > 0);
    EXPECT(finished > 0);
  }
}

}  // namespace
}  // namespace starling::storage
