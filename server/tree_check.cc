#include "server/tree_check.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/check.h"
#include "server/stored_trees.h"

namespace starling::server {

using storage::Family;

namespace {

constexpr std::uint64_t kBlockBytes = 4096;  // What an attempt to read one counts for.
constexpr base::KeyspaceId kFirstKeyspace = 1;

}  // namespace

bool TreeCheckReport::sound() const {
  return damaged_entries == 0 && unread_buckets == 0 &&
         std::all_of(keyspaces.begin(), keyspaces.end(),
                     [](const auto& each) { return each.second.wrong_buckets == 0; });
}

TreeCheck::TreeCheck(storage::Engine& engine, const TreeCheckOptions& options)
    : engine_(engine), options_(options) {}

merkle::Tree& TreeCheck::TreeIn(Trees& trees, base::KeyspaceId keyspace) {
  auto& tree = trees[keyspace];
  if (tree == nullptr) tree = std::make_unique<merkle::Tree>(keyspace);
  return *tree;
}

base::Status TreeCheck::Load() {
  ASSIGN_OR_RETURN(merkle::StoredTrees stored, ReadTrees(engine_));
  stored_ = std::move(stored).TakeTrees();
  if (options_.keyspace != TreeCheckOptions::kAllKeyspaces)
    std::erase_if(stored_, [&](const auto& each) { return each.first != options_.keyspace; });
  for (const auto& [id, tree] : stored_) entries_ += tree->Sum(merkle::BucketSet::All()).count;
  Seek(storage::BucketBegin(std::max(options_.keyspace, kFirstKeyspace), 0));
  return base::Ok();
}

void TreeCheck::Seek(base::Bytes from) {
  at_.assign(from);
  const std::string end = options_.keyspace == TreeCheckOptions::kAllKeyspaces
                              ? std::string()
                              : storage::BucketEnd(options_.keyspace, base::kBuckets - 1);
  cursor_ = engine_.Scan(Family::kData, at_, end);
  cursor_->Seek(at_);
}

bool TreeCheck::Step(std::uint64_t bytes) {
  CHECK(cursor_ != nullptr);
  const std::uint64_t until = bytes_ + bytes;
  bool ended = false;
  while (!ended && bytes_ <= until) {
    if (cursor_->Valid()) {
      at_.assign(cursor_->key());
      Take(cursor_->key(), cursor_->value());
      cursor_->Next();
    } else if (const base::Status status = cursor_->status(); !status.ok()) {
      ended = !SkipBucket(status);
    } else {
      ended = true;
    }
  }
  if (ended) Compare();
  return ended;
}

void TreeCheck::Take(base::Bytes key, base::Bytes value) {
  bytes_ += key.size() + value.size();
  ++entries_read_;
  const auto place = storage::DecodeDataKey(key);
  if (!place) {
    ++report_.damaged_entries;
    return NoteProblem(place.error().message());
  }
  TreeCheckReport::Keyspace& keyspace = report_.keyspaces[place->keyspace];
  ++keyspace.entries;
  keyspace.bytes += key.size() + value.size();
  const auto entry = storage::DecodeEntry(value);
  base::Status sound = entry ? base::Ok() : entry.error();
  if (sound.ok() && options_.values) sound = storage::VerifyValue(*entry);
  const std::uint16_t bucket = base::BucketOf(place->token);
  if (!sound.ok()) {
    ++report_.damaged_entries;
    NoteProblem(fmt::format("an entry of bucket {:04x}: {}", bucket, sound.message()));
  }
  if (!entry) return;
  const storage::EntryHeader& header = entry->header;
  TreeIn(summed_, place->keyspace)
      .Add(bucket,
           merkle::DigestOf(place->key,
                            {header.version, header.flags, header.expiry_ms, header.value_digest},
                            options_.digest_seed));
}

// The block that cannot be read is at or after the last key. It may reach into the next bucket:
// then that one fails as well.
bool TreeCheck::SkipBucket(const base::Status& why) {
  const auto place = storage::DecodeDataKey(at_);
  if (!place) return false;
  const base::KeyspaceId keyspace = place->keyspace;
  const std::uint16_t bucket = base::BucketOf(place->token);
  ++report_.unread_buckets;
  bytes_ += kBlockBytes;
  unread_[keyspace].Insert(bucket);
  NoteProblem(fmt::format("bucket {:04x} cannot be read: {}", bucket, why.message()));
  const base::KeyspaceId last = stored_.empty() ? keyspace : stored_.rbegin()->first;
  if (bucket == base::kBuckets - 1 && keyspace >= last) return false;
  Seek(storage::BucketEnd(keyspace, bucket));
  return true;
}

void TreeCheck::Compare() {
  cursor_.reset();
  std::map<base::KeyspaceId, bool> keyspaces;
  for (const auto& [id, tree] : stored_) keyspaces[id] = true;
  for (const auto& [id, tree] : summed_) keyspaces[id] = true;
  for (const auto& [id, here] : keyspaces) {
    const merkle::Tree& stored = TreeIn(stored_, id);
    const merkle::Tree& summed = TreeIn(summed_, id);
    TreeCheckReport::Keyspace& report = report_.keyspaces[id];
    for (std::uint32_t i = 0; i < base::kBuckets; ++i) {
      const auto bucket = static_cast<std::uint16_t>(i);
      if (unread_[id].Contains(bucket) || stored.Leaf(bucket) == summed.Leaf(bucket)) continue;
      if (++report.wrong_buckets <= TreeCheckReport::kNamedMax)
        report.first_wrong.push_back(bucket);
    }
  }
}

void TreeCheck::NoteProblem(const std::string& what) {
  if (report_.first_problem.empty()) report_.first_problem = what;
}

}  // namespace starling::server
