#include "tests/sim/storm.h"

namespace starling::sim {

Storm::Storm(Cluster& cluster, std::uint64_t seed)
    : cluster_(cluster), random_(base::Mix64(seed)), calm_(cluster.sim().faults()) {
  options_.cuts = random_.Chance(0.8);
  options_.crashes = random_.Chance(0.8);
  options_.power_losses = random_.Chance(0.6);
  options_.pauses = random_.Chance(0.5);
  options_.clocks = random_.Chance(0.7);
  options_.resets = random_.Chance(0.5);
  options_.gap_max = base::milliseconds(random_.Between(500, 8000));
  options_.lost_disks = random_.Chance(0.4);
}

void Storm::Begin(base::Instant end) {
  end_ = end;
  Faults& faults = cluster_.sim().faults();
  if (random_.Chance(0.7)) faults.datagram_loss = random_.Unit() * 0.1;
  if (random_.Chance(0.5)) faults.datagram_duplicate = random_.Unit() * 0.05;
  if (random_.Chance(0.5)) faults.late = random_.Unit() * 0.02;
  if (random_.Chance(0.3)) faults.connection_reset = random_.Unit() * 0.0005;
  if (random_.Chance(0.4)) faults.slow_job = random_.Unit() * 0.05;
  if (random_.Chance(0.5)) faults.sync_max = base::milliseconds(random_.Between(1, 20));
  faults.split = random_.Unit() * 0.5;
  ScheduleNext();
}

void Storm::Heal() {
  over_ = true;
  Simulation& sim = cluster_.sim();
  const double split = sim.faults().split;
  sim.faults() = calm_;
  sim.faults().split = split;
  sim.HealAll();
  for (std::uint32_t i = 0; i < cluster_.size(); ++i) {
    cluster_.host(i).SetWallOffset(0);
    cluster_.Start(i);
  }
}

void Storm::ScheduleNext() {
  const base::Instant when = cluster_.sim().now() + UpTo(options_.gap_max);
  if (when >= end_) return;
  cluster_.sim().At(when, [this] {
    if (over_) return;
    Episode();
    ScheduleNext();
  });
}

void Storm::Episode() {
  switch (random_.Below(7)) {
    case 0:
    case 1:
      if (options_.cuts) CutSome();
      break;
    case 2:
      if (options_.crashes) CrashSome();
      break;
    case 3:
      if (options_.pauses) cluster_.host(AnyNode()).Pause(UpTo(base::seconds(3)));
      break;
    case 4: {
      const std::int64_t most = options_.clock_offset_max_ms;
      if (options_.clocks) cluster_.host(AnyNode()).SetWallOffset(random_.Between(-most, most));
      break;
    }
    case 5:
      if (options_.resets)
        cluster_.sim().ResetBetween(cluster_.host(AnyNode()), cluster_.host(AnyNode()));
      break;
    case 6:
      if (options_.lost_disks) LoseDisk();
      break;
  }
}

// One way, both ways between two, or one node from all others, clients included or not.
void Storm::CutSome() {
  Simulation& sim = cluster_.sim();
  SimHost& one = cluster_.host(AnyNode());
  SimHost& other = cluster_.host(AnyNode());
  const base::Instant end = sim.now() + UpTo(base::seconds(8));
  const std::uint64_t kind = random_.Below(4);
  if (kind == 0) sim.CutOneWay(one, other);
  if (kind == 1) sim.Cut(one, other);
  if (kind == 2)
    for (std::uint32_t i = 0; i < cluster_.size(); ++i) sim.Cut(one, cluster_.host(i));
  if (kind == 3)
    for (const auto& host : sim.hosts())
      if (random_.Chance(0.5)) sim.Cut(one, *host);
  sim.At(end, [this, &sim, &one] {
    if (over_) return;
    for (const auto& host : sim.hosts()) {
      sim.HealOneWay(one, *host);
      sim.HealOneWay(*host, one);
    }
  });
}

// One node, now and then several at once: what they knew must be on their disks.
void Storm::CrashSome() {
  const std::uint64_t count = random_.Chance(0.8) ? 1 : 1 + random_.Below(cluster_.size());
  for (std::uint64_t i = 0; i < count; ++i) {
    const std::uint32_t node = AnyNode();
    if (options_.power_losses && random_.Chance(0.5)) {
      cluster_.LosePower(node);
    } else {
      cluster_.Kill(node);
    }
    cluster_.sim().At(cluster_.sim().now() + UpTo(base::seconds(8)), [this, node] {
      if (!over_) cluster_.Start(node);
    });
  }
}

// An acknowledged write is on two disks of three at the least. So one may be lost, and another one
// once the host in the first one's place says that it is ready.
void Storm::LoseDisk() {
  if (emptied_) {
    const server::SnapshotPtr its = cluster_.SnapshotOf(*emptied_);
    if (its == nullptr || !its->ready()) return;
  }
  const std::uint32_t node = AnyNode();
  emptied_ = node;
  ++disks_lost_;
  cluster_.Kill(node);
  cluster_.EmptyDisk(node);
  cluster_.config(node).node.replace = cluster_.AddressOf(node).ToString();
  cluster_.sim().At(cluster_.sim().now() + UpTo(base::seconds(8)), [this, node] {
    if (!over_) cluster_.Start(node);
  });
}

std::uint32_t Storm::AnyNode() {
  return static_cast<std::uint32_t>(random_.Below(cluster_.size()));
}

base::Duration Storm::UpTo(base::Duration max) {
  return base::Duration(random_.Below(static_cast<std::uint64_t>(max.count()) + 1));
}

}  // namespace starling::sim
