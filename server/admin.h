// server/admin.h: what operators ask of a node, answered in JSON (nodetool, docs/operations.md).
//
// Thread:    control's.
// Ownership: control's own; lives as long as it.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/version.h"
#include "server/admin_call.h"
#include "server/admin_jobs.h"
#include "server/peer_links.h"
#include "server/repair.h"
#include "storage/engine.h"

namespace starling::server {

class Control;

class Admin {
 public:
  explicit Admin(Control& control);
  ~Admin();

  // Answers, now or later.
  void Handle(const AdminCall& call);

  // What a replica has of the key of a `why`.
  void OnWhyReply(const PeerTag& tag, const wire::Frame& frame);
  void OnWhyFailed(const PeerTag& tag, const base::Status& status);
  // Ends what replicas have left unanswered for long. To be called now and then.
  void OnTick(base::Instant now);

 private:
  static constexpr base::Duration kWhyMax = base::seconds(2);

  using Json = base::Json;

  struct WhyRow {
    Json shown;
    base::Version version;  // Empty: it has none, or did not answer.
  };
  // One `why` under way.
  struct Why {
    ReplyTo reply;
    std::string key;
    std::vector<base::NodeNumber> order;  // Of the replicas, in that of the ring.
    std::map<base::NodeNumber, WhyRow> rows;
    std::set<base::NodeNumber> open;  // Asked, and silent as yet.
    base::Instant ends;
    base::Version highest;
  };

  void Answer(const ReplyTo& to, const Json& json);
  void Fail(const ReplyTo& to, const base::Status& status);
  Json Status() const;
  Json Ring() const;
  Json DescribeCluster() const;
  Json GossipInfo() const;
  Json FailureDetector() const;
  void StartWhy(const ReplyTo& to, const std::string& keyspace, const std::string& key);
  void TookWhy(std::uint64_t id, base::NodeNumber from);
  void EndWhy(std::uint64_t id);
  void GetEndpoints(const ReplyTo& to, const std::string& keyspace, const std::string& key);
  void StartRepair(const ReplyTo& to, const std::string& keyspace, bool dry_run);
  Json DryRepair(const Repair::Result& result) const;
  Json DryFlush() const;
  Json DryCompact() const;
  Json DryDrain() const;
  void RunOnEngine(const ReplyTo& to, base::Status (storage::Engine::*work)());
  void WithStats(const ReplyTo& to, Json (Admin::*make)(const std::vector<WorkerStats>&) const);
  Json RepairStatus(const std::vector<WorkerStats>& stats) const;
  Json NetStats(const std::vector<WorkerStats>& stats) const;
  Json TableStats(const std::vector<WorkerStats>& stats) const;
  Json PendingHints(const std::vector<WorkerStats>& stats) const;
  Json Info(const std::vector<WorkerStats>& stats) const;
  Json PurgeStatus(const std::vector<WorkerStats>& stats) const;
  Json ScrubStatus() const;
  void StartScrub(const ReplyTo& to, bool dry_run);
  void DeclareAbsent(const ReplyTo& to, const base::JsonObject& arguments);
  Json Warnings() const;

  Control& control_;
  std::map<std::uint64_t, Why> whys_;
  AdminJobs jobs_;  // Flushes and compactions.
  std::uint64_t next_why_ = 0;
};

}  // namespace starling::server
