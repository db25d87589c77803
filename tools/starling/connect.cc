#include "tools/starling/connect.h"

#include <fmt/core.h>

#include <algorithm>

#include "server/config_units.h"
#include "server/wire/limits.h"

namespace starling::cli {
namespace {

// The default keyspace never is: a cluster is founded with it, as simple:3.
bool IsEverywhere(client::Client& client, std::string_view name) {
  if (name == client::kDefaultKeyspace) return false;
  const base::Result<wire::ClusterMap> map = client.Map();
  if (!map) return false;  // What is asked next will say why.
  return std::any_of(map->keyspaces.begin(), map->keyspaces.end(), [&](const auto& keyspace) {
    return keyspace.name == name && keyspace.replication == "everywhere";
  });
}

}  // namespace

base::Result<Session> Connect(const Options& options, base::Duration timeout) {
  Session session;
  session.request.keyspace = options.keyspace;
  if (options.consistency) {
    ASSIGN_OR_RETURN(session.request.level, wire::ParseConsistency(*options.consistency));
  }
  if (options.ttl) {
    ASSIGN_OR_RETURN(session.request.time_to_live, server::ParseDuration(*options.ttl));
    if (session.request.time_to_live <= base::Duration{0})
      return base::Fail(base::InvalidArgument("--ttl must be more than nothing"));
    if (base::ToMs(session.request.time_to_live) > static_cast<std::int64_t>(wire::kTtlMsMax))
      return base::Fail(base::InvalidArgument(
          fmt::format("--ttl {} is too long: 7300d, 20 years, is the most", *options.ttl)));
  }
  ASSIGN_OR_RETURN(session.client, client::Client::Connect({.hosts = options.hosts,
                                                            .listed_only = options.no_routing,
                                                            .connections_per_node = 1,
                                                            .timeout = timeout}));
  if (!options.consistency && IsEverywhere(*session.client, options.keyspace))
    session.request.level = wire::Consistency::kOne;
  return session;
}

std::vector<std::string> NameNodes(client::Client& client,
                                   const std::vector<base::NodeNumber>& numbers) {
  const base::Result<wire::ClusterMap> map = client.Map();
  const auto name = [&map](base::NodeNumber number) {
    if (map)
      for (const auto& node : map->nodes)
        if (node.number == number) return node.client.ToString();
    return fmt::format("node {}", number);
  };
  std::vector<std::string> names;
  for (const base::NodeNumber number : numbers) names.push_back(name(number));
  return names;
}

}  // namespace starling::cli
