// server/config_check.cc: what must hold between settings, each failure with what to do about it.
#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <set>

#include "base/host_id.h"
#include "base/log.h"
#include "server/config.h"
#include "server/topology/topology.h"

namespace starling::server {
namespace {

using base::InvalidArgument;

// host:port, the host as a name or an address; who it is shows when it is resolved.
base::Status CheckSeed(std::string_view seed) {
  const auto bad = [&](std::string_view why) {
    return InvalidArgument(
        fmt::format("cluster.seeds: '{}' {}; write host:port, as in 127.0.0.1:7700", seed, why));
  };
  const std::size_t colon = seed.rfind(':');
  if (colon == std::string_view::npos) return bad("has no port");
  const std::string_view host = seed.substr(0, colon), port = seed.substr(colon + 1);
  std::uint16_t number = 0;
  const auto [rest, error] = std::from_chars(port.data(), port.data() + port.size(), number);
  if (error != std::errc{} || rest != port.data() + port.size() || number == 0)
    return bad("has no port in 1 to 65535");
  const bool clean = !host.empty() && std::all_of(host.begin(), host.end(), [](char c) {
    return c > ' ' && c <= '~' && c != ':' && c != '/' && c != ',';
  });
  return clean ? base::Ok() : bad("has no host name or IPv4 address");
}

base::Status CheckSeeds(const std::vector<std::string>& seeds) {
  if (seeds.empty())
    return InvalidArgument("cluster.seeds is empty; a lone node lists its own address there");
  if (seeds.size() > topology::kSeedsMax)
    return InvalidArgument(fmt::format("cluster.seeds has {} entries, {} is the limit",
                                       seeds.size(), topology::kSeedsMax));
  std::set<std::string_view> seen;
  for (const std::string& seed : seeds) {
    RETURN_IF_ERROR(CheckSeed(seed));
    if (!seen.insert(seed).second)
      return InvalidArgument(fmt::format("cluster.seeds names {} twice", seed));
  }
  return base::Ok();
}

base::Status CheckListen(const Config& config) {
  const std::string& listen = config.node.listen;
  const auto address = base::ParseAddress(listen, config.ports.cluster);
  if (!address || listen.find(':') != std::string::npos)
    return InvalidArgument(
        fmt::format("node.listen = '{}' is no IPv4 address, as 127.0.0.1 is", listen));
  if (address->ip == 0)
    return InvalidArgument(
        "node.listen = '0.0.0.0': the other nodes need one address to know "
        "this one by; set the address of one interface");
  if (address->loopback() || config.security.insecure) return base::Ok();
  return InvalidArgument(fmt::format(
      "node.listen = '{}' is not a loopback address (127.*), and this version has no "
      "authentication and no encryption: whoever reaches the ports can read and change all data. "
      "On a network you trust, set security.insecure = true",
      listen));
}

base::Status CheckReplace(const Config& config) {
  if (config.node.replace.empty()) return base::Ok();
  if (base::HostId::Parse(config.node.replace)) return base::Ok();
  if (base::ParseAddress(config.node.replace, config.ports.cluster)) return base::Ok();
  return InvalidArgument(
      fmt::format("node.replace = '{}' is neither an IPv4 address nor a host id: it names the dead "
                  "member, as nodetool status shows it",
                  config.node.replace));
}

base::Status CheckPorts(const Config& config) {
  const std::pair<std::string_view, std::uint16_t> ports[] = {{"cluster", config.ports.cluster},
                                                              {"client", config.ports.client},
                                                              {"resp", config.ports.resp},
                                                              {"metrics", config.ports.metrics}};
  for (std::size_t i = 0; i < std::size(ports); ++i)
    for (std::size_t j = 0; j < i; ++j)
      if (ports[i].second == ports[j].second)
        return InvalidArgument(fmt::format("ports.{} and ports.{} are both {}", ports[j].first,
                                           ports[i].first, ports[i].second));
  return base::Ok();
}

base::Status CheckGossip(const Config& config) {
  const auto& gossip = config.gossip;
  if (gossip.ack_timeout >= gossip.probe_interval)
    return InvalidArgument(
        fmt::format("gossip.ack_timeout ({} ms) must be below gossip.probe_interval ({} ms): the "
                    "rest of the interval is for the nodes that are asked to try",
                    base::ToMs(gossip.ack_timeout), base::ToMs(gossip.probe_interval)));
  if (gossip.suspicion_timeout < gossip.probe_interval)
    return InvalidArgument(
        fmt::format("gossip.suspicion_timeout ({} ms) must be at least gossip.probe_interval "
                    "({} ms): a live node needs that long to hear of it and refute",
                    base::ToMs(gossip.suspicion_timeout), base::ToMs(gossip.probe_interval)));
  return base::Ok();
}

// 0 stands for a share, so the table of keys lets everything from there on pass.
base::Status CheckStorage(const Config& config) {
  constexpr std::uint64_t kBytesMin = 1 << 20;
  const auto& storage = config.storage;
  const std::pair<std::string_view, std::uint64_t> sizes[] = {
      {"storage.block_cache", storage.block_cache_bytes},
      {"storage.memtables", storage.memtables_bytes},
      {"storage.compaction_rate", storage.compaction_bytes_per_second}};
  for (const auto& [key, bytes] : sizes)
    if (bytes != 0 && bytes < kBytesMin)
      return InvalidArgument(fmt::format("{} = {} is below 1MiB, and not 0", key, bytes));
  return base::Ok();
}

// 0 has a meaning of its own here, too.
base::Status CheckScrub(const Config& config) {
  constexpr base::Duration kIntervalMin = base::seconds(1);
  constexpr std::uint64_t kBytesMin = 1 << 20;
  const auto& scrub = config.scrub;
  if (scrub.interval != base::Duration::zero() && scrub.interval < kIntervalMin)
    return InvalidArgument(
        fmt::format("scrub.interval ({} ms) is below 1s, and not 0", base::ToMs(scrub.interval)));
  if (scrub.bytes_per_second != 0 && scrub.bytes_per_second < kBytesMin)
    return InvalidArgument(
        fmt::format("scrub.rate = {} is below 1MiB, and not 0: a pass would "
                    "not come to its end",
                    scrub.bytes_per_second));
  return base::Ok();
}

base::Status CheckPurge(const Config& config) {
  if (config.purge.horizon >= PurgeHorizonMin(config)) return base::Ok();
  return InvalidArgument(fmt::format(
      "purge.horizon ({} ms) must be at least {} ms: timeouts.write ({} ms), and twice the {} ms "
      "that clocks may be apart; else writes that are under way would be refused",
      base::ToMs(config.purge.horizon), base::ToMs(PurgeHorizonMin(config)),
      base::ToMs(config.timeouts.write), base::ToMs(kClockSkewMax)));
}

}  // namespace

base::Duration PurgeHorizonMin(const Config& config) {
  return config.timeouts.write + 2 * kClockSkewMax;
}

base::Status CheckConfig(const Config& config) {
  const auto in = [](std::string_view key, const base::Status& status) {
    return status.Annotate(key);
  };
  RETURN_IF_ERROR(in("cluster.name", topology::CheckClusterName(config.cluster.name)));
  RETURN_IF_ERROR(CheckSeeds(config.cluster.seeds));
  RETURN_IF_ERROR(CheckListen(config));
  RETURN_IF_ERROR(in("node.dc", topology::CheckPlaceName("datacenter", config.node.dc)));
  RETURN_IF_ERROR(in("node.rack", topology::CheckPlaceName("rack", config.node.rack)));
  if (config.node.data_dir.empty())
    return InvalidArgument("node.data_dir is empty; name a directory for the node's data");
  RETURN_IF_ERROR(CheckReplace(config));
  RETURN_IF_ERROR(CheckPorts(config));
  RETURN_IF_ERROR(CheckStorage(config));
  RETURN_IF_ERROR(CheckGossip(config));
  RETURN_IF_ERROR(CheckScrub(config));
  RETURN_IF_ERROR(CheckPurge(config));
  if (config.limits.memory_bytes_max < config.limits.value_bytes_max)
    return InvalidArgument("limits.memory is below limits.value: no such value could be taken");
  RETURN_IF_ERROR(in("resp.keyspace", topology::CheckKeyspaceName(config.resp.keyspace)));
  const auto level = base::log::ParseLevel(config.log.level);
  return level ? base::Ok() : in("log.level", level.error());
}

}  // namespace starling::server
