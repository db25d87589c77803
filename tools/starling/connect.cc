#include "tools/starling/connect.h"

#include <fmt/core.h>

#include <algorithm>

#include "server/config_units.h"

namespace starling::cli {

base::Result<Session> Connect(const Options& options) {
  Session session;
  session.request.keyspace = options.keyspace;
  ASSIGN_OR_RETURN(session.request.level, wire::ParseConsistency(options.consistency));
  if (!options.ttl.empty()) {
    ASSIGN_OR_RETURN(session.request.time_to_live, server::ParseDuration(options.ttl));
    if (session.request.time_to_live <= base::Duration{0})
      return base::Fail(base::InvalidArgument("--ttl must be more than nothing"));
  }
  ASSIGN_OR_RETURN(session.client, client::Client::Connect({.hosts = options.hosts,
                                                            .listed_only = options.no_routing,
                                                            .connections_per_node = 1}));
  return session;
}

base::Result<std::vector<std::string>> NameNodes(client::Client& client,
                                                 const std::vector<base::NodeNumber>& numbers) {
  ASSIGN_OR_RETURN(const wire::ClusterMap map, client.Map());
  std::vector<std::string> names;
  for (const base::NodeNumber number : numbers) {
    const auto node = std::find_if(map.nodes.begin(), map.nodes.end(),
                                   [&](const auto& n) { return n.number == number; });
    names.push_back(node == map.nodes.end() ? fmt::format("node {}", number)
                                            : node->client.ToString());
  }
  return names;
}

}  // namespace starling::cli
