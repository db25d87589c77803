#include "tests/sim/directed.h"

#include <fmt/core.h>

#include <algorithm>
#include <vector>

#include "tests/sim/directed_absent.h"
#include "tests/sim/directed_purge.h"
#include "tests/sim/stage.h"

namespace starling::sim {
namespace {

using base::milliseconds;
using base::seconds;

// --- hints, the tree, versions, durability ---

// A replica misses a put while it is down, and is back with hints as the only way to it.
Play HintReachesWhoWasDown() {
  ClusterOptions options = Calm();
  options.config.hints.enabled = true;
  Stage stage(options);
  stage.cluster.Kill(stage.c);
  stage.Run(seconds(8));
  const History::Id put = stage.Put(stage.a);
  stage.Must(put, "the put with one replica down");
  stage.cluster.Start(stage.c);
  stage.Must(stage.cluster.AwaitAllUp(seconds(20)), "the replica comes back");
  stage.Run(seconds(10));
  if (!stage.Holds(stage.c, put)) stage.play.violation = "the hint never came";
  return stage.End();
}

// A replica misses a put while it is down, and is back with repair as the only way to it.
Play RepairReachesWhoWasDown() {
  ClusterOptions options = Calm();
  options.config.repair.enabled = true;
  Stage stage(options);
  stage.cluster.Kill(stage.c);
  stage.Run(seconds(8));
  const History::Id put = stage.Put(stage.a, kKey);
  stage.Must(put, "the put with one replica down");
  // A key of its own leaf, which nobody wrote before.
  const std::string fresh = stage.cluster.KeyWithReplicas(stage.cluster.ReplicasOf(kKey), "fresh");
  stage.Must(stage.Put(stage.a, fresh), "the put of a new key");
  stage.cluster.Start(stage.c);
  stage.Must(stage.cluster.AwaitAllUp(seconds(20)), "the replica comes back");
  stage.Run(seconds(30));
  if (const auto unequal = stage.cluster.CheckReplicas()) stage.play.violation = *unequal;
  return stage.End();
}

// A put comes a second time, under its stamp, after a later one was acknowledged.
Play RepeatedPutDoesNotReplaceALaterOne() {
  Stage stage(Calm());
  const History::Id first = stage.Put(stage.a);
  stage.Must(first, "the first put");
  stage.Must(stage.Put(stage.b), "the second put");
  stage.Retry(stage.d, first);
  stage.Must(stage.Get(stage.e), "the get");
  return stage.End();
}

// A slow disk, and no power anywhere as soon as a put is acknowledged.
Play AcknowledgedPutSurvivesPowerLoss() {
  Stage stage(Calm());
  stage.cluster.sim().faults().sync_max = milliseconds(800);
  std::vector<History::Id> puts;
  for (int i = 0; i < 8; ++i) puts.push_back(stage.BeginPut(stage.a, fmt::format("fresh {}", i)));
  History& history = stage.cluster.history();
  const auto acknowledged = [&] {
    return std::any_of(puts.begin(), puts.end(), [&](History::Id id) {
      return history.record(id).done && history.record(id).status.ok();
    });
  };
  stage.Must(stage.cluster.sim().Await(seconds(10), acknowledged), "a put is acknowledged");
  for (std::uint32_t node = 0; node < stage.cluster.size(); ++node) stage.cluster.LosePower(node);
  stage.cluster.sim().faults().sync_max = milliseconds(1);
  for (std::uint32_t node = 0; node < stage.cluster.size(); ++node) stage.cluster.Start(node);
  stage.Must(stage.cluster.AwaitAllUp(seconds(30)), "all come back");
  stage.Must(stage.cluster.AwaitIdle(seconds(30)), "all puts end");
  stage.Run(seconds(1));  // The clients connect again.
  for (int i = 0; i < 8; ++i) stage.Must(stage.Get(stage.e, fmt::format("fresh {}", i)), "the get");
  return stage.End();
}

// --- stamps ---

// A coordinator whose clock is behind writes after another's put was acknowledged.
Play PutOfASlowClockIsNotLost() {
  Stage stage(Calm());
  stage.Must(stage.Put(stage.a), "the first put");
  stage.cluster.host(stage.d).SetWallOffset(-400);
  stage.Must(stage.Put(stage.d), "the put of the slow clock");
  stage.Must(stage.Get(stage.e), "the get");
  return stage.End();
}

// A read that saw B before a put, and C with a lower stamp after it, repairs B: superseded.
Play ReadDoesNotReturnWhatNoMajorityHeld() {
  Stage stage(Calm());
  // The reader asks a and b; c would be asked next, and can't be.
  stage.Cut(stage.e, stage.b);
  stage.Cut(stage.e, stage.c);
  const History::Id read = stage.cluster.watcher(stage.e).Get(kKey);
  stage.Run(milliseconds(10));
  stage.Cut(stage.c, stage.b);  // The put at c lands on a and c.
  const History::Id winner = stage.Put(stage.c);
  stage.Must(winner, "the put on two replicas");
  stage.cluster.host(stage.d).SetWallOffset(-400);
  stage.Cut(stage.d, stage.a);
  stage.Cut(stage.d, stage.c);
  const History::Id loser = stage.BeginPut(stage.d);  // Lands on b alone.
  stage.Run(milliseconds(10));
  stage.Must(stage.Holds(stage.b, loser), "the lower stamp is on one replica alone");
  stage.Must(stage.Holds(stage.a, winner), "the higher stamp is on another");
  stage.Heal(stage.e, stage.b);
  stage.cluster.Await(read);
  stage.Must(read, "the read that was under way");
  stage.Heal(stage.c, stage.b);
  stage.Must(stage.Get(stage.a), "the read after it");
  return stage.End();
}

// A put times out; two coordinators take its retry, and the mail of one comes late.
Play RetryTakesEffectAtMostOnce() {
  Stage stage(Calm());
  const std::array<std::uint32_t, 3> replicas{stage.a, stage.b, stage.c};
  stage.cluster.host(stage.d).SetWallOffset(-400);
  for (const auto node : replicas) stage.Cut(stage.d, node);
  const History::Id put = stage.BeginPut(stage.d);
  stage.Run(milliseconds(10));
  stage.Must(stage.Put(stage.a), "the put above it");
  for (const auto node : replicas)  // What is under way to the replicas is lost.
    stage.cluster.sim().ResetBetween(stage.cluster.host(stage.d), stage.cluster.host(node));
  stage.cluster.Await(put);
  stage.Must(!stage.cluster.history().record(put).stamp.empty(), "the put times out with a stamp");
  for (const auto node : replicas) stage.Heal(stage.d, node);
  stage.Run(milliseconds(400));
  for (int i = 0; i < 12; ++i) stage.Must(stage.Put(stage.d, fmt::format("warm {}", i)), "warm");
  // The retry at d gets its answers; what it sends upon them does not arrive yet.
  stage.SetLatency(milliseconds(20));
  stage.cluster.watcher(stage.d).Retry(put);
  stage.Run(milliseconds(50));
  for (const auto node : replicas) stage.Cut(stage.d, node);
  stage.cluster.host(stage.d).SetWallOffset(400);
  stage.Run(milliseconds(30));
  stage.SetLatency(milliseconds(1));
  stage.Retry(stage.e, put);
  stage.Must(stage.Put(stage.a), "the last put");
  for (const auto node : replicas) stage.Heal(stage.d, node);
  stage.Run(seconds(1));
  stage.Must(stage.Get(stage.b), "the get");
  return stage.End();
}

// A put that was read is asked about again after a later one, of a replica that has restarted.
Play RestartedReplicaDoesNotDenyWhatItHeld() {
  ClusterOptions options = Calm();
  options.config.timeouts.write = seconds(10);
  Stage stage(options);
  Simulation& sim = stage.cluster.sim();
  // From d: to a not yet, to b one way only, to c not yet.
  stage.Cut(stage.d, stage.a);
  stage.Cut(stage.d, stage.c);
  stage.Cut(stage.b, stage.d);
  sim.ResetBetween(stage.cluster.host(stage.d), stage.cluster.host(stage.a));
  stage.Run(milliseconds(150));
  stage.cluster.host(stage.d).SetWallOffset(-400);
  const History::Id put = stage.BeginPut(stage.d);
  stage.Run(milliseconds(10));
  stage.Must(stage.Holds(stage.b, put), "the put is on one replica");
  stage.Cut(stage.e, stage.c);  // Of the other two replicas, the read is to reach a.
  stage.Must(stage.Get(stage.e), "the read that brings it to another");
  stage.Heal(stage.e, stage.c);
  stage.Must(stage.Holds(stage.a, put), "the put is on two replicas");
  stage.Cut(stage.a, stage.b);
  stage.Must(stage.Put(stage.a), "the put above it");
  stage.cluster.Kill(stage.a);
  stage.cluster.Start(stage.a);
  stage.Run(milliseconds(500));
  stage.Heal(stage.d, stage.a);
  stage.Heal(stage.d, stage.c);
  stage.Run(milliseconds(300));
  stage.Heal(stage.a, stage.b);
  stage.Must(stage.Get(stage.e), "the read at the end");
  return stage.End();
}

// --- absence: a replica whose disk is of yesterday ---

// Two of three hold a put, one of them on a disk that goes back to before it.
struct GoneBack {
  Stage stage{Calm()};

  // The copy of c's disk is of before the put that a and c acknowledge.
  Cluster::DiskCopy PutOnTwo() {
    stage.Must(stage.Put(stage.a), "the put on all");
    stage.Run(seconds(1));
    Cluster::DiskCopy copy = stage.cluster.CopyDisk(stage.c);
    stage.Cut(stage.a, stage.b);
    const History::Id put = stage.Put(stage.a);
    stage.Must(put, "the put on two of three replicas");
    stage.Must(stage.Holds(stage.c, put), "it is on c's disk");
    stage.cluster.Kill(stage.c);
    return copy;
  }
  // Of the replicas, b and c are left.
  Play ReadWithout() {
    stage.cluster.Kill(stage.a);
    stage.Run(seconds(8));
    stage.Must(stage.cluster.up(stage.c), "c is up");
    stage.Get(stage.d);
    return stage.End();
  }
};

// Only the guard file knows: whoever got the acknowledgement is gone.
Play GuardKnowsWhatWasSynced() {
  GoneBack play;
  const Cluster::DiskCopy copy = play.PutOnTwo();
  play.stage.cluster.PutBack(play.stage.c, copy, Cluster::GuardFile::kKept);
  play.stage.cluster.Kill(play.stage.a);
  play.stage.cluster.Start(play.stage.c);
  return play.ReadWithout();
}

// Only the coordinator knows, which got the acknowledgement: the guard file went back too.
Play OthersRememberWhatWasAcknowledged() {
  GoneBack play;
  const Cluster::DiskCopy copy = play.PutOnTwo();
  play.stage.cluster.PutBack(play.stage.c, copy, Cluster::GuardFile::kPutBackToo);
  play.stage.cluster.Start(play.stage.c);
  play.stage.Run(seconds(3));
  play.stage.cluster.Start(play.stage.c);  // If it ended to begin anew.
  play.stage.Run(seconds(3));
  return play.ReadWithout();
}

// --- orphans: what a coordinator leaves behind that dies for good ---

// Acknowledged by a quorum; c has not got it, and the others are all who can tell it.
Play AcknowledgedOrphanReachesTheLast() {
  Stage stage(Calm());
  stage.Cut(stage.d, stage.c);
  const History::Id put = stage.Put(stage.d);
  stage.Must(put, "the put on two of three replicas");
  // More writes, on which a watermark can ride, and time for it to come by itself.
  for (int i = 0; i < 40; ++i)
    stage.Must(stage.Put(stage.d, fmt::format("warm {}", i % 12)), "a later put");
  stage.Run(milliseconds(1500));
  stage.Must(!stage.Holds(stage.c, put), "the third replica does not have it");
  stage.cluster.Kill(stage.d);
  stage.Run(seconds(3));
  if (!stage.Holds(stage.c, put)) stage.play.violation = "the put never reached the third replica";
  return stage.End();
}

// One replica has it, and passes it on.
Play OrphanKeepsItsVersion() {
  Stage stage(Calm());
  stage.Cut(stage.d, stage.b);
  stage.Cut(stage.d, stage.c);
  const History::Id put = stage.BeginPut(stage.d);
  stage.Run(milliseconds(10));
  stage.Must(stage.Holds(stage.a, put), "one replica has it");
  stage.cluster.Kill(stage.d);
  stage.Run(seconds(3));
  stage.Must(stage.Holds(stage.b, put), "the second replica gets it");
  stage.Must(stage.Holds(stage.c, put), "the third replica gets it");
  if (const auto unequal = stage.cluster.CheckReplicas()) stage.play.violation = *unequal;
  return stage.End();
}

// Rumors are the only way there: repair is switched off.
Play EverywhereIsToldToAll() {
  Stage stage(Calm());
  const auto& created = stage.cluster.watcher(0).CreateKeyspace("settings", "everywhere");
  stage.Must(stage.cluster.sim().Await(seconds(20), [&] { return created.has_value(); }),
             "the keyspace is created");
  stage.Must(created && created->ok(), "the keyspace is created well");
  stage.Run(seconds(4));  // Clients fetch the map.
  std::vector<SimClient*> at;
  for (std::uint32_t node = 0; node < stage.cluster.size(); ++node)
    at.push_back(&stage.cluster.AddClientOf(
        node, {.session = {}, .keyspace = "settings", .level = wire::Consistency::kOne}));
  stage.Run(seconds(1));
  const std::uint64_t value = stage.cluster.history().NextValue();
  const History::Id put = at[stage.a]->Put("a setting", value);
  stage.cluster.Await(put);
  stage.Must(put, "the put at one node");
  stage.Run(seconds(1));
  for (std::uint32_t node = 0; node < stage.cluster.size(); ++node) {
    const History::Id get = at[node]->Get("a setting");
    stage.cluster.Await(get);
    stage.Must(get, "the get at each node");
    if (stage.ValueOf(get) != value)
      stage.play.violation = fmt::format("node {} has not heard of the write", node);
  }
  return stage.play;  // Reads at ONE are not linearizable: the history's check is not for them.
}

}  // namespace

const std::array<Schedule, 24> kSchedules{{
    {"a replica that was down gets what it missed by hint", "skip-hint", HintReachesWhoWasDown},
    {"a put of a slow clock is stamped again, not lost", "drop-restamp", PutOfASlowClockIsNotLost},
    {"a replica that was down gets what it missed by repair", "forget-leaf",
     RepairReachesWhoWasDown},
    {"a put that comes twice does not replace a later one", "accept-older",
     RepeatedPutDoesNotReplaceALaterOne},
    {"an acknowledged put survives the loss of power everywhere", "ack-before-wal",
     AcknowledgedPutSurvivesPowerLoss},
    {"a read does not return what no majority held", "repair-superseded-ok",
     ReadDoesNotReturnWhatNoMajorityHeld},
    {"a retry takes effect at most once", "retry-restamped", RetryTakesEffectAtMostOnce},
    {"a restarted replica does not deny what it held", "never-held-after-restart",
     RestartedReplicaDoesNotDenyWhatItHeld},
    {"a put whose coordinator dies reaches the replica that did not answer", "watermark-early",
     AcknowledgedOrphanReachesTheLast},
    {"a put whose coordinator dies is one and the same on all replicas", "orphan-restamped",
     OrphanKeepsItsVersion},
    {"a write to what is everywhere is told to all", "everywhere-untold", EverywhereIsToldToAll},
    {"a replica that is down keeps what was deleted on the disks of all", "purge-skips-the-dead",
     DeadReplicaHoldsPurgeUp},
    {"what a replica has not got yet is not purged from the others", "purge-commits-unequal",
     UnequalReplicasKeepTheTombstone},
    {"a write that comes after the tombstone went does not bring the key back",
     "purge-takes-late-writes", LateWriteStaysDeleted},
    {"a hint that comes after the tombstone went does not bring the key back",
     "purge-takes-late-hints", LateHintStaysDeleted},
    {"a replica that missed the COMMIT follows", "purge-no-adoption", MissedCommitIsAdopted},
    {"what is purged leaves the tree", "purge-keeps-the-leaf", PurgedEntriesLeaveTheTree},
    {"a fast clock purges nothing that has not expired", "purge-by-the-clock",
     FastClockPurgesNothing},
    {"a scan shows nothing that some of its replicas have purged", "scan-counts-no-marks",
     ScanShowsNothingThatIsPurged},
    {"a node that was declared absent brings back nothing that was deleted", "absent-not-stale",
     AbsentNodeBringsNothingBack},
    {"a write that is older than what was purged does not come in by a node that was away",
     "catching-up-open", ReturnedNodeTakesNoOldWrite},
    {"a node that alone has what the others refuse does catch up", "catching-up-for-ever",
     ReturnedNodeNeedNotGiveWhatIsRefused},
    {"a replica with less than its guard file tells of serves no read", "absence-guard-ignored",
     GuardKnowsWhatWasSynced},
    {"a replica with less than others remember serves no read", "absence-memory-ignored",
     OthersRememberWhatWasAcknowledged},
}};

}  // namespace starling::sim
