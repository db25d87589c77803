#include "server/verify_admin.h"

#include <fmt/core.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <system_error>

#include "base/hash.h"
#include "server/admin_json.h"
#include "server/control.h"
#include "server/tree_check.h"

namespace starling::server {

namespace {

constexpr std::uint64_t kStepBytes = 4 << 20;  // Some ms; flushes and snapshots go in between.

std::string TextOf(const json& value) {
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

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
    check.emplace(*checkpoint, options);
    return check->Load();
  }

  base::Status Step() {
    const std::uint64_t before = check->bytes();
    ended = check->Step(kStepBytes);
    step_bytes = check->bytes() - before;
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
  bool ended = false;
  base::Status status;
};

VerifyAdmin::VerifyAdmin(Control& control)
    : control_(control), rate_(control.shared_.config.repair.bytes_per_second) {}
VerifyAdmin::~VerifyAdmin() = default;

bool VerifyAdmin::Handle(const FrameMail& mail) {
  const auto request = wire::Decode<wire::AdminRequest>(mail.header);
  if (!request || request->command != "verify") return false;
  if (base::Hash64(mail.payload) != request->payload_digest)
    control_.ReplyError(mail.reply, base::Corruption("the arguments were damaged on their way"));
  else
    Start(mail.reply, mail.payload);
  return true;
}

void VerifyAdmin::Start(const ReplyTo& to, base::Bytes text) {
  const auto fail = [&](const base::Status& status) { control_.ReplyError(to, status); };
  const json arguments = text.empty() ? json::object() : json::parse(text, nullptr, false);
  if (!arguments.is_object() || !arguments.value("keyspace", json("")).is_string() ||
      !arguments.value("deep", json(false)).is_boolean())
    return fail(base::InvalidArgument("the arguments are not what verify takes"));
  if (control_.snapshot_ == nullptr)
    return fail(base::Unavailable("this node is not in a cluster yet: it waits for its seeds"));
  if (job_ != nullptr)
    return fail(base::Overloaded("a verification of this node runs already: wait until it ends"));
  const topology::Topology& topology = *control_.snapshot_->topology;
  auto job = std::make_unique<Job>(*this);
  job->options.digest_seed = topology.token_seed;
  job->options.values = arguments.value("deep", false);
  if (const std::string name = arguments.value("keyspace", ""); !name.empty()) {
    const topology::Keyspace* keyspace = topology.FindKeyspace(name);
    if (keyspace == nullptr) return fail(NoKeyspace(name));
    job->options.keyspace = keyspace->id;
  }
  job->engine = &control_.shared_.engine;
  job->directory = control_.shared_.config.node.data_dir + "/" + kVerifyingDirectory;
  job->reply = to;
  job->snapshot = control_.snapshot_;
  job->began = control_.world_.Now();
  job_ = std::move(job);
  GoOn(job_->began);
}

void VerifyAdmin::GoOn(base::Instant now) {
  resting_ = !rate_.Ready(now);
  if (!resting_) control_.world_.Offload(base::Lane::kMaintenance, *job_);
}

void VerifyAdmin::OnTick(base::Instant now) {
  if (job_ != nullptr && resting_) GoOn(now);
}

void VerifyAdmin::OnStep() {
  const base::Instant now = control_.world_.Now();
  rate_.Count(now, job_->step_bytes);
  if (!job_->ended) return GoOn(now);
  const std::unique_ptr<Job> done = std::move(job_);
  if (!done->status.ok()) return control_.ReplyError(done->reply, done->status);
  json keyspaces = json::array();
  for (const auto& [id, each] : done->report.keyspaces) {
    const topology::Keyspace* keyspace = done->snapshot->topology->FindKeyspace(id);
    json wrong = json::array();
    for (const std::uint16_t bucket : each.first_wrong)
      wrong.push_back(fmt::format("{:04x}", bucket));
    keyspaces.push_back({{"keyspace", keyspace == nullptr ? fmt::format("{}", id) : keyspace->name},
                         {"entries", each.entries},
                         {"data_bytes", each.bytes},
                         {"wrong_buckets", each.wrong_buckets},
                         {"first_wrong", wrong}});
  }
  const std::string text = TextOf({{"sound", done->report.sound()},
                                   {"keyspaces", keyspaces},
                                   {"damaged_entries", done->report.damaged_entries},
                                   {"unread_buckets", done->report.unread_buckets},
                                   {"problem", done->report.first_problem},
                                   {"took_ms", base::ToMs(now - done->began)}});
  control_.Reply(done->reply, wire::AdminReply{base::Hash64(text)}, text);
}

}  // namespace starling::server
