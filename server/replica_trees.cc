// server/replica_trees.cc: the digests of what a replica holds, now and as of cuts, and the making
// of them anew.
#include <algorithm>

#include "base/mutants.h"
#include "server/replica.h"
#include "server/replica_commit.h"

namespace starling::server {

using storage::EntryHeader;
using storage::Family;

merkle::History& Replica::HistoryFor(base::KeyspaceId keyspace) {
  auto& history = histories_[keyspace];
  if (history == nullptr) history = std::make_unique<merkle::History>(keyspace, first_cut_);
  return *history;
}

merkle::History* Replica::HistoryOf(base::KeyspaceId keyspace) {
  const auto it = histories_.find(keyspace);
  return it == histories_.end() ? nullptr : it->second.get();
}

const merkle::Tree* Replica::TreeOf(base::KeyspaceId keyspace) const {
  const auto it = histories_.find(keyspace);
  return it == histories_.end() ? nullptr : &it->second->tree();
}

merkle::Digest Replica::LeafOf(base::KeyspaceId keyspace, std::uint16_t bucket) const {
  const merkle::Tree* tree = TreeOf(keyspace);
  return tree == nullptr ? merkle::Digest{} : tree->Leaf(bucket);
}

void Replica::PrefetchLeaves(std::span<const Operation> operations) {
  for (const Operation& operation : operations)
    if (operation.is_write)
      if (const merkle::History* history = HistoryOf(operation.keyspace); history != nullptr)
        history->Prefetch(base::BucketOf(operation.token));
}

merkle::Generation Replica::OldestCut(base::KeyspaceId keyspace) const {
  const auto it = histories_.find(keyspace);
  return it == histories_.end() ? first_cut_ : it->second->recent().oldest_cut();
}

void Replica::ForgetCuts() {
  const merkle::Generation oldest = merkle::NewestCut(ArrivalMs()) - kCutsKept;
  for (const auto& [keyspace, history] : histories_) history->recent().Forget(oldest);
}

std::size_t Replica::cut_bytes() const {
  std::size_t bytes = 0;
  for (const auto& [keyspace, history] : histories_) bytes += history->recent().memory_bytes();
  return bytes;
}

base::Hash128Value Replica::KeyHashOf(base::Bytes stored_key) const {
  return merkle::KeyHashOf(stored_key.substr(storage::kKeyPrefixBytes), options_.digest_seed);
}

merkle::Digest Replica::DigestOf(const base::Hash128Value& key_hash,
                                 const EntryHeader& header) const {
  return merkle::DigestOf(key_hash,
                          {header.version, header.flags, header.expiry_ms, header.value_digest},
                          options_.digest_seed);
}

// The operation leaves its key with `now` where `old` was; either may be nothing. What is removed
// goes under the generation that it came under: as of every cut it is as if it had never been.
void Replica::CountChange(const Operation& operation, const EntryHeader& now,
                          const EntryHeader& old) {
  const std::uint16_t bucket = base::BucketOf(operation.token);
  const base::Bytes stored_key = operation.stored_key;
  const bool removes = now.version.empty();
  const merkle::Generation generation =
      merkle::FiledUnder((removes ? old : now).version.wall_ms(), ArrivalMs());
  const base::Hash128Value key_hash = KeyHashOf(stored_key);
  const merkle::Digest removed = old.version.empty() ? merkle::Digest{} : DigestOf(key_hash, old);
  merkle::Digest added = removes ? merkle::Digest{} : DigestOf(key_hash, now);
  merkle::History& history = HistoryFor(operation.keyspace);
  if (base::Mutant("forget-leaf") && !removes && history.tree().Leaf(bucket) == removed) added = {};
  if (base::Mutant("purge-keeps-the-leaf") && removes) added = removed;
  if (!making_.Counts(bucket, stored_key, now)) {
    if (!base::Mutant("repair-anew-forgets-cuts"))
      history.recent().Note(bucket, generation, added - removed);
    return;
  }
  history.Change(bucket, generation, added, removed);
  if (!old.version.empty()) dead_.Remove(operation.keyspace, bucket, old, stored_key.size());
  if (!removes) dead_.Add(operation.keyspace, bucket, now, stored_key.size());
}

// --- made anew ---

base::Status Replica::LoadUnmade() {
  const base::Bytes prefix = TreeMaking::kPrefix;
  const auto cursor = engine_.Scan(Family::kMeta, prefix, {});
  for (cursor->Seek(prefix); cursor->Valid() && cursor->key().starts_with(prefix); cursor->Next()) {
    ASSIGN_OR_RETURN(const std::uint8_t slice, TreeMaking::ParseKey(cursor->key()));
    if (base::WorkerOf(slice, options_.workers) == options_.worker)
      RETURN_IF_ERROR(making_.Load(cursor->key(), cursor->value()));
  }
  return cursor->status();
}

TreeMaking::Step Replica::BeginTreeStep() {
  TreeMaking::Step step = making_.Begin();
  uncommitted_.ForEach(
      [&](const Uncommitted::Record& newest) { making_.Note(newest.stored_key, newest.header); });
  return step;
}

void Replica::EndTreeStep(std::uint8_t slice, const TreePage& page) {
  storage::Batch& changes = batch();
  for (const TreePage::Found& found : page.found) {
    if (making_.Noted(found.stored_key)) continue;
    if (found.damaged && making_.damaged(slice) == DamagedEntries::kDrop)
      DropDamaged(found.stored_key);
    else if (!found.header.version.empty())
      CountMade(found.stored_key, found.header, found.digest);
  }
  const bool made = making_.End(page.upto, [&](base::Bytes key, const EntryHeader& header) {
    CountMade(key, header, DigestOf(KeyHashOf(key), header));
  });
  if (made) changes.Delete(Family::kMeta, TreeMaking::RecordKey(slice));
}

void Replica::CountMade(base::Bytes stored_key, const EntryHeader& header,
                        const merkle::Digest& digest) {
  const auto keyspace = base::LoadBig<base::KeyspaceId>(stored_key.data());
  const std::uint16_t bucket =
      base::BucketOf(base::LoadBig<base::Token>(stored_key.data() + sizeof keyspace));
  HistoryFor(keyspace).tree().Add(bucket, digest);
  dead_.Add(keyspace, bucket, header, stored_key.size());
}

// What it was is lost: the other replicas send it. It was in no leaf. Operations on the key find
// it uncommitted until that is done, so none takes it for an old version.
void Replica::DropDamaged(base::Bytes stored_key) {
  Commit& commit = OpenCommit();
  commit.batch.Delete(Family::kData, stored_key);
  NoteUncommitted(stored_key, {}, commit);
}

// A clock set back must not file the later of two writes of a key before the earlier one.
std::int64_t Replica::ArrivalMs() {
  arrival_ms_ = std::max(arrival_ms_, world_.WallMs());
  return arrival_ms_;
}

}  // namespace starling::server
