#include "tests/sim/input_draw.h"

#include <fmt/core.h>

#include <deque>

#include "gossip/codec.h"
#include "gossip/envelope.h"
#include "server/topology/codec.h"
#include "server/wire/entries.h"
#include "storage/entry.h"
#include "tests/sim/simulation.h"

namespace starling::sim {

std::string Encoded(const gossip::Message& message, const Facts& facts) {
  std::string bytes;
  gossip::Envelope envelope(facts.gossip_cluster, {}, {message.header.from, 1, 0});
  envelope.Begin(std::nullopt, bytes);
  gossip::Encode(message, bytes);
  return bytes;
}

base::KeyspaceId Draw::Keyspace() {
  if (random_.Chance(0.1)) return static_cast<base::KeyspaceId>(Odd(random_));
  return facts_.map.keyspaces[random_.Below(facts_.map.keyspaces.size())].id;
}

std::string Draw::Key() { return fmt::format("key{}", random_.Below(30)); }

std::uint64_t Draw::Epoch() { return random_.Chance(0.1) ? Odd(random_) : facts_.map.epoch; }

std::int64_t Draw::Cut() {
  return random_.Chance(0.8) ? Simulation::kWallStartMs / 1000 + 100'000
                             : static_cast<std::int64_t>(Odd(random_));
}

base::Version Draw::Version() {
  if (random_.Chance(0.15))
    return {Odd(random_), static_cast<std::uint32_t>(Odd(random_)), static_cast<std::uint32_t>(7)};
  return {static_cast<std::uint64_t>(Simulation::kWallStartMs) << 16,
          1 + static_cast<std::uint32_t>(random_.Below(3)),
          static_cast<std::uint32_t>(random_.Next())};
}

std::uint64_t Draw::Mark() {
  if (random_.Chance(0.4)) return 0;
  return random_.Chance(0.7) ? static_cast<std::uint64_t>(Simulation::kWallStartMs) << 16
                             : Odd(random_);
}

base::Token Draw::Token() { return random_.Chance(0.3) ? Odd(random_) : random_.Next(); }

std::uint8_t Draw::Small(unsigned usual) {
  return static_cast<std::uint8_t>(random_.Chance(0.2) ? random_.Below(256) : random_.Below(usual));
}

wire::Consistency Draw::Level() {
  return static_cast<wire::Consistency>(1 + random_.Below(random_.Chance(0.1) ? 9 : 5));
}

std::string Draw::Value() { return Noise(random_, random_.Chance(0.02) ? 200'000 : 300); }

base::HostId Draw::Host() {
  return random_.Chance(0.1) ? base::HostId{Odd(random_), Odd(random_)}
                             : facts_.map.nodes[random_.Below(facts_.map.nodes.size())].host;
}

std::uint64_t Draw::DigestOf(base::Bytes payload) {
  return random_.Chance(0.03) ? Odd(random_) : base::Hash64(payload);
}

topology::Topology Draw::Topology() { return *topology::DecodeTopology(facts_.topology); }

topology::NodeInfo Draw::Info() {
  return {.host = Host(),
          .cluster = {0x7f000001U + static_cast<std::uint32_t>(random_.Below(5)), 7700},
          .client = {0x7f000001, 7701},
          .resp = {0x7f000001, 7702},
          .dc = "dc1",
          .rack = "rack1",
          .vnodes = static_cast<std::uint32_t>(1 + random_.Below(300))};
}

std::string Draw::Packed() {
  std::string page;
  for (std::uint64_t n = random_.Below(6); n > 0; --n) {
    const std::string key = Key(), value = Value();
    wire::PackEntryTo({.key = key,
                       .version = Version(),
                       .flags = Small(4),
                       .origin = Small(6),
                       .expiry_ms = Odd(random_),
                       .value_digest = storage::ValueDigest(value),
                       .value = value},
                      page);
  }
  return page;
}

}  // namespace starling::sim
