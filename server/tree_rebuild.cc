#include "server/tree_rebuild.h"

#include <string>

#include "base/log.h"
#include "merkle/tree.h"
#include "server/purge/dead.h"
#include "storage/entry.h"

namespace starling::server {
namespace {

using storage::Family;

// Writes what has gathered once it is enough for one write; the rest by Flush.
class Writer {
 public:
  explicit Writer(storage::Engine& engine) : engine_(engine) {}

  storage::Batch& batch() { return batch_; }
  base::Status Wrote() { return ++changes_ < kChangesMax ? base::Ok() : Flush(storage::Sync::kNo); }
  base::Status Flush(storage::Sync sync) {
    const storage::Batch* const batches[] = {&batch_};
    RETURN_IF_ERROR(engine_.Write(batches, sync));
    batch_.Clear();
    changes_ = 0;
    return base::Ok();
  }

 private:
  static constexpr std::size_t kChangesMax = 4096;

  storage::Engine& engine_;
  storage::Batch batch_;
  std::size_t changes_ = 0;
};

base::Status DropAll(storage::Engine& engine, Writer& writer, Family family, base::Bytes prefix) {
  const auto cursor = engine.Scan(family, prefix, {});
  for (cursor->Seek(prefix); cursor->Valid() && cursor->key().starts_with(prefix); cursor->Next()) {
    writer.batch().Delete(family, cursor->key());
    RETURN_IF_ERROR(writer.Wrote());
  }
  return cursor->status();
}

}  // namespace

base::Status RebuildTrees(storage::Engine& engine, std::uint64_t digest_seed) {
  Writer writer(engine);
  RETURN_IF_ERROR(DropAll(engine, writer, Family::kTree, {}));
  RETURN_IF_ERROR(DropAll(engine, writer, Family::kMeta, purge::DeadCounts::kPrefix));
  purge::DeadCounts dead;
  // Entries are in the order of keyspace and bucket: a leaf is whole when the next one begins.
  merkle::LeafPlace place;
  merkle::Digest leaf;
  const auto keep = [&]() -> base::Status {
    if (leaf.empty()) return base::Ok();
    writer.batch().Put(Family::kTree, merkle::LeafKey(place.keyspace, place.bucket),
                       merkle::EncodeLeaf(leaf));
    leaf = {};
    return writer.Wrote();
  };
  std::uint64_t removed = 0;
  std::string first;  // What was wrong with the first of them.
  const auto cursor = engine.Scan(Family::kData, {}, {});
  for (cursor->Seek({}); cursor->Valid(); cursor->Next()) {
    ASSIGN_OR_RETURN(const storage::DataKey key, storage::DecodeDataKey(cursor->key()));
    const base::Result<storage::Entry> read = storage::DecodeSoundEntry(cursor->value());
    if (!read) {
      if (++removed == 1) first = read.error().message();
      writer.batch().Delete(Family::kData, cursor->key());
      RETURN_IF_ERROR(writer.Wrote());
      continue;
    }
    const storage::Entry& entry = *read;
    const std::uint16_t bucket = base::BucketOf(key.token);
    if (key.keyspace != place.keyspace || bucket != place.bucket) {
      RETURN_IF_ERROR(keep());
      place = {key.keyspace, bucket};
    }
    const storage::EntryHeader& header = entry.header;
    dead.Add(key.keyspace, bucket, header, cursor->key().size());
    leaf += merkle::DigestOf(key.key,
                             {header.version, header.flags, header.expiry_ms, header.value_digest},
                             digest_seed);
  }
  RETURN_IF_ERROR(cursor->status());
  RETURN_IF_ERROR(keep());
  if (removed > 0)
    base::log::Warn("storage", "{} damaged entries are removed, the first: {}", removed, first);
  dead.StoreDirty(writer.batch());
  return writer.Flush(storage::Sync::kYes);
}

}  // namespace starling::server
