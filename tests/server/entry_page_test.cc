// Goal:   pages give every entry of a range once, in order; a pull gives exactly what is missing or
//         older; damage on disk ends a scan, and is counted where repair goes on without it.
// Method: entries put into the engine in memory, read in pages of every size; two replicas drawn at
//         random, of which one pulls from the other.
#include "server/entry_page.h"

#include <rapidcheck.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/random.h"
#include "server/wire/entries.h"
#include "storage/memory_engine.h"
#include "tests/test.h"

namespace starling::server {
namespace {

constexpr base::KeyspaceId kPaged = 7;
constexpr base::Token kLastToken = ~base::Token{0};

// One replica's data.
struct PageStore {
  std::shared_ptr<storage::MemoryDisk> disk = std::make_shared<storage::MemoryDisk>();
  storage::MemoryEngine engine{disk};

  void PutRaw(base::Bytes data_key, base::Bytes bytes) {
    storage::Batch batch;
    batch.Put(storage::Family::kData, data_key, bytes);
    const storage::Batch* const batches[] = {&batch};
    REQUIRE(engine.Write(batches, storage::Sync::kNo).ok());
  }
  void Put(base::Token token, base::Bytes key, const storage::EntryHeader& header,
           base::Bytes value, base::KeyspaceId keyspace = kPaged) {
    std::string data_key, entry;
    storage::EncodeDataKeyTo({keyspace, token, key}, data_key);
    storage::EncodeEntryTo(header, value, entry);
    PutRaw(data_key, entry);
  }
  void Put(base::Token token, base::Bytes key, std::uint64_t timestamp,
           base::KeyspaceId keyspace = kPaged) {
    Put(token, key, {.version = {timestamp, 1, 1}}, "", keyspace);
  }
};

PageRequest All(std::size_t bytes_max = kPageBytesStandard) {
  return {kPaged, 0, {}, kLastToken, bytes_max};
}

// Keys and timestamps of what is packed, in order: "a@5 b@6".
std::string Listed(base::Bytes packed) {
  std::string told;
  while (!packed.empty()) {
    const auto entry = wire::UnpackEntry(packed);
    REQUIRE(entry.has_value());
    told += (told.empty() ? "" : " ") + std::string(entry->key) + "@" +
            std::to_string(entry->version.timestamp);
  }
  return told;
}

// Reads page after page until one is the last; `pages` counts them.
std::string ReadAll(PageStore& store, PageRequest request, int& pages) {
  std::string packed;
  for (pages = 1; pages < 10'000; ++pages) {
    const Page page = ReadPage(store.engine, request);
    REQUIRE(page.status.ok());
    packed += page.packed;
    if (page.done) return packed;
    request.from_token = page.last_read_token;
    request.after_key = page.last_read_key;
  }
  REQUIRE(false);
  return {};
}

TEST_SUITE("server/entry_page: a range in pages") {
  TEST_CASE("an empty range is one empty page") {
    PageStore store;
    store.Put(5, "other keyspace", 1, kPaged + 1);
    const Page page = ReadPage(store.engine, All());
    EXPECT(page.status.ok());
    EXPECT(page.done);
    EXPECT(page.entries == 0);
    EXPECT(page.packed.empty());
    EXPECT(page.bytes_read == 0);
  }

  TEST_CASE("an entry comes whole: tombstones, expired ones and every field") {
    PageStore store;
    store.Put(5, "gone", {.version = {9, 2, 3}, .flags = storage::kFlagTombstone}, "");
    store.Put(6, "late",
              {.version = {1ULL << 40, 4, 5},
               .expiry_ms = 1,
               .value_digest = 77,
               .origin = storage::Origin::kHint,
               .flags = storage::kFlagHasExpiry},
              "some value");
    const Page page = ReadPage(store.engine, All());
    REQUIRE(page.entries == 2);
    base::Bytes rest = page.packed;
    const auto gone = wire::UnpackEntry(rest), late = wire::UnpackEntry(rest);
    REQUIRE(gone.has_value());
    REQUIRE(late.has_value());
    EXPECT(gone->key == "gone");
    EXPECT(gone->version == base::Version{9, 2, 3});
    EXPECT(gone->flags == storage::kFlagTombstone);
    EXPECT(late->key == "late");
    EXPECT(late->version == base::Version{1ULL << 40, 4, 5});
    EXPECT(late->flags == storage::kFlagHasExpiry);
    EXPECT(late->expiry_ms == 1);
    EXPECT(late->value_digest == 77);
    EXPECT(late->origin == static_cast<std::uint8_t>(storage::Origin::kHint));
    EXPECT(late->value == "some value");
  }

  TEST_CASE("both ends of the range are in it, and nothing beyond") {
    PageStore store;
    for (const base::Token token : {9, 10, 11, 20, 21}) store.Put(token, "k", token);
    store.Put(kLastToken, "k", 99);
    PageRequest request = All();
    request.from_token = 10;
    request.last_token = 20;
    EXPECT(Listed(ReadPage(store.engine, request).packed) == "k@10 k@11 k@20");
    request.from_token = 21;
    request.last_token = kLastToken;
    EXPECT(Listed(ReadPage(store.engine, request).packed) == "k@21 k@99");
  }

  TEST_CASE("a key that resumes is not read again, and the one right after it is not skipped") {
    PageStore store;
    for (const char* key : {"a", "aa", "b"}) store.Put(5, key, 1);
    store.Put(5, base::Bytes("a\0", 2), 2);
    PageRequest request = All();
    request.from_token = 5;
    request.after_key = "a";
    EXPECT(Listed(ReadPage(store.engine, request).packed) == std::string("a\0@2 aa@1 b@1", 13));
  }

  TEST_CASE("pages of any size add up to the range, each entry once and in order") {
    PageStore store;
    for (base::Token token = 0; token < 40; ++token)
      store.Put(token / 3 << 50, "key" + std::to_string(token), {.version = {token + 1, 1, 1}},
                std::string(token, 'v'));
    int pages = 0;
    const std::string whole = ReadAll(store, All(), pages);
    REQUIRE(pages == 1);
    for (const std::size_t bytes_max : {1, 50, 200, 1000}) {
      EXPECT(ReadAll(store, All(bytes_max), pages) == whole);
      EXPECT(pages > 1);
    }
    EXPECT(ReadAll(store, All(1), pages) == whole);
    EXPECT(pages == 40);  // The first entry of a page always fits.
    EXPECT(ReadAll(store, All(whole.size()), pages) == whole);
    EXPECT(pages == 1);
    EXPECT(ReadAll(store, All(whole.size() - 1), pages) == whole);
    EXPECT(pages == 2);
  }

  TEST_CASE("bytes read are counted: keys and values of the range") {
    PageStore store;
    store.Put(5, "key", {.version = {1, 1, 1}}, "value");
    EXPECT(ReadPage(store.engine, All()).bytes_read ==
           storage::kKeyPrefixBytes + 3 + storage::kEntryHeaderBytes + 5);
  }
}

TEST_SUITE("server/entry_page: what a puller lacks") {
  TEST_CASE("a summary has token and version of each entry, in the order of storage") {
    PageStore store;
    store.Put(6, "b", 20);
    store.Put(5, "a", 10);
    const Summary summary = Summarize(store.engine, All());
    REQUIRE(summary.status.ok());
    REQUIRE(summary.packed.size() == 2 * kSummaryRecordBytes);
    const char* const at = summary.packed.data();
    EXPECT(base::LoadLittle<base::Token>(at) == 5);
    EXPECT(base::Version::LoadFrom(at + 8) == base::Version{10, 1, 1});
    EXPECT(base::LoadLittle<base::Token>(at + kSummaryRecordBytes) == 6);
    EXPECT(Summarize(store.engine, {kPaged, 6, {}, kLastToken}).packed.size() ==
           kSummaryRecordBytes);
  }

  TEST_CASE("a summary that is full says up to which token it is whole, and the rest follows") {
    PageStore store;
    for (base::Token token = 10; token < 20; ++token)
      for (const char* key : {"a", "b", "c"}) store.Put(token, key, token);
    const std::string whole = Summarize(store.engine, All()).packed;
    EXPECT(Summarize(store.engine, All()).last_token == kLastToken);
    for (const std::size_t records : {0, 1, 3, 4, 29}) {
      PageRequest request = All(records * kSummaryRecordBytes);
      std::string packed;
      for (int parts = 1; parts <= 10; ++parts) {
        const Summary summary = Summarize(store.engine, request);
        REQUIRE(summary.status.ok());
        // All three of each token that it covers, and none of the next.
        EXPECT(summary.packed.size() % (3 * kSummaryRecordBytes) == 0);
        packed += summary.packed;
        if (summary.last_token == kLastToken) break;
        request.from_token = summary.last_token + 1;
      }
      EXPECT(packed == whole);
    }
  }

  TEST_CASE("what is missing or older there is sent, what is equal or newer is not") {
    PageStore mine, theirs;
    mine.Put(1, "missing", 5);
    mine.Put(2, "older", 5);
    theirs.Put(2, "older", 4);
    mine.Put(3, "equal", 5);
    theirs.Put(3, "equal", 5);
    mine.Put(4, "newer", 5);
    theirs.Put(4, "newer", 6);
    theirs.Put(5, "theirs", 5);
    const Summary summary = Summarize(theirs.engine, All());
    const Page page = ReadMissing(mine.engine, All(), summary.packed);
    EXPECT(Listed(page.packed) == "missing@5 older@5");
    EXPECT(page.entries == 2);
    EXPECT(page.done);
    EXPECT(Listed(ReadMissing(mine.engine, All(), "").packed) ==
           Listed(ReadPage(mine.engine, All()).packed));
  }

  TEST_CASE("law: of any two replicas, each is sent exactly what it lacks or has older") {
    EXPECT(rc::check([](std::uint64_t seed) {
      base::Random random(seed);
      PageStore stores[2];
      std::map<base::Token, std::uint64_t> held[2];
      for (base::Token token = 0; token < 30; ++token) {
        for (int side = 0; side < 2; ++side) {
          if (random.Chance(0.3)) continue;
          held[side][token] = 1 + random.Below(3);
          stores[side].Put(token, std::to_string(token), held[side][token]);
        }
      }
      const Summary summaries[2] = {Summarize(stores[0].engine, All()),
                                    Summarize(stores[1].engine, All())};
      for (int side = 0; side < 2; ++side) {
        const auto& mine = held[side];
        const auto& theirs = held[1 - side];
        std::string expected;
        for (const auto& [token, timestamp] : mine) {
          const auto there = theirs.find(token);
          if (there != theirs.end() && there->second >= timestamp) continue;
          expected += (expected.empty() ? "" : " ") + std::to_string(token) + "@" +
                      std::to_string(timestamp);
        }
        const Page page = ReadMissing(stores[side].engine, All(), summaries[1 - side].packed);
        RC_ASSERT(Listed(page.packed) == expected);
      }
    }));
  }

  TEST_CASE("of keys whose tokens collide, the older one there makes both be sent") {
    PageStore mine, theirs;
    for (const char* key : {"a", "b"}) mine.Put(5, key, 7);
    theirs.Put(5, "a", 7);
    theirs.Put(5, "b", 6);
    const Summary summary = Summarize(theirs.engine, All());
    EXPECT(Listed(ReadMissing(mine.engine, All(), summary.packed).packed) == "a@7 b@7");
  }

  TEST_CASE("a page without anything to send still says where the reading ended") {
    PageStore mine;
    for (base::Token token = 0; token < 5; ++token) mine.Put(token, "k", 5);
    const Summary all = Summarize(mine.engine, All());
    const Page page = ReadMissing(mine.engine, All(1 << 16), all.packed);
    EXPECT(page.done);
    EXPECT(page.entries == 0);
    EXPECT(page.bytes_read > 0);
  }
}

TEST_SUITE("server/entry_page: garbage") {
  const PageRequest kAll = All();

  TEST_CASE("an entry that cannot be read is Corruption to a scan; repair counts it and goes on") {
    PageStore store;
    store.Put(5, "before", 1);
    store.Put(7, "after", 2);
    std::string bad_key;
    storage::EncodeDataKeyTo({kPaged, 6, "bad"}, bad_key);
    SUBCASE("empty") { store.PutRaw(bad_key, ""); }
    SUBCASE("cut short") { store.PutRaw(bad_key, std::string(storage::kEntryHeaderBytes - 1, 1)); }
    SUBCASE("of no format") { store.PutRaw(bad_key, std::string(100, '\xff')); }
    EXPECT(ReadPage(store.engine, kAll).status.code() == base::Code::kCorruption);

    const Page pull = ReadMissing(store.engine, kAll, "");
    EXPECT(pull.status.ok());
    EXPECT(pull.done);
    EXPECT(Listed(pull.packed) == "before@1 after@2");
    EXPECT(pull.unreadable.entries == 1);
    EXPECT(pull.unreadable.first.code() == base::Code::kCorruption);

    const Summary summary = Summarize(store.engine, kAll);
    EXPECT(summary.status.ok());
    EXPECT(summary.packed.size() == 2 * kSummaryRecordBytes);
    EXPECT(summary.unreadable.entries == 1);
    EXPECT(summary.unreadable.first.code() == base::Code::kCorruption);
  }

  TEST_CASE("what is damaged beyond the range is none of its business") {
    PageStore store;
    store.Put(5, "good", 1);
    std::string bad_key;
    storage::EncodeDataKeyTo({kPaged, 6, "bad"}, bad_key);
    store.PutRaw(bad_key, "");
    PageRequest before = kAll;
    before.last_token = 5;
    EXPECT(Listed(ReadPage(store.engine, before).packed) == "good@1");
    EXPECT(Summarize(store.engine, before).unreadable.entries == 0);
  }

  TEST_CASE("a key that is too short to have a token is Corruption") {
    PageStore store;
    const std::string keyspace_only = storage::BucketBegin(kPaged, 0).substr(0, 4) + "\x01";
    store.PutRaw(keyspace_only, "");
    EXPECT(ReadPage(store.engine, kAll).status.code() == base::Code::kCorruption);
  }

  TEST_CASE("a summary that ends within a record counts as far as it is whole") {
    PageStore mine;
    mine.Put(1, "a", 5);
    mine.Put(2, "b", 5);
    const std::string summary = Summarize(mine.engine, kAll).packed;
    for (std::size_t size = 0; size <= summary.size(); ++size) {
      const Page page = ReadMissing(mine.engine, kAll, base::Bytes(summary).substr(0, size));
      EXPECT(page.status.ok());
      EXPECT(page.entries == 2 - size / kSummaryRecordBytes);
    }
  }
}

}  // namespace
}  // namespace starling::server
