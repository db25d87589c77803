// server/config.h: everything that an operator can set, with its default.
//
// From a TOML file, then STARLING_SECTION_KEY in the environment, then --set section.key=value;
// the last one wins. server/config_keys.cc has the table of keys with their meanings, from which
// `starlingd --print-config` is made; an unknown key is an error that names the nearest one.
//
// Thread:    constant after it was loaded.
// Read next: server/config_keys.cc
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "base/address.h"
#include "base/status.h"
#include "base/time.h"
#include "server/wire/messages.h"

namespace starling::server {

enum class Durability : std::uint8_t {
  kGroup,     // Acknowledge after the sync that covers the write.
  kPeriodic,  // Acknowledge once written; sync every second.
};

struct Config {
  struct {
    std::string name = "starling";
    std::vector<std::string> seeds{"127.0.0.1:7700"};  // host:port, resolved at each attempt.
  } cluster;
  struct {
    std::string listen = "127.0.0.1";
    std::string dc = "dc1";
    std::string rack = "rack1";
    std::string data_dir = "/var/lib/starling";
    std::uint32_t vnodes = 16;
    std::string replace;        // Address of the dead member whose place this node takes.
    std::uint32_t workers = 0;  // 0: half the cores, at least one.
  } node;
  struct {
    std::uint16_t cluster = 7700;
    std::uint16_t client = 7701;
    std::uint16_t resp = 7702;
    std::uint16_t metrics = 7703;  // HTTP; 0: none.
  } ports;
  struct {
    Durability durability = Durability::kGroup;
    std::uint64_t memory_bytes = 384ULL << 20;      // storage.memory
    std::uint64_t block_cache_bytes = 0;            // storage.block_cache; 0: a share of memory
    std::uint64_t memtables_bytes = 0;              // storage.memtables; 0: a share of memory
    std::uint64_t compaction_bytes_per_second = 0;  // storage.compaction_rate; 0: no limit
    std::uint64_t reserve_bytes = 1ULL << 30;       // storage.reserve
  } storage;
  struct {
    base::Duration interval = base::seconds(86'400);  // scrub.interval
    std::uint64_t bytes_per_second = 16ULL << 20;     // scrub.rate
  } scrub;
  struct {
    bool enabled = true;
    base::Duration interval = base::seconds(5);
    std::uint64_t bytes_per_second = 128ULL << 20;  // repair.rate; 0: no limit.
    std::uint64_t piece_bytes = 256ULL << 10;       // repair.piece
    std::uint64_t run_bytes = 16ULL << 20;          // repair.run; 0: no tables of its own
  } repair;
  struct {
    bool enabled = true;
    base::Duration interval = base::seconds(30);
    base::Duration horizon = base::seconds(60);
    base::Duration outage_max = std::chrono::hours(24);  // purge.max_outage; 0: for ever.
  } purge;
  struct {
    bool enabled = true;
    std::uint64_t bytes_max = 1ULL << 30;            // hints.max_bytes
    base::Duration age_max = std::chrono::hours(3);  // hints.max_age
  } hints;
  struct {
    base::Duration probe_interval = base::seconds(1);
    base::Duration ack_timeout = base::milliseconds(300);
    base::Duration suspicion_timeout = base::seconds(4);
    base::Duration gossip_interval = base::milliseconds(200);
    base::Duration push_pull_interval = base::seconds(10);
  } gossip;
  struct {
    base::Duration read = base::seconds(2);
    base::Duration write = base::seconds(2);
  } timeouts;
  struct {
    std::uint32_t connections_max = 10000;  // limits.connections
    std::uint32_t in_flight_max = 4096;     // limits.in_flight: requests open on a connection
    std::uint64_t memory_bytes_max = 512ULL << 20;  // limits.memory: of requests under way, a node
    std::uint64_t value_bytes_max = 16ULL << 20;    // limits.value
  } limits;
  struct {
    wire::Consistency consistency = wire::Consistency::kQuorum;
    std::string keyspace = "default";
  } resp;
  struct {
    bool insecure = false;
    std::string gossip_key_file;
  } security;
  struct {
    std::string level = "info";
  } log;
};

struct ConfigSources {
  std::string file;                      // Empty: none.
  std::vector<std::string> environment;  // "STARLING_NODE_DC=dc2", and others'.
  std::vector<std::pair<std::string, std::string>> settings;  // "storage.durability", "group"
};

// Reads, converts and validates; InvalidArgument names the key, the value and what it may be.
base::Result<Config> LoadConfig(const ConfigSources& sources);

// What no key shows by itself: addresses, names, and values that depend on each other. LoadConfig
// ends with it.
base::Status CheckConfig(const Config& config);

// How far apart clocks may be (G8).
inline constexpr base::Duration kClockSkewMax = base::milliseconds(500);

// The least that purge.horizon may be: the write timeout, and twice what clocks may be apart.
base::Duration PurgeHorizonMin(const Config& config);

// Every key with its default and its meaning, as a TOML file.
std::string PrintConfig();

// node.workers, or the default for this machine.
std::uint32_t WorkersOf(const Config& config);

// What the storage engine may take: as set, or by its share of storage.memory.
struct StorageMemory {
  std::uint64_t block_cache_bytes = 0;
  std::uint64_t memtables_bytes = 0;
};
StorageMemory StorageMemoryOf(const Config& config);

}  // namespace starling::server
