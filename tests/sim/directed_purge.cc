#include "tests/sim/directed_purge.h"

#include "server/purge/marks.h"
#include "tests/sim/stage.h"

namespace starling::sim {
namespace {

using base::milliseconds;
using base::seconds;

ClusterOptions Purging() {
  ClusterOptions options = Calm();
  options.config.purge.interval = milliseconds(200);
  options.config.purge.horizon = server::PurgeHorizonMin(options.config);
  return options;
}

History::Id Delete(Stage& stage, std::uint32_t node, const std::string& key = kKey) {
  const History::Id id = stage.cluster.watcher(node).Delete(key);
  stage.cluster.Await(id);
  return id;
}

bool AwaitGone(Stage& stage, const std::vector<std::uint32_t>& nodes) {
  return stage.cluster.sim().Await(seconds(30), [&] {
    return std::none_of(nodes.begin(), nodes.end(),
                        [&](std::uint32_t node) { return stage.cluster.HasEntry(node, kKey); });
  });
}

// Has the node a mark on disk?
bool HasMark(Stage& stage, std::uint32_t node) {
  const auto cursor =
      stage.cluster.engine(node).Scan(storage::Family::kMeta, server::purge::Marks::kPrefix, {});
  cursor->Seek(server::purge::Marks::kPrefix);
  return cursor->Valid() && cursor->key().starts_with(server::purge::Marks::kPrefix);
}

// A read by e that has to count c.
void ReadWithC(Stage& stage) {
  stage.Cut(stage.e, stage.b);
  stage.Run(milliseconds(10));
  stage.Must(stage.Get(stage.e), "the read that counts the third replica");
  stage.Heal(stage.e, stage.b);
}

// One replica has closed and reported, and dies before COMMIT reaches it; the others purge the key.
// Gives that one, which is back.
std::uint32_t MissTheCommit(Stage& stage) {
  const std::uint32_t last = std::max({stage.a, stage.b, stage.c});  // The first one begins rounds.
  stage.SetLatency(milliseconds(20));
  stage.Must(stage.cluster.sim().Await(seconds(30), [&] { return HasMark(stage, last); }),
             "a replica closes");
  stage.Run(milliseconds(25));
  stage.Must(stage.cluster.HasEntry(last, kKey), "the entry is there when it dies");
  stage.cluster.Kill(last);
  stage.Run(seconds(2));
  for (const std::uint32_t node : {stage.a, stage.b, stage.c})
    stage.Must(node == last || !stage.cluster.HasEntry(node, kKey), "the others have purged it");
  stage.SetLatency(milliseconds(1));
  stage.cluster.Start(last);
  stage.Must(stage.cluster.AwaitAllUp(seconds(20)), "it comes back");
  return last;
}

// c has nothing of the key, or the play ends in this violation.
Play EndWithoutTheKey(Stage& stage, const char* violation) {
  ReadWithC(stage);
  if (stage.cluster.HasEntry(stage.c, kKey)) stage.play.violation = violation;
  return stage.End();
}

}  // namespace

Play DeadReplicaHoldsPurgeUp() {
  Stage stage(Purging());
  stage.Must(stage.Put(stage.a), "the put");
  stage.cluster.Kill(stage.c);
  stage.Run(seconds(8));
  stage.Must(Delete(stage, stage.a), "the delete with one replica down");
  stage.Run(seconds(20));
  if (!stage.cluster.HasEntry(stage.a, kKey) || !stage.cluster.HasEntry(stage.b, kKey))
    stage.play.violation = "the tombstone went, and a replica that was down still has the value";
  return stage.End();
}

// c misses the delete, without hints and repair.
Play UnequalReplicasKeepTheTombstone() {
  Stage stage(Purging());
  stage.Must(stage.Put(stage.a), "the put");
  stage.Cut(stage.a, stage.c);
  stage.Must(Delete(stage, stage.a), "the delete on two replicas");
  stage.cluster.sim().ResetBetween(stage.cluster.host(stage.a), stage.cluster.host(stage.c));
  stage.Run(milliseconds(10));
  stage.Heal(stage.a, stage.c);
  stage.Run(seconds(15));
  stage.Must(stage.cluster.StoredValue(stage.c, kKey).has_value(), "c has the value still");
  ReadWithC(stage);
  return stage.End();
}

// What d sent to c before the delete arrives when the tombstone is gone everywhere.
Play LateWriteStaysDeleted() {
  Stage stage(Purging());
  stage.Cut(stage.d, stage.c);
  stage.Must(stage.Put(stage.d), "the put on two replicas");
  stage.Must(Delete(stage, stage.a), "the delete");
  stage.Must(AwaitGone(stage, {stage.a, stage.b, stage.c}), "the tombstone goes everywhere");
  stage.Heal(stage.d, stage.c);
  stage.Run(seconds(2));
  return EndWithoutTheKey(stage, "a replica took a write that is older than what was purged");
}

// d keeps a hint for c, and is away while the key is deleted and the tombstone goes.
Play LateHintStaysDeleted() {
  ClusterOptions options = Purging();
  options.config.hints.enabled = true;
  Stage stage(options);
  stage.cluster.Kill(stage.c);
  stage.Run(seconds(8));
  stage.Must(stage.Put(stage.d), "the put with one replica down");
  stage.Run(seconds(2));
  stage.cluster.Kill(stage.d);
  stage.cluster.Start(stage.c);
  stage.Run(seconds(8));
  stage.Must(Delete(stage, stage.a), "the delete");
  stage.Must(AwaitGone(stage, {stage.a, stage.b, stage.c}), "the tombstone goes everywhere");
  stage.cluster.Start(stage.d);
  stage.Must(stage.cluster.AwaitAllUp(seconds(20)), "the coordinator comes back");
  stage.Run(seconds(10));
  return EndWithoutTheKey(stage, "a replica took a hint that is older than what was purged");
}

Play MissedCommitIsAdopted() {
  ClusterOptions options = Purging();
  options.config.repair.enabled = true;
  Stage stage(options);
  stage.Must(stage.Put(stage.a), "the put");
  stage.Must(Delete(stage, stage.a), "the delete");
  MissTheCommit(stage);
  if (!AwaitGone(stage, {stage.a, stage.b, stage.c}))
    stage.play.violation = "the tombstone stays where COMMIT did not come";
  if (const auto unequal = stage.cluster.CheckReplicas()) stage.play.violation += *unequal;
  return stage.End();
}

// By the clock of who scans it, what one replica still has would be live. A point read counts it as
// nothing.
Play ScanShowsNothingThatIsPurged() {
  Stage stage(Purging());
  const History::Id put =
      stage.cluster.watcher(stage.a).Put(kKey, stage.cluster.history().NextValue(), seconds(3));
  stage.cluster.Await(put);
  stage.Must(put, "the put that expires");
  const std::uint32_t last = MissTheCommit(stage);
  stage.Must(stage.cluster.HasEntry(last, kKey), "it has the key still");
  stage.cluster.host(stage.d).SetWallOffset(-600'000);
  const History::Id get = stage.Get(stage.d);
  stage.Must(get, "the read");
  stage.Must(stage.ValueOf(get) == 0, "a point read finds nothing");
  const SimScan& scan = stage.cluster.watcher(stage.d).Scan(wire::Consistency::kAll, 1 << 20);
  stage.Must(stage.cluster.sim().Await(seconds(20), [&] { return scan.done; }) && scan.status.ok(),
             "the scan comes to its end");
  stage.Must(!scan.rows.empty(), "it finds what is there");
  if (scan.rows.contains(kKey))
    stage.play.violation = "a scan shows what some of its replicas have purged";
  return stage.play;  // The check of histories knows no expiry.
}

Play PurgedEntriesLeaveTheTree() {
  Stage stage(Purging());
  stage.Must(stage.Put(stage.a), "the put");
  stage.Must(Delete(stage, stage.a), "the delete");
  stage.Must(AwaitGone(stage, {stage.a, stage.b, stage.c}), "the tombstone goes everywhere");
  stage.Run(seconds(1));
  if (const auto wrong = stage.cluster.CheckTrees()) stage.play.violation = *wrong;
  return stage.End();
}

// Another key of the bucket is deleted, so that rounds look into it.
Play FastClockPurgesNothing() {
  Stage stage(Purging());
  const auto bucket = base::BucketOf(stage.cluster.TokenOf(kKey));
  std::string other;
  for (int i = 0; base::BucketOf(stage.cluster.TokenOf(other)) != bucket; ++i)
    other = fmt::format("other {}", i);
  const auto until = std::max({stage.a, stage.b, stage.c});  // The first one begins rounds.
  const History::Id put = stage.cluster.watcher(stage.a).Put(
      kKey, stage.cluster.history().NextValue(), base::seconds(300));
  stage.cluster.Await(put);
  stage.Must(put, "the put that expires");
  stage.Must(stage.Put(stage.a, other), "the put beside it");
  stage.Must(Delete(stage, stage.a, other), "the delete beside it");
  stage.cluster.host(until).SetWallOffset(600'000);
  stage.Must(
      stage.cluster.sim().Await(seconds(30), [&] { return !stage.cluster.HasEntry(until, other); }),
      "the tombstone beside it goes");
  stage.Run(seconds(1));
  if (!stage.cluster.HasEntry(until, kKey))
    stage.play.violation = "an entry was purged that had not expired by the horizon";
  return stage.End();
}

}  // namespace starling::sim
