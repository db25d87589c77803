// tools/starling/keyspaces.cc: keyspace create, list and describe.
#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <map>

#include "base/json.h"
#include "server/topology/topology.h"
#include "tools/starling/commands.h"
#include "tools/starling/connect.h"

namespace starling::cli {

using base::Json;
using base::Result;
using Keyspace = wire::ClusterMap::Keyspace;

namespace {

// The voters have ten seconds to choose it (server/control.h), and the others then take it up.
constexpr base::Duration kCreateTimeout = base::seconds(15);

// "simple:3" and "dc1:3,dc2:2" ask for so many replicas of a key in all.
std::uint32_t RequestedFactor(std::string_view replication) {
  std::uint32_t sum = 0;
  for (std::size_t at = replication.find(':'); at != std::string_view::npos;
       at = replication.find(':', at + 1)) {
    std::uint32_t factor = 0;
    std::from_chars(replication.data() + at + 1, replication.data() + replication.size(), factor);
    sum += factor;
  }
  return sum;
}

std::string Plural(std::uint64_t n, std::string_view noun) {
  return fmt::format("{} {}{}", n, noun, n == 1 ? "" : "s");
}

bool Everywhere(const Keyspace& keyspace) { return keyspace.replication == "everywhere"; }

Json Describe(const Keyspace& keyspace) {
  return {{"name", keyspace.name},
          {"id", keyspace.id},
          {"replication", keyspace.replication},
          {"requested_replicas", Everywhere(keyspace) ? keyspace.effective_factor
                                                      : RequestedFactor(keyspace.replication)},
          {"effective_replicas", keyspace.effective_factor}};
}

// Why fewer replicas are in effect than were asked for: "the cluster has 2 nodes", "dc2 has 1
// node".
std::string WhyFewer(const Keyspace& keyspace, const wire::ClusterMap& map) {
  std::map<std::string, std::size_t> nodes_of_dc;
  for (const auto& node : map.nodes) ++nodes_of_dc[node.dc];
  const auto replication = topology::Replication::Parse(keyspace.replication);
  std::string why;
  if (replication)
    for (const auto& [dc, wanted] : replication->per_dc)
      if (nodes_of_dc[dc] < wanted)
        why += fmt::format("{}datacenter {} has {}", why.empty() ? "" : " and ", dc,
                           Plural(nodes_of_dc[dc], "node"));
  return why.empty() ? fmt::format("the cluster has {}", Plural(map.nodes.size(), "node")) : why;
}

void PrintKeyspace(const Keyspace& keyspace, const wire::ClusterMap& map) {
  const std::uint32_t requested = RequestedFactor(keyspace.replication);
  fmt::print("Keyspace:    {}\nReplication: {}\n", keyspace.name, keyspace.replication);
  if (Everywhere(keyspace))
    fmt::print("In effect:   {}, one on every node; it rises as nodes join\n",
               Plural(keyspace.effective_factor, "replica"));
  else if (keyspace.effective_factor >= requested)
    fmt::print("In effect:   {}\n", Plural(requested, "replica"));
  else
    fmt::print("In effect:   {} of {}, since {}; it rises as nodes join\n",
               Plural(keyspace.effective_factor, "replica"), requested, WhyFewer(keyspace, map));
}

}  // namespace

int CreateKeyspace(const Options& options) {
  auto session = Connect(options, kCreateTimeout);
  if (!session) return Complain(options.output, session.error());
  const auto created = session->client->CreateKeyspace(options.name, options.replication);
  if (!created) return Complain(options.output, created.error());
  if (options.output == Output::kJson)
    PrintJson({{"name", options.name}, {"id", created->id}, {"existed", created->existed}});
  else
    fmt::print("keyspace {} {}\n", options.name,
               created->existed ? "exists already, with the same replication" : "created");
  return kExitDone;
}

int ListKeyspaces(const Options& options) {
  auto session = Connect(options);
  if (!session) return Complain(options.output, session.error());
  const auto map = session->client->Map();
  if (!map) return Complain(options.output, map.error());
  Json list = Json::Array();
  std::size_t width = 0;
  for (const Keyspace& keyspace : map->keyspaces) {
    list.Append(Describe(keyspace));
    width = std::max(width, keyspace.name.size());
  }
  if (options.output == Output::kJson) {
    PrintJson({{"keyspaces", list}});
    return kExitDone;
  }
  for (const Keyspace& keyspace : map->keyspaces)
    fmt::print("{:<{}}  {}\n", keyspace.name, width, keyspace.replication);
  return kExitDone;
}

int DescribeKeyspace(const Options& options) {
  auto session = Connect(options);
  if (!session) return Complain(options.output, session.error());
  const auto map = session->client->Map();
  if (!map) return Complain(options.output, map.error());
  const auto found = std::find_if(map->keyspaces.begin(), map->keyspaces.end(),
                                  [&](const Keyspace& k) { return k.name == options.name; });
  if (found == map->keyspaces.end()) {
    Complain(options.output,
             base::NotFound(fmt::format("there is no keyspace '{}'", options.name)));
    return kExitNotFound;
  }
  if (options.output == Output::kJson)
    PrintJson(Describe(*found));
  else
    PrintKeyspace(*found, *map);
  return kExitDone;
}

}  // namespace starling::cli
