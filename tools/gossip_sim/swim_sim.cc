// tools/gossip_sim/swim_sim.cc: plays one course of events and measures it.
#include "tools/gossip_sim/swim_sim.h"

#include <fmt/core.h>

#include <algorithm>
#include <numeric>
#include <optional>
#include <span>
#include <vector>

#include "base/random.h"
#include "tools/gossip_sim/network.h"

namespace starling::gossip_sim {
namespace {

constexpr std::uint32_t kNodesMax = 10000;  // Each has a row for each: 12 bytes times N * N.
constexpr std::uint32_t kJoinedMax = 300;   // Above, nodes start acquainted.
constexpr std::uint32_t kSeeds = 3;
constexpr std::uint32_t kRacks = 3;
constexpr base::Duration kBootGap = base::milliseconds(2);
constexpr base::Duration kProgressStep = base::seconds(1);
constexpr base::Duration kAgreeLimit = base::seconds(300);
constexpr base::Duration kRestartTakes = base::milliseconds(50);  // Of a process.
constexpr base::Duration kJoinLimit = base::seconds(300);
constexpr base::Duration kQuietBefore = base::seconds(60);  // For the news of joining.
constexpr base::Duration kWarmUp = base::seconds(2);        // For rounds to find their pace.

base::Status Check(const SwimOptions& options) {
  if (options.nodes < 2 || options.nodes > kNodesMax) {
    return base::InvalidArgument(
        fmt::format("--nodes is {}, and must be 2 to {}", options.nodes, kNodesMax));
  }
  if (std::uint64_t{options.kill} + options.pause >= options.nodes) {
    return base::InvalidArgument(
        fmt::format("--kill {} and --pause {} leave none of {} nodes to observe", options.kill,
                    options.pause, options.nodes));
  }
  if (!(options.loss >= 0 && options.loss < 1))  // NaN too.
    return base::InvalidArgument(fmt::format("--loss is {}, and must be in [0, 1)", options.loss));
  if (options.duration < base::seconds(1))
    return base::InvalidArgument("--duration must be at least 1s");
  return options.gossip.Validate();
}

// What is noted of each node.
struct Fate {
  std::optional<base::Instant> killed_at;
  bool paused = false;
  std::vector<std::optional<base::Instant>> suspected_at;  // By observer.
  std::vector<std::optional<base::Instant>> unreachable_at;
  std::vector<std::optional<base::Instant>> dead_at;
};

class Play {
 public:
  explicit Play(const SwimOptions& options)
      : options_(options),
        random_(base::Mix64(options.seed)),
        network_({.gossip = options.gossip,
                  .seed = options.seed,
                  .data_connections = options.data_connections}),
        fates_(options.nodes) {}

  base::Result<SwimReport> Run() {
    Prepare();
    if (options_.nodes <= kJoinedMax) {
      RETURN_IF_ERROR(JoinAll());
      network_.RunFor(kQuietBefore);
    } else {
      network_.BootAcquainted();
      network_.RunFor(kWarmUp);
    }
    network_.on_event = [this](base::Instant now, NodeIndex observer, const gossip::Event& event) {
      Note(now, observer, event);
    };
    for (NodeIndex node = 0; node < options_.nodes; ++node) {
      before_.push_back(network_.core(node).counters());
      report_.had_news += network_.core(node).has_news() ? 1 : 0;
    }
    network_.SetLoss(options_.loss);
    PlanDeaths();
    for (const Step& step : steps_) {
      RunTo(started_ + step.after);
      Do(step);
    }
    RunTo(started_ + options_.duration);
    Traffic();
    Detection();
    network_.Heal();
    network_.on_event = nullptr;
    if (options_.restart) Restart();
    if (options_.join > 0) Join();
    if (options_.partition_for > base::Duration(0)) Partition();
    report_.trace_hash = network_.trace_hash();
    return report_;
  }

 private:
  enum class What : std::uint8_t { kKill, kPause, kResume };
  struct Step {
    base::Duration after;
    What what;
    NodeIndex node;
  };

  void Prepare() {
    for (NodeIndex node = 0; node < options_.nodes; ++node) {
      AddNode();
      if (seeds_.size() < kSeeds) seeds_.push_back(network_.address(node));
    }
  }

  NodeIndex AddNode() {
    const std::uint32_t rack = static_cast<std::uint32_t>(network_.size()) % kRacks;
    return network_.Add(fmt::format("dc=dc1 rack=r{} tokens=16", rack), 1 + rack);
  }

  base::Status JoinAll() {
    const base::Instant began = network_.now();
    for (NodeIndex node = 0; node < options_.nodes; ++node) {
      network_.Boot(node, seeds_);
      network_.RunFor(kBootGap);
    }
    if (!network_.RunUntil(kJoinLimit, [this] { return network_.AllAgree(); })) {
      return base::Timeout(fmt::format("{} nodes did not all see each other within {} s of joining",
                                       options_.nodes, kJoinLimit / base::seconds(1)));
    }
    report_.joined_after_s = base::ToSeconds(network_.now() - began);
    return base::Ok();
  }

  void RunTo(base::Instant end) {
    while (network_.now() < end) {
      network_.RunFor(std::min<base::Duration>(end - network_.now(), kProgressStep));
      if (options_.on_progress)
        options_.on_progress(base::ToSeconds(network_.now() - started_) /
                             base::ToSeconds(options_.duration));
    }
  }

  // Seconds until all agree, from now; nullopt if they do not in time.
  std::optional<double> SecondsToAgree() {
    const base::Instant began = network_.now();
    if (!network_.RunUntil(kAgreeLimit, [this] { return network_.AllAgree(); }))
      return std::nullopt;
    return base::ToSeconds(network_.now() - began);
  }

  void Restart() {
    network_.on_event = [this](base::Instant, NodeIndex, const gossip::Event& event) {
      if (event.kind == gossip::Event::kDead) ++report_.deaths_by_restart;
    };
    std::vector<NodeIndex> order;
    for (NodeIndex node = 0; node < network_.size(); ++node) {
      if (network_.running(node)) order.push_back(node);
    }
    random_.Shuffle(order);
    for (const NodeIndex node : order) {
      network_.Kill(node);
      network_.RunFor(kRestartTakes);
      network_.Boot(node, seeds_);
    }
    report_.restarted_s = SecondsToAgree();
    network_.on_event = nullptr;
  }

  void Join() {
    for (std::uint32_t i = 0; i < options_.join; ++i)
      network_.Boot(AddNode(), std::span(seeds_).first(1));
    report_.joins_known_s = SecondsToAgree();
  }

  void Partition() {
    for (NodeIndex node = 0; node < network_.size(); node += 2) network_.SetSide(node, 1);
    network_.RunFor(options_.partition_for);
    network_.Heal();
    report_.healed_s = SecondsToAgree();
  }

  void PlanDeaths() {
    started_ = network_.now();
    std::vector<NodeIndex> order(options_.nodes);
    std::iota(order.begin(), order.end(), 0);
    random_.Shuffle(order);
    const auto when = [this] {
      return base::Duration(random_.Between(0, options_.duration.count() / 2));
    };
    for (std::uint32_t i = 0; i < options_.kill; ++i)
      steps_.push_back({when(), What::kKill, order[i]});
    for (std::uint32_t i = options_.kill; i < options_.kill + options_.pause; ++i) {
      const base::Duration after = when();
      fates_[order[i]].paused = true;
      steps_.push_back({after, What::kPause, order[i]});
      if (after + options_.pause_for < options_.duration)
        steps_.push_back({after + options_.pause_for, What::kResume, order[i]});
    }
    for (std::uint32_t i = 0; i < options_.one_way; ++i) {
      const auto from = static_cast<NodeIndex>(random_.Below(options_.nodes));
      const auto to = static_cast<NodeIndex>(random_.Below(options_.nodes));
      if (from != to) network_.CutOneWay(from, to);
    }
    std::stable_sort(steps_.begin(), steps_.end(),
                     [](const Step& a, const Step& b) { return a.after < b.after; });
  }

  void Do(const Step& step) {
    switch (step.what) {
      case What::kKill:
        fates_[step.node].killed_at = network_.now();
        fates_[step.node].suspected_at.resize(options_.nodes);
        fates_[step.node].unreachable_at.resize(options_.nodes);
        fates_[step.node].dead_at.resize(options_.nodes);
        if (options_.death == Death::kProcess)
          network_.Kill(step.node);
        else
          network_.Unplug(step.node);
        break;
      case What::kPause: network_.Pause(step.node); break;
      case What::kResume: network_.Resume(step.node); break;
    }
  }

  void Note(base::Instant now, NodeIndex observer, const gossip::Event& event) {
    const gossip::Liveness now_is = event.member.liveness;
    const bool accused = event.kind == gossip::Event::kSuspect ||
                         event.kind == gossip::Event::kUnreachable ||
                         event.kind == gossip::Event::kDead;
    if (!accused) return;
    Fate& fate = fates_[network_.IndexOf(event.member.host)];
    const bool dead = now_is == gossip::Liveness::kDead;
    const bool unreachable = now_is == gossip::Liveness::kUnreachable;
    if (!fate.killed_at) {
      if (dead) ++(fate.paused ? report_.false_deaths_paused : report_.false_deaths_healthy);
      if (unreachable && !fate.paused) ++report_.false_unreachable_healthy;
      return;
    }
    const auto note = [&](std::vector<std::optional<base::Instant>>& first) {
      if (!first[observer]) first[observer] = now;
    };
    note(fate.suspected_at);
    if (dead || unreachable) note(fate.unreachable_at);
    if (dead) note(fate.dead_at);
  }

  void Detection() {
    std::vector<double> first_suspect, first_dead, all_suspect, all_unreachable, all_know;
    for (const Fate& fate : fates_) {
      if (!fate.killed_at) continue;
      Span suspect, unreachable, dead;
      for (NodeIndex observer = 0; observer < options_.nodes; ++observer) {
        if (fates_[observer].killed_at || fates_[observer].paused) continue;
        suspect.Add(fate.suspected_at[observer]);
        unreachable.Add(fate.unreachable_at[observer]);
        dead.Add(fate.dead_at[observer]);
      }
      if (suspect.first) first_suspect.push_back(base::ToSeconds(*suspect.first - *fate.killed_at));
      if (dead.first) first_dead.push_back(base::ToSeconds(*dead.first - *fate.killed_at));
      if (suspect.all) all_suspect.push_back(base::ToSeconds(*suspect.last - *fate.killed_at));
      if (unreachable.all)
        all_unreachable.push_back(base::ToSeconds(*unreachable.last - *fate.killed_at));
      if (dead.all) all_know.push_back(base::ToSeconds(*dead.last - *fate.killed_at));
      if (!dead.all) ++report_.not_all_knew;
    }
    report_.first_suspect_s = Summarize(std::move(first_suspect));
    report_.first_dead_s = Summarize(std::move(first_dead));
    report_.all_suspect_s = Summarize(std::move(all_suspect));
    report_.all_unreachable_s = Summarize(std::move(all_unreachable));
    report_.all_know_s = Summarize(std::move(all_know));
  }

  // From the first to the last observer.
  struct Span {
    std::optional<base::Instant> first, last;
    bool all = true;

    void Add(std::optional<base::Instant> when) {
      if (!when) {
        all = false;
        return;
      }
      first = std::min(first.value_or(*when), *when);
      last = std::max(last.value_or(*when), *when);
    }
  };

  // Of the survivors, over the whole span.
  void Traffic() {
    gossip::Counters sent;
    for (NodeIndex node = 0; node < options_.nodes; ++node) {
      if (!network_.running(node)) continue;
      const gossip::Counters& after = network_.core(node).counters();
      sent.datagrams_out += after.datagrams_out - before_[node].datagrams_out;
      sent.datagram_bytes_out += after.datagram_bytes_out - before_[node].datagram_bytes_out;
      sent.stream_bytes_out += after.stream_bytes_out - before_[node].stream_bytes_out;
    }
    const double node_seconds =
        (options_.nodes - options_.kill) * base::ToSeconds(options_.duration);
    report_.bytes_per_node_s = static_cast<double>(sent.datagram_bytes_out) / node_seconds;
    report_.packets_per_node_s = static_cast<double>(sent.datagrams_out) / node_seconds;
    report_.stream_bytes_per_node_s = static_cast<double>(sent.stream_bytes_out) / node_seconds;
  }

  const SwimOptions& options_;
  base::Random random_;
  Network network_;
  std::vector<base::Address> seeds_;
  std::vector<Fate> fates_;
  std::vector<Step> steps_;
  std::vector<gossip::Counters> before_;  // By node, when the span began.
  base::Instant started_;
  SwimReport report_;
};

}  // namespace

base::Result<SwimReport> RunSwim(const SwimOptions& options) {
  RETURN_IF_ERROR(Check(options));
  return Play(options).Run();
}

}  // namespace starling::gossip_sim
