#include "server/verify_admin.h"

#include <fmt/core.h>

#include <algorithm>
#include <filesystem>
#include <optional>
#include <system_error>

#include "server/admin_places.h"
#include "server/control.h"
#include "server/tree_check.h"
#include "server/tree_rebuild.h"

namespace starling::server {

namespace {

constexpr std::uint64_t kStepBytes = 4 << 20;  // Some ms; flushes and snapshots go in between.

base::Status Remove(const std::string& directory) {
  std::error_code error;
  std::filesystem::remove_all(directory, error);
  return error ? base::Io(fmt::format("removing {}: {}", directory, error.message())) : base::Ok();
}

}  // namespace

struct VerifyAdmin::Job final : base::Job {
  explicit Job(VerifyAdmin& home) : admin(home) {}

  void Run() noexcept override {
    step_bytes = 0;
    if (status = check ? Step() : Begin(); status.ok() && !ended) return;
    check.reset();
    checkpoint.reset();
    const base::Status removed = Remove(directory);
    if (status.ok()) status = removed;
    ended = true;
  }
  void Done() override { admin.OnStep(); }

  base::Status Begin() {
    RETURN_IF_ERROR(Remove(directory));  // Of a process that died over it.
    ASSIGN_OR_RETURN(checkpoint, engine->Checkpoint(directory));
    RETURN_IF_ERROR(CheckTreesMade(*checkpoint));
    check.emplace(*checkpoint, options);
    RETURN_IF_ERROR(check->Load());
    entries = check->entries();
    return base::Ok();
  }

  base::Status Step() {
    const std::uint64_t before = check->bytes();
    ended = check->Step(kStepBytes);
    step_bytes = check->bytes() - before;
    entries_read = check->entries_read();
    if (ended) report = check->report();
    return base::Ok();
  }

  VerifyAdmin& admin;
  storage::Engine* engine = nullptr;
  std::string directory;
  TreeCheckOptions options;
  ReplyTo reply;
  SnapshotPtr snapshot;  // For the names of keyspaces.
  base::Instant began;
  std::unique_ptr<storage::Engine> checkpoint;
  std::optional<TreeCheck> check;
  TreeCheckReport report;
  std::uint64_t step_bytes = 0;
  std::uint64_t entries = 0, entries_read = 0;
  bool ended = false;
  base::Status status;
};

VerifyAdmin::VerifyAdmin(Control& control)
    : control_(control), rate_(control.shared_.config.repair.bytes_per_second) {}
VerifyAdmin::~VerifyAdmin() = default;

bool VerifyAdmin::Handle(const AdminCall& call) {
  if (call.command != "verify") return false;
  if (const base::Status started = Start(call); !started.ok())
    control_.ReplyError(call.reply, started);
  return true;
}

base::Status VerifyAdmin::Start(const AdminCall& call) {
  ASSIGN_OR_RETURN(const std::string name, call.arguments.Text("keyspace"));
  ASSIGN_OR_RETURN(const bool deep, call.arguments.Flag("deep"));
  if (control_.snapshot_ == nullptr)
    return base::Unavailable("this node is not in a cluster yet: it waits for its seeds");
  if (job_ != nullptr)
    return base::Overloaded("a verification of this node runs already: wait until it ends");
  const topology::Topology& topology = *control_.snapshot_->topology;
  auto job = std::make_unique<Job>(*this);
  job->options.digest_seed = topology.token_seed;
  job->options.values = deep;
  if (!name.empty()) {
    const topology::Keyspace* keyspace = topology.FindKeyspace(name);
    if (keyspace == nullptr) return NoKeyspace(name);
    job->options.keyspace = keyspace->id;
  }
  job->engine = &control_.shared_.engine;
  job->directory = control_.shared_.config.node.data_dir + "/" + kVerifyingDirectory;
  job->reply = call.reply;
  job->snapshot = control_.snapshot_;
  job->began = control_.world_.Now();
  progress_ = {};
  job_ = std::move(job);
  GoOn(job_->began);
  return base::Ok();
}

void VerifyAdmin::GoOn(base::Instant now) {
  resting_ = !rate_.Ready(now);
  if (!resting_) control_.world_.Offload(base::Lane::kMaintenance, *job_);
}

std::optional<EntryProgress> VerifyAdmin::progress() const {
  if (job_ == nullptr) return std::nullopt;
  EntryProgress progress = progress_;
  progress.elapsed = control_.world_.Now() - job_->began;
  return progress;
}

void VerifyAdmin::OnTick(base::Instant now) {
  if (job_ != nullptr && resting_) GoOn(now);
}

void VerifyAdmin::OnStep() {
  const base::Instant now = control_.world_.Now();
  rate_.Count(now, job_->step_bytes);
  progress_.entries = job_->entries;
  progress_.done = std::min(job_->entries_read, job_->entries);
  if (!job_->ended) return GoOn(now);
  const std::unique_ptr<Job> done = std::move(job_);
  // Of another code it is about the copy that was looked at, as when there was no room for it.
  if (done->status.code() == base::Code::kCorruption)
    control_.shared_.met_damage.Note(done->status);
  if (const std::string& problem = done->report.first_problem; !problem.empty())
    control_.shared_.met_damage.Note(base::Corruption(problem));
  if (!done->status.ok()) return control_.ReplyError(done->reply, done->status);
  base::Json keyspaces = base::Json::Array();
  for (const auto& [id, each] : done->report.keyspaces) {
    const topology::Keyspace* keyspace = done->snapshot->topology->FindKeyspace(id);
    base::Json wrong = base::Json::Array();
    for (const std::uint16_t bucket : each.first_wrong) wrong.Append(fmt::format("{:04x}", bucket));
    keyspaces.Append({{"keyspace", keyspace == nullptr ? fmt::format("{}", id) : keyspace->name},
                      {"entries", each.entries},
                      {"data_bytes", each.bytes},
                      {"wrong_buckets", each.wrong_buckets},
                      {"first_wrong", wrong}});
  }
  control_.ReplyJson(done->reply, {{"sound", done->report.sound()},
                                   {"keyspaces", keyspaces},
                                   {"damaged_entries", done->report.damaged_entries},
                                   {"unread_buckets", done->report.unread_buckets},
                                   {"problem", done->report.first_problem},
                                   {"took_ms", base::ToMs(now - done->began)}});
}

}  // namespace starling::server
