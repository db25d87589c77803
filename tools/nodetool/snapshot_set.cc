#include "tools/nodetool/snapshot_set.h"

#include <fmt/core.h>

#include <algorithm>
#include <map>
#include <utility>

#include "merkle/digest.h"
#include "storage/rocksdb/rocksdb_engine.h"

namespace starling::nodetool {

using server::BucketRange;
using server::SnapshotKeyspace;
using storage::Family;

namespace {

constexpr std::size_t kCacheBytes = 16 << 20;
constexpr std::uint64_t kProgressEntries = 10'000;

std::unique_ptr<storage::Cursor> WalkOver(storage::Engine& engine, base::KeyspaceId keyspace) {
  auto cursor = engine.Scan(Family::kData, storage::BucketBegin(keyspace, 0),
                            storage::BucketEnd(keyspace, base::kBuckets - 1));
  cursor->Seek({});
  return cursor;
}

const SnapshotKeyspace* Find(const std::vector<SnapshotKeyspace>& keyspaces,
                             const std::string& name) {
  const auto found = std::find_if(keyspaces.begin(), keyspaces.end(),
                                  [&](const SnapshotKeyspace& each) { return each.name == name; });
  return found == keyspaces.end() ? nullptr : &*found;
}

}  // namespace

base::Result<std::unique_ptr<SnapshotSet>> SnapshotSet::Open(
    const std::vector<std::string>& directories, server::Damaged damaged) {
  auto set = std::make_unique<SnapshotSet>();
  set->damaged_ = damaged;
  for (const std::string& directory : directories) {
    ASSIGN_OR_RETURN(server::SnapshotManifest manifest, server::ReadManifest(directory, damaged));
    if (!set->parts_.empty() && set->parts_.front().manifest.cluster_id != manifest.cluster_id) {
      const Part& first = set->parts_.front();
      return base::Fail(base::InvalidArgument(fmt::format(
          "{} is of the cluster '{}' ({}), and {} of '{}' ({}): restore one cluster at a time",
          first.directory, first.manifest.cluster_name, first.manifest.cluster_id.ToString(),
          directory, manifest.cluster_name, manifest.cluster_id.ToString())));
    }
    ASSIGN_OR_RETURN(auto engine, storage::RocksDbEngine::OpenToRead(
                                      {.directory = directory, .block_cache_bytes = kCacheBytes}));
    set->parts_.push_back({directory, std::move(manifest), std::move(engine)});
  }
  return set;
}

base::Status SnapshotSet::Verify(const std::function<void(std::uint64_t)>& progress) const {
  std::uint64_t read = 0;
  for (const Part& part : parts_) {
    for (const SnapshotKeyspace& keyspace : part.manifest.keyspaces) {
      merkle::Digest sum;
      const auto cursor = WalkOver(*part.engine, keyspace.id);
      for (; cursor->Valid(); cursor->Next()) {
        const auto key = storage::DecodeDataKey(cursor->key());
        if (!key) return key.error().Annotate(part.directory);
        const auto entry = storage::DecodeEntry(cursor->value());
        const base::Status sound = entry ? storage::VerifyValue(*entry) : entry.error();
        if (!sound.ok())
          return sound.Annotate(fmt::format("{}, keyspace '{}'", part.directory, keyspace.name));
        const storage::EntryHeader& header = entry->header;
        sum += merkle::DigestOf(
            key->key, {header.version, header.flags, header.expiry_ms, header.value_digest},
            part.manifest.token_seed);
        if (++read % kProgressEntries == 0) progress(read);
      }
      RETURN_IF_ERROR(cursor->status().Annotate(part.directory));
      if (sum != keyspace.digest)
        return base::Corruption(fmt::format(
            "{}: keyspace '{}' holds {} entries that do not add up to the {} of its manifest: the "
            "snapshot was changed since it was made",
            part.directory, keyspace.name, sum.count, keyspace.digest.count));
    }
  }
  return base::Ok();
}

std::vector<SnapshotKeyspace> SnapshotSet::keyspaces() const {
  std::map<std::string, std::pair<std::uint64_t, SnapshotKeyspace>> by_name;
  for (const Part& part : parts_)
    for (const SnapshotKeyspace& keyspace : part.manifest.keyspaces) {
      const auto known = by_name.find(keyspace.name);
      if (known == by_name.end() || known->second.first < part.manifest.epoch)
        by_name[keyspace.name] = {part.manifest.epoch, keyspace};
    }
  std::vector<SnapshotKeyspace> all;
  for (auto& [name, found] : by_name) all.push_back(std::move(found.second));
  return all;
}

std::vector<BucketRange> SnapshotSet::Missing(const std::string& keyspace) const {
  std::vector<bool> held(base::kBuckets);
  for (const Part& part : parts_)
    if (const SnapshotKeyspace* found = Find(part.manifest.keyspaces, keyspace))
      for (const BucketRange& range : found->ranges)
        std::fill(held.begin() + range.first, held.begin() + range.last + 1, true);
  std::vector<BucketRange> missing;
  for (std::size_t bucket = 0; bucket < held.size(); ++bucket) {
    if (held[bucket]) continue;
    const auto at = static_cast<std::uint16_t>(bucket);
    if (!missing.empty() && missing.back().last + 1U == bucket)
      missing.back().last = at;
    else
      missing.push_back({at, at});
  }
  return missing;
}

std::unique_ptr<SnapshotSet::Entries> SnapshotSet::Walk(const std::string& keyspace) const {
  auto entries = std::make_unique<Entries>();
  entries->damaged_ = damaged_;
  for (const Part& part : parts_) {
    const SnapshotKeyspace* found = Find(part.manifest.keyspaces, keyspace);
    if (found == nullptr) continue;
    entries->sources_.push_back({WalkOver(*part.engine, found->id), found->id, part.directory});
    if (!entries->sources_.back().cursor->Valid()) entries->LeapOver(entries->sources_.back());
  }
  entries->Choose();
  return entries;
}

base::Bytes SnapshotSet::Entries::key() const {
  return winner_->key().substr(storage::kKeyPrefixBytes);
}

void SnapshotSet::Entries::Note(const Source& source, const base::Status& damage,
                                std::uint64_t& count) {
  if (damaged_ == server::Damaged::kRefuse) {
    if (status_.ok()) status_ = damage.Annotate(source.directory);
    return;
  }
  ++count;
  if (skipped_.first.empty()) skipped_.first = damage.Annotate(source.directory).message();
}

void SnapshotSet::Entries::Advance(Source& source) {
  if (const auto key = storage::DecodeDataKey(source.cursor->key()))
    source.bucket = base::BucketOf(key->token) + 1U;
  source.cursor->Next();
  if (!source.cursor->Valid()) LeapOver(source);
}

// A cursor that ended at something it can't read begins again at the next bucket, or the one after.
void SnapshotSet::Entries::LeapOver(Source& source) {
  if (source.cursor->status().ok()) return;
  Note(source, source.cursor->status(), skipped_.gaps);
  if (damaged_ == server::Damaged::kRefuse) return;
  for (; source.bucket < base::kBuckets; ++source.bucket) {
    source.cursor->Seek(
        storage::BucketBegin(source.keyspace, static_cast<std::uint16_t>(source.bucket)));
    if (source.cursor->Valid() || source.cursor->status().ok()) return;
  }
}

// The entry under its cursor into entry_, if it is what it was when it was written.
bool SnapshotSet::Entries::Read(Source& source) {
  while (source.cursor->Valid()) {
    const auto entry = storage::DecodeEntry(source.cursor->value());
    const base::Status sound = entry ? storage::VerifyValue(*entry) : entry.error();
    if (sound.ok()) {
      entry_ = *entry;
      return true;
    }
    Note(source, sound, skipped_.entries);
    if (damaged_ == server::Damaged::kRefuse) return false;
    Advance(source);
  }
  return false;
}

// A keyspace has one id in one cluster, so its stored keys stand in one order in all snapshots.
void SnapshotSet::Entries::Choose() {
  winner_ = nullptr;
  storage::Entry best{};
  for (Source& source : sources_) {
    if (!Read(source)) continue;
    storage::Cursor& cursor = *source.cursor;
    const bool better =
        winner_ == nullptr || cursor.key() < winner_->key() ||
        (cursor.key() == winner_->key() && entry_.header.version > best.header.version);
    if (!better) continue;
    winner_ = &cursor;
    best = entry_;
  }
  entry_ = best;
  if (!status_.ok()) winner_ = nullptr;
}

void SnapshotSet::Entries::Next() {
  const std::string passed(winner_->key());
  for (Source& source : sources_)
    if (source.cursor->Valid() && source.cursor->key() == passed) Advance(source);
  Choose();
}

}  // namespace starling::nodetool
