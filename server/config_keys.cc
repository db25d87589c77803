// server/config_keys.cc: the table of keys, and how each type of value is read and written.
#include "server/config_keys.h"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <concepts>
#include <type_traits>

#include "base/nearest_name.h"
#include "server/config_units.h"

namespace starling::server {
namespace {

constexpr std::uint64_t kDayMs = 86'400'000;

#define FIELD(member) [](Config& config) -> ConfigField { return &config.member; }

constexpr ConfigKey kKeys[] = {
    {"cluster.name",
     FIELD(cluster.name),
     {},
     "Nodes of another name are refused. Printable, 64 characters at most; it never changes."},
    {"cluster.seeds",
     FIELD(cluster.seeds),
     {},
     "host:port of the nodes that found the cluster together, and that others join through.\n"
     "The same list on all of them; names are resolved again and again. With one seed, that node "
     "is a cluster of its own."},

    {"node.listen",
     FIELD(node.listen),
     {},
     "The IPv4 address of all ports, by which the other nodes know this one.\n"
     "Beyond loopback only with security.insecure = true."},
    {"node.dc", FIELD(node.dc), {}, "The datacenter: LOCAL_QUORUM and dc1:3 go by it."},
    {"node.rack", FIELD(node.rack), {}, "The rack: replicas are spread over racks."},
    {"node.data_dir",
     FIELD(node.data_dir),
     {},
     "Where everything is kept; made when it is not there. One node a directory."},
    {"node.vnodes",
     FIELD(node.vnodes),
     {1, 256},
     "Ranges of the ring a new node takes. More: evener shares, and a larger ring."},
    {"node.replace",
     FIELD(node.replace),
     {},
     "The dead member whose place this node, with an empty directory, takes: its address, or its "
     "host id."},
    {"node.workers",
     FIELD(node.workers),
     {0, 64},
     "Threads that own keys. 0: half the cores, at least one."},

    {"ports.cluster", FIELD(ports.cluster), {1, 65535}, "Between nodes: TCP and UDP."},
    {"ports.client", FIELD(ports.client), {1, 65535}, "Clients and nodetool."},
    {"ports.resp", FIELD(ports.resp), {1, 65535}, "Redis clients."},
    {"ports.metrics",
     FIELD(ports.metrics),
     {0, 65535},
     "HTTP: /metrics (Prometheus) and /health. 0: none."},

    {"storage.durability",
     FIELD(storage.durability),
     {},
     "group: a write is acknowledged after the sync that covers it.\n"
     "periodic: before; a sync every second, and a power loss takes what came since."},
    {"storage.memory",
     FIELD(storage.memory_bytes),
     {3 << 20, 1ULL << 41},
     "For data: two thirds are the block cache, one third memtables. limits.memory comes on top."},
    {"storage.block_cache",
     FIELD(storage.block_cache_bytes),
     {0, 1ULL << 40},
     "Memory for data read from disk. More: fewer reads go there. 0: by storage.memory."},
    {"storage.memtables",
     FIELD(storage.memtables_bytes),
     {0, 1ULL << 40},
     "Memory for data not yet written out. More: less rewriting, and a longer start.\n"
     "0: by storage.memory."},
    {"storage.compaction_rate",
     FIELD(storage.compaction_bytes_per_second),
     {0, 1ULL << 40},
     "Bytes a second that flushes and compactions write. Lower: steadier answers of a slow disk;\n"
     "too low, and writes wait for them. 0: no limit."},
    {"storage.reserve",
     FIELD(storage.reserve_bytes),
     {0, 1ULL << 44},
     "Kept free on the disk: with less, the node takes no put until there is more, only deletes.\n"
     "Of a small file system no more than a fifth. 0: puts go on until the disk is full, which "
     "ends\n"
     "the node."},

    {"scrub.interval",
     FIELD(scrub.interval),
     {0, 365 * kDayMs},
     "From the end of one reading of all tables, in search of damage, to the next.\n"
     "0s: only when it is asked for, and when a request met damage."},
    {"scrub.rate",
     FIELD(scrub.bytes_per_second),
     {0, 1ULL << 40},
     "Bytes a second that it reads on the average, a table at a time. 0: no limit."},

    {"repair.enabled",
     FIELD(repair.enabled),
     {},
     "Whether replicas are compared all the time. Repair on demand works without."},
    {"repair.interval",
     FIELD(repair.interval),
     {100, kDayMs},
     "How often each pair is compared. Shorter: differences live less long."},
    {"repair.rate",
     FIELD(repair.bytes_per_second),
     {0, 1ULL << 40},
     "Bytes a second that a node reads and takes in for its repairs. 0: no limit."},
    {"repair.piece",
     FIELD(repair.piece_bytes),
     {4 << 10, 1 << 20},
     "Values that are larger are fetched in pieces of this size. Larger: fewer exchanges; "
     "smaller:\n"
     "what else goes to the same node waits less behind one."},
    {"repair.run",
     FIELD(repair.run_bytes),
     {0, 256 << 20},
     "What a node that was emptied takes in is gathered to so much, and becomes tables at once.\n"
     "Larger: fewer tables; smaller: less memory, of which three times as much is needed. 0: it "
     "is\n"
     "written like anything else."},

    {"purge.enabled",
     FIELD(purge.enabled),
     {},
     "Whether tombstones and expired entries are removed once all replicas proved that they hold\n"
     "the same. False on one node keeps them on all that share a range with it."},
    {"purge.interval",
     FIELD(purge.interval),
     {100, kDayMs},
     "How often a node looks for what may be removed. Shorter: space comes back sooner."},
    {"purge.horizon",
     FIELD(purge.horizon),
     {1000, kDayMs},
     "So old must be what is removed, and older writes that come late are refused.\n"
     "At least timeouts.write and 1s, twice what clocks may be apart."},
    {"purge.max_outage",
     FIELD(purge.outage_max),
     {0, 400 * kDayMs},
     "A node that is away for longer is declared absent: purge goes on without it, and when it\n"
     "returns it catches up first, and what it alone has of what was purged goes to quarantine.\n"
     "0: never; then its ranges are not purged until it is back or replaced."},

    {"hints.enabled",
     FIELD(hints.enabled),
     {},
     "Whether writes for a node that is down are kept and sent when it returns."},
    {"hints.max_bytes",
     FIELD(hints.bytes_max),
     {0, 1ULL << 40},
     "Of all hints a node keeps. What is over is left to repair."},
    {"hints.max_age",
     FIELD(hints.age_max),
     {1000, 30 * kDayMs},
     "Older hints are dropped, and left to repair."},

    {"gossip.probe_interval",
     FIELD(gossip.probe_interval),
     {10, 60'000},
     "A node pings another this often. Shorter: deaths are seen sooner, for more packets."},
    {"gossip.ack_timeout",
     FIELD(gossip.ack_timeout),
     {5, 60'000},
     "How long a ping may take before others are asked to try. Below probe_interval."},
    {"gossip.suspicion_timeout",
     FIELD(gossip.suspicion_timeout),
     {10, 600'000},
     "How long a silent node has to refute that it is dead. Longer: fewer false deaths."},
    {"gossip.gossip_interval",
     FIELD(gossip.gossip_interval),
     {10, 60'000},
     "News are sent to random nodes this often."},
    {"gossip.push_pull_interval",
     FIELD(gossip.push_pull_interval),
     {100, 3'600'000},
     "Two nodes exchange all they know this often: heals partitions."},

    {"timeouts.read",
     FIELD(timeouts.read),
     {10, 600'000},
     "The longest a read may take, also when its client would wait longer."},
    {"timeouts.write", FIELD(timeouts.write), {10, 600'000}, "Of a write, likewise."},

    {"limits.connections",
     FIELD(limits.connections_max),
     {1, 1'000'000},
     "Open at once; more are refused."},
    {"limits.in_flight",
     FIELD(limits.in_flight_max),
     {1, 1'000'000},
     "Requests of one connection under way at once."},
    {"limits.memory",
     FIELD(limits.memory_bytes_max),
     {1 << 20, 1ULL << 40},
     "Of requests under way and answers not taken yet; more are refused as overloaded."},
    {"limits.value", FIELD(limits.value_bytes_max), {1, 16 << 20}, "Of one value."},

    {"resp.consistency",
     FIELD(resp.consistency),
     {},
     "Level of Redis clients' commands: ONE, TWO, QUORUM, LOCAL_QUORUM or ALL."},
    {"resp.keyspace", FIELD(resp.keyspace), {}, "Keyspace of Redis clients."},

    {"security.insecure",
     FIELD(security.insecure),
     {},
     "Allows listening beyond loopback though there is no authentication and no encryption:\n"
     "anybody who reaches the ports can read and change everything."},
    {"security.gossip_key_file",
     FIELD(security.gossip_key_file),
     {},
     "A file with the key that seals gossip, in base64, as nodetool keyring generate prints it.\n"
     "Only for a node without a keyring in its data directory; nodetool keyring changes that."},

    {"log.level", FIELD(log.level), {}, "debug, info, warn, error or off."},
};

#undef FIELD

base::Status Refuse(std::string_view text, std::string_view instead) {
  return base::InvalidArgument(fmt::format("'{}' is not {}", text, instead));
}

base::Status CheckRange(std::uint64_t value, std::string_view text, const ConfigRange& range,
                        std::string (*print)(std::uint64_t)) {
  if (value >= range.min && value <= range.max) return base::Ok();
  return Refuse(text, fmt::format("in {} to {}", print(range.min), print(range.max)));
}

// One overload a type of field: each reads all of `text` or fails and leaves the field.

base::Status Parse(std::string& field, std::string_view text, const ConfigRange&) {
  field = text;
  return base::Ok();
}

base::Status Parse(std::vector<std::string>& field, std::string_view text, const ConfigRange&) {
  field.clear();
  while (!text.empty()) {
    const std::size_t comma = std::min(text.find(','), text.size());
    field.emplace_back(text.substr(0, comma));
    text.remove_prefix(std::min(comma + 1, text.size()));
  }
  return base::Ok();
}

template <std::unsigned_integral Number>
requires(sizeof(Number) <= 4) base::Status
    Parse(Number& field, std::string_view text, const ConfigRange& range) {
  std::uint64_t value = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, value);
  const auto print = [](std::uint64_t n) { return fmt::format("{}", n); };
  if (error != std::errc{} || rest != end)
    return Refuse(text, fmt::format("a whole number in {} to {}", range.min, range.max));
  RETURN_IF_ERROR(CheckRange(value, text, range, print));
  field = static_cast<Number>(value);
  return base::Ok();
}

base::Status Parse(std::uint64_t& field, std::string_view text, const ConfigRange& range) {
  ASSIGN_OR_RETURN(const std::uint64_t bytes, ParseSize(text));
  RETURN_IF_ERROR(CheckRange(bytes, text, range, FormatSize));
  field = bytes;
  return base::Ok();
}

base::Status Parse(base::Duration& field, std::string_view text, const ConfigRange& range) {
  ASSIGN_OR_RETURN(const base::Duration duration, ParseDuration(text));
  const auto print = [](std::uint64_t ms) { return FormatDuration(base::milliseconds(ms)); };
  RETURN_IF_ERROR(CheckRange(static_cast<std::uint64_t>(base::ToMs(duration)), text, range, print));
  field = duration;
  return base::Ok();
}

base::Status Parse(bool& field, std::string_view text, const ConfigRange&) {
  if (text != "true" && text != "false") return Refuse(text, "true or false");
  field = text == "true";
  return base::Ok();
}

base::Status Parse(Durability& field, std::string_view text, const ConfigRange&) {
  if (text != "group" && text != "periodic") return Refuse(text, "group or periodic");
  field = text == "group" ? Durability::kGroup : Durability::kPeriodic;
  return base::Ok();
}

base::Status Parse(wire::Consistency& field, std::string_view text, const ConfigRange&) {
  ASSIGN_OR_RETURN(field, wire::ParseConsistency(text));
  return base::Ok();
}

// A basic string of TOML. Control characters cannot be written as they are.
std::string Quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\')
      out.append({'\\', c});
    else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f)
      out += fmt::format("\\u{:04x}", static_cast<unsigned char>(c));
    else
      out += c;
  }
  return out + '"';
}

std::string Print(const std::string& value) { return Quoted(value); }

std::string Print(const std::vector<std::string>& value) {
  std::string out;
  for (const std::string& item : value) out += (out.empty() ? "" : ", ") + Quoted(item);
  return '[' + out + ']';
}

template <std::unsigned_integral Number>
requires(sizeof(Number) <= 4) std::string Print(const Number& value) {
  return fmt::format("{}", value);
}

std::string Print(const std::uint64_t& value) { return Quoted(FormatSize(value)); }
std::string Print(const base::Duration& value) { return Quoted(FormatDuration(value)); }
std::string Print(const bool& value) { return value ? "true" : "false"; }

std::string Print(const Durability& value) {
  return value == Durability::kGroup ? "\"group\"" : "\"periodic\"";
}

std::string Print(const wire::Consistency& value) { return Quoted(wire::ConsistencyName(value)); }

}  // namespace

bool ConfigKey::is_list() const {
  Config any;
  return std::holds_alternative<std::vector<std::string>*>(field(any));
}

std::span<const ConfigKey> ConfigKeys() { return kKeys; }

base::Result<const ConfigKey*> FindConfigKey(std::string_view name) {
  std::vector<std::string_view> names;
  for (const ConfigKey& key : kKeys) {
    if (key.name == name) return &key;
    names.push_back(key.name);
  }
  // The right name in the wrong section, or in none, is nearer than any misspelling.
  const std::string_view leaf = name.substr(name.rfind('.') + 1);
  for (const ConfigKey& key : kKeys)
    if (key.leaf() == leaf)
      return base::Fail(base::NotFound(fmt::format("unknown key; did you mean {}?", key.name)));
  const std::string_view nearest = base::NearestName(name, names);
  return base::Fail(base::NotFound(
      nearest.empty() ? std::string("unknown key; starlingd --print-config shows all")
                      : fmt::format("unknown key; did you mean {}?", nearest)));
}

base::Status SetConfigKey(Config& config, const ConfigKey& key, std::string_view text) {
  return std::visit([&](auto* field) { return Parse(*field, text, key.range); }, key.field(config));
}

std::string PrintConfigKey(const Config& config, const ConfigKey& key) {
  Config copy = config;
  return std::visit([](auto* field) { return Print(*field); }, key.field(copy));
}

}  // namespace starling::server
