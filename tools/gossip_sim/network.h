// tools/gossip_sim/network.h: many real Gossip cores on virtual time and a network with faults.
//
// Deterministic: one seed, one course of events, and a hash of it. What passes between nodes are
// the real bytes. Streams are modelled as their outcome: a request and its answer after the time
// that connecting takes, a refusal by a host whose process is gone, or silence. Lost segments of a
// stream are sent again after the times that Linux takes.
//
// Thread:    confined to one thread.
// Ownership: owns the cores; a restarted node is a new core.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/random.h"
#include "base/time.h"
#include "gossip/gossip.h"

namespace starling::gossip_sim {

using NodeIndex = std::uint32_t;

// What a process that was stopped handles first when it goes on. It may be either: libuv and Go
// look at timers, then poll.
enum class Wakes : std::uint8_t {
  kToSockets,  // It was stopped while it waited in the poll.
  kToTimers,   // It was stopped while it worked.
};

struct NetworkOptions {
  gossip::GossipOptions gossip;
  std::uint64_t seed = 1;
  double loss = 0;       // Of each datagram.
  double duplicate = 0;  // A datagram arrives twice.
  // Of each datagram and each crossing of a stream, uniform: so datagrams overtake each other.
  base::Duration delay_min = base::microseconds(200);
  base::Duration delay_max = base::milliseconds(2);
  // Nodes keep data connections with others, drawn anew for each that is killed: they notice it by
  // resets.
  bool data_connections = false;
  std::uint32_t data_peers = 0;  // With so many others. 0: with all.
  Wakes wakes = Wakes::kToSockets;
  std::string cluster_name = "sim";
  gossip::Keyring keyring{};  // Of every node. Empty: packets are plain.
};

class Network {
 public:
  explicit Network(NetworkOptions options);

  // Called for each event of each node, as it happens.
  std::function<void(base::Instant, NodeIndex, const gossip::Event&)> on_event;

  // Called for each datagram that arrives at a process.
  std::function<void(base::Instant, NodeIndex from, NodeIndex to, const std::string&)> on_delivery;

  // A new host, not booted. Its address is 10.x.y.z:7700 with x.y.z the index.
  NodeIndex Add(std::string metadata = {}, std::uint32_t domain = 0);
  // Starts its process, with a generation one higher than before.
  void Boot(NodeIndex node, std::span<const base::Address> seeds);
  // Starts all that are not running, each knowing all others from before, as after a restart of
  // nodes that kept their peers.
  void BootAcquainted();
  // Its process ends without a word; the host refuses connections.
  void Kill(NodeIndex node);
  // The whole host falls silent.
  void Unplug(NodeIndex node);
  // SIGSTOP: the kernel goes on taking packets, up to a buffer's worth.
  void Pause(NodeIndex node);
  void Resume(NodeIndex node);
  // A second host with the identity of another, as from a copied disk: not booted, at an address of
  // its own, and with as many boots behind it as the other had before its last.
  NodeIndex AddTwin(NodeIndex of);
  void MoveTo(NodeIndex node, base::Address address);  // REQUIRES: not running.

  // Packets pass within a side only. All nodes start on side 0.
  void SetSide(NodeIndex node, int side);
  // Packets from one to the other are lost; the way back is open. False: they were before.
  bool CutOneWay(NodeIndex from, NodeIndex to);
  // No datagram passes to or from it; streams do.
  void BlockDatagrams(NodeIndex node, bool blocked) { nodes_[node].datagrams_blocked = blocked; }
  void Heal();  // All on one side, no cuts.
  void SetLoss(double loss) { options_.loss = loss; }
  void SetDuplicate(double share) { options_.duplicate = share; }
  void SetDelayMax(base::Duration delay) { options_.delay_max = delay; }
  // Its monotonic clock jumps ahead, as that of a machine that was suspended.
  void StepClock(NodeIndex node, base::Duration ahead);

  // Calls a core and carries out what it wants.
  template <typename Call>
  void With(NodeIndex node, Call call) {
    call(*nodes_[node].core, Clock(node));
    Drain(node);
  }
  // A datagram from outside, delivered now.
  void Inject(NodeIndex node, base::Address from, const std::string& bytes);

  void RunFor(base::Duration duration);
  // Until `done` holds, looked at every 10 ms. False if it does not within `limit`.
  bool RunUntil(base::Duration limit, const std::function<bool()>& done);

  base::Instant now() const { return now_; }
  base::Instant Clock(NodeIndex node) const { return now_ + nodes_[node].ahead; }
  std::size_t size() const { return nodes_.size(); }
  bool running(NodeIndex node) const { return nodes_[node].core != nullptr; }
  bool paused(NodeIndex node) const { return nodes_[node].paused; }
  const gossip::Gossip& core(NodeIndex node) const { return *nodes_[node].core; }
  base::Address address(NodeIndex node) const { return nodes_[node].self.address; }
  base::HostId host(NodeIndex node) const { return nodes_[node].self.host; }
  NodeIndex IndexOf(base::HostId host) const;
  // Every running node sees every other running one, and nobody else, as alive.
  bool AllAgree() const;
  std::uint64_t happenings() const { return next_order_; }  // So far, for progress and speed.
  std::uint64_t trace_hash() const { return trace_hash_; }
  std::size_t largest_datagram() const { return largest_datagram_; }

 private:
  enum class Kind : std::uint8_t { kTick, kDatagram, kRequest, kReply, kFailure, kReset };
  struct Happening {
    base::Instant at{};
    Kind kind = Kind::kTick;
    NodeIndex node = 0;      // Where it happens.
    std::uint64_t boot = 0;  // Of `node`, where only that process is meant.
    NodeIndex peer = 0;      // Who sent; kReset: who is gone.
    std::uint64_t peer_boot = 0;
    base::Address address{};  // kDatagram: of the sender; else: that was called.
    gossip::Gossip::StreamFailure failure = gossip::Gossip::StreamFailure::kOther;
    std::string bytes{};
  };
  struct Node {
    gossip::Self self;
    std::unique_ptr<gossip::Gossip> core;  // nullptr: not running.
    std::uint64_t boot = 0;
    bool plugged = true;
    bool paused = false;
    bool datagrams_blocked = false;
    int side = 0;
    base::Duration ahead{0};                         // What its clock is ahead of now_.
    base::Instant tick_at = base::Instant::Never();  // By now_.
    std::deque<Happening> buffered;                  // While paused, as it came.
  };
  // What is sorted is small; the rest waits in a slab.
  struct Due {
    base::Instant at;
    std::uint64_t order;
    std::uint32_t index;  // In happenings_.
  };
  struct Later {
    bool operator()(const Due& a, const Due& b) const {
      return std::pair(a.at, a.order) > std::pair(b.at, b.order);
    }
  };
  struct HashAddress {
    std::size_t operator()(const base::Address& address) const {
      return base::Mix64(std::uint64_t{address.ip} << 16 | address.port);
    }
  };
  struct HashHost {
    std::size_t operator()(const base::HostId& host) const { return host.low; }
  };

  void Start(NodeIndex node);
  std::vector<NodeIndex> DataPeersOf(NodeIndex node);
  void Schedule(base::Duration after, Happening happening);
  void Prefetch() const;
  void Handle(Happening& happening);
  void Serve(Happening& happening);
  void Deliver(Happening& happening);
  void Request(Happening& happening);
  void Drain(NodeIndex node);
  void SendDatagram(NodeIndex from, gossip::Datagram& datagram);
  void SendRequest(NodeIndex from, gossip::StreamRequest& request);
  void ScheduleTick(NodeIndex node);
  bool Passes(NodeIndex from, NodeIndex to) const;
  std::optional<NodeIndex> At(base::Address address) const;
  base::Duration Delay();
  base::Duration StreamDelay(base::Duration retransmit_after);
  void Trace(const Happening& happening);

  NetworkOptions options_;
  base::Random random_;
  base::Instant now_;
  std::shared_ptr<gossip::Roster> roster_ = std::make_shared<gossip::Roster>();
  std::vector<Node> nodes_;
  // Looked up only; their order shows nowhere.
  std::unordered_map<base::Address, NodeIndex, HashAddress> by_address_;
  std::unordered_map<base::HostId, NodeIndex, HashHost> by_host_;
  std::set<std::pair<NodeIndex, NodeIndex>> cuts_;
  std::vector<Due> queue_;  // A heap by Later.
  std::vector<Happening> happenings_;
  std::vector<std::uint32_t> free_;  // Of happenings_.
  std::uint64_t next_order_ = 0;     // Ties: first scheduled, first served.
  std::uint64_t trace_hash_ = 0;
  std::size_t largest_datagram_ = 0;
};

}  // namespace starling::gossip_sim
