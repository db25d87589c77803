// tests/sim/input_draw.h: frames as a client or a peer may send them, sound and changed, at random.
//
// A changed one has a checksum and a digest that fit nevertheless, so that it is decoded. Most
// values are such as a cluster of a few keys knows, or a storm would never get past the first
// check.
//
// Thread:    confined to one thread.
// Ownership: random numbers and facts outlive it.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <utility>

#include "base/hash.h"
#include "base/random.h"
#include "gossip/message.h"
#include "server/topology/changes.h"
#include "server/topology/topology.h"
#include "server/wire/client_messages.h"
#include "server/wire/codec.h"
#include "server/wire/frame.h"
#include "server/wire/limits.h"
#include "server/wire/peer_messages.h"
#include "tests/sim/input_bytes.h"

namespace starling::sim {

// What the pretenders know of the cluster.
struct Facts {
  wire::ClusterMap map;
  std::string topology;  // Encoded.
  std::string gossip_cluster;
};

// As it comes in a datagram.
std::string Encoded(const gossip::Message& message, const Facts& facts);

class Draw {
 public:
  Draw(base::Random& of, const Facts& known) : random_(of), facts_(known) {}

  // --- requests: input_requests.cc; `chance`: that header and payload are changed ---
  std::string ClientFrame(std::uint64_t id, double chance);
  std::string DataFrame(std::uint64_t id, double chance);
  // With `topologies` also what may change who is in the cluster.
  std::string ControlFrame(std::uint64_t id, double chance, bool topologies);

  // --- input_gossip.cc ---
  std::string GossipMessage();

  // --- replies: input_answers.cc ---
  // What might answer a frame of a node, right or wrong.
  std::string Answer(const wire::Frame& asked, double chance);

 private:
  // --- values: input_draw.cc ---
  base::KeyspaceId Keyspace();
  std::string Key();
  std::uint64_t Epoch();
  // Mostly one that can be answered.
  std::int64_t Cut();
  base::Version Version();
  // Of purge: none, one of about now, or any.
  std::uint64_t Mark();
  base::Token Token();
  std::uint8_t Small(unsigned usual);
  wire::Consistency Level();
  std::string Value();
  base::HostId Host();
  std::uint64_t DigestOf(base::Bytes payload);
  topology::Topology Topology();
  topology::NodeInfo Info();
  std::string Packed();

  gossip::State GossipState(std::deque<std::string>& kept);
  std::string ControlPayload(wire::ControlTopic topic);
  // Mostly a horizon that can be closed up to, and buckets that need not be the receiver's.
  std::string PurgeRequest();
  // Of as many buckets as were asked about, or not.
  std::string PurgeReport(base::Bytes asked);
  std::string ControlAnswer(const wire::Frame& asked);

  // Mutates payload and header here and there, and makes the digest fit.
  template <typename Message>
  std::string Framed(std::uint64_t id, Message message, std::string payload, double chance,
                     std::uint64_t Message::*digest) {
    payload = Mutated(random_, std::move(payload), chance);
    if (digest != nullptr) message.*digest = DigestOf(payload);
    std::string header;
    wire::EncodeTo(message, header);
    header = Mutated(random_, std::move(header), chance);
    if (header.size() > wire::kHeaderBytesMax) header.clear();
    return FrameOf(Message::kKind, id, header, payload);
  }
  template <typename Message>
  std::string Framed(std::uint64_t id, const Message& message, double chance) {
    return Framed<Message>(id, message, {}, chance, nullptr);
  }

  base::Random& random_;
  const Facts& facts_;
  // Of the last entry that was sent to a node, for who asks for a piece of its value.
  struct Sent {
    base::KeyspaceId keyspace = 1;
    std::string key = "key";
    base::Version version{1, 1, 1};
    std::string value = "value";
  } sent_;
};

}  // namespace starling::sim
