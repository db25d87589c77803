// tests/fuzz/gossip_course.h: one core of gossip, and what it is told, as an input draws it.
//
// Its peers are few, nodes 2 to 9, so that what an input says about one meets what it said before.
//
// Thread: confined.
// Read next: tests/fuzz/gossip_node.cc
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>

#include "gossip/gossip.h"
#include "tests/fuzz/input.h"

namespace starling::gossip {

inline constexpr std::uint64_t kPeers = 8;

class Course {
 public:
  explicit Course(fuzz::Input& in);

  // Until the input is used up.
  void Play();

 private:
  // What the input says next is done.
  void Step();
  void HearDatagram(base::Address from, const std::string& packet);
  bool IsPingRequest(const std::string& packet);
  void HearRequest(const std::string& packet);
  void HearReply(const std::string& packet);
  void Acknowledge();
  void FailStream();
  void RunFor(base::Duration time);
  void Act();

  // Packets as a peer's, or as the input has them.
  std::string DrawPacket();
  Message DrawMessage();
  Body DrawBody();
  Claim DrawClaim();
  RumorItem DrawRumor();
  base::HostId DrawHost();
  base::Address DrawAddress();
  std::string Packed(const Message& message);
  std::string Wrapped(base::Bytes body, bool sealed);

  // Carries out what came of the last call.
  void Collect();
  // What is sent a sound node can read.
  void CheckReadable(const std::string& packet);
  void CheckState() const;

  fuzz::Input& in_;
  const GossipOptions options_;
  const Keyring keyring_;
  Envelope peer_;  // Of all others, in one.
  Gossip core_;
  base::Instant now_{};
  bool left_ = false;
  std::deque<std::string> kept_;  // Claims have views.

  // Of what was sent, by the last call and lately.
  std::size_t datagrams_ = 0, datagram_bytes_ = 0, streams_ = 0;
  // What ping requests had more than was sent at once: the target's ack is passed on later.
  std::size_t credit_ = 0;
  struct Asked {
    base::HostId host;
    base::Address address;
    std::uint64_t nonce = 0;
  };
  std::optional<Asked> ping_;
  std::optional<base::Address> stream_to_;
};

}  // namespace starling::gossip
