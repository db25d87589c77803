#include "server/snapshot_admin.h"

#include <fmt/core.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/check.h"
#include "base/hash.h"
#include "server/control.h"
#include "server/snapshot_facts.h"

namespace starling::server {

using base::Result;
using base::Status;
using Json = nlohmann::ordered_json;

namespace {

// More would be a queue of operators, or of a script gone wild.
constexpr std::size_t kJobsMax = 16;

Json Describe(const SnapshotManifest& manifest) {
  Json keyspaces = Json::array();
  for (const SnapshotKeyspace& keyspace : manifest.keyspaces) {
    std::uint32_t buckets = 0;
    for (const BucketRange& range : keyspace.ranges) buckets += range.last - range.first + 1U;
    keyspaces.push_back({{"name", keyspace.name},
                         {"replication", keyspace.replication},
                         {"entries", keyspace.digest.count},
                         {"share", static_cast<double>(buckets) / base::kBuckets}});
  }
  return keyspaces;
}

Json Describe(const DiskSnapshots::Listed& listed) {
  Json row = {{"name", listed.name},
              {"created_ms", nullptr},
              {"epoch", nullptr},
              {"keyspaces", Json::array()},
              {"entries", nullptr},
              {"bytes", listed.bytes},
              {"own_bytes", listed.bytes_not_shared},
              {"problem", listed.problem.empty() ? Json() : Json(listed.problem)}};
  if (!listed.problem.empty()) return row;
  row["created_ms"] = listed.manifest.created_ms;
  row["epoch"] = listed.manifest.epoch;
  std::uint64_t entries = 0;
  for (const SnapshotKeyspace& keyspace : listed.manifest.keyspaces) {
    row["keyspaces"].push_back(keyspace.name);
    entries += keyspace.digest.count;
  }
  row["entries"] = entries;
  return row;
}

}  // namespace

struct SnapshotAdmin::Arguments {
  std::string name{};
  std::vector<std::string> keyspaces{};
  bool all = false;
  bool dry_run = false;

  // InvalidArgument names the field that is of another type.
  static Result<Arguments> Parse(base::Bytes text) {
    const Json object = text.empty() ? Json::object() : Json::parse(text, nullptr, false);
    if (!object.is_object())
      return base::Fail(base::InvalidArgument("the arguments are not a JSON object"));
    try {
      return Arguments{.name = object.value("name", ""),
                       .keyspaces = object.value("keyspaces", std::vector<std::string>()),
                       .all = object.value("all", false),
                       .dry_run = object.value("dry_run", false)};
    } catch (const Json::exception& error) {
      return base::Fail(base::InvalidArgument(fmt::format("the arguments: {}", error.what())));
    }
  }
};

struct SnapshotAdmin::Job final : base::Job {
  Job(SnapshotAdmin& home, std::string asked, Arguments with)
      : admin(home), command(std::move(asked)), arguments(std::move(with)) {}

  void Run() noexcept override {
    answer = command == "snapshot" ? Take() : command == "listsnapshots" ? List() : Clear();
  }
  void Done() override { admin.OnDone(*this); }

  Result<Json> Take() {
    if (arguments.dry_run) {
      RETURN_IF_ERROR(admin.snapshots_.CheckFree(facts.name));
      return Json{{"name", facts.name}, {"dry_run", true}, {"keyspaces", Describe(facts)}};
    }
    ASSIGN_OR_RETURN(const SnapshotManifest taken,
                     admin.snapshots_.Take(admin.control_.shared_.engine, facts));
    return Json{{"name", taken.name},
                {"directory", admin.snapshots_.root() + "/" + taken.name},
                {"epoch", taken.epoch},
                {"keyspaces", Describe(taken)}};
  }

  Result<Json> List() const {
    ASSIGN_OR_RETURN(const auto all, admin.snapshots_.List());
    Json rows = Json::array();
    for (const DiskSnapshots::Listed& each : all) rows.push_back(Describe(each));
    return Json{{"snapshots", rows}};
  }

  Result<Json> Clear() const {
    std::vector<std::string> names;
    ASSIGN_OR_RETURN(const auto all, admin.snapshots_.List());
    for (const DiskSnapshots::Listed& each : all)
      if (arguments.all || each.name == arguments.name) names.push_back(each.name);
    if (names.empty() && !arguments.all)
      return base::Fail(base::NotFound(fmt::format("there is no snapshot '{}'", arguments.name)));
    if (!arguments.dry_run)
      for (const std::string& name : names) RETURN_IF_ERROR(admin.snapshots_.Clear(name));
    return Json{{arguments.dry_run ? "would_clear" : "cleared", names}};
  }

  SnapshotAdmin& admin;
  const std::string command;
  const Arguments arguments;
  SnapshotManifest facts{};
  ReplyTo reply{};
  Result<Json> answer{};
};

SnapshotAdmin::SnapshotAdmin(Control& control)
    : control_(control), snapshots_(control.shared_.config.node.data_dir) {}
SnapshotAdmin::~SnapshotAdmin() = default;

bool SnapshotAdmin::Handle(const FrameMail& mail) {
  const auto request = wire::Decode<wire::AdminRequest>(mail.header);
  if (!request) return false;
  const std::string& command = request->command;
  if (command != "snapshot" && command != "listsnapshots" && command != "clearsnapshot")
    return false;
  const ReplyTo& to = mail.reply;
  if (base::Hash64(mail.payload) != request->payload_digest) {
    control_.ReplyError(to, base::Corruption("the arguments were damaged on their way"));
  } else if (auto arguments = Arguments::Parse(mail.payload); !arguments) {
    control_.ReplyError(to, arguments.error());
  } else {
    Start(to, command, *std::move(arguments));
  }
  return true;
}

void SnapshotAdmin::Start(const ReplyTo& to, const std::string& command, Arguments arguments) {
  if (jobs_.size() >= kJobsMax)
    return control_.ReplyError(
        to, base::Overloaded(fmt::format(
                "{} commands on snapshots wait already: try again when they are done", kJobsMax)));
  const bool takes = command == "snapshot";
  if (takes || (command == "clearsnapshot" && !arguments.all))
    if (const Status name = DiskSnapshots::CheckName(arguments.name); !name.ok())
      return control_.ReplyError(to, name);
  SnapshotManifest facts;
  if (takes) {
    if (control_.snapshot_ == nullptr)
      return control_.ReplyError(
          to, base::Unavailable("this node is not in a cluster yet: it waits for its seeds"));
    auto made = SnapshotFacts(*control_.snapshot_, arguments.name, arguments.keyspaces,
                              control_.world_.WallMs());
    if (!made) return control_.ReplyError(to, made.error());
    facts = *std::move(made);
  }
  auto job = std::make_unique<Job>(*this, command, std::move(arguments));
  job->facts = std::move(facts);
  job->reply = to;
  Job& running = *job;
  jobs_.push_back(std::move(job));
  control_.world_.Offload(base::Lane::kMaintenance, running);
}

void SnapshotAdmin::OnDone(Job& job) {
  const auto it = std::ranges::find_if(jobs_, [&](const auto& each) { return each.get() == &job; });
  CHECK(it != jobs_.end());
  const std::unique_ptr<Job> done = std::move(*it);
  jobs_.erase(it);
  if (!done->answer) return control_.ReplyError(done->reply, done->answer.error());
  const std::string text = done->answer->dump(-1, ' ', false, Json::error_handler_t::replace);
  control_.Reply(done->reply, wire::AdminReply{base::Hash64(text)}, text);
}

}  // namespace starling::server
