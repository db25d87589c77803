#include "benchmarks/tree/writer.h"

#include <algorithm>
#include <chrono>
#include <thread>
#include <utility>

#include "merkle/tree.h"

namespace starling::benchmarks {
namespace {

using storage::Family;

constexpr std::size_t kLookupKeysMax = 64;  // As server/replica.h.
constexpr merkle::Generation kCutsKept = 5;
constexpr int kSettleMsMax = 60'000;
constexpr int kSettleStepMs = 10;

std::int64_t WallMs() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

}  // namespace

Writer::Writer(const RowKind& kind, TreeKept tree, std::unique_ptr<Store> store)
    : kind_(kind),
      tree_kept_(tree),
      store_(std::move(store)),
      row_(kind),
      history_(kind.keyspace, merkle::GenerationOf(WallMs())) {}

base::Status Writer::Run(const Turn& turn) {
  for (std::size_t from = 0; from < turn.rows.size(); from += kLookupKeysMax) {
    const std::size_t count = std::min(kLookupKeysMax, turn.rows.size() - from);
    RETURN_IF_ERROR(Change(turn.rows.subspan(from, count), turn.generation));
  }
  KeepTree();
  RETURN_IF_ERROR(store_->Write(batch_, turn.sync));
  batch_.Clear();
  return base::Ok();
}

base::Status Writer::Settle() {
  if (tree_kept_ != TreeKept::kNot)
    history_.recent().Forget(merkle::NewestCut(WallMs()) - kCutsKept);
  for (int waited = 0; waited < kSettleMsMax; waited += kSettleStepMs) {
    if (store_->Idle()) return base::Ok();
    std::this_thread::sleep_for(std::chrono::milliseconds(kSettleStepMs));
  }
  return base::Io("the engine still compacts after a minute");
}

base::Status Writer::Change(std::span<const Row> rows, std::uint64_t generation) {
  stored_keys_.resize(rows.size());
  asked_.clear();
  old_.Prepare(rows.size());
  for (std::size_t i = 0; i < rows.size(); ++i) {
    row_.Make(rows[i], generation);
    stored_keys_[i] = row_.stored_key();
    asked_.push_back(stored_keys_[i]);
  }
  store_->Get(asked_, storage::Tier::kCacheOnly, old_);
  RETURN_IF_ERROR(FetchTheRest());
  const merkle::Generation filed = merkle::GenerationOf(WallMs());
  if (tree_kept_ != TreeKept::kNot)
    for (const Row& row : rows) history_.Prefetch(base::BucketOf(row.token));
  for (std::size_t i = 0; i < rows.size(); ++i) {
    row_.Make(rows[i], generation);
    const storage::EntryHeader& old = old_.headers[i];
    if (row_.header().version <= old.version) continue;
    storage::EncodeEntryTo(row_.header(), row_.value(),
                           batch_.BeginPut(Family::kData, stored_keys_[i]));
    batch_.EndPut();
    if (tree_kept_ == TreeKept::kNot) continue;
    const base::Hash128Value key_hash = row_.KeyHash();
    history_.Change(row_.bucket(), filed, row_.DigestAs(row_.header(), key_hash),
                    old.version.empty() ? merkle::Digest{} : row_.DigestAs(old, key_hash));
  }
  return base::Ok();
}

// A node reads these on a lane of its own; here they are few, since the cache has room for all.
base::Status Writer::FetchTheRest() {
  for (std::size_t i = 0; i < asked_.size(); ++i) {
    if (old_.found[i] != storage::Found::kNotCached) continue;
    LookedUp one;
    one.Prepare(1);
    store_->Get({&asked_[i], 1}, storage::Tier::kAll, one);
    RETURN_IF_ERROR(one.error);
    old_.headers[i] = one.headers[0];
  }
  return old_.error;
}

void Writer::KeepTree() {
  switch (tree_kept_) {
    case TreeKept::kNot: break;
    case TreeKept::kMemory: history_.tree().ClearDirty(); break;
    case TreeKept::kJournal:
      journal_.Take(history_.tree());
      journal_.EndTurn(*this);
      break;
    case TreeKept::kLeaves:
    case TreeKept::kPages: PutLeaves(); break;
  }
}

std::string& Writer::BeginPut(base::Bytes key) { return batch_.BeginPut(Family::kTree, key); }

void Writer::EndPut() { batch_.EndPut(); }

void Writer::PutLeaves() {
  merkle::Tree& tree = history_.tree();
  for (const std::uint16_t bucket : tree.dirty()) {
    merkle::EncodeLeafTo(tree.Leaf(bucket),
                         batch_.BeginPut(Family::kTree, merkle::LeafKey(kind_.keyspace, bucket)));
    batch_.EndPut();
    if (tree_kept_ == TreeKept::kPages && ++changes_[base::SliceOf(bucket)] == kChangesAPage)
      PutPage(base::SliceOf(bucket));
  }
  tree.ClearDirty();
}

void Writer::PutPage(std::uint8_t slice) {
  changes_[slice] = 0;
  std::string key;
  base::AppendBig(key, kind_.keyspace);
  key.push_back(static_cast<char>(slice));
  std::string& page = batch_.BeginPut(Family::kTree, key);
  for (std::uint32_t leaf = 0; leaf < base::kLeavesPerSlice; ++leaf) {
    const std::uint16_t bucket = base::BucketAt(slice, static_cast<std::uint8_t>(leaf));
    page.append(merkle::EncodeLeaf(history_.tree().Leaf(bucket)));
  }
  batch_.EndPut();
}

}  // namespace starling::benchmarks
