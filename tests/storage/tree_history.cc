#include "tests/storage/tree_history.h"

#include <fmt/core.h>

#include "storage/entry.h"
#include "tests/test.h"

namespace starling::storage {
namespace {

constexpr std::uint64_t kDigestSeed = 42;
constexpr std::uint64_t kTokenSeed = 7;
constexpr std::uint32_t kKeyspacesDrawn = 3;
constexpr std::uint64_t kKeysDrawn = 40;  // Few, so that most writes meet an older one.

using Leaves = std::map<std::pair<base::KeyspaceId, std::uint16_t>, merkle::Digest>;

merkle::Digest EntryDigest(base::Bytes key, const EntryHeader& header) {
  return merkle::DigestOf(
      key, {header.version, header.flags, header.expiry_ms, header.value_digest}, kDigestSeed);
}

EntryHeader HeaderOf(const Change& change) {
  EntryHeader header{.version = change.version,
                     .expiry_ms = change.expiry_ms,
                     .value_digest = ValueDigest(change.value)};
  if (change.tombstone) header.flags |= kFlagTombstone;
  if (change.expiry_ms != 0) header.flags |= kFlagHasExpiry;
  return header;
}

Leaves LeavesOfData(Engine& engine) {
  Leaves leaves;
  for (const auto& [data_key, bytes] : ScanAll(engine, Family::kData)) {
    const auto key = DecodeDataKey(data_key);
    const auto entry = DecodeEntry(bytes);
    REQUIRE(key.has_value());
    REQUIRE(entry.has_value());
    EXPECT(VerifyValue(*entry).ok());
    leaves[{key->keyspace, base::BucketOf(key->token)}] += EntryDigest(key->key, entry->header);
  }
  return leaves;
}

merkle::StoredTrees ReadStored(Engine& engine) {
  merkle::StoredTrees stored;
  for (const auto& [key, value] : ScanAll(engine, Family::kTree))
    REQUIRE(stored.Take(key, value).ok());
  REQUIRE(stored.Finish().ok());
  return stored;
}

Leaves StoredLeaves(Engine& engine) {
  Leaves leaves;
  const merkle::StoredTrees stored = ReadStored(engine);
  for (const auto& each : stored.trees())
    each.second->ForEachLeaf([&](std::uint16_t bucket, const merkle::Digest& leaf) {
      leaves[{each.first, bucket}] = leaf;
    });
  return leaves;
}

std::string DataKeyOf(const Change& change) {
  std::string data_key;
  EncodeDataKeyTo({change.keyspace, base::TokenOf(change.key, kTokenSeed), change.key}, data_key);
  return data_key;
}

Change DrawChange(base::Random& random) {
  Change change;
  change.keyspace = static_cast<base::KeyspaceId>(1 + random.Below(kKeyspacesDrawn));
  change.key = fmt::format("key{}", random.Below(kKeysDrawn));
  // Not in order: about half of the later writes of a key are older than what it holds.
  change.version = {1 + random.Below(1000), static_cast<base::NodeNumber>(1 + random.Below(3)),
                    static_cast<std::uint32_t>(random.Below(4))};
  change.tombstone = random.Chance(0.2);
  if (random.Chance(0.2)) change.expiry_ms = 1 + random.Below(1000);
  if (!change.tombstone) change.value = std::string(random.Below(300), 'v');
  return change;
}

}  // namespace

TreeWorker::TreeWorker(Engine& engine)
    // So short that slots are used again and again.
    : engine_(engine), journal_({.lap_bytes_min = 600, .lap_bytes_max = 600, .slots_max = 9}) {
  merkle::StoredTrees stored = ReadStored(engine);
  for (const merkle::PagePlace& place : stored.changed_pages()) {
    EncodePageTo(stored.TreeOf(place.keyspace), place.slice, BeginPut(merkle::PageKey(place)));
    EndPut();
  }
  for (const std::string& key : stored.journal_keys()) batch_.Delete(Family::kTree, key);
  for (const std::string& key : stored.leaf_keys()) batch_.Delete(Family::kTree, key);
  REQUIRE(WriteOne(engine, batch_).ok());
  batch_.Clear();
  trees_ = std::move(stored).TakeTrees();
}

merkle::Tree& TreeWorker::TreeOf(base::KeyspaceId keyspace) {
  std::unique_ptr<merkle::Tree>& tree = trees_[keyspace];
  if (!tree) tree = std::make_unique<merkle::Tree>(keyspace);
  return *tree;
}

std::optional<TreeWorker::Stored> TreeWorker::Find(const std::string& data_key) const {
  if (const auto at = overlay_.find(data_key); at != overlay_.end()) return at->second;
  const auto bytes = GetOne(engine_, Family::kData, data_key);
  if (!bytes) {
    REQUIRE(bytes.error().code() == base::Code::kNotFound);
    return std::nullopt;
  }
  const EntryHeader header = DecodeEntry(*bytes)->header;
  return Stored{header.version, EntryDigest(DecodeDataKey(data_key)->key, header)};
}

void TreeWorker::Apply(const Change& change) {
  const std::string data_key = DataKeyOf(change);
  const std::optional<Stored> old = Find(data_key);
  if (old && old->version >= change.version) return;
  EncodeEntryTo(HeaderOf(change), change.value, batch_.BeginPut(Family::kData, data_key));
  batch_.EndPut();
  Note(change, data_key, old);
}

void TreeWorker::ApplyPastLog(std::span<const Change> changes) {
  std::map<std::string, std::string> added;
  for (const Change& change : changes) {
    const std::string data_key = DataKeyOf(change);
    if (Find(data_key)) {  // Perhaps of this call: what is in the batch comes after all tables.
      Apply(change);
      continue;
    }
    EncodeEntryTo(HeaderOf(change), change.value, added[data_key]);
    Note(change, data_key, std::nullopt);
  }
  if (!added.empty())
    REQUIRE(AddTables(engine_, {Entries(added.begin(), added.end())}, Family::kData).ok());
}

void TreeWorker::Note(const Change& change, const std::string& data_key,
                      const std::optional<Stored>& old) {
  const std::uint16_t bucket = base::BucketOf(base::TokenOf(change.key, kTokenSeed));
  merkle::Tree& tree = TreeOf(change.keyspace);
  if (old) tree.Remove(bucket, old->digest);
  const merkle::Digest digest = EntryDigest(change.key, HeaderOf(change));
  tree.Add(bucket, digest);
  overlay_[data_key] = {change.version, digest};
}

void TreeWorker::EndTurn(Sync sync) {
  for (auto& [keyspace, tree] : trees_) journal_.Take(*tree);
  journal_.EndTurn(*this);
  REQUIRE(WriteOne(engine_, batch_, sync).ok());
  batch_.Clear();
  overlay_.clear();
}

bool TreeWorker::Agrees() const {
  const Leaves recomputed = LeavesOfData(engine_);
  if (StoredLeaves(engine_) != recomputed) return false;
  std::map<base::KeyspaceId, merkle::Digest> sums;
  for (const auto& [place, leaf] : recomputed) {
    sums[place.first] += leaf;
    const auto tree = trees_.find(place.first);
    if (tree == trees_.end() || tree->second->Leaf(place.second) != leaf) return false;
  }
  // Sums count the leaves that should be empty, too.
  const merkle::BucketSet all = merkle::BucketSet::All();
  for (const auto& [keyspace, tree] : trees_)
    if (tree->Sum(all) != sums[keyspace]) return false;
  return true;
}

void RunTreeHistory(Machine& machine, std::uint64_t seed, int turns) {
  base::Random random(seed);
  auto worker = std::make_unique<TreeWorker>(machine.engine());
  for (int turn = 0; turn < turns; ++turn) {
    std::vector<Change> changes(random.Below(8));
    for (Change& change : changes) change = DrawChange(random);
    const bool past_log = random.Chance(0.2);
    if (past_log)
      worker->ApplyPastLog(changes);
    else
      for (const Change& change : changes) worker->Apply(change);
    // Tables survive a power loss, so what the journal says of them must.
    worker->EndTurn(past_log || random.Chance(0.2) ? Sync::kYes : Sync::kNo);
    if (random.Chance(0.05)) REQUIRE(machine.engine().Flush().ok());

    const bool killed = random.Chance(0.05);
    const bool loses_power = !killed && machine.can_lose_power() && random.Chance(0.05);
    if (killed || loses_power) {
      worker.reset();
      if (killed)
        machine.Kill();
      else
        machine.LosePower(random);
      worker = std::make_unique<TreeWorker>(machine.engine());
    }
    const bool agrees = worker->Agrees();
    DOCTEST_INFO("seed ", seed, ", turn ", turn);
    EXPECT(agrees);
    if (!agrees) return;
  }
}

}  // namespace starling::storage
