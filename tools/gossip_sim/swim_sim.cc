// tools/gossip_sim/swim_sim.cc: plays one course of events and measures it.
#include "tools/gossip_sim/swim_sim.h"

#include <fmt/core.h>

#include <algorithm>
#include <numeric>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/random.h"
#include "tools/gossip_sim/churn.h"
#include "tools/gossip_sim/detection.h"
#include "tools/gossip_sim/network.h"

namespace starling::gossip_sim {
namespace {

constexpr std::uint32_t kJoinedMax = 300;  // Above, nodes start acquainted.
constexpr std::uint32_t kSeeds = 3;
constexpr std::uint32_t kRacks = 3;
constexpr base::Duration kBootGap = base::milliseconds(2);
constexpr base::Duration kProgressStep = base::seconds(1);
constexpr std::size_t kLoadBytes = 5;  // What a node says if it has up to 1 TiB.
constexpr base::Duration kRestartTakes = base::milliseconds(50);  // Of a process.
constexpr base::Duration kJoinLimit = base::seconds(300);
constexpr base::Duration kQuietBefore = base::seconds(60);  // For the news of joining.
constexpr base::Duration kWarmUp = base::seconds(2);        // For rounds to find their pace.

class Play {
 public:
  explicit Play(const SwimOptions& options)
      : options_(options),
        random_(base::Mix64(options.seed)),
        network_(
            {.gossip = options.gossip,
             .seed = options.seed,
             .data_connections = options.data_connections,
             .data_peers = options.data_peers,
             .wakes = options.wakes,
             .keyring = options.sealed ? gossip::Keyring(gossip::KeyBytes{1}) : gossip::Keyring()}),
        detection_(options.nodes) {}

  base::Result<SwimReport> Run() {
    Prepare();
    if (options_.nodes <= kJoinedMax) {
      RETURN_IF_ERROR(JoinAll());
      network_.RunFor(kQuietBefore);
    } else {
      network_.BootAcquainted();
      network_.RunFor(kWarmUp);
    }
    Watch();
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
    Tell("the measured span is over, and ways that were cut are open");
    Traffic();
    detection_.Fill(report_);
    network_.Heal();
    StopWatching();
    if (options_.restart != Restart::kNone) RestartAll();
    if (options_.join > 0) Join();
    if (options_.partition_for > base::Duration(0)) Partition();
    if (options_.churn_within > base::Duration(0)) Churn();
    report_.trace_hash = network_.trace_hash();
    return report_;
  }

 private:
  enum class What : std::uint8_t { kKill, kPause, kResume };
  // What verdicts of the cores count for.
  enum class Counts : std::uint8_t { kDetection, kRestart, kChurn, kNothing };
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
    const auto index = static_cast<std::uint32_t>(network_.size());
    const std::uint32_t rack =
        options_.elsewhere == 0 ? index % kRacks : (index < options_.elsewhere ? 0 : 1);
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
      if (options_.changing_load) ChangeLoads();
      network_.RunFor(std::min<base::Duration>(end - network_.now(), kProgressStep));
      Progress("the span", network_.now() - started_, options_.duration);
    }
  }

  void ChangeLoads() {
    for (NodeIndex node = 0; node < network_.size(); ++node) {
      if (!network_.running(node)) continue;
      std::string load;
      base::AppendLittle(load, random_.Next());
      load.resize(kLoadBytes);
      network_.With(node, [&](gossip::Gossip& core, base::Instant) { core.SetVitals(load); });
    }
  }

  void Progress(std::string_view what, base::Duration done, base::Duration of) {
    if (!options_.on_progress) return;
    options_.on_progress(what, base::ToSeconds(done) / base::ToSeconds(of));
  }

  // Waits until all agree, from now.
  Agreement Agree(std::string_view after) {
    const base::Instant began = network_.now();
    const auto agree = [this] { return network_.AllAgree(); };
    while (network_.now() - began < kAgreeLimit) {
      if (network_.RunUntil(kProgressStep, agree)) {
        Tell("all agree");
        return {.asked = true, .after_s = base::ToSeconds(network_.now() - began)};
      }
      Progress(after, network_.now() - began, kAgreeLimit);
    }
    Tell("all do not agree in time");
    return {.asked = true};
  }

  void RestartAll() {
    counts_ = Counts::kRestart;
    Watch();
    std::vector<NodeIndex> order;
    for (NodeIndex node = 0; node < network_.size(); ++node) {
      if (network_.running(node)) order.push_back(node);
    }
    random_.Shuffle(order);
    if (options_.restart == Restart::kAll)
      BootAfterAllAreDown(order);
    else
      RestartOneByOne(order);
    report_.restarted = Agree("agreement after the restarts, of the time for it");
    StopWatching();
  }

  void RestartOneByOne(const std::vector<NodeIndex>& order) {
    for (std::size_t turn = 0; turn < order.size(); ++turn) {
      Tell("is stopped and started again", order[turn]);
      network_.Kill(order[turn]);
      network_.RunFor(kRestartTakes);
      network_.Boot(order[turn], seeds_);
      Progress("the restarts", kRestartTakes * turn, kRestartTakes * order.size());
    }
  }

  // Each calls the members of the topology that it has on disk, of which most are not up yet.
  void BootAfterAllAreDown(const std::vector<NodeIndex>& order) {
    Tell("all are stopped");
    std::vector<base::Address> members;
    for (const NodeIndex node : order) {
      network_.Kill(node);
      members.push_back(network_.address(node));
    }
    std::vector<base::Duration> after;
    for (std::size_t turn = 0; turn < order.size(); ++turn)
      after.emplace_back(random_.Between(0, options_.boot_within.count()));
    std::sort(after.begin(), after.end());
    const base::Instant began = network_.now();
    for (std::size_t turn = 0; turn < order.size(); ++turn) {
      network_.RunFor(began + after[turn] - network_.now());
      Tell("is started again", order[turn]);
      network_.Boot(order[turn], members);
      Progress("the restarts", after[turn], options_.boot_within);
    }
  }

  void Join() {
    Tell(fmt::format("{} new nodes are started, with node 0 as their seed", options_.join));
    std::vector<std::uint64_t> before;
    for (NodeIndex node = 0; node < network_.size(); ++node) before.push_back(StreamBytes(node));
    for (std::uint32_t i = 0; i < options_.join; ++i)
      network_.Boot(AddNode(), std::span(seeds_).first(1));
    report_.joins_known = Agree("agreement after the joins, of the time for it");
    before.resize(network_.size());
    for (NodeIndex node = 0; node < network_.size(); ++node) {
      if (network_.running(node))
        report_.stream_bytes_max =
            std::max(report_.stream_bytes_max, StreamBytes(node) - before[node]);
    }
  }

  std::uint64_t StreamBytes(NodeIndex node) const {
    if (!network_.running(node)) return 0;
    const gossip::Counters& counters = network_.core(node).counters();
    return counters.stream_bytes_in + counters.stream_bytes_out;
  }

  void Partition() {
    Tell("the cluster is cut in two halves, of even and of odd nodes");
    for (NodeIndex node = 0; node < network_.size(); node += 2) network_.SetSide(node, 1);
    const base::Instant began = network_.now();
    while (network_.now() - began < options_.partition_for) {
      network_.RunFor(std::min<base::Duration>(kProgressStep,
                                               options_.partition_for - (network_.now() - began)));
      Progress("the partition", network_.now() - began, options_.partition_for);
    }
    Tell("the halves meet again");
    network_.Heal();
    report_.healed = Agree("agreement of the halves, of the time for it");
  }

  void Churn() {
    counts_ = Counts::kChurn;
    Watch();
    const base::Duration whole =
        (options_.churn_for > base::Duration(0) ? options_.churn_for : options_.churn_within) +
        kChurnDownMax;
    report_.churn_news = PlayChurn(
        network_, random_,
        {.within = options_.churn_within,
         .length = options_.churn_for,
         .on_progress = [&](base::Duration done) { Progress("the churn", done, whole); },
         .on_step = [&](NodeIndex node,
                        bool starts) { Tell(starts ? "is started again" : "is stopped", node); }});
    report_.churned = Agree("agreement after the churn, of the time for it");
    StopWatching();
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
      detection_.Paused(order[i]);
      PlanPauses(order[i], when());
    }
    for (std::uint32_t cut = 0; cut < options_.one_way;) {  // At most half of all ways are cut.
      const auto from = static_cast<NodeIndex>(random_.Below(options_.nodes));
      const auto to = static_cast<NodeIndex>(random_.Below(options_.nodes));
      if (from == to || !network_.CutOneWay(from, to)) continue;
      ++cut;
      Tell(fmt::format("hears nothing of node {} any more", from), to);
    }
    std::stable_sort(steps_.begin(), steps_.end(),
                     [](const Step& a, const Step& b) { return a.after < b.after; });
  }

  void PlanPauses(NodeIndex node, base::Duration after) {
    while (after < options_.duration) {
      steps_.push_back({after, What::kPause, node});
      after += options_.pause_for;
      if (after < options_.duration) steps_.push_back({after, What::kResume, node});
      if (options_.pause_again == base::Duration(0)) return;
      after += options_.pause_again;
    }
  }

  void Do(const Step& step) {
    switch (step.what) {
      case What::kKill:
        detection_.Killed(step.node, network_.now());
        Tell(options_.death == Death::kProcess ? "is killed" : "falls silent with its host",
             step.node);
        if (options_.death == Death::kProcess)
          network_.Kill(step.node);
        else
          network_.Unplug(step.node);
        break;
      case What::kPause:
        Tell("is stopped (SIGSTOP)", step.node);
        network_.Pause(step.node);
        break;
      case What::kResume:
        Tell("goes on (SIGCONT)", step.node);
        network_.Resume(step.node);
        break;
    }
  }

  void Watch() {
    network_.on_event = [this](base::Instant now, NodeIndex observer, const gossip::Event& event) {
      if (!IsBelief(event.kind)) return;
      const NodeIndex subject = network_.IndexOf(event.member.host);
      if (counts_ == Counts::kDetection) detection_.Note(now, observer, subject, event);
      // Not of those that were killed before, whom the restarted hear of again.
      const bool death = event.kind == gossip::Event::kDead && network_.running(subject);
      if (counts_ == Counts::kRestart && death) ++report_.deaths_by_restart;
      if (counts_ == Counts::kChurn && death &&
          event.member.generation == network_.core(subject).self().generation)
        ++report_.deaths_by_churn;
      if (options_.on_told) TellBelief(observer, subject, event);
    };
  }

  void StopWatching() {
    counts_ = Counts::kNothing;
    if (!options_.on_told) network_.on_event = nullptr;
  }

  void Tell(std::string what, std::optional<NodeIndex> subject = std::nullopt) {
    if (!options_.on_told) return;
    options_.on_told(
        {.at = network_.now() - started_, .what = std::move(what), .subject = subject});
  }

  void TellBelief(NodeIndex observer, NodeIndex subject, const gossip::Event& event) {
    options_.on_told({.at = network_.now() - started_,
                      .what = gossip::Name(event.member.liveness),
                      .subject = subject,
                      .observer = observer,
                      .generation = event.member.generation,
                      .incarnation = event.member.incarnation,
                      .reason = event.reason});
  }

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
  Detection detection_;
  Counts counts_ = Counts::kDetection;
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
