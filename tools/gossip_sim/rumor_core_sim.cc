// tools/gossip_sim/rumor_core_sim.cc: the cores, and a queue of what is on its way between them.
#include "tools/gossip_sim/rumor_core_sim.h"

#include <algorithm>
#include <deque>
#include <optional>
#include <queue>
#include <utility>

#include "base/check.h"
#include "base/hash.h"
#include "base/random.h"
#include "gossip/rumors.h"
#include "gossip/update_queue.h"

namespace starling::gossip_sim {
namespace {

using gossip::RumorItem;
using gossip::Rumors;

constexpr char kKey[] = "config_param";
constexpr char kPayload[] = "enable_cache=true";
constexpr std::uint64_t kVersion = 1;
constexpr base::Duration kDelayMin = base::microseconds(200);
constexpr base::Duration kDelayMax = base::milliseconds(2);
constexpr base::Duration kTimeMax = base::seconds(300);  // Who has not heard by then never will.
constexpr std::size_t kUnheardSendsPerLimit = 4;         // As in gossip/spreader.cc.

class World {
 public:
  World(const RumorOptions& options, std::uint64_t seed)
      : options_(options),
        random_(seed),
        sends_max_(kUnheardSendsPerLimit * gossip::RetransmitLimit(options.nodes)),
        rounds_{{.round = 0, .infected = 1}} {
    gossip_.rumor_fanout = options.fanout;
    gossip_.rumor_counter_k = options.counter_k;
    for (std::uint32_t i = 0; i < options.nodes; ++i)
      nodes_.emplace_back(gossip_, outputs_, counters_);
  }

  RumorRun Run() {
    if (options_.nodes == 1) return Result();  // Nobody to tell.
    nodes_[0].rumors.Publish(kKey, kVersion, kPayload);
    Note(0);
    PlanDigest(0);
    // Before anything is old enough for a digest all digests are equal: those pings are left out.
    for (std::uint32_t node = 0; node < options_.nodes; ++node) {
      const base::Duration phase(random_.Between(0, gossip_.probe_interval.count()));
      Schedule(gossip_.rumor_digest_lag + phase, {.kind = Kind::kProbe, .node = node});
    }
    while (!queue_.empty() && (infected_ < options_.nodes || hot_ > 0)) {
      const Happening happening = queue_.top();
      queue_.pop();
      now_ = happening.at;
      if (now_.since_start > kTimeMax) break;
      Handle(happening);
    }
    return Result();
  }

 private:
  struct Node {
    Node(const gossip::GossipOptions& options, gossip::Outputs& outputs, gossip::Counters& counters)
        : rumors(options, outputs, counters) {}
    Rumors rumors;
    std::optional<base::Instant> last_round;
    bool hot = false;  // And so its next round is in the queue.
  };
  enum class Kind : std::uint8_t {
    kProbe,
    kRound,
    kTellDigest,
    kDigest,
    kPing,
    kAck,
    kSpread,
    kFeedback,
    kRumorSync,
    kRumorState,
    kPull,
    kPayloads,
  };
  struct Happening {
    base::Instant at{};
    std::uint64_t order = 0;  // Ties: first scheduled, first served.
    Kind kind{};
    bool known = false;        // kFeedback; kRumorState: nothing differs.
    std::uint32_t node = 0;    // Where it happens.
    std::uint32_t peer = 0;    // Who sent it.
    std::uint64_t number = 0;  // Nonce of kSpread and kFeedback; of kRumorSync its digests' place.
    std::uint64_t digest = 0;  // Of the sender; of datagrams.
    base::Duration age{};      // Of the rumor, where one is sent.
  };
  struct Later {
    bool operator()(const Happening& a, const Happening& b) const {
      return std::pair(a.at, a.order) > std::pair(b.at, b.order);
    }
  };

  static RumorItem Item(base::Duration age) {
    return {.key = kKey,
            .version = kVersion,
            .hash = base::Hash64(kPayload),
            .payload = kPayload,
            .age = age};
  }

  void Handle(const Happening& in) {
    Rumors& rumors = nodes_[in.node].rumors;
    rumors.Advance(now_);
    switch (in.kind) {
      case Kind::kProbe:
        SendDatagram(in.node, DrawOther(in.node), {.kind = Kind::kPing});
        Schedule(gossip_.probe_interval, in);
        break;
      case Kind::kRound: PlayRound(in.node); break;
      case Kind::kTellDigest: TellDigest(in.node); break;
      case Kind::kDigest: break;  // That is handled below, as of any datagram.
      case Kind::kPing: SendDatagram(in.node, in.peer, {.kind = Kind::kAck}); break;
      case Kind::kAck: break;
      case Kind::kSpread: {
        const bool known = rumors.Hear(now_, Item(in.age)) != Rumors::Offer::kTaken;
        SendDatagram(in.node, in.peer,
                     {.kind = Kind::kFeedback, .known = known, .number = in.number});
        break;
      }
      case Kind::kFeedback: rumors.OnFeedback({in.number, in.known ? 1ULL : 0ULL}); break;
      case Kind::kRumorSync: {
        const bool equal = rumors.Differing(digests_[in.number]).empty();
        Answer(in, {.kind = Kind::kRumorState, .known = equal});
        break;
      }
      case Kind::kRumorState: HearState(in); break;
      case Kind::kPull: {
        const std::vector<RumorItem> items = rumors.Fetch({Item({})});
        CHECK(items.size() == 1);
        CountMessage();
        ++pulled_;
        Answer(in, {.kind = Kind::kPayloads, .age = items[0].age});
        break;
      }
      case Kind::kPayloads: (void)rumors.Hear(now_, Item(in.age)); break;
    }
    const bool datagram = in.kind == Kind::kDigest || in.kind == Kind::kPing ||
                          in.kind == Kind::kAck || in.kind == Kind::kSpread ||
                          in.kind == Kind::kFeedback;
    if (datagram && rumors.WantsToCompare(in.digest)) {
      digests_.push_back(rumors.digests());
      Ask(in.node, in.peer, {.kind = Kind::kRumorSync, .number = digests_.size() - 1});
    }
    Note(in.node);
  }

  void PlayRound(std::uint32_t index) {
    Node& node = nodes_[index];
    node.hot = false;  // Note() sees to the next.
    --hot_;
    node.last_round = now_;
    for (const std::uint32_t target : DrawOthers(index)) {
      const std::uint64_t nonce = next_nonce_++;
      for (const RumorItem& item :
           node.rumors.Tell(nonce, gossip_.datagram_bytes_max, sends_max_)) {
        CountMessage();
        SendDatagram(index, target, {.kind = Kind::kSpread, .number = nonce, .age = item.age});
      }
    }
  }

  void TellDigest(std::uint32_t index) {
    for (const std::uint32_t target : DrawOthers(index))
      SendDatagram(index, target, {.kind = Kind::kDigest});
  }

  void HearState(const Happening& in) {
    if (in.known) return;
    RumorItem advertised = Item({});
    advertised.payload.reset();
    Rumors& rumors = nodes_[in.node].rumors;
    if (rumors.Hear(now_, advertised) != Rumors::Offer::kWanted) return;
    rumors.Pulling(now_, advertised);
    Ask(in.node, in.peer, {.kind = Kind::kPull});
  }

  // After any call of a node: what it took, and whether its next round is due.
  void Note(std::uint32_t index) {
    Node& node = nodes_[index];
    if (!outputs_.events.empty()) {
      CHECK(outputs_.events.size() == 1);  // The rumor, taken.
      outputs_.Clear();
      ++infected_;
      ++RoundNow().infected;
      heard_after_ += now_.since_start;
      last_heard_ = now_.since_start;
      PlanDigest(index);
    }
    if (node.hot || !node.rumors.hot()) return;
    node.hot = true;
    ++hot_;
    const base::Instant next =
        node.last_round ? std::max(now_, *node.last_round + gossip_.gossip_interval) : now_;
    Schedule(next - now_, {.kind = Kind::kRound, .node = index});
  }

  // It will be told once the rumor is old enough: now, if it was pulled.
  void PlanDigest(std::uint32_t index) {
    const base::Instant next = nodes_[index].rumors.next_settled();
    const bool settled = next == base::Instant::Never();
    base::Duration after = settled ? base::Duration(0) : next - now_;
    for (std::uint32_t i = 0; i < gossip::kDigestTellings; ++i) {
      Schedule(after, {.kind = Kind::kTellDigest, .node = index});
      after += gossip_.gossip_interval;
    }
  }

  RumorRound& RoundNow() {
    const auto intervals =
        (now_.since_start + gossip_.gossip_interval - base::Duration(1)) / gossip_.gossip_interval;
    const std::size_t round = std::max<std::size_t>(1, static_cast<std::size_t>(intervals));
    while (rounds_.size() <= round)
      rounds_.push_back({.round = static_cast<std::uint32_t>(rounds_.size())});
    return rounds_[round];
  }
  void CountMessage() { ++RoundNow().messages; }

  std::uint32_t DrawOther(std::uint32_t node) {
    const auto drawn = static_cast<std::uint32_t>(random_.Below(options_.nodes - 1));
    return drawn < node ? drawn : drawn + 1;
  }

  // `fanout` of them, if there are so many.
  std::vector<std::uint32_t> DrawOthers(std::uint32_t node) {
    std::vector<std::uint32_t> drawn;
    while (drawn.size() < std::min(options_.fanout, options_.nodes - 1)) {
      const std::uint32_t other = DrawOther(node);
      if (std::find(drawn.begin(), drawn.end(), other) == drawn.end()) drawn.push_back(other);
    }
    return drawn;
  }

  base::Duration Delay() {
    return base::Duration(random_.Between(kDelayMin.count(), kDelayMax.count()));
  }

  void SendDatagram(std::uint32_t from, std::uint32_t to, Happening message) {
    message.digest = nodes_[from].rumors.settled_digest();
    message.node = to;
    message.peer = from;
    if (!random_.Chance(options_.loss)) Schedule(Delay(), message);
  }
  void Ask(std::uint32_t from, std::uint32_t to, Happening request) {
    request.node = to;
    request.peer = from;
    Schedule(Delay() + Delay() + Delay(), request);
  }
  void Answer(const Happening& request, Happening answer) {
    answer.node = request.peer;
    answer.peer = request.node;
    Schedule(Delay(), answer);
  }

  void Schedule(base::Duration after, Happening happening) {
    happening.at = now_ + after;
    happening.order = next_order_++;
    queue_.push(happening);
  }

  RumorRun Result() {
    RumorRun run{.infected = infected_,
                 .pulled = pulled_,
                 .round_length = gossip_.gossip_interval,
                 .last_heard = last_heard_};
    for (const RumorRound& round : rounds_) run.messages += round.messages;
    for (std::size_t i = 1; i < rounds_.size(); ++i) rounds_[i].infected += rounds_[i - 1].infected;
    while (rounds_.size() > 1 && rounds_.back().infected == rounds_[rounds_.size() - 2].infected)
      rounds_.pop_back();
    run.rounds = std::move(rounds_);
    if (infected_ > 1) {
      run.rounds_to_hear = base::ToSeconds(heard_after_) /
                           base::ToSeconds(gossip_.gossip_interval) / (infected_ - 1);
    }
    return run;
  }

  const RumorOptions& options_;
  gossip::GossipOptions gossip_;
  base::Random random_;
  const std::size_t sends_max_;
  gossip::Outputs outputs_;    // Of all nodes.
  gossip::Counters counters_;  // Likewise.
  std::deque<Node> nodes_;     // A deque: they can't be moved.
  std::priority_queue<Happening, std::vector<Happening>, Later> queue_;
  std::vector<gossip::RumorDigests> digests_;  // Of each RumorSync.
  std::uint64_t next_order_ = 0;
  std::uint64_t next_nonce_ = 0;
  base::Instant now_;

  std::vector<RumorRound> rounds_;  // `infected`: in the round, until Result().
  std::uint32_t infected_ = 1;
  std::uint32_t hot_ = 0;
  std::uint64_t pulled_ = 0;
  base::Duration heard_after_{};  // Sum.
  base::Duration last_heard_{};
};

}  // namespace

RumorRun SpreadThroughCores(const RumorOptions& options, std::uint64_t seed) {
  return World(options, seed).Run();
}

}  // namespace starling::gossip_sim
