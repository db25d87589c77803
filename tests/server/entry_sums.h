// tests/server/entry_sums.h: what the stored entries add up to, for tests of who keeps that.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>

#include "server/purge/dead.h"
#include "server/replica.h"
#include "server/stored_trees.h"
#include "server/tree_rebuild.h"
#include "storage/engine.h"
#include "storage/entry.h"
#include "tests/test.h"

namespace starling::server {

inline constexpr std::uint64_t kDigestSeed = 42;
inline constexpr base::KeyspaceId kKeyspaces = 2;  // 1 and 2.

inline std::string KeyAsStored(const LocalWrite& write) {
  std::string stored;
  storage::EncodeDataKeyTo({write.keyspace, write.token, write.key}, stored);
  return stored;
}

// What the entries add up to.
struct Sums {
  std::map<std::pair<base::KeyspaceId, std::uint16_t>, merkle::Digest> leaves;
  std::map<base::KeyspaceId, purge::DeadCounts::Totals> dead;
};

inline Sums SumsOf(storage::Engine& engine) {
  Sums sums;
  purge::DeadCounts dead;
  const auto cursor = engine.Scan(storage::Family::kData, {}, {});
  for (cursor->Seek({}); cursor->Valid(); cursor->Next()) {
    const auto key = storage::DecodeDataKey(cursor->key());
    const auto entry = storage::DecodeSoundEntry(cursor->value());
    REQUIRE(key.has_value());
    REQUIRE(entry.has_value());  // What was damaged is gone.
    const storage::EntryHeader& header = entry->header;
    const std::uint16_t bucket = base::BucketOf(key->token);
    sums.leaves[{key->keyspace, bucket}] += merkle::DigestOf(
        key->key, {header.version, header.flags, header.expiry_ms, header.value_digest},
        kDigestSeed);
    dead.Add(key->keyspace, bucket, header, cursor->key().size());
  }
  for (base::KeyspaceId keyspace = 1; keyspace <= kKeyspaces; ++keyspace)
    sums.dead[keyspace] = dead.TotalsOf(keyspace);
  return sums;
}

inline bool Same(const purge::DeadCounts::Totals& a, const purge::DeadCounts::Totals& b) {
  return a.tombstones == b.tombstones && a.tombstone_bytes == b.tombstone_bytes &&
         a.expiring == b.expiring;
}

// Leaves and counts, in memory and as stored. Once all is made and committed.
inline void ExpectTreesOfEntries(storage::Engine& engine, Replica& replica) {
  const Sums sums = SumsOf(engine);
  EXPECT(CheckTreesMade(engine).ok());
  auto trees = ReadTrees(engine);
  REQUIRE(trees.has_value());
  for (base::KeyspaceId keyspace = 1; keyspace <= kKeyspaces; ++keyspace) {
    for (std::uint32_t i = 0; i < base::kBuckets; ++i) {
      const auto bucket = static_cast<std::uint16_t>(i);
      const auto want = sums.leaves.find({keyspace, bucket});
      const merkle::Digest right = want == sums.leaves.end() ? merkle::Digest{} : want->second;
      REQUIRE(replica.LeafOf(keyspace, bucket) == right);
      REQUIRE(trees->TreeOf(keyspace).Leaf(bucket) == right);
    }
    EXPECT(Same(replica.dead().TotalsOf(keyspace), sums.dead.at(keyspace)));
  }
  purge::DeadCounts loaded;
  const base::Bytes prefix = purge::DeadCounts::kPrefix;
  const auto counts = engine.Scan(storage::Family::kMeta, prefix, {});
  for (counts->Seek(prefix); counts->Valid() && counts->key().starts_with(prefix); counts->Next()) {
    const auto place = purge::DeadCounts::ParseKey(counts->key());
    REQUIRE(loaded.Load(place->first, place->second, counts->value()).ok());
  }
  for (base::KeyspaceId keyspace = 1; keyspace <= kKeyspaces; ++keyspace)
    EXPECT(Same(loaded.TotalsOf(keyspace), replica.dead().TotalsOf(keyspace)));
}

}  // namespace starling::server
