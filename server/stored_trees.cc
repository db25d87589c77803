#include "server/stored_trees.h"

#include <bitset>
#include <string>
#include <utility>
#include <vector>

#include "base/log.h"
#include "base/place.h"
#include "server/pulled_run.h"
#include "server/tree_making.h"

namespace starling::server {
namespace {

using storage::Family;

// Changes that need not become true together, in batches of a size.
class Chunks {
 public:
  Chunks(storage::Engine& engine, std::size_t bytes) : engine_(engine), bytes_(bytes) {}

  storage::Batch& batch() { return batch_; }
  base::Status WriteIfLarge() {
    return batch_.bytes() < bytes_ ? base::Ok() : Write(storage::Sync::kNo);
  }
  base::Status Write(storage::Sync sync) {
    const storage::Batch* const batches[] = {&batch_};
    RETURN_IF_ERROR(engine_.Write(batches, sync));
    batch_.Clear();
    return base::Ok();
  }

 private:
  storage::Engine& engine_;
  const std::size_t bytes_;
  storage::Batch batch_;
};

struct ReadBack {
  merkle::StoredTrees trees;
  base::Status sound;  // Of the records; what fails is in `trees` in part.
};

base::Result<ReadBack> ReadRecords(storage::Engine& engine) {
  ReadBack read;
  const auto cursor = engine.Scan(Family::kTree, {}, {});
  for (cursor->Seek({}); cursor->Valid() && read.sound.ok(); cursor->Next())
    read.sound = read.trees.Take(cursor->key(), cursor->value());
  RETURN_IF_ERROR(cursor->status());
  if (read.sound.ok()) read.sound = read.trees.Finish();
  return read;
}

base::Result<std::bitset<base::kSlices>> UnmadeSlices(storage::Engine& engine) {
  std::bitset<base::kSlices> unmade;
  const base::Bytes prefix = TreeMaking::kPrefix;
  const auto cursor = engine.Scan(Family::kMeta, prefix, {});
  for (cursor->Seek(prefix); cursor->Valid() && cursor->key().starts_with(prefix); cursor->Next()) {
    ASSIGN_OR_RETURN(const std::uint8_t slice, TreeMaking::ParseKey(cursor->key()));
    unmade.set(slice);
  }
  RETURN_IF_ERROR(cursor->status());
  return unmade;
}

// Removes all that is stored of trees. Those of all slices are to be made anew, so none is missed.
base::Status DropAll(storage::Engine& engine, std::size_t batch_bytes) {
  Chunks chunks(engine, batch_bytes);
  const auto cursor = engine.Scan(Family::kTree, {}, {});
  for (cursor->Seek({}); cursor->Valid(); cursor->Next()) {
    chunks.batch().Delete(Family::kTree, cursor->key());
    RETURN_IF_ERROR(chunks.WriteIfLarge());
  }
  RETURN_IF_ERROR(cursor->status());
  return chunks.Write(storage::Sync::kYes);
}

// The records of runs that were under way: tables may be stored that no tree comprises.
base::Result<std::vector<std::string>> FillingKeys(storage::Engine& engine) {
  std::vector<std::string> keys;
  const auto cursor = engine.Scan(Family::kMeta, kFillingPrefix, {});
  for (cursor->Seek(kFillingPrefix); cursor->Valid() && cursor->key().starts_with(kFillingPrefix);
       cursor->Next())
    keys.emplace_back(cursor->key());
  RETURN_IF_ERROR(cursor->status());
  return keys;
}

// No entry is doubted: what is damaged of them stays, for scrubs and reads to find.
base::Status Unmake(storage::Engine& engine, const std::bitset<base::kSlices>& unmade,
                    const std::vector<std::string>& filling, const base::Status& why) {
  base::log::Warn("storage", "the trees are made anew from the entries, in the background: {}",
                  why.message());
  storage::Batch batch;
  for (std::uint32_t i = 0; i < base::kSlices; ++i) {
    if (unmade.test(i)) continue;  // Its record may say more.
    batch.Put(Family::kMeta, TreeMaking::RecordKey(static_cast<std::uint8_t>(i)),
              TreeMaking::RecordOf(DamagedEntries::kKeep));
  }
  for (const std::string& key : filling) batch.Delete(Family::kMeta, key);
  const storage::Batch* const batches[] = {&batch};
  return engine.Write(batches, storage::Sync::kYes);
}

// A crash leaves pages of which some are newer: the journal, and leaves after it, make all of them
// the same. So the journal goes at once, and leaves after it.
base::Status Fold(storage::Engine& engine, merkle::StoredTrees& trees, std::size_t batch_bytes) {
  Chunks chunks(engine, batch_bytes);
  for (const merkle::PagePlace& place : trees.changed_pages()) {
    EncodePageTo(trees.TreeOf(place.keyspace), place.slice,
                 chunks.batch().BeginPut(Family::kTree, merkle::PageKey(place)));
    chunks.batch().EndPut();
    RETURN_IF_ERROR(chunks.WriteIfLarge());
  }
  for (const std::string& key : trees.journal_keys()) chunks.batch().Delete(Family::kTree, key);
  RETURN_IF_ERROR(chunks.WriteIfLarge());
  for (const std::string& key : trees.leaf_keys()) {
    chunks.batch().Delete(Family::kTree, key);
    RETURN_IF_ERROR(chunks.WriteIfLarge());
  }
  return chunks.Write(storage::Sync::kYes);
}

}  // namespace

base::Result<merkle::StoredTrees> ReadTrees(storage::Engine& engine) {
  ASSIGN_OR_RETURN(const auto filling, FillingKeys(engine));
  if (!filling.empty())
    return base::Fail(base::Unavailable(
        "what a pull brought is just becoming tables, and the trees lack it: try again"));
  ASSIGN_OR_RETURN(ReadBack read, ReadRecords(engine));
  RETURN_IF_ERROR(read.sound);
  return std::move(read.trees);
}

base::Status FoldTrees(storage::Engine& engine, std::size_t batch_bytes) {
  ASSIGN_OR_RETURN(const auto unmade, UnmadeSlices(engine));
  ASSIGN_OR_RETURN(const auto filling, FillingKeys(engine));
  if (!filling.empty()) {
    RETURN_IF_ERROR(
        Unmake(engine, unmade, filling,
               base::Unavailable("the last process ended while what it had pulled became tables")));
    return DropAll(engine, batch_bytes);
  }
  if (unmade.all()) return DropAll(engine, batch_bytes);
  ASSIGN_OR_RETURN(ReadBack read, ReadRecords(engine));
  if (!read.sound.ok()) {
    RETURN_IF_ERROR(Unmake(engine, unmade, {}, read.sound));
    return DropAll(engine, batch_bytes);
  }
  if (read.trees.only_pages()) return base::Ok();
  if (!read.trees.leaf_keys().empty())
    base::log::Info("storage",
                    "{} leaves of trees, as an earlier version stored them, become pages",
                    read.trees.leaf_keys().size());
  return Fold(engine, read.trees, batch_bytes);
}

}  // namespace starling::server
