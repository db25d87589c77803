// tools/gossip_sim/network.cc: the queue of what will happen, and the faults on the way.
#include "tools/gossip_sim/network.h"

#include <algorithm>

#include "base/check.h"
#include "base/hash.h"

namespace starling::gossip_sim {
namespace {

using gossip::Gossip;

constexpr std::size_t kBufferedMax = 256;  // Datagrams in a paused process's socket.
constexpr base::Duration kConnectTimeout = base::seconds(1);
// Linux: of a segment that opens a connection, and the least of any other; each doubles.
constexpr base::Duration kSynRetransmit = base::seconds(1);
constexpr base::Duration kSegmentRetransmit = base::milliseconds(200);
constexpr int kRetransmitsMax = 5;
constexpr std::uint32_t kFirstIp = 10U << 24;
constexpr std::uint16_t kPort = 7700;
constexpr std::size_t kCacheLineBytes = 64;

// Points at what all cores share, which compares at a glance.
void ShareMetadata(const Gossip& core, std::vector<gossip::Claim>& claims) {
  for (gossip::Claim& claim : claims) {
    if (const auto member = core.View(claim.host)) claim.metadata = member->metadata;
  }
}

}  // namespace

Network::Network(NetworkOptions options)
    : options_(std::move(options)), random_(options_.seed), now_{base::seconds(1)} {}

NodeIndex Network::Add(std::string metadata, std::uint32_t domain) {
  const NodeIndex index = static_cast<NodeIndex>(nodes_.size());
  Node& node = nodes_.emplace_back();
  node.self = {.host = base::HostId::Draw(random_),
               .generation = 0,
               .address = {kFirstIp + index + 1, kPort},
               .cluster_name = options_.cluster_name,
               .keyring = options_.keyring,
               .metadata = std::move(metadata),
               .domain = domain};
  by_address_[node.self.address] = index;
  by_host_[node.self.host] = index;
  return index;
}

NodeIndex Network::AddTwin(NodeIndex of) {
  const NodeIndex index = static_cast<NodeIndex>(nodes_.size());
  gossip::Self self = nodes_[of].self;
  self.address = {kFirstIp + index + 1, kPort};
  --self.generation;
  nodes_.emplace_back().self = self;
  by_address_[self.address] = index;
  return index;
}

void Network::Start(NodeIndex index) {
  Node& node = nodes_[index];
  CHECK(node.core == nullptr);
  ++node.self.generation;
  ++node.boot;
  node.plugged = true;
  node.paused = false;
  node.core =
      std::make_unique<Gossip>(options_.gossip, node.self, random_.Next(), Clock(index), roster_);
}

void Network::Boot(NodeIndex index, std::span<const base::Address> seeds) {
  Start(index);
  With(index, [&](Gossip& core, base::Instant now) { core.Join(now, seeds); });
}

void Network::BootAcquainted() {
  std::vector<gossip::Claim> all;
  for (const Node& node : nodes_) {
    all.push_back(
        {.host = node.self.host,
         .generation = node.core == nullptr ? node.self.generation + 1 : node.self.generation,
         .address = node.self.address,
         .domain = node.self.domain,
         .metadata = node.self.metadata});
  }
  for (NodeIndex index = 0; index < nodes_.size(); ++index) {
    if (running(index)) continue;
    Start(index);
    With(index, [&](Gossip& core, base::Instant now) { core.Restore(now, all); });
    if (index == 0) ShareMetadata(core(index), all);
  }
}

void Network::Kill(NodeIndex index) {
  Node& node = nodes_[index];
  CHECK(node.core != nullptr);
  node.core.reset();
  node.buffered.clear();
  node.tick_at = base::Instant::Never();
  if (!options_.data_connections || !node.plugged) return;
  for (const NodeIndex other : DataPeersOf(index)) {
    if (!running(other)) continue;
    Schedule(Delay(),
             {.kind = Kind::kReset, .node = other, .boot = nodes_[other].boot, .peer = index});
  }
}

std::vector<NodeIndex> Network::DataPeersOf(NodeIndex index) {
  std::vector<NodeIndex> peers;
  for (NodeIndex other = 0; other < nodes_.size(); ++other) {
    if (other != index) peers.push_back(other);
  }
  if (options_.data_peers == 0 || options_.data_peers >= peers.size()) return peers;
  random_.Shuffle(peers);
  peers.resize(options_.data_peers);
  return peers;
}

void Network::Unplug(NodeIndex index) {
  nodes_[index].plugged = false;
  Kill(index);
}

void Network::Pause(NodeIndex node) { nodes_[node].paused = true; }

void Network::Resume(NodeIndex index) {
  Node& node = nodes_[index];
  node.paused = false;
  if (node.core == nullptr) return;
  const auto tick = [&] { With(index, [](Gossip& core, base::Instant now) { core.OnTick(now); }); };
  if (options_.wakes == Wakes::kToTimers) tick();
  while (!node.buffered.empty()) {
    Happening happening = std::move(node.buffered.front());
    node.buffered.pop_front();
    if (happening.kind == Kind::kDatagram)
      Inject(index, happening.address, happening.bytes);
    else
      Serve(happening);
  }
  tick();
}

void Network::MoveTo(NodeIndex index, base::Address address) {
  Node& node = nodes_[index];
  CHECK(node.core == nullptr);
  by_address_.erase(node.self.address);
  node.self.address = address;
  by_address_[address] = index;
}

void Network::StepClock(NodeIndex index, base::Duration ahead) {
  nodes_[index].ahead += ahead;
  if (running(index) && !paused(index)) ScheduleTick(index);
}

void Network::SetSide(NodeIndex node, int side) { nodes_[node].side = side; }

bool Network::CutOneWay(NodeIndex from, NodeIndex to) { return cuts_.emplace(from, to).second; }

void Network::Heal() {
  cuts_.clear();
  for (Node& node : nodes_) node.side = 0;
}

void Network::Inject(NodeIndex index, base::Address from, const std::string& bytes) {
  With(index, [&](Gossip& core, base::Instant now) { core.OnDatagram(now, from, bytes); });
}

void Network::RunFor(base::Duration duration) {
  const base::Instant end = now_ + duration;
  while (!queue_.empty() && queue_.front().at <= end) {
    std::pop_heap(queue_.begin(), queue_.end(), Later{});
    const std::uint32_t index = queue_.back().index;
    queue_.pop_back();
    Happening happening = std::move(happenings_[index]);
    free_.push_back(index);
    now_ = happening.at;
    Prefetch();
    Handle(happening);
  }
  now_ = end;
}

// Of many nodes each event finds another one's memory cold: while this event is handled, that of
// the next is fetched.
void Network::Prefetch() const {
  if (queue_.empty()) return;
  const Node& next = nodes_[happenings_[queue_.front().index].node];
  if (next.core == nullptr) return;  // It is down.
  const auto* core = reinterpret_cast<const char*>(next.core.get());
  for (std::size_t line = 0; line < sizeof(Gossip) / kCacheLineBytes; ++line)
    __builtin_prefetch(core + line * kCacheLineBytes);
}

bool Network::RunUntil(base::Duration limit, const std::function<bool()>& done) {
  const base::Instant end = now_ + limit;
  while (!done()) {
    if (now_ >= end) return false;
    RunFor(base::milliseconds(10));
  }
  return true;
}

void Network::Schedule(base::Duration after, Happening happening) {
  happening.at = now_ + after;
  if (free_.empty()) {
    free_.push_back(static_cast<std::uint32_t>(happenings_.size()));
    happenings_.emplace_back();
  }
  const std::uint32_t index = free_.back();
  free_.pop_back();
  queue_.push_back({happening.at, next_order_++, index});
  happenings_[index] = std::move(happening);
  std::push_heap(queue_.begin(), queue_.end(), Later{});
}

void Network::Handle(Happening& happening) {
  Node& node = nodes_[happening.node];
  if (happening.kind == Kind::kDatagram) return Deliver(happening);
  if (happening.kind == Kind::kRequest) return Request(happening);
  // The rest concerns one process only.
  if (node.core == nullptr || node.boot != happening.boot) return;
  if (happening.kind == Kind::kTick && happening.at != node.tick_at) return;  // Replaced.
  // Half of all ticks are for probes that have been answered since.
  if (happening.kind == Kind::kTick && !node.paused &&
      node.core->next_tick() > Clock(happening.node)) {
    node.tick_at = base::Instant::Never();
    return ScheduleTick(happening.node);
  }
  if (node.paused) {
    if (happening.kind == Kind::kTick)
      node.tick_at = base::Instant::Never();  // Resume() ticks.
    else
      node.buffered.push_back(std::move(happening));
    return;
  }
  Serve(happening);
}

// What the loop of a process hands to its core.
void Network::Serve(Happening& happening) {
  Node& node = nodes_[happening.node];
  Trace(happening);
  With(happening.node, [&](Gossip& core, base::Instant now) {
    switch (happening.kind) {
      case Kind::kTick:
        node.tick_at = base::Instant::Never();
        core.OnTick(now);
        break;
      case Kind::kReply: core.OnStreamReply(now, happening.bytes, happening.address); break;
      case Kind::kFailure: core.OnStreamFailed(now, happening.address, happening.failure); break;
      case Kind::kReset: core.ReportConnectionLost(now, host(happening.peer)); break;
      default: CHECK(false);
    }
  });
}

void Network::Deliver(Happening& happening) {
  Node& node = nodes_[happening.node];
  if (node.core == nullptr || !node.plugged || !Passes(happening.peer, happening.node)) return;
  if (node.datagrams_blocked || nodes_[happening.peer].datagrams_blocked) return;
  Trace(happening);
  if (on_delivery) on_delivery(now_, happening.peer, happening.node, happening.bytes);
  if (!node.paused) return Inject(happening.node, happening.address, happening.bytes);
  if (node.buffered.size() < kBufferedMax) node.buffered.push_back(std::move(happening));
}

// A stream's request reaches `happening.address`, whoever is there.
void Network::Request(Happening& happening) {
  const NodeIndex origin = happening.peer;
  Happening outcome{.kind = Kind::kFailure,
                    .node = origin,
                    .boot = happening.peer_boot,
                    .address = happening.address,
                    .failure = Gossip::StreamFailure::kOther};
  const std::optional<NodeIndex> target = At(happening.address);
  const bool reached =
      target && nodes_[*target].plugged && Passes(origin, *target) && Passes(*target, origin);
  if (!reached) return Schedule(kConnectTimeout, std::move(outcome));
  Node& node = nodes_[*target];
  if (node.core == nullptr) {
    outcome.failure = Gossip::StreamFailure::kRefused;
    return Schedule(Delay(), std::move(outcome));
  }
  if (node.paused) return Schedule(base::milliseconds(100), std::move(happening));
  Trace(happening);
  outcome.kind = Kind::kReply;
  With(*target, [&](Gossip& core, base::Instant now) {
    outcome.bytes = core.OnStreamRequest(now, happening.bytes);
  });
  Schedule(StreamDelay(kSegmentRetransmit), std::move(outcome));
}

void Network::Drain(NodeIndex index) {
  gossip::Outputs& outputs = nodes_[index].core->outputs();
  for (gossip::Datagram& datagram : outputs.datagrams) SendDatagram(index, datagram);
  for (gossip::StreamRequest& request : outputs.streams) SendRequest(index, request);
  if (on_event) {
    for (const gossip::Event& event : outputs.events) on_event(now_, index, event);
  }
  outputs.datagrams.clear();  // Their bytes are on the way.
  outputs.streams.clear();
  outputs.ClearEvents();
  ScheduleTick(index);
}

void Network::SendDatagram(NodeIndex from, gossip::Datagram& datagram) {
  largest_datagram_ = std::max(largest_datagram_, datagram.bytes.size());
  const std::optional<NodeIndex> to = At(datagram.to);
  if (!to) return;
  const int copies = random_.Chance(options_.duplicate) ? 2 : 1;
  for (int copy = 0; copy < copies; ++copy) {
    if (random_.Chance(options_.loss)) continue;
    const bool last = copy + 1 == copies;
    Schedule(Delay(), {.kind = Kind::kDatagram,
                       .node = *to,
                       .peer = from,
                       .address = nodes_[from].self.address,
                       .bytes = last ? std::move(datagram.bytes) : datagram.bytes});
  }
}

void Network::SendRequest(NodeIndex from, gossip::StreamRequest& request) {
  const base::Duration connect = StreamDelay(kSynRetransmit) + StreamDelay(kSynRetransmit);
  Schedule(connect + StreamDelay(kSegmentRetransmit), {.kind = Kind::kRequest,
                                                       .node = from,
                                                       .peer = from,
                                                       .peer_boot = nodes_[from].boot,
                                                       .address = request.to,
                                                       .bytes = std::move(request.bytes)});
}

void Network::ScheduleTick(NodeIndex index) {
  Node& node = nodes_[index];
  const base::Instant due = node.core->next_tick();
  if (due == base::Instant::Never()) return;
  const base::Instant at = now_ + std::max(due - Clock(index), base::Duration(0));
  if (at >= node.tick_at) return;
  node.tick_at = at;
  Schedule(at - now_, {.kind = Kind::kTick, .node = index, .boot = node.boot});
}

bool Network::Passes(NodeIndex from, NodeIndex to) const {
  return nodes_[from].side == nodes_[to].side && (cuts_.empty() || !cuts_.contains({from, to}));
}

std::optional<NodeIndex> Network::At(base::Address address) const {
  const NodeIndex first_guess = address.ip - kFirstIp - 1;  // Unless it has moved.
  if (first_guess < nodes_.size() && nodes_[first_guess].self.address == address)
    return first_guess;
  const auto found = by_address_.find(address);
  if (found == by_address_.end()) return std::nullopt;
  return found->second;
}

NodeIndex Network::IndexOf(base::HostId host) const { return by_host_.at(host); }

base::Duration Network::Delay() {
  return base::Duration(random_.Between(options_.delay_min.count(), options_.delay_max.count()));
}

// Of one crossing that is repeated until it arrives.
base::Duration Network::StreamDelay(base::Duration retransmit_after) {
  base::Duration delay = Delay();
  for (int lost = 0; lost < kRetransmitsMax && random_.Chance(options_.loss); ++lost) {
    delay += retransmit_after;
    retransmit_after *= 2;
  }
  return delay;
}

bool Network::AllAgree() const {
  std::size_t running_nodes = 0;
  for (const Node& node : nodes_) running_nodes += node.core != nullptr ? 1 : 0;
  std::optional<std::uint64_t> sound;  // The digest of the last table that was looked through.
  for (const Node& node : nodes_) {
    if (node.core == nullptr || sound == node.core->digest()) continue;
    std::size_t alive = 0;
    bool agrees = true;
    node.core->ForEach([&](const gossip::Member& member) {
      const bool runs = running(IndexOf(member.host));
      const bool is_alive = member.liveness == gossip::Liveness::kAlive;
      agrees = agrees && is_alive == runs && !gossip::IsOnTrial(member.liveness);
      alive += runs ? 1 : 0;
    });
    if (!agrees || alive != running_nodes) return false;
    sound = node.core->digest();
  }
  return true;
}

void Network::Trace(const Happening& happening) {
  trace_hash_ = base::Mix64(trace_hash_ ^ base::Hash64(happening.bytes));
  trace_hash_ = base::Mix64(trace_hash_ ^ static_cast<std::uint64_t>(now_.since_start.count()));
  trace_hash_ = base::Mix64(trace_hash_ ^ (std::uint64_t{happening.node} << 8 |
                                           static_cast<std::uint64_t>(happening.kind)));
}

}  // namespace starling::gossip_sim
