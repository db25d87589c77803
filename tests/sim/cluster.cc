#include "tests/sim/cluster.h"

#include <fmt/core.h>

#include <algorithm>
#include <map>
#include <utility>

#include "merkle/digest.h"
#include "merkle/tree.h"
#include "server/stored_trees.h"
#include "storage/entry.h"

namespace starling::sim {
namespace {

constexpr std::uint32_t kFirstNodeIp = 0x7f000001;    // 127.0.0.1
constexpr std::uint32_t kFirstClientIp = 0x7f000101;  // 127.0.1.1

// An entry as replicas compare it: without how it came.
std::string WithoutOrigin(base::Bytes stored) {
  constexpr std::size_t kOriginAt = 2;
  std::string entry(stored);
  if (entry.size() > kOriginAt) entry[kOriginAt] = 0;
  return entry;
}

}  // namespace

Cluster::Cluster(const ClusterOptions& options)
    : options_(options), sim_(options.seed, options.faults) {
  for (std::uint32_t i = 0; i < options.nodes; ++i) AddMachine();
  std::vector<std::string> seeds;
  for (std::uint32_t i = 0; i < options.nodes; ++i) seeds.push_back(AddressOf(i).ToString());
  for (SimNode& node : nodes_) node.config.cluster.seeds = seeds;
  for (std::uint32_t i = 0; i < options.nodes; ++i) Start(i);
  for (std::uint32_t i = 0; i < options.nodes; ++i) AddWatcher(i);
}

void Cluster::AddMachine() {
  const std::uint32_t ip = kFirstNodeIp + size();
  SimNode& node = nodes_.emplace_back();
  node.host = &sim_.AddHost(ip);
  node.disk = std::make_shared<storage::MemoryDisk>();
  node.config = options_.config;
  node.keys = options_.keys;
  node.config.cluster.name = "sim";
  node.config.node.listen = base::Address{ip, 0}.IpString();
  node.config.node.workers = options_.workers;
}

void Cluster::AddWatcher(std::uint32_t node) {
  SimClientOptions watch{.number = 100 + node, .session = {}};
  watch.session.links.hosts = {{nodes_[node].host->ip(), nodes_[node].config.ports.client}};
  watch.session.links.listed_only = true;
  watch.session.map_interval = base::seconds(1);
  watchers_.push_back(
      std::make_unique<SimClient>(sim_.AddHost(kFirstClientIp + node), history_, std::move(watch)));
}

Cluster::~Cluster() {
  for (std::uint32_t i = 0; i < size(); ++i) Kill(i);
}

// --- nodes ---

void Cluster::Start(std::uint32_t index) {
  SimNode& node = nodes_[index];
  if (node.host->up()) return;
  Reap(node);
  node.engine = std::make_unique<storage::MemoryEngine>(
      node.disk, storage::MemoryEngineOptions{.miss_probability = options_.cache_misses,
                                              .seed = sim_.random().Next()});
  std::optional<storage::GuardRecord> last;
  if (!node.guard_file->empty()) last = *storage::DecodeGuard(*node.guard_file);
  node.guard = std::make_unique<storage::MemoryGuard>(*node.guard_file);
  const auto identity = server::PrepareIdentity(*node.engine, *node.guard, last,
                                                node.config.cluster.name, sim_.random());
  if (!identity) {
    exits_ += fmt::format("node {} does not start: {}\n", index, identity.error().ToString());
    return;
  }
  node.node = std::make_unique<server::Node>(
      node.config, *identity, *node.engine, *node.guard,
      [&](base::ActorId id) -> base::World& { return node.host->MakeWorld(id); }, node.keys,
      options_.look_up);
  node.node->ForEachActor(
      [&](base::ActorId id, base::Actor& actor) { node.host->Attach(id, actor); });
  node.host->Start();
}

void Cluster::Kill(std::uint32_t index) {
  nodes_[index].host->Crash(SimHost::How::kKilled);
  Reap(nodes_[index]);
}

void Cluster::LosePower(std::uint32_t index) {
  SimNode& node = nodes_[index];
  if (!node.host->up()) return;
  node.host->Crash(SimHost::How::kPowerLoss);
  Reap(node);
  node.disk->Crash(sim_.random());
}

void Cluster::EmptyDisk(std::uint32_t index) {
  CHECK(!up(index));
  Reap(nodes_[index]);
  nodes_[index].disk = std::make_shared<storage::MemoryDisk>();
  nodes_[index].guard_file->clear();
}

Cluster::DiskCopy Cluster::CopyDisk(std::uint32_t index) const {
  return {nodes_[index].disk->Copy(), *nodes_[index].guard_file};
}

void Cluster::PutBack(std::uint32_t index, const DiskCopy& copy, GuardFile guard) {
  CHECK(!up(index));
  Reap(nodes_[index]);
  nodes_[index].disk = copy.disk->Copy();
  if (guard == GuardFile::kPutBackToo) *nodes_[index].guard_file = copy.guard_file;
}

std::uint32_t Cluster::AddNode() {
  const std::uint32_t index = size();
  AddMachine();
  nodes_[index].config.cluster.seeds = nodes_.front().config.cluster.seeds;
  AddWatcher(index);
  return index;
}

base::Address Cluster::AddressOf(std::uint32_t node) const {
  return {nodes_[node].host->ip(), nodes_[node].config.ports.cluster};
}

server::SnapshotPtr Cluster::SnapshotOf(std::uint32_t node) const {
  return up(node) ? nodes_[node].node->control().snapshot() : nullptr;
}

// Clears away what an ended life left, after noting why it ended if it did so itself.
void Cluster::Reap(SimNode& node) {
  if (node.node != nullptr && node.host->exit_status() && !node.node->begins_again())
    exits_ += fmt::format("node {} ended itself: {}\n", node.config.node.listen,
                          node.host->exit_status()->ToString());
  node.node.reset();
  node.engine.reset();
  node.guard.reset();
}

// --- clients ---

SimClient& Cluster::AddClient() {
  const auto number = static_cast<std::uint32_t>(clients_.size());
  SimClientOptions options{.number = number, .session = {}};
  for (const SimNode& node : nodes_)
    options.session.links.hosts.push_back({node.host->ip(), node.config.ports.client});
  clients_.push_back(std::make_unique<SimClient>(sim_.AddHost(kFirstClientIp + 0x100 + number),
                                                 history_, std::move(options)));
  return *clients_.back();
}

SimClient& Cluster::AddClientOf(std::uint32_t node, SimClientOptions options) {
  const auto number = static_cast<std::uint32_t>(clients_.size());
  options.number = number;
  options.session.links.hosts = {{nodes_[node].host->ip(), nodes_[node].config.ports.client}};
  options.session.links.listed_only = true;
  clients_.push_back(std::make_unique<SimClient>(sim_.AddHost(kFirstClientIp + 0x100 + number),
                                                 history_, std::move(options)));
  return *clients_.back();
}

Record& Cluster::Await(History::Id id) {
  constexpr base::Duration kLongest = base::seconds(60);
  CHECK(sim_.Await(kLongest, [&] { return history_.record(id).done; }));
  // What a test begins next begins later: the checker takes intervals that touch as overlapping,
  // and would let the two change places.
  sim_.RunFor(base::microseconds(1));
  return history_.record(id);
}

bool Cluster::AwaitIdle(base::Duration limit) {
  const auto idle = [](const auto& client) { return client->idle(); };
  return sim_.Await(limit, [&] {
    return std::all_of(clients_.begin(), clients_.end(), idle) &&
           std::all_of(watchers_.begin(), watchers_.end(), idle);
  });
}

// --- who is who ---

std::optional<std::uint32_t> Cluster::NodeAt(base::Address client) const {
  for (std::uint32_t i = 0; i < nodes_.size(); ++i)
    if (nodes_[i].host->ip() == client.ip) return i;
  return std::nullopt;
}

std::optional<std::uint32_t> Cluster::IndexOf(base::NodeNumber number) {
  for (const wire::ClusterMap::Node& node : Map().nodes)
    if (node.number == number) return NodeAt(node.client);
  return std::nullopt;
}

std::vector<std::uint32_t> Cluster::ReplicasOf(const std::string& key) {
  const client::Routing& routing = watchers_.front()->session().routing();
  const wire::ClusterMap::Keyspace* keyspace = routing.FindKeyspace(client::kDefaultKeyspace);
  CHECK(keyspace != nullptr);
  std::vector<std::uint32_t> nodes;
  for (const base::NodeNumber number : routing.Replicas(*keyspace, key)) {
    const auto index = IndexOf(number);
    CHECK(index.has_value());
    nodes.push_back(*index);
  }
  return nodes;
}

std::string Cluster::KeyWithReplicas(const std::vector<std::uint32_t>& nodes,
                                     const std::string& prefix) {
  for (int i = 0;; ++i)
    if (std::string key = fmt::format("{} {}", prefix, i); ReplicasOf(key) == nodes) return key;
}

std::optional<std::string> Cluster::StoredValue(std::uint32_t node, const std::string& key) {
  const wire::ClusterMap::Keyspace* keyspace =
      watchers_.front()->session().routing().FindKeyspace(client::kDefaultKeyspace);
  CHECK(keyspace != nullptr);
  std::string stored_key;
  storage::EncodeDataKeyTo({keyspace->id, TokenOf(key), key}, stored_key);
  const auto found = storage::GetOne(engine(node), storage::Family::kData, stored_key);
  if (!found) return std::nullopt;
  const auto entry = storage::DecodeEntry(*found);
  CHECK(entry.has_value());
  return entry->header.tombstone() ? std::nullopt : std::optional(std::string(entry->value));
}

bool Cluster::HasEntry(std::uint32_t node, const std::string& key) {
  const wire::ClusterMap::Keyspace* keyspace =
      watchers_.front()->session().routing().FindKeyspace(client::kDefaultKeyspace);
  CHECK(keyspace != nullptr);
  std::string stored_key;
  storage::EncodeDataKeyTo({keyspace->id, TokenOf(key), key}, stored_key);
  return storage::GetOne(engine(node), storage::Family::kData, stored_key).has_value();
}

// --- what must be true in the end ---

bool Cluster::SeesAllUp(std::uint32_t index) {
  const client::Routing& routing = watchers_[index]->session().routing();
  if (!up(index) || !routing.known()) return false;
  const wire::ClusterMap& map = routing.map();
  return map.epoch == Map().epoch && map.nodes.size() == size() &&
         std::all_of(map.nodes.begin(), map.nodes.end(), [](const auto& node) { return node.up; });
}

bool Cluster::AwaitAllUp(base::Duration limit) {
  const base::Instant end = sim_.now() + limit;
  while (sim_.now() < end) {
    sim_.RunFor(base::milliseconds(100));
    bool all = true;
    for (std::uint32_t i = 0; i < size(); ++i) all = all && SeesAllUp(i);
    if (all) return true;
  }
  return false;
}

std::optional<std::string> Cluster::CheckReplicas() {
  std::map<std::string, std::map<std::uint32_t, std::string>> entries;  // Stored key, node.
  const auto killed = [&](std::uint32_t node) { return nodes_[node].engine == nullptr; };
  for (std::uint32_t i = 0; i < size(); ++i) {
    if (killed(i)) continue;
    const auto cursor = engine(i).Scan(storage::Family::kData, {}, {});
    for (cursor->Seek({}); cursor->Valid(); cursor->Next())
      entries[std::string(cursor->key())][i] = WithoutOrigin(cursor->value());
  }
  for (const auto& [stored_key, by_node] : entries) {
    const auto data_key = storage::DecodeDataKey(stored_key);
    CHECK(data_key.has_value());
    const std::string key(data_key->key);
    std::vector<std::uint32_t> replicas = ReplicasOf(key);
    std::erase_if(replicas, killed);
    for (const std::uint32_t node : replicas) {
      const auto here = by_node.find(node);
      const auto there = by_node.find(replicas.front());
      if (here == by_node.end() || there == by_node.end())
        return fmt::format("key {} is not on node {}", key,
                           here == by_node.end() ? node : replicas.front());
      if (here->second != there->second)
        return fmt::format("key {} differs between nodes {} and {}", key, replicas.front(), node);
    }
  }
  return std::nullopt;
}

std::size_t Cluster::Tombstones() {
  std::size_t count = 0;
  for (std::uint32_t i = 0; i < size(); ++i) {
    if (nodes_[i].engine == nullptr) continue;
    const auto cursor = engine(i).Scan(storage::Family::kData, {}, {});
    for (cursor->Seek({}); cursor->Valid(); cursor->Next()) {
      const auto entry = storage::DecodeEntry(cursor->value());
      if (entry && entry->header.tombstone()) ++count;
    }
  }
  return count;
}

std::uint64_t Cluster::EntriesInTables() const {
  std::uint64_t count = 0;
  for (const SimNode& node : nodes_) count += node.disk->entries_in_tables();
  return count;
}

std::optional<std::string> Cluster::CheckTrees() {
  for (std::uint32_t i = 0; i < size(); ++i) {
    std::map<std::string, merkle::Digest> sums;  // By the leaf's stored key.
    const auto data = engine(i).Scan(storage::Family::kData, {}, {});
    for (data->Seek({}); data->Valid(); data->Next()) {
      const auto key = storage::DecodeDataKey(data->key());
      const auto entry = storage::DecodeEntry(data->value());
      if (!key || !entry) return fmt::format("node {} stores what is no entry", i);
      const storage::EntryHeader& header = entry->header;
      sums[merkle::LeafKey(key->keyspace, base::BucketOf(key->token))] += merkle::DigestOf(
          key->key, {header.version, header.flags, header.expiry_ms, header.value_digest},
          Map().token_seed);
    }
    const auto stored = server::ReadTrees(engine(i));
    if (!stored) return fmt::format("node {}: {}", i, stored.error().message());
    for (const auto& each : stored->trees())
      each.second->ForEachLeaf([&](std::uint16_t bucket, const merkle::Digest& leaf) {
        sums[merkle::LeafKey(each.first, bucket)] -= leaf;
      });
    for (const auto& [leaf_key, difference] : sums)
      if (!difference.empty())
        return fmt::format("node {}: leaf {} is not the sum of its entries", i,
                           base::ToHex(leaf_key));
  }
  return std::nullopt;
}

}  // namespace starling::sim
