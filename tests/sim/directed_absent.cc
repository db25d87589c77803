#include "tests/sim/directed_absent.h"

#include "tests/sim/stage.h"

namespace starling::sim {
namespace {

using base::milliseconds;
using base::seconds;

ClusterOptions WithOutages() {
  ClusterOptions options = Calm();
  options.config.repair.enabled = true;
  options.config.repair.interval = seconds(1);
  options.config.purge.interval = milliseconds(200);
  options.config.purge.horizon = server::PurgeHorizonMin(options.config);
  options.config.purge.outage_max = seconds(10);
  return options;
}

// c is one of five nodes, and away until the others have declared it absent.
struct Outage {
  Stage stage{WithOutages()};
  Cluster& cluster = stage.cluster;

  // Of the same replicas, and never written yet.
  std::string FreshKey() { return cluster.KeyWithReplicas(cluster.ReplicasOf(kKey), "fresh"); }
  void Delete(const std::string& key) {
    const History::Id id = cluster.watcher(stage.a).Delete(key);
    cluster.Await(id);
    stage.Must(id, "the delete");
  }
  const topology::Node* CAsSeenBy(std::uint32_t node) {
    const server::SnapshotPtr snapshot = cluster.SnapshotOf(node);
    return snapshot == nullptr ? nullptr
                               : snapshot->topology->FindAddress(cluster.AddressOf(stage.c));
  }
  bool Absent() {
    const topology::Node* c = CAsSeenBy(stage.a);
    return c != nullptr && c->absent != 0;
  }
  void GoAway() { cluster.Kill(stage.c); }
  void AwaitDeclared() {
    stage.Must(cluster.sim().Await(seconds(40), [&] { return Absent(); }),
               "the others declare it absent");
  }
  void AwaitGone(const std::string& key) {
    stage.Must(
        cluster.sim().Await(
            seconds(60),
            [&] { return !cluster.HasEntry(stage.a, key) && !cluster.HasEntry(stage.b, key); }),
        "the tombstone goes from the two others");
  }
  // Starts it, again after it ended itself, until it was named back; and until it is ready.
  bool ComeBack() {
    return cluster.sim().Await(seconds(60), [&] {
      cluster.Start(stage.c);
      const topology::Node* c = CAsSeenBy(stage.c);
      return !Absent() && c != nullptr && c->absent == 0 &&
             cluster.SnapshotOf(stage.c)->topology->epoch ==
                 cluster.SnapshotOf(stage.a)->topology->epoch;
    });
  }
  bool AwaitReady(base::Duration limit) {
    return cluster.sim().Await(limit, [&] {
      const server::SnapshotPtr snapshot = cluster.SnapshotOf(stage.c);
      return snapshot != nullptr && snapshot->ready();
    });
  }
  bool Quarantined() {
    const auto cursor = cluster.engine(stage.c).Scan(storage::Family::kQuarantine, {}, {});
    cursor->Seek({});
    return cursor->Valid();
  }
};

}  // namespace

// c has the value, the others have purged the delete.
Play AbsentNodeBringsNothingBack() {
  Outage play;
  Stage& stage = play.stage;
  stage.Must(stage.Put(stage.a), "the put");
  stage.Run(seconds(2));
  play.GoAway();
  stage.Run(seconds(8));
  play.Delete(kKey);
  play.AwaitDeclared();
  play.AwaitGone(kKey);
  stage.Must(stage.cluster.engine(stage.a).sequence() > 0, "a is up");
  stage.Must(play.ComeBack(), "it is named back");
  stage.Must(play.AwaitReady(seconds(60)), "it catches up");
  if (stage.cluster.HasEntry(stage.c, kKey))
    stage.play.violation = "a node that was away serves what was deleted and purged meanwhile";
  else
    stage.Must(play.Quarantined(), "what it alone had is in its quarantine");
  stage.Run(seconds(10));
  for (const std::uint32_t node : {stage.a, stage.b, stage.c})
    if (stage.cluster.HasEntry(node, kKey)) stage.play.violation = "a deleted key came back";
  Play end = stage.End();
  if (end.violation.empty() && !stage.cluster.exits().empty())
    end.violation = stage.cluster.exits();
  return end;
}

// It never had the key; a coordinator whose clock is far behind writes it when it is back.
Play ReturnedNodeTakesNoOldWrite() {
  Outage play;
  Stage& stage = play.stage;
  const std::string key = play.FreshKey();
  play.GoAway();
  stage.Run(seconds(8));
  stage.Must(stage.Put(stage.a, key), "the put on two replicas");
  play.Delete(key);
  play.AwaitDeclared();
  play.AwaitGone(key);
  stage.Must(play.ComeBack(), "it is named back");
  stage.Must(play.AwaitReady(seconds(60)), "it catches up");
  stage.Must(!stage.cluster.HasEntry(stage.c, key), "it has nothing of the key");
  stage.cluster.host(stage.d).SetWallOffset(-600'000);
  stage.BeginPut(stage.d, key);
  // At any moment: the next comparison may have it set aside again.
  if (stage.cluster.sim().Await(milliseconds(500),
                                [&] { return stage.cluster.HasEntry(stage.c, key); }))
    stage.play.violation = "a node that was away took a write that is older than what was purged";
  stage.Run(seconds(10));
  return stage.play;
}

// It alone has a key of a bucket that the two others have closed, and not purged: neither takes it
// from a node that is not ready.
Play ReturnedNodeNeedNotGiveWhatIsRefused() {
  Outage play;
  Stage& stage = play.stage;
  const std::string key = play.FreshKey();
  const auto bucket = base::BucketOf(stage.cluster.TokenOf(key));
  std::string other;
  for (int i = 0; base::BucketOf(stage.cluster.TokenOf(other)) != bucket; ++i)
    other = fmt::format("other {}", i);
  for (const std::uint32_t node : {stage.a, stage.b}) stage.Cut(stage.c, node);
  stage.BeginPut(stage.c, key);
  stage.Run(milliseconds(100));
  stage.Must(stage.cluster.HasEntry(stage.c, key), "c has the put");
  play.GoAway();
  stage.Run(seconds(8));
  stage.Must(!stage.cluster.HasEntry(stage.a, key) && !stage.cluster.HasEntry(stage.b, key),
             "c alone has it");
  play.AwaitDeclared();
  play.Delete(other);
  stage.Run(seconds(1));
  // Of the two that are left, one does not hear the other's report: both close, none purges.
  const std::uint32_t first = std::min(stage.a, stage.b);
  const std::uint32_t second = std::max(stage.a, stage.b);
  stage.Cut(second, first);
  stage.Run(seconds(9));
  stage.Must(stage.cluster.HasEntry(stage.a, other) && stage.cluster.HasEntry(stage.b, other),
             "nothing was purged");
  // What c sent them before comes only now, and is refused for its age.
  for (const std::uint32_t node : {stage.a, stage.b}) stage.Heal(stage.c, node);
  stage.Must(play.ComeBack(), "it is named back");
  stage.Must(!stage.cluster.HasEntry(stage.a, key) && !stage.cluster.HasEntry(stage.b, key),
             "they have closed the bucket");
  stage.Heal(second, first);
  if (!play.AwaitReady(seconds(40)))
    stage.play.violation = "a node never catches up, as others refuse what it alone has";
  stage.Run(seconds(10));
  return stage.play;
}

}  // namespace starling::sim
