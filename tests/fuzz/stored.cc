// Goal:   nothing that lies on a disk crashes who reads it: each record is refused or understood,
//         and what is understood can be written again.
// Method: the first byte says which kind of record the rest is. Where an engine is read, the rest
//         are its keys and values. Of what has a checksum it is right.
#include <array>
#include <memory>
#include <string>

#include "base/hash.h"
#include "merkle/records.h"
#include "merkle/stored_trees.h"
#include "server/bucket_parts.h"
#include "server/entry_page.h"
#include "server/peer_marks.h"
#include "server/purge/marks.h"
#include "server/purge_scan.h"
#include "server/range_proof.h"
#include "server/tree_check.h"
#include "server/tree_page.h"
#include "server/wire/entries.h"
#include "storage/entry.h"
#include "storage/guard.h"
#include "storage/identity.h"
#include "storage/memory_engine.h"
#include "tests/fuzz/input.h"
#include "tests/fuzz/round_trip.h"

namespace starling::server {
namespace {

using fuzz::Exact;
using fuzz::Input;
using fuzz::RoundTrip;
using storage::Family;

constexpr std::size_t kRecordsMax = 64;

void TryEntry(Input& in) {
  const auto encode = [](const storage::Entry& entry) {
    std::string bytes;
    storage::EncodeEntryTo(entry.header, entry.value, bytes);
    return bytes;
  };
  const Exact bytes(in.Rest());
  const bool sound = storage::DecodeSoundEntry(bytes.bytes()).has_value();
  CHECK(RoundTrip(bytes.bytes(), storage::DecodeEntry, encode) || !sound);
}

void TryDataKey(Input& in) {
  RoundTrip(in.Rest(), storage::DecodeDataKey, [](const storage::DataKey& key) {
    std::string bytes;
    storage::EncodeDataKeyTo(key, bytes);
    return bytes;
  });
}

void TryGuard(Input& in) {
  std::string record(in.Take(storage::kGuardBytes - sizeof(std::uint64_t)));
  record.resize(storage::kGuardBytes - sizeof(std::uint64_t), '\0');
  base::AppendLittle(record, base::Hash64(record));
  RoundTrip(record, storage::DecodeGuard, storage::EncodeGuard);
  RoundTrip(in.Rest(), storage::DecodeGuard, storage::EncodeGuard);
}

// What the input has of one family. The keys begin as those of `prefix` do.
std::unique_ptr<storage::MemoryEngine> EngineOf(Family family, base::Bytes prefix, Input& in) {
  auto engine = std::make_unique<storage::MemoryEngine>(std::make_shared<storage::MemoryDisk>());
  storage::Batch batch;
  for (std::size_t left = kRecordsMax; left > 0 && !in.empty(); --left) {
    std::string key(prefix);
    key += in.ShortPiece();
    batch.Put(family, key, in.ShortPiece());
  }
  const storage::Batch* const batches[] = {&batch};
  CHECK(engine->Write(batches, storage::Sync::kNo).ok());
  return engine;
}

void TryIdentity(Input& in) {
  storage::MemoryEngine engine(std::make_shared<storage::MemoryDisk>());
  storage::Batch batch;
  for (const char* key : {"format", "identity", "boot", "clock_bound"})
    if (in.Byte() % 4 != 0) batch.Put(Family::kMeta, key, in.ShortPiece());
  const storage::Batch* const batches[] = {&batch};
  CHECK(engine.Write(batches, storage::Sync::kNo).ok());
  (void)storage::LastBoot(engine);
  (void)storage::LoadClockBound(engine);
  const auto identity = storage::LoadIdentity(engine);
  if (!identity || !*identity) return;
  batch.Clear();
  storage::SaveIdentity(batch, **identity);
  CHECK(engine.Write(batches, storage::Sync::kNo).ok());
  const auto again = storage::LoadIdentity(engine);
  CHECK(again.has_value());
  CHECK(*again == *identity);
}

// A page of 256 leaves is more than an input has: its bytes are repeated.
std::string PageOf(base::Bytes bytes) {
  std::string page;
  while (!bytes.empty() && page.size() < merkle::kPageBytes) page += bytes;
  page.resize(merkle::kPageBytes, '\0');
  return page;
}

void TryTrees(Input& in) {
  merkle::StoredTrees stored;
  for (std::size_t left = kRecordsMax; left > 0 && !in.empty(); --left) {
    const Exact key(in.Take(1 + in.Byte() % 8));
    const bool page = key.bytes().size() == merkle::kPageKeyBytes && in.Byte() % 4 != 0;
    const Exact value(page ? PageOf(in.ShortPiece()) : std::string(in.ShortPiece()));
    if (!stored.Take(key.bytes(), value.bytes()).ok()) return;
  }
  if (!stored.Finish().ok()) return;
  for (const auto& [keyspace, tree] : stored.trees()) {
    merkle::Tree again(keyspace);
    std::string page;
    merkle::EncodePageTo(*tree, 0, page);
    CHECK(merkle::LoadPage(page, 0, again).ok());
    CHECK(again.RunSum(0, 0) == tree->RunSum(0, 0));
  }
}

void TryMarks(Input& in) {
  const auto keyspace = in.Byte();
  const std::uint8_t slice = in.Byte();
  const auto purged = in.Number<std::uint64_t>();
  (void)purge::Marks::ParseKey(in.ShortPiece());
  std::string record(in.Rest());
  // With more than one kind, a leaf's kind each.
  if (!record.empty() && (record[0] & 1) != 0) record.resize(record.size() + 256, '\0');
  const Exact given(record);
  purge::Marks marks;
  if (!marks.Load(keyspace, slice, given.bytes()).ok()) return;
  marks.Purge(keyspace, base::BucketAt(slice, 7), purged);
  storage::Batch batch;
  marks.StoreDirty(batch);
  struct Visitor {
    const purge::Marks& marks;
    void Put(Family, base::Bytes key, base::Bytes value) const {
      const auto place = purge::Marks::ParseKey(key);
      CHECK(place.has_value());
      purge::Marks again;
      CHECK(again.Load(place->first, place->second, value).ok());
      for (int leaf = 0; leaf < 256; ++leaf) {
        const auto bucket = base::BucketAt(place->second, static_cast<std::uint8_t>(leaf));
        CHECK(again.Of(place->first, bucket) == marks.Of(place->first, bucket));
      }
    }
    void Delete(Family, base::Bytes) const {}
  };
  batch.ForEach(Visitor{marks});
}

void TryProof(Input& in) {
  std::string key = ProofKey(in.Number<std::uint32_t>(), in.Number<std::uint16_t>());
  if (in.Byte() % 4 == 0) key = in.ShortPiece();
  RoundTrip(
      in.Rest(), [&](base::Bytes value) { return DecodeProof(key, value); }, EncodeProof);
}

void TryPeerMarks(Input& in) {
  const auto load = [](base::Bytes bytes) -> base::Result<std::unique_ptr<PeerMarks>> {
    auto marks = std::make_unique<PeerMarks>();
    RETURN_IF_ERROR(marks->Load(bytes));
    return marks;
  };
  RoundTrip(in.Rest(), load, [](const auto& marks) { return marks->Encode(); });
}

// Whoever walks over entries: for scans, repair, purge and trees. What they give is what may
// travel.
void TryEntries(Input& in) {
  constexpr base::KeyspaceId kKeyspace = 1;
  const std::uint8_t first = in.Byte(), count = in.Byte();
  const auto horizon = in.Number<std::uint64_t>();
  const std::string names(in.ShortPiece());
  const std::string summary =
      names.substr(0, names.size() / kSummaryRecordBytes * kSummaryRecordBytes);
  // Keyspace 1, and the high byte of all tokens is 0.
  const auto engine = EngineOf(Family::kData, base::Bytes("\0\0\0\1\0", 5), in);
  const PageRequest request{
      .keyspace = kKeyspace,
      .from_token = base::FirstToken(first),
      .after_key = {},
      .last_token = base::LastToken(static_cast<std::uint16_t>(first + count)),
      .bytes_max = 300};
  for (const Page& page : {ReadPage(*engine, request), ReadMissing(*engine, request, summary)}) {
    std::uint64_t entries = 0;
    for (base::Bytes rest = page.packed; !rest.empty(); ++entries)
      CHECK(wire::UnpackEntry(rest).has_value());
    CHECK(entries == page.entries);
  }
  const Summary all = Summarize(*engine, request);
  CHECK(all.packed.size() % kSummaryRecordBytes == 0);
  PageRequest bucket = request;
  bucket.last_token = base::LastToken(first);
  (void)ReadParts(*engine, bucket, 16, 7);
  (void)FindDead(*engine, kKeyspace, first, {}, horizon, 8, 1'000'000);
  (void)FindExtras(*engine, {kKeyspace, first, {}, {}}, summary, horizon, 300);
  (void)ReadTreePage(*engine, first, {}, 7);
  TreeCheck check(*engine, {.values = true});
  if (check.Load().ok())
    for (std::size_t left = 2 * kRecordsMax; left > 0 && !check.Step(100);) --left;
}

}  // namespace
}  // namespace starling::server

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace starling::server;
  constexpr std::array kTries = {TryEntry, TryDataKey, TryGuard,     TryIdentity, TryTrees,
                                 TryMarks, TryProof,   TryPeerMarks, TryEntries};
  Input in(data, size);
  kTries[in.Byte() % kTries.size()](in);
  return 0;
}
