// server/admin_stats.cc: what the workers and the engine count, for `nodetool info` and its kin.
#include <algorithm>

#include "server/admin.h"
#include "server/admin_progress.h"
#include "server/control.h"
#include "server/verify_admin.h"
#include "storage/entry.h"

namespace starling::server {

using base::Json;

namespace {

Json ShowVerification(const std::optional<EntryProgress>& verification) {
  const EntryProgress progress = verification.value_or(EntryProgress{});
  const bool counted = !verification || progress.entries > 0;  // Not before its checkpoint is made.
  return {{"running", verification.has_value()},
          {"entries_to_check", progress.entries},
          {"entries_checked", progress.done},
          {"verifying_ms", base::ToMs(progress.elapsed)},
          {"left_ms", counted ? MsOf(progress.Left()) : Json()}};
}

}  // namespace

void Admin::WithStats(const ReplyTo& to,
                      Json (Admin::*make)(const std::vector<WorkerStats>&) const) {
  control_.GatherStats([this, to, make](const std::vector<WorkerStats>& stats) {
    Answer(to, (this->*make)(stats));
  });
}

Json Admin::Info(const std::vector<WorkerStats>& stats) const {
  WorkerStats sum;
  for (const WorkerStats& each : stats) sum += each;
  const Snapshot& snapshot = *control_.snapshot_;
  const StorageMemory memory = StorageMemoryOf(control_.shared_.config);
  return {{"host_id", snapshot.me().host.ToString()},
          {"address", snapshot.me().cluster.IpString()},
          {"dc", snapshot.me().dc},
          {"rack", snapshot.me().rack},
          {"boot", control_.shared_.identity.boot},
          {"ready", snapshot.ready()},
          {"workers", stats.size()},
          {"load_bytes", control_.load_bytes_},
          {"slices_to_make", sum.making.slices - sum.making.done},
          {"block_cache_max_bytes", memory.block_cache_bytes},
          {"memtables_max_bytes", memory.memtables_bytes},
          {"disk_full", control_.disk_.full()},
          {"disk_free_bytes", control_.disk_.space().free_bytes},
          {"disk_reserve_bytes", control_.disk_.reserve_bytes()},
          {"puts", sum.puts},
          {"gets", sum.gets},
          {"restamps", sum.restamps},
          {"timeouts", sum.timeouts},
          {"unavailable", sum.unavailable},
          {"overloaded", sum.overloaded},
          {"read_repairs", sum.read_repairs},
          {"replica_writes", sum.replica_writes},
          {"superseded", sum.superseded},
          {"replica_reads", sum.replica_reads},
          {"fetches", sum.fetches},
          {"commits", sum.commits},
          {"connections", sum.connections},
          {"in_flight", sum.in_flight}};
}

Json Admin::NetStats(const std::vector<WorkerStats>& stats) const {
  WorkerStats sum;
  for (const WorkerStats& each : stats) sum += each;
  const RepairStats& repair = sum.repair;
  const HintStats& hints = sum.hints;
  std::uint64_t pending = 0;
  for (const auto& [target, waiting] : hints.pending) pending += waiting.hints;
  const gossip::Counters gossip =
      control_.gossip_ == nullptr ? gossip::Counters{} : control_.gossip_->counters();
  const storage::EngineStats engine = control_.shared_.engine.stats();
  const ScrubProgress& scrub = control_.scrub_.progress();
  Json repaired = {{"comparisons", control_.repair_.comparisons()},
                   {"entries_sent", repair.entries_sent},
                   {"entries_received", repair.entries_received},
                   {"entries_in_tables", repair.entries_in_tables},
                   {"bytes_sent", repair.bytes_sent + control_.repair_.bytes_sent()},
                   {"data_bytes_read", repair.data_bytes_read},
                   {"unreadable", repair.unreadable}};
  SetPulling(repaired, repair.pulling);
  repaired.Set("descents", control_.repair_.descents());
  repaired.Set("vain_descents", control_.repair_.vain_descents());
  repaired.Set("piece_bytes", repair.piece_bytes);
  repaired.Set("cut_bytes", sum.cut_bytes);
  return {
      {"repair", repaired},
      {"trees", ShowMaking(sum.making)},
      {"scrub",
       {{"passes", scrub.passes},
        {"tables", scrub.tables},
        {"tables_read", scrub.tables_read},
        {"tables_unread", scrub.tables_unread},
        {"size_bytes", scrub.bytes},
        {"read_bytes", scrub.bytes_read},
        {"damaged_tables", scrub.damaged},
        {"last_end_ms", scrub.last_end_ms < 0 ? Json() : Json(scrub.last_end_ms)}}},
      {"verification", ShowVerification(control_.verify_->progress())},
      {"engine", {{"bytes_read", engine.bytes_read}, {"iter_bytes_read", engine.iter_bytes_read}}},
      {"hints",
       {{"stored", hints.stored},
        {"replayed", hints.replayed},
        {"dropped", hints.dropped},
        {"pending", pending}}},
      {"orphans",
       {{"remembered_bytes", sum.orphans.remembered_bytes},
        {"taken_over", sum.orphans.taken_over},
        {"sent", sum.orphans.sent},
        {"forgotten", sum.orphans.forgotten},
        {"handled_messages", sum.handled_messages}}},
      {"rumored_writes",
       {{"sent", gossip.passing_sent},
        {"taken", gossip.passing_taken},
        {"refused", gossip.passing_refused + sum.rumors_refused}}}};
}

Json Admin::TableStats(const std::vector<WorkerStats>& stats) const {
  Json keyspaces = Json::Array();
  for (const topology::Keyspace& keyspace : control_.snapshot_->topology->keyspaces) {
    std::uint64_t entries = 0;
    for (const WorkerStats& each : stats)
      if (const auto it = each.entries.find(keyspace.id); it != each.entries.end())
        entries += it->second;
    const std::uint64_t bytes = control_.shared_.engine.ApproximateBytes(
        storage::Family::kData, storage::BucketBegin(keyspace.id, 0),
        storage::BucketEnd(keyspace.id, base::kBuckets - 1));
    keyspaces.Append({{"name", keyspace.name}, {"keys_estimate", entries}, {"bytes", bytes}});
  }
  return {{"keyspaces", keyspaces}};
}

Json Admin::PendingHints(const std::vector<WorkerStats>& stats) const {
  HintStats sum;
  for (const WorkerStats& each : stats) sum += each.hints;
  Json targets = Json::Array();
  for (const auto& [number, target] : sum.pending) {
    if (target.hints == 0) continue;
    const topology::Node* node = control_.snapshot_->topology->FindNumber(number);
    targets.Append({{"address", node == nullptr ? "?" : node->cluster.IpString()},
                    {"hints", target.hints},
                    {"bytes", target.bytes},
                    {"oldest_ms", target.oldest_ms}});
  }
  return {{"targets", targets}};
}

}  // namespace starling::server
