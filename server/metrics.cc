#include "server/metrics.h"

#include "gossip/member.h"
#include "server/exposition.h"
#include "server/version.h"

namespace starling::server {
namespace {

using Type = Exposition::Type;

double Seconds(base::Duration duration) { return std::chrono::duration<double>(duration).count(); }

double Number(std::uint64_t count) { return static_cast<double>(count); }

void WriteProcess(Exposition& out, const NodeMetrics& metrics) {
  out.Family("starling_build_info", Type::kGauge, "Always 1; the release is in the label.");
  out.Sample(1, {{"version", kVersion}});
  out.Gauge("starling_healthy", "1 while /health says 200.", metrics.healthy ? 1 : 0);
  out.Gauge("starling_uptime_seconds", "Since the process started.", Seconds(metrics.uptime));
  out.Gauge("starling_control_loop_lag_seconds",
            "How late control's timer was at worst in the last 10 to 20 seconds.",
            Seconds(metrics.loop_lag));
  out.Gauge("starling_disk_full", "1 while the node takes no put because its disk is full.",
            metrics.disk_full ? 1 : 0);
  out.Gauge("starling_disk_free_bytes", "Free on the data directory's file system.",
            Number(metrics.disk_free_bytes));
  out.Gauge("starling_disk_reserve_bytes", "With less, the node takes no put.",
            Number(metrics.disk_reserve_bytes));
  out.Counter("starling_scrub_passes_total", "Readings of all tables that came to their end.",
              Number(metrics.scrub.passes));
  out.Gauge("starling_scrub_bytes", "Of the tables of the reading under way, or of the last one.",
            Number(metrics.scrub.bytes));
  out.Gauge("starling_scrub_read_bytes", "Of those, what was read.",
            Number(metrics.scrub.bytes_read));
  out.Counter("starling_scrub_damaged_total", "Tables found damaged since the process began.",
              Number(metrics.scrub.damaged));
  const ProcessStats& process = metrics.process;
  out.Gauge("process_resident_memory_bytes", "Resident memory.", Number(process.resident_bytes));
  out.Counter("process_cpu_seconds_total", "CPU time, user and system.", process.cpu_seconds);
  out.Gauge("process_open_fds", "Open file descriptors.", Number(process.open_fds));
  out.Gauge("process_max_fds", "The limit of open file descriptors.", Number(process.max_fds));
  out.Gauge("process_threads", "Threads.", Number(process.threads));
}

void WriteRequests(Exposition& out, const WorkerStats& sum, const NodeMetrics& metrics) {
  const std::pair<std::string_view, const RequestStats*> kinds[] = {{"put", &sum.put_requests},
                                                                    {"get", &sum.get_requests}};
  out.Family("starling_client_requests_total", Type::kCounter,
             "Requests of clients that this node coordinated, by what came of them.");
  for (const auto& [kind, requests] : kinds)
    for (std::size_t outcome = 0; outcome < kOutcomes; ++outcome)
      out.Sample(Number(requests->outcomes[outcome]),
                 {{"kind", kind}, {"outcome", kOutcomeNames[outcome]}});
  out.Family("starling_client_request_duration_seconds", Type::kHistogram,
             "From a request's arrival at the worker that owns its key to its answer, if it was "
             "tried.");
  for (const auto& [kind, requests] : kinds) out.Histogram(requests->took_us, {{"kind", kind}});
  out.Gauge("starling_client_connections", "Open connections of clients.", Number(metrics.clients));
  out.Gauge("starling_requests_in_flight", "Requests under way.", Number(sum.in_flight));
  out.Counter("starling_restamps_total", "Puts stamped again, above a version they met.",
              Number(sum.restamps));
  out.Counter("starling_read_repairs_total", "Replicas repaired by a read.",
              Number(sum.read_repairs));
  out.Counter("starling_overloaded_total", "Requests refused for want of memory, of any kind.",
              Number(sum.overloaded));
  out.Counter("starling_expired_total", "Reads dropped because their deadline had passed.",
              Number(sum.expired));
  out.Counter("starling_replica_writes_total", "Writes that this node took as a replica.",
              Number(sum.replica_writes));
  out.Counter("starling_replica_reads_total", "Reads that this node answered as a replica.",
              Number(sum.replica_reads));
  out.Counter("starling_replica_superseded_total", "Writes that were older than what is held.",
              Number(sum.superseded));
  out.Counter("starling_replica_fetches_total", "Old versions fetched from disk.",
              Number(sum.fetches));
  out.Counter("starling_commits_total", "Batches of workers committed.", Number(sum.commits));
}

void WriteHints(Exposition& out, const HintStats& hints) {
  HintStats::Target pending;
  for (const auto& [target, each] : hints.pending) {
    pending.hints += each.hints;
    pending.bytes += each.bytes;
  }
  out.Counter("starling_hints_stored_total", "Writes kept for nodes that were away.",
              Number(hints.stored));
  out.Counter("starling_hints_replayed_total", "Hints that their node has taken.",
              Number(hints.replayed));
  out.Counter("starling_hints_dropped_total", "Hints over a limit, left to repair.",
              Number(hints.dropped));
  out.Gauge("starling_hints_pending", "Hints that wait.", Number(pending.hints));
  out.Gauge("starling_hints_pending_bytes", "What they take.", Number(pending.bytes));
}

// Writes that reached a replica without their coordinator, or without any.
void WriteOrphans(Exposition& out, const WorkerStats& sum) {
  out.Gauge("starling_orphans_remembered_bytes", "Writes of others that may be unhandled.",
            Number(sum.orphans.remembered_bytes));
  out.Counter("starling_orphans_taken_over_total", "Entries passed on for a dead coordinator.",
              Number(sum.orphans.taken_over));
  out.Counter("starling_orphans_messages_total", "Messages that passed them on.",
              Number(sum.orphans.sent));
  out.Counter("starling_orphans_forgotten_total", "Dropped for want of room, left to repair.",
              Number(sum.orphans.forgotten));
  out.Counter("starling_handled_messages_total",
              "Messages that say that writes are handled, and nothing else.",
              Number(sum.handled_messages));
}

void WriteRumoredWrites(Exposition& out, const WorkerStats& sum, const gossip::Report* report) {
  const gossip::Counters counters = report == nullptr ? gossip::Counters{} : report->counters;
  out.Counter("starling_rumored_writes_sent_total",
              "Writes to `everywhere` keyspaces told in datagrams.", Number(counters.passing_sent));
  out.Counter("starling_rumored_writes_taken_total", "Those of other nodes that were news here.",
              Number(counters.passing_taken));
  out.Counter("starling_rumored_writes_refused_total",
              "Those not told for want of room, left to repair.",
              Number(counters.passing_refused + sum.rumors_refused));
}

void WriteRepair(Exposition& out, const RepairStats& repair, const NodeMetrics& metrics) {
  out.Counter("starling_repair_comparisons_total", "Comparisons with a peer that came to an end.",
              Number(metrics.repair_comparisons));
  out.Counter("starling_repair_entries_sent_total", "Entries that peers lacked.",
              Number(repair.entries_sent));
  out.Counter("starling_repair_entries_received_total", "Entries that this node lacked.",
              Number(repair.entries_received));
  out.Counter("starling_repair_entries_in_tables_total",
              "Of these, those that became tables at once.", Number(repair.entries_in_tables));
  out.Counter("starling_repair_sent_bytes_total", "Payloads of repair's questions and answers.",
              Number(repair.bytes_sent + metrics.repair_bytes_sent));
  out.Counter("starling_repair_read_bytes_total", "Stored bytes that repair scanned.",
              Number(repair.data_bytes_read));
  out.Counter("starling_repair_unreadable_total", "Damaged entries that repair left out.",
              Number(repair.unreadable));
  out.Family("starling_keyspace_entries", Type::kGauge,
             "Entries of this node, deleted and expired ones too.");
  for (const KeyspaceMetrics& each : metrics.keyspaces)
    out.Sample(Number(each.entries), {{"keyspace", each.name}});
  out.Family("starling_repair_equal_age_seconds", Type::kGauge,
             "Since all of the keyspace on this node last compared equal with every other replica; "
             "absent until it did.");
  for (const KeyspaceMetrics& each : metrics.keyspaces)
    if (each.equal_age_ms >= 0)
      out.Sample(static_cast<double>(each.equal_age_ms) / 1000, {{"keyspace", each.name}});
}

void WriteProofs(Exposition& out, std::int64_t age_ms) {
  out.Family("starling_oldest_proof_age_seconds", Type::kGauge,
             "Up to when all replicas of all ranges of this node are proved equal, the oldest "
             "counting; absent until each range was.");
  if (age_ms >= 0) out.Sample(static_cast<double>(age_ms) / 1000, {});
}

void WritePurge(Exposition& out, const WorkerStats& sum, const std::vector<PurgeMetrics>& all) {
  const auto family = [&](std::string_view name, std::string_view help, auto value) {
    out.Family(name, Type::kGauge, help);
    for (const PurgeMetrics& each : all)
      if (const double number = value(each); number >= 0)
        out.Sample(number, {{"keyspace", each.keyspace}});
  };
  family("starling_purge_held_tombstones", "Deleted entries that are held yet.",
         [](const PurgeMetrics& each) { return Number(each.tombstones); });
  family("starling_purge_held_tombstone_bytes", "Their keys and headers, as stored.",
         [](const PurgeMetrics& each) { return Number(each.tombstone_bytes); });
  family("starling_purge_held_expiring", "Entries with an expiry, over or not.",
         [](const PurgeMetrics& each) { return Number(each.expiring); });
  family("starling_purge_blockers", "Nodes, or reasons, that keep what is due from being purged.",
         [](const PurgeMetrics& each) { return Number(each.blockers); });
  family("starling_purge_overdue_seconds",
         "Since the first of what is held was old enough to be purged; 0: nothing is.",
         [](const PurgeMetrics& each) { return static_cast<double>(each.overdue_ms) / 1000; });
  family("starling_purge_oldest_mark_age_seconds",
         "Up to when the buckets that hold something deleted or expiring were purged, the oldest "
         "counting; absent until one was.",
         [](const PurgeMetrics& each) {
           return each.oldest_mark_age_ms < 0 ? -1
                                              : static_cast<double>(each.oldest_mark_age_ms) / 1000;
         });
  out.Counter("starling_purge_removed_total", "Entries purged.", Number(sum.purged));
  out.Counter("starling_purge_refused_total", "Writes that were older than what was purged.",
              Number(sum.too_old));
  out.Counter("starling_purge_adopted_buckets_total",
              "Buckets taken over from a replica that had purged further.", Number(sum.adopted));
  out.Counter("starling_purge_quarantined_total",
              "Values set aside, as no other replica had them below its mark.",
              Number(sum.quarantined));
}

void WriteGossipTraffic(Exposition& out, const gossip::Counters& counters) {
  out.Family("starling_gossip_datagrams_total", Type::kCounter, "Datagrams.");
  out.Sample(Number(counters.datagrams_in), {{"direction", "in"}});
  out.Sample(Number(counters.datagrams_out), {{"direction", "out"}});
  out.Family("starling_gossip_datagram_bytes_total", Type::kCounter, "Their payloads.");
  out.Sample(Number(counters.datagram_bytes_in), {{"direction", "in"}});
  out.Sample(Number(counters.datagram_bytes_out), {{"direction", "out"}});
  out.Family("starling_gossip_streams_total", Type::kCounter,
             "Exchanges over TCP: push-pull, large rumors, and pings where datagrams are silent.");
  out.Sample(Number(counters.streams_in), {{"direction", "in"}});
  out.Sample(Number(counters.streams_out), {{"direction", "out"}});
  out.Family("starling_gossip_stream_bytes_total", Type::kCounter, "Their payloads.");
  out.Sample(Number(counters.stream_bytes_in), {{"direction", "in"}});
  out.Sample(Number(counters.stream_bytes_out), {{"direction", "out"}});
  out.Family("starling_gossip_rejected_total", Type::kCounter, "Packets that were dropped.");
  out.Sample(Number(counters.rejected), {{"reason", "malformed"}});
  out.Sample(Number(counters.other_cluster), {{"reason", "other_cluster"}});
  out.Sample(Number(counters.unsealed), {{"reason", "unsealed"}});
  out.Sample(Number(counters.unopened), {{"reason", "unopened"}});
  out.Sample(Number(counters.strangers), {{"reason", "stranger"}});
  out.Counter("starling_gossip_replies_withheld_total",
              "Answers larger than their question, or a second one in a second to the dead.",
              Number(counters.replies_withheld));
}

void WriteGossip(Exposition& out, const gossip::Report& report) {
  constexpr gossip::Liveness kStates[] = {gossip::Liveness::kAlive, gossip::Liveness::kSuspect,
                                          gossip::Liveness::kUnreachable, gossip::Liveness::kDead,
                                          gossip::Liveness::kLeft};
  out.Family("starling_gossip_members", Type::kGauge,
             "Members by state, as this node sees them; itself not among them.");
  for (const gossip::Liveness state : kStates) {
    std::uint64_t count = 0;
    for (const gossip::MemberReport& each : report.members)
      if (each.member.liveness == state) ++count;
    out.Sample(Number(count), {{"state", gossip::Name(state)}});
  }
  out.Gauge("starling_gossip_stream_only_members", "Members whose datagrams do not arrive.",
            Number(report.stream_only));
  out.Gauge("starling_gossip_unanswered_streams",
            "Streams in a row that others opened and did not answer.", Number(report.unanswered));
  out.Gauge("starling_gossip_health_score", "How far this node doubts itself: 0 (sound) to 7.",
            static_cast<double>(report.health_score));
  out.Gauge("starling_gossip_pending_claims", "Members with news that waits to be told.",
            Number(report.pending_claims));
  out.Gauge("starling_gossip_hot_rumors", "Rumors that this node still tells.",
            Number(report.hot_rumors));
  const gossip::Counters& counters = report.counters;
  WriteGossipTraffic(out, counters);
  out.Counter("starling_gossip_probes_total", "Members pinged.", Number(counters.probes));
  out.Counter("starling_gossip_probes_failed_total", "Of these, silent on all ways.",
              Number(counters.probes_failed));
  out.Family("starling_gossip_verdicts_total", Type::kCounter,
             "Members that came to be in a state here, by own probes or hearsay.");
  out.Sample(Number(counters.suspicions), {{"state", "suspect"}});
  out.Sample(Number(counters.unreachable), {{"state", "unreachable"}});
  out.Sample(Number(counters.deaths), {{"state", "dead"}});
  out.Counter("starling_gossip_refutations_total",
              "Accusations of this node that it refuted: it was slow, or badly connected.",
              Number(counters.refutations));
  out.Counter("starling_gossip_conflicts_total",
              "Claims that only a second node with this identity can have made.",
              Number(counters.conflicts));
  out.Counter("starling_gossip_late_timers_total", "Times that this process was late to probe.",
              Number(counters.late));
  out.Counter("starling_gossip_slept_total", "Times that this process found itself asleep.",
              Number(counters.slept));
  out.Counter("starling_gossip_rumors_sent_total", "Rumors told, advertisements included.",
              Number(counters.rumors_sent));
  out.Counter("starling_gossip_rumors_taken_total", "Rumors of others that were news here.",
              Number(counters.rumors_taken));
}

void WriteEngine(Exposition& out, const storage::EngineStats& engine) {
  out.Gauge("starling_engine_live_data_bytes", "What the data takes on disk, about.",
            Number(engine.live_data_bytes));
  out.Gauge("starling_engine_memtable_bytes", "Memory of data not yet written out.",
            Number(engine.memtable_bytes));
  out.Gauge("starling_engine_pending_compaction_bytes", "What compactions have yet to rewrite.",
            Number(engine.pending_compaction_bytes));
  out.Gauge("starling_engine_block_cache_bytes", "What the block cache holds, indexes included.",
            Number(engine.block_cache_bytes));
  out.Gauge("starling_engine_table_index_bytes", "Indexes and filters of the tables, in memory.",
            Number(engine.table_index_bytes));
  out.Gauge("starling_engine_sst_bytes", "All table files, those to be deleted included.",
            Number(engine.sst_bytes));
  out.Counter("starling_engine_block_cache_hits_total", "Blocks found in the cache.",
              Number(engine.block_cache_hits));
  out.Counter("starling_engine_block_cache_misses_total", "Blocks read from the disk.",
              Number(engine.block_cache_misses));
  out.Counter("starling_engine_wal_syncs_total", "Syncs of the log.", Number(engine.wal_syncs));
  out.Counter("starling_engine_wal_bytes_total", "Bytes written to the log.",
              Number(engine.wal_bytes));
  out.Counter("starling_engine_written_bytes_total", "User bytes written.",
              Number(engine.bytes_written));
  out.Counter("starling_engine_read_bytes_total", "User bytes read, by key.",
              Number(engine.bytes_read));
  out.Counter("starling_engine_scanned_bytes_total", "User bytes read, by scans.",
              Number(engine.iter_bytes_read));
  out.Counter("starling_engine_compaction_written_bytes_total", "Bytes written by compactions.",
              Number(engine.compaction_bytes_written));
  out.Counter("starling_engine_stall_seconds_total", "Writes held back by the engine.",
              static_cast<double>(engine.stall_us) / 1e6);
  out.Counter("starling_engine_background_errors_total", "Flushes and compactions that failed.",
              Number(engine.background_errors));
}

}  // namespace

std::string MetricsPage(const NodeMetrics& metrics) {
  WorkerStats sum;
  for (const WorkerStats& each : metrics.workers) sum += each;
  Exposition out;
  WriteProcess(out, metrics);
  out.Gauge("starling_topology_epoch", "The epoch that this node is in; 0: in no cluster.",
            Number(metrics.epoch));
  WriteRequests(out, sum, metrics);
  WriteHints(out, sum.hints);
  WriteOrphans(out, sum);
  WriteRumoredWrites(out, sum, metrics.gossip);
  WriteRepair(out, sum.repair, metrics);
  WriteProofs(out, metrics.oldest_proof_age_ms);
  WritePurge(out, sum, metrics.purge);
  if (metrics.gossip != nullptr) WriteGossip(out, *metrics.gossip);
  WriteEngine(out, metrics.engine);
  return out.text();
}

}  // namespace starling::server
