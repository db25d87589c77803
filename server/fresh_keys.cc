#include "server/fresh_keys.h"

#include "base/mutants.h"
#include "storage/entry.h"

namespace starling::server {

bool HoldsNothing(storage::Engine& engine) {
  const auto cursor = engine.Scan(storage::Family::kData, {}, {});
  cursor->Seek({});
  return !cursor->Valid() && cursor->status().ok();
}

bool FreshKeys::Fresh(base::Bytes stored_key, bool writes) {
  if (!began_empty_) return false;
  const auto id = base::LoadBig<base::KeyspaceId>(stored_key.data());
  const std::uint16_t bucket =
      base::BucketOf(base::LoadBig<base::Token>(stored_key.data() + sizeof id));
  std::unique_ptr<Keyspace>& keyspace = keyspaces_[id];
  if (keyspace == nullptr) keyspace = std::make_unique<Keyspace>();
  auto& newest = keyspace->newest[base::SliceOf(bucket)];
  const bool known = newest.bucket == bucket && !newest.highest.empty();
  const bool behind = known && stored_key > base::Bytes(newest.highest);
  const bool first = !keyspace->begun.Contains(bucket);
  if (writes && (first || behind)) {
    keyspace->begun.Insert(bucket);
    newest.bucket = bucket;
    newest.highest.assign(stored_key);
  }
  return first || behind || (known && base::Mutant("repair-fresh-out-of-order"));
}

}  // namespace starling::server
