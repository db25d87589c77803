#include "server/snapshot_admin.h"

#include <fmt/core.h>

#include <algorithm>
#include <utility>

#include "server/control.h"
#include "server/snapshot_facts.h"
#include "server/tree_rebuild.h"

namespace starling::server {

using base::Json;
using base::Result;
using base::Status;

namespace {

Json Describe(const SnapshotManifest& manifest) {
  Json keyspaces = Json::Array();
  for (const SnapshotKeyspace& keyspace : manifest.keyspaces) {
    std::uint32_t buckets = 0;
    for (const BucketRange& range : keyspace.ranges) buckets += range.last - range.first + 1U;
    keyspaces.Append({{"name", keyspace.name},
                      {"replication", keyspace.replication},
                      {"entries", keyspace.digest.count},
                      {"share", static_cast<double>(buckets) / base::kBuckets}});
  }
  return keyspaces;
}

// What a manifest says is null where it can't be read.
Json Describe(const DiskSnapshots::Listed& listed) {
  const bool sound = listed.problem.empty();
  Json keyspaces = Json::Array();
  std::uint64_t entries = 0;
  for (const SnapshotKeyspace& keyspace : listed.manifest.keyspaces) {
    keyspaces.Append(keyspace.name);
    entries += keyspace.digest.count;
  }
  return {{"name", listed.name},
          {"created_ms", sound ? Json(listed.manifest.created_ms) : Json()},
          {"epoch", sound ? Json(listed.manifest.epoch) : Json()},
          {"keyspaces", keyspaces},
          {"entries", sound ? Json(entries) : Json()},
          {"bytes", listed.bytes},
          {"own_bytes", listed.bytes_not_shared},
          {"problem", sound ? Json() : Json(listed.problem)}};
}

Result<Json> Take(const DiskSnapshots& snapshots, storage::Engine& engine,
                  const SnapshotManifest& facts) {
  ASSIGN_OR_RETURN(const SnapshotManifest taken, snapshots.Take(engine, facts));
  return Json{{"name", taken.name},
              {"directory", snapshots.root() + "/" + taken.name},
              {"epoch", taken.epoch},
              {"keyspaces", Describe(taken)}};
}

Result<Json> WouldTake(const DiskSnapshots& snapshots, const SnapshotManifest& facts) {
  RETURN_IF_ERROR(snapshots.CheckFree(facts.name));
  return Json{{"name", facts.name}, {"dry_run", true}, {"keyspaces", Describe(facts)}};
}

Result<Json> List(const DiskSnapshots& snapshots) {
  ASSIGN_OR_RETURN(const auto all, snapshots.List());
  Json rows = Json::Array();
  for (const DiskSnapshots::Listed& each : all) rows.Append(Describe(each));
  return Json{{"snapshots", rows}};
}

struct Unwanted {
  std::string name{};
  bool all = false;  // Whatever its name.
  bool dry_run = false;
};

Result<Json> Clear(const DiskSnapshots& snapshots, const Unwanted& unwanted) {
  std::vector<std::string> names;
  ASSIGN_OR_RETURN(const auto all, snapshots.List());
  for (const DiskSnapshots::Listed& each : all)
    if (unwanted.all || each.name == unwanted.name) names.push_back(each.name);
  if (names.empty() && !unwanted.all)
    return base::Fail(base::NotFound(fmt::format("there is no snapshot '{}'", unwanted.name)));
  if (!unwanted.dry_run)
    for (const std::string& name : names) RETURN_IF_ERROR(snapshots.Clear(name));
  return Json{{unwanted.dry_run ? "would_clear" : "cleared", names}};
}

}  // namespace

SnapshotAdmin::SnapshotAdmin(Control& control)
    : control_(control), snapshots_(control.shared_.config.node.data_dir), jobs_(control.world_) {}
SnapshotAdmin::~SnapshotAdmin() = default;

bool SnapshotAdmin::Handle(const AdminCall& call) {
  if (call.command != "snapshot" && call.command != "listsnapshots" &&
      call.command != "clearsnapshot")
    return false;
  if (const Status started = Start(call); !started.ok()) control_.ReplyError(call.reply, started);
  return true;
}

Status SnapshotAdmin::Start(const AdminCall& call) {
  if (call.command == "snapshot") {
    ASSIGN_OR_RETURN(const bool dry_run, call.arguments.Flag("dry_run"));
    ASSIGN_OR_RETURN(SnapshotManifest facts, Facts(call.arguments));
    if (dry_run) {
      control_.GatherStats(
          [this, to = call.reply, facts = std::move(facts)](const std::vector<WorkerStats>& stats) {
            TellOf(to, facts, stats);
          });
      return base::Ok();
    }
  }
  ASSIGN_OR_RETURN(AdminJobs::Work work, WorkOf(call));
  return StartWork(call.reply, std::move(work));
}

Status SnapshotAdmin::StartWork(const ReplyTo& to, AdminJobs::Work work) {
  return jobs_.Start(std::move(work), [this, to](const Result<Json>& answer) {
    return answer ? control_.ReplyJson(to, *answer) : control_.ReplyError(to, answer.error());
  });
}

// A snapshot counts the leaves of its checkpoint; these are of now, and the same but for what is
// written until then. While trees are made anew neither is known, and a snapshot is refused.
void SnapshotAdmin::TellOf(const ReplyTo& to, SnapshotManifest facts,
                           const std::vector<WorkerStats>& stats) {
  SliceProgress making;
  for (const WorkerStats& each : stats) {
    making += each.making;
    for (SnapshotKeyspace& keyspace : facts.keyspaces)
      if (const auto count = each.entries.find(keyspace.id); count != each.entries.end())
        keyspace.digest.count += count->second;
  }
  const Status started =
      making.slices > making.done
          ? TreesUnmade(making.slices - making.done)
          : StartWork(to, [this, facts] { return WouldTake(snapshots_, facts); });
  if (!started.ok()) control_.ReplyError(to, started);
}

Result<AdminJobs::Work> SnapshotAdmin::WorkOf(const AdminCall& call) {
  if (call.command == "clearsnapshot") return Clearing(call.arguments);
  if (call.command == "listsnapshots") return [this] { return List(snapshots_); };
  ASSIGN_OR_RETURN(SnapshotManifest facts, Facts(call.arguments));
  return
      [this, facts = std::move(facts)] { return Take(snapshots_, control_.shared_.engine, facts); };
}

Result<SnapshotManifest> SnapshotAdmin::Facts(const base::JsonObject& arguments) const {
  ASSIGN_OR_RETURN(const std::string name, arguments.Text("name"));
  ASSIGN_OR_RETURN(const std::vector<std::string> keyspaces, arguments.Texts("keyspaces"));
  RETURN_IF_ERROR(DiskSnapshots::CheckName(name));
  if (control_.snapshot_ == nullptr)
    return base::Fail(
        base::Unavailable("this node is not in a cluster yet: it waits for its seeds"));
  return SnapshotFacts(*control_.snapshot_, name, keyspaces, control_.world_.WallMs());
}

Result<AdminJobs::Work> SnapshotAdmin::Clearing(const base::JsonObject& arguments) {
  Unwanted unwanted;
  ASSIGN_OR_RETURN(unwanted.name, arguments.Text("name"));
  ASSIGN_OR_RETURN(unwanted.all, arguments.Flag("all"));
  ASSIGN_OR_RETURN(unwanted.dry_run, arguments.Flag("dry_run"));
  if (!unwanted.all) RETURN_IF_ERROR(DiskSnapshots::CheckName(unwanted.name));
  return [this, unwanted = std::move(unwanted)] { return Clear(snapshots_, unwanted); };
}

}  // namespace starling::server
