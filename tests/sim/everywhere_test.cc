// Goal:   a keyspace that is everywhere ends up the same on all nodes, with every write that was
//         acknowledged, whatever was lost, cut or killed meanwhile; a node that joins gets it, too.
// Method: whole nodes; clients write keys of their own at each node, at ONE, under faults; then
//         all is healed, and the nodes' disks are compared.
#include <fmt/core.h>

#include <map>
#include <string>
#include <vector>

#include "storage/entry.h"
#include "tests/sim/cluster.h"
#include "tests/test.h"

namespace starling::sim {
namespace {

using base::milliseconds;
using base::seconds;

constexpr const char* kName = "settings";

void CreateEverywhere(Cluster& cluster) {
  REQUIRE(cluster.AwaitAllUp(seconds(60)));
  const auto& created = cluster.watcher(0).CreateKeyspace(kName, "everywhere");
  REQUIRE(cluster.sim().Await(seconds(30), [&] { return created.has_value(); }));
  REQUIRE(created->ok());
}

std::vector<SimClient*> ClientsOfEach(Cluster& cluster) {
  std::vector<SimClient*> clients;
  for (std::uint32_t node = 0; node < cluster.size(); ++node)
    clients.push_back(&cluster.AddClientOf(
        node, {.session = {}, .keyspace = kName, .level = wire::Consistency::kOne}));
  cluster.sim().RunFor(seconds(1));
  return clients;
}

// What a node has stored of the keyspace, without how it came: by key, its entry.
std::map<std::string, std::string> Stored(Cluster& cluster, std::uint32_t node) {
  const auto* keyspace = cluster.watcher(0).session().routing().FindKeyspace(kName);
  REQUIRE(keyspace != nullptr);
  std::map<std::string, std::string> entries;
  const auto cursor = cluster.engine(node).Scan(storage::Family::kData, {}, {});
  for (cursor->Seek({}); cursor->Valid(); cursor->Next()) {
    const auto key = storage::DecodeDataKey(cursor->key());
    if (key->keyspace != keyspace->id) continue;
    std::string entry(cursor->value());
    entry[2] = static_cast<char>(storage::Origin::kDirect);
    entries[std::string(key->key)] = std::move(entry);
  }
  return entries;
}

bool AllEqual(Cluster& cluster) {
  for (std::uint32_t node = 1; node < cluster.size(); ++node)
    if (Stored(cluster, node) != Stored(cluster, 0)) return false;
  return true;
}

// Each node's client writes a key of its own and one that all write, every few milliseconds.
std::vector<History::Id> Write(Cluster& cluster, const std::vector<SimClient*>& clients,
                               int rounds) {
  std::vector<History::Id> puts;
  for (int round = 0; round < rounds; ++round) {
    for (std::size_t i = 0; i < clients.size(); ++i) {
      History& history = cluster.history();
      const std::uint64_t value = history.NextValue();  // Of no other put, and so is the key.
      puts.push_back(clients[i]->Put(fmt::format("own {}", value), value));
      clients[i]->Put(fmt::format("common {}", round % 7), history.NextValue());
      if (round % 5 == 0) clients[i]->Delete(fmt::format("common {}", round % 7));
    }
    cluster.sim().RunFor(milliseconds(30));
  }
  return puts;
}

TEST_SUITE("sim/everywhere") {
  TEST_CASE("what was acknowledged is on all nodes in the end, through loss, a cut and crashes") {
    for (std::uint64_t seed = 1; seed <= 5; ++seed) {
      DOCTEST_INFO("seed ", seed);
      ClusterOptions options{.seed = seed};
      options.faults.datagram_loss = 0.2;
      Cluster cluster(options);
      CreateEverywhere(cluster);
      const std::vector<SimClient*> clients = ClientsOfEach(cluster);
      Simulation& sim = cluster.sim();
      std::vector<History::Id> puts = Write(cluster, clients, 30);
      for (const std::uint32_t there : {2U, 3U, 4U})
        for (const std::uint32_t here : {0U, 1U}) sim.Cut(cluster.host(here), cluster.host(there));
      const auto cut = Write(cluster, clients, 60);
      cluster.Kill(1);
      const auto killed = Write(cluster, clients, 30);
      cluster.Start(1);
      cluster.LosePower(3);
      const auto dark = Write(cluster, clients, 30);
      cluster.Start(3);
      sim.HealAll();
      for (const auto& more : {cut, killed, dark})
        puts.insert(puts.end(), more.begin(), more.end());
      sim.RunFor(seconds(20));

      EXPECT(sim.Await(seconds(120), [&, next = sim.now()]() mutable {
        if (sim.now() < next) return false;
        next = sim.now() + seconds(1);
        return AllEqual(cluster);
      }));
      const auto stored = Stored(cluster, 0);
      std::size_t acknowledged = 0;
      for (const History::Id id : puts) {
        const Record& put = cluster.history().record(id);
        if (!put.done || !put.status.ok()) continue;
        ++acknowledged;
        const auto found = stored.find(put.key);
        REQUIRE(found != stored.end());
        EXPECT(ParseValue(storage::DecodeEntry(found->second)->value) == put.operation.value);
      }
      EXPECT(acknowledged > puts.size() / 2);
      EXPECT(!cluster.CheckTrees());
      EXPECT(cluster.exits().empty());
    }
  }

  TEST_CASE("with no fault rumors alone bring a write to all in less than a second") {
    ClusterOptions options{.seed = 9};
    options.config.repair.enabled = false;
    Cluster cluster(options);
    CreateEverywhere(cluster);
    const std::vector<SimClient*> clients = ClientsOfEach(cluster);
    Write(cluster, clients, 50);
    cluster.sim().RunFor(seconds(1));
    EXPECT(Stored(cluster, 0).size() == 5 * 50 + 7);
    EXPECT(AllEqual(cluster));
  }

  TEST_CASE("a node that joins later has all of it before it serves reads") {
    Cluster cluster({.seed = 11, .nodes = 3});
    CreateEverywhere(cluster);
    std::vector<SimClient*> clients = ClientsOfEach(cluster);
    const auto puts = Write(cluster, clients, 20);
    const std::uint32_t added = cluster.AddNode();
    cluster.Start(added);
    REQUIRE(cluster.AwaitAllUp(seconds(60)));
    SimClient& late = cluster.AddClientOf(
        added, {.session = {}, .keyspace = kName, .level = wire::Consistency::kOne});
    const auto seen = [&](History::Id put) {
      const Record& wrote = cluster.history().record(put);
      const Record& read = cluster.Await(late.Get(wrote.key));
      return read.status.ok() && read.operation.value == wrote.operation.value;
    };
    for (const History::Id put : puts) EXPECT(seen(put));  // From another node, if not ready.
    cluster.sim().RunFor(seconds(60));
    EXPECT(cluster.SnapshotOf(added)->ready());
    EXPECT(AllEqual(cluster));
  }

  TEST_CASE("no level but ONE is taken, and the error says so") {
    Cluster cluster({.seed = 12, .nodes = 3});
    CreateEverywhere(cluster);
    SimClient& client = cluster.AddClientOf(0, {.session = {}, .keyspace = kName});
    cluster.sim().RunFor(seconds(1));
    const Record& put = cluster.Await(client.Put("key", cluster.history().NextValue()));
    EXPECT(put.status.code() == base::Code::kInvalidArgument);
    EXPECT(put.status.message().find("only ONE") != std::string::npos);
    const Record& get = cluster.Await(client.Get("key"));
    EXPECT(get.status.code() == base::Code::kInvalidArgument);
  }
}

}  // namespace
}  // namespace starling::sim
