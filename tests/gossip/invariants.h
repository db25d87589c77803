// tests/gossip/invariants.h: random courses of faults on real cores, and what must hold throughout.
//
//   I1  after quiet, all running nodes agree within a bound
//   I2  a generation that left is never anything else again for who heard it
//   I3  a node holds itself for alive, unless it left
//   I4  what a node believes of a member never goes back, by generation and incarnation
//   I5  news that wait are bounded by the number of members
//   I6  no datagram is over its limit, and each is one that the others can read
//   I7  no node declares dead whom it heard answer its own ping within the time to refute; nor
//       whom any other node heard that held it for suspect, if the network was sound since
//   I8  rumors: of a key no older version follows a newer one; after quiet all know the same
#pragma once

#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "tests/gossip/gossip_net.h"
#include "tests/gossip/hand.h"

namespace starling::gossip {

// Checks at each event and each look; keeps the first violation.
class Invariants {
 public:
  Invariants(Network& net, const Keyring& keyring)
      : net_(net), reader_(NetworkOptions{}.cluster_name, keyring, {Host(1), 1, 0}) {
    net.on_event = [this](base::Instant now, NodeIndex observer, const Event& event) {
      OnEvent(now, observer, event);
    };
    net.on_delivery = [this](base::Instant now, NodeIndex from, NodeIndex to,
                             const std::string& bytes) { OnDelivery(now, from, to, bytes); };
  }

  // A new process remembers nothing.
  void Forget(NodeIndex node) {
    std::erase_if(accused_answered_, [&](const auto& entry) { return entry.first.first == node; });
    rumors_.erase(node);
    std::erase_if(believed_, [&](const auto& entry) { return entry.first.first == node; });
    std::erase_if(answered_, [&](const auto& entry) { return entry.first.first == node; });
  }

  // Something was done to nodes or to the network, which from now on is sound or is not.
  enum class Ways : std::uint8_t { kSound, kFaulty };
  void Disturbed(Ways ways) {
    disturbed_ = net_.now();
    ways_ = ways;
  }

  void Published(NodeIndex node, const std::string& key, std::uint64_t version) {
    rumors_[node][key] = version;
  }

  // REQUIRES: all run.
  bool SameRumors() const {
    for (NodeIndex node = 1; node < net_.size(); ++node) {
      if (RumorsOf(node) != RumorsOf(0)) return false;
    }
    return true;
  }

  void Look() {
    for (NodeIndex node = 0; node < net_.size(); ++node) {
      if (!net_.running(node)) continue;
      const Gossip& core = net_.core(node);
      const bool sound =
          core.self().liveness == Liveness::kAlive || core.self().liveness == Liveness::kLeft;
      if (!sound) Violated("I3", node, "does not hold itself for alive");
      if (core.pending_news() > core.size() + 1) Violated("I5", node, "has more news than members");
      if (core.news_slots() > UpdateQueue::SlotsMax(core.pending_news()))
        Violated("I5", node, "holds more places for news than it has news");
    }
    if (net_.largest_datagram() > GossipOptions{}.datagram_bytes_max)
      Violated("I6", 0, "a datagram is over its limit");
  }

  void Violated(const char* invariant, NodeIndex node, const std::string& how) {
    if (first_.empty())
      first_ = std::string(invariant) + ": node " + std::to_string(node) + " " + how;
  }
  const std::string& first() const { return first_; }

 private:
  struct Belief {
    std::uint64_t generation = 0;
    std::uint32_t incarnation = 0;
    bool left = false;
  };

  using Versions = std::map<std::string, std::uint64_t>;  // By key.

  Versions RumorsOf(NodeIndex node) const {
    const auto found = rumors_.find(node);
    return found == rumors_.end() ? Versions() : found->second;
  }

  void OnEvent(base::Instant now, NodeIndex observer, const Event& event) {
    if (event.kind == Event::kRumor) return OnRumor(observer, event);
    if (event.kind == Event::kUnopened || event.kind == Event::kMalformed ||
        event.kind == Event::kOtherVersion || event.kind == Event::kClusterMismatch ||
        event.kind == Event::kUnanswered)
      return Violated("I6", observer, "cannot read what a node sent: " + event.reason);
    if (event.kind == Event::kConflict || event.kind == Event::kStreamOnly) return;
    const NodeIndex subject = net_.IndexOf(event.member.host);
    Belief& belief = believed_[{observer, subject}];
    const bool left = event.member.liveness == Liveness::kLeft;
    if (belief.left && belief.generation == event.member.generation && !left)
      Violated("I2", observer, "revives " + std::to_string(subject) + ", which has left");
    if (!belief.left && !left &&
        std::pair(event.member.generation, event.member.incarnation) <
            std::pair(belief.generation, belief.incarnation))
      Violated("I4", observer, "goes back on " + std::to_string(subject));
    belief = {event.member.generation, event.member.incarnation, left};
    if (event.kind != Event::kDead || !event.reason.starts_with("did not refute")) return;
    const auto answered = answered_.find({observer, subject});
    // Of a new accusation's time a quarter may be credited before it is heard.
    if (answered != answered_.end() &&
        now - answered->second < GossipOptions{}.suspicion_timeout * 3 / 4)
      Violated("I7", observer, "declares " + std::to_string(subject) + " dead, which answered it");
    CheckAccusers(now, observer, subject);
  }

  // Whoever pings a suspect tells it so, and it refutes in its ack; what its refutation then takes
  // to all is spreading, of which twice the time is allowed.
  void CheckAccusers(base::Instant now, NodeIndex observer, NodeIndex subject) {
    if (ways_ == Ways::kFaulty || net_.paused(observer) || net_.paused(subject)) return;
    for (NodeIndex accuser = 0; accuser < net_.size(); ++accuser) {
      const auto answered = accused_answered_.find({accuser, subject});
      if (answered == accused_answered_.end() || accuser == observer || net_.paused(accuser))
        continue;
      const base::Instant at = answered->second;
      if (at <= disturbed_ || now - at < kSpreading ||
          now - at >= GossipOptions{}.suspicion_timeout * 3 / 4)
        continue;
      Violated("I7", observer,
               "declares " + std::to_string(subject) + " dead, which answered " +
                   std::to_string(accuser) + ", an accuser");
    }
  }

  void OnRumor(NodeIndex observer, const Event& event) {
    std::uint64_t& known = rumors_[observer][event.rumor_key];
    if (event.rumor_version < known)
      Violated("I8", observer, "takes an older version of " + event.rumor_key);
    known = event.rumor_version;
  }

  // Notes pings that arrive and the acks that answer them.
  void OnDelivery(base::Instant now, NodeIndex from, NodeIndex to, const std::string& bytes) {
    Message message;
    const Envelope::Opened opened = reader_.Open(bytes);
    if (opened.verdict != Envelope::Verdict::kOpened) return;
    if (!Decode(opened.body, GossipOptions{}, message).ok()) return;
    if (const auto* ping = std::get_if<Ping>(&message.body)) {
      pings_[ping->nonce] = {from, to};
    } else if (const auto* ack = std::get_if<Ack>(&message.body)) {
      const auto ping_of = pings_.find(ack->nonce);
      if (ping_of == pings_.end() || ping_of->second != std::pair(to, from)) return;
      if (net_.paused(to)) return;
      answered_[ping_of->second] = now;
      const std::optional<Member> seen = net_.core(to).View(net_.host(from));
      if (seen && IsOnTrial(seen->liveness)) accused_answered_[ping_of->second] = now;
    }
  }

  static constexpr base::Duration kSpreading = base::seconds(2);  // At 64 nodes it takes 1 s.

  Network& net_;
  Envelope reader_;
  std::map<std::pair<NodeIndex, NodeIndex>, Belief> believed_;
  std::map<std::pair<NodeIndex, NodeIndex>, base::Instant> answered_;
  // By the one that asked, as answered_: only of those that held the subject for suspect then.
  std::map<std::pair<NodeIndex, NodeIndex>, base::Instant> accused_answered_;
  std::map<std::uint64_t, std::pair<NodeIndex, NodeIndex>> pings_;
  std::map<NodeIndex, Versions> rumors_;
  base::Instant disturbed_;
  Ways ways_ = Ways::kSound;
  std::string first_;
};

struct ScheduleOptions {
  NodeIndex nodes_max = 64;
  int steps = 25;
  base::Duration step_max = base::seconds(8);
  base::Duration quiet_max = base::seconds(60);
};

// Plays the schedule of a seed; "" or the first violation.
inline std::string PlaySchedule(std::uint64_t seed, ScheduleOptions options = {}) {
  base::Random random(seed);
  const auto nodes = static_cast<NodeIndex>(random.Between(3, options.nodes_max));
  const Keyring keyring = random.Chance(0.5) ? Keyring(KeyBytes{1}) : Keyring();
  Cluster cluster(nodes, {.gossip = {}, .seed = seed, .keyring = keyring});
  Network& net = cluster.net;
  Invariants invariants(net, keyring);
  if (!cluster.AgreesWithin(base::seconds(30))) return "they never met";

  const auto boot = [&](NodeIndex node) {
    invariants.Forget(node);
    net.Boot(node, cluster.seeds);
  };
  const auto speaks = [&](NodeIndex node) {
    return net.running(node) && !net.paused(node) &&
           net.core(node).self().liveness != Liveness::kLeft;
  };
  bool lossy = false, cut = false;
  std::map<std::string, std::uint64_t> versions;  // Of rumors, by key: no two nodes say the same.
  const auto act = [&](NodeIndex node) {
    switch (random.Below(16)) {
      case 0: net.running(node) ? net.Kill(node) : boot(node); break;
      case 1: net.running(node) ? net.Unplug(node) : boot(node); break;
      case 2:
        if (net.running(node)) net.Pause(node);
        break;
      case 3:
        if (net.paused(node)) net.Resume(node);
        break;
      case 4:
        net.SetLoss(random.Unit() * 0.3);
        lossy = true;
        break;
      case 5:
        net.SetLoss(0);
        lossy = false;
        break;
      case 6:
        net.CutOneWay(node, static_cast<NodeIndex>(random.Below(nodes)));
        cut = true;
        break;
      case 7:
        net.SetSide(node, static_cast<int>(random.Below(2)));
        cut = true;
        break;
      case 8:
        net.Heal();
        cut = false;
        break;
      case 9:
        if (!speaks(node)) break;
        net.With(node, [](Gossip& core, base::Instant now) { core.Leave(now); });
        net.RunFor(base::milliseconds(random.Between(0, 1000)));
        net.Kill(node);
        break;
      case 10: net.SetDuplicate(random.Chance(0.5) ? random.Unit() * 0.5 : 0); break;
      case 11: net.SetDelayMax(base::milliseconds(random.Chance(0.5) ? 2 : 100)); break;
      case 12: net.StepClock(node, base::milliseconds(random.Between(0, 20'000))); break;
      case 13:
      case 14: {
        if (!speaks(node)) break;
        const std::string key = "key" + std::to_string(random.Below(8));
        const std::uint64_t version = ++versions[key];
        std::string payload(random.Between(0, 1000), 'x');  // Over 512 bytes it is pulled.
        invariants.Published(node, key, version);
        net.With(node, [&](Gossip& core, base::Instant now) {
          core.Publish(now, key, version, std::move(payload));
          core.SetVitals(std::to_string(version));
        });
        break;
      }
      default:
        if (!speaks(node)) break;
        net.With(node, [&](Gossip& core, base::Instant now) {
          core.SetMetadata(now, std::to_string(random.Next()));
        });
    }
  };
  for (int step = 0; step < options.steps && invariants.first().empty(); ++step) {
    invariants.Disturbed(Invariants::Ways::kFaulty);  // An action may take time.
    for (std::uint64_t actions = random.Between(1, 4); actions > 0; --actions)
      act(static_cast<NodeIndex>(random.Below(nodes)));
    invariants.Disturbed(lossy || cut ? Invariants::Ways::kFaulty : Invariants::Ways::kSound);
    net.RunFor(base::Duration(random.Between(0, options.step_max.count())));
    invariants.Look();
  }

  net.Heal();
  net.SetLoss(0);
  net.SetDuplicate(0);
  net.SetDelayMax(NetworkOptions{}.delay_max);
  for (NodeIndex node = 0; node < nodes; ++node) {
    if (net.paused(node)) net.Resume(node);
    if (!net.running(node)) boot(node);
  }
  invariants.Disturbed(Invariants::Ways::kSound);
  if (!cluster.AgreesWithin(options.quiet_max)) {
    for (NodeIndex observer = 0; observer < nodes; ++observer) {
      for (NodeIndex subject = 0; subject < nodes; ++subject) {
        const std::optional<Member> member = net.core(observer).View(net.host(subject));
        if (observer == subject || (member && member->liveness == Liveness::kAlive)) continue;
        invariants.Violated("I1", observer,
                            "holds " + std::to_string(subject) + " for " +
                                (member ? Name(member->liveness) : "unknown") + " after quiet");
      }
    }
  }
  if (!net.RunUntil(options.quiet_max, [&] { return invariants.SameRumors(); }))
    invariants.Violated("I8", 0, "knows other rumors than another node after quiet");
  invariants.Look();
  return invariants.first();
}

}  // namespace starling::gossip
