// Goal:   a guard record is whole or told to be damaged, and its mark never goes back.
// Method: records flipped, cut and lengthened; a guard over a string, and one over a file.
#include "storage/guard.h"

#include <rapidcheck.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "storage/guard_file.h"
#include "tests/test.h"

namespace starling::storage {
namespace {

const GuardRecord kRecord{
    .host = {1, 2},
    .cluster_id = {3, 4},
    .boot = 5,
    .mark = 6,
    .clock_bound = 7,
    .members = 3,
    .irreplaceable = {.keyspaces = {{2, "single"}, {9, "alone"}}, .more = false}};

// A folder that ends with the test.
struct Folder {
  Folder() {
    std::string name = std::filesystem::temp_directory_path() / "starling-guard-XXXXXX";
    REQUIRE(mkdtemp(name.data()) != nullptr);
    path = name;
  }
  ~Folder() { std::filesystem::remove_all(path); }
  std::string path;
};

TEST_SUITE("guard") {
  TEST_CASE("a record comes back as it was, and one flipped bit is seen") {
    EXPECT(DecodeGuard(EncodeGuard(kRecord)) == kRecord);
    EXPECT(rc::check("flipped", [] {
      std::string bytes = EncodeGuard(kRecord);
      const auto at = *rc::gen::inRange<std::size_t>(0, bytes.size());
      bytes[at] = static_cast<char>(bytes[at] ^ (1 << *rc::gen::inRange(0, 8)));
      const auto read = DecodeGuard(bytes);
      RC_ASSERT(!read.has_value());
      RC_ASSERT(read.error().code() == base::Code::kCorruption);
    }));
  }

  TEST_CASE(
      "of keyspaces of one replica it keeps as many as find room, and says if there are more") {
    GuardRecord record = kRecord;
    record.irreplaceable = {};
    for (base::KeyspaceId id = 1; id <= 40; ++id)
      record.irreplaceable.keyspaces.push_back({id, std::string(48, 'k')});
    const auto read = DecodeGuard(EncodeGuard(record));
    REQUIRE(read.has_value());
    EXPECT(read->irreplaceable.more);
    EXPECT(read->irreplaceable.keyspaces.size() == 7);
    EXPECT(DecodeGuard(EncodeGuard(*read)) == *read);
  }

  TEST_CASE("cut or lengthened it is no record") {
    const std::string bytes = EncodeGuard(kRecord);
    EXPECT(!DecodeGuard(bytes.substr(1)).has_value());
    EXPECT(!DecodeGuard(bytes + "x").has_value());
    EXPECT(!DecodeGuard({}).has_value());
  }

  TEST_CASE("the mark only rises, and the clock's bound with it") {
    std::string kept;
    MemoryGuard guard(kept);
    guard.Begin(kRecord);
    EXPECT(kept.empty());
    guard.Synced(10);
    guard.Synced(9);
    guard.NoteClockBound(3);
    guard.NoteCluster({8, 9}, 4, {.keyspaces = {{5, "five"}}, .more = true});
    EXPECT(guard.mark() == 10);
    guard.Synced(11);
    const auto read = DecodeGuard(kept);
    REQUIRE(read.has_value());
    EXPECT(*read == GuardRecord{{1, 2}, {8, 9}, 5, 11, 7, 4, {{{5, "five"}}, true}});
    guard.NoteUncertain({8, 9}, {.keyspaces = {{6, "six"}}});
    guard.Synced(12);
    EXPECT(*DecodeGuard(kept) ==
           GuardRecord{{1, 2}, {8, 9}, 5, 12, 7, 4, {{{5, "five"}, {6, "six"}}, true}});
  }

  TEST_CASE("a file: none, one from an interrupted start, a sound one, a damaged one") {
    const Folder folder;
    EXPECT(!ReadGuardFile(folder.path)->has_value());
    {
      auto file = GuardFile::Open(folder.path);
      REQUIRE(file.has_value());
      EXPECT(!ReadGuardFile(folder.path)->has_value());
      (*file)->Begin(kRecord);
      (*file)->Synced(12);
    }
    const auto read = ReadGuardFile(folder.path);
    REQUIRE((read.has_value() && read->has_value()));
    EXPECT((*read)->mark == 12);
    std::ofstream(folder.path + "/guard", std::ios::app) << "x";
    const auto damaged = ReadGuardFile(folder.path);
    REQUIRE(!damaged.has_value());
    EXPECT(damaged.error().code() == base::Code::kCorruption);
  }

  TEST_CASE("a folder that is not there can't have one") {
    const auto file = GuardFile::Open("/nonexistent/starling");
    REQUIRE(!file.has_value());
    EXPECT(file.error().code() == base::Code::kIo);
  }
}

}  // namespace
}  // namespace starling::storage
