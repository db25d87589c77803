#include "server/quarantine_admin.h"

#include <fmt/core.h>

#include <algorithm>
#include <utility>

#include "base/base64.h"
#include "server/control.h"
#include "server/wire/limits.h"
#include "storage/entry.h"

namespace starling::server {

using base::Json;
using base::Result;
using base::Status;

namespace {

constexpr std::size_t kPageEntriesMax = 1000;
constexpr std::size_t kPageKeyBytesMax = 1 << 20;
constexpr std::size_t kPieceBytesMax = 4 << 20;

}  // namespace

struct QuarantineAdmin::Arguments {
  std::string keyspace{};
  std::string key{};
  std::string version{};
  std::string after{};  // A stored key.
  std::uint64_t from = 0;

  static Result<Arguments> Read(const base::JsonObject& object) {
    Arguments arguments;
    ASSIGN_OR_RETURN(arguments.keyspace, object.Text("keyspace"));
    ASSIGN_OR_RETURN(arguments.key, object.Bytes("key"));
    ASSIGN_OR_RETURN(arguments.version, object.Text("version"));
    ASSIGN_OR_RETURN(const std::string after, object.Text("after"));
    auto key = base::FromBase64(after);
    if (!key) return base::Fail(key.error().Annotate("after"));
    arguments.after = *std::move(key);
    ASSIGN_OR_RETURN(arguments.from, object.Whole("from"));
    return arguments;
  }
};

struct QuarantineAdmin::Job {
  Result<Json> Run() {
    return command == "quarantine" ? List() : command == "quarantine-value" ? Piece() : Find();
  }

  Result<Json> List() {
    if (!arguments.keyspace.empty())
      if (const auto known = FindKeyspace(); !known) return base::Fail(known.error());
    Json entries = Json::Array();
    Json after;
    std::size_t key_bytes = 0;
    const auto cursor = engine.Scan(storage::Family::kQuarantine, {}, {});
    for (cursor->Seek(arguments.after); cursor->Valid(); cursor->Next()) {
      if (cursor->key() == arguments.after) continue;
      const auto key = storage::DecodeDataKey(cursor->key());
      if (!key) return base::Fail(key.error());
      const topology::Keyspace* space = topology->FindKeyspace(key->keyspace);
      if (!arguments.keyspace.empty() && (space == nullptr || space->name != arguments.keyspace))
        continue;
      const auto entry = storage::DecodeEntry(cursor->value());
      const bool expires = entry && (entry->header.flags & storage::kFlagHasExpiry) != 0;
      const bool plain = base::IsUtf8(key->key);
      entries.Append(
          {{"keyspace", space == nullptr ? fmt::format("{}", key->keyspace) : space->name},
           {plain ? "key" : "key_base64", plain ? std::string(key->key) : base::ToBase64(key->key)},
           {"version", entry ? Json(entry->header.version.ToString()) : Json()},
           {"stamped_ms", entry ? Json(entry->header.version.wall_ms()) : Json()},
           {"bytes", entry ? Json(entry->value.size()) : Json()},
           {"expires_ms", expires ? Json(entry->header.expiry_ms) : Json()},
           {"problem", entry ? Json() : Json(entry.error().message())}});
      key_bytes += key->key.size();
      if (entries.size() < kPageEntriesMax && key_bytes < kPageKeyBytesMax) continue;
      after = base::ToBase64(cursor->key());
      break;
    }
    RETURN_IF_ERROR(cursor->status());
    return Json{{"entries", entries}, {"after", after}};
  }

  Result<const topology::Keyspace*> FindKeyspace() const {
    if (const topology::Keyspace* space = topology->FindKeyspace(arguments.keyspace)) return space;
    return base::Fail(
        base::InvalidArgument(fmt::format("there is no keyspace '{}'", arguments.keyspace)));
  }

  // The stored entry that the arguments name.
  Result<std::string> Load() {
    ASSIGN_OR_RETURN(const topology::Keyspace* space, FindKeyspace());
    const base::Token token = base::TokenOf(arguments.key, topology->token_seed);
    storage::EncodeDataKeyTo({space->id, token, arguments.key}, stored_key);
    auto stored = storage::GetOne(engine, storage::Family::kQuarantine, stored_key);
    if (!stored) return stored;
    const auto entry = storage::DecodeEntry(*stored);
    if (entry && entry->header.version.ToString() != arguments.version)
      return base::Fail(
          base::NotFound(fmt::format("the quarantine has version {} of the key, not {}",
                                     entry->header.version.ToString(), arguments.version)));
    return stored;
  }

  Result<Json> Piece() {
    ASSIGN_OR_RETURN(const std::string stored, Load());
    ASSIGN_OR_RETURN(const storage::Entry entry, storage::DecodeEntry(stored));
    RETURN_IF_ERROR(storage::VerifyValue(entry));
    const std::size_t from = std::min<std::size_t>(arguments.from, entry.value.size());
    return Json{{"value_base64", base::ToBase64(entry.value.substr(from, kPieceBytesMax))},
                {"bytes", entry.value.size()}};
  }

  // A damaged one can be dropped too.
  Result<Json> Find() {
    const auto stored = Load();
    if (!stored) return base::Fail(stored.error());
    return Json{{"dropped", 1}};
  }

  const std::string command;
  const Arguments arguments;
  storage::Engine& engine;
  const topology::TopologyPtr topology;
  std::string stored_key{};
};

QuarantineAdmin::QuarantineAdmin(Control& control) : control_(control), jobs_(control.world_) {}
QuarantineAdmin::~QuarantineAdmin() = default;

bool QuarantineAdmin::Handle(const AdminCall& call) {
  if (call.command != "quarantine" && call.command != "quarantine-value" &&
      call.command != "quarantine-drop")
    return false;
  if (const Status started = Start(call); !started.ok()) control_.ReplyError(call.reply, started);
  return true;
}

Status QuarantineAdmin::Start(const AdminCall& call) {
  ASSIGN_OR_RETURN(Arguments arguments, Arguments::Read(call.arguments));
  if (control_.snapshot_ == nullptr)
    return base::Unavailable("this node is not in a cluster yet: it waits for its seeds");
  if (call.command != "quarantine" && arguments.key.empty())
    return base::InvalidArgument("the key is empty");
  if (arguments.key.size() > wire::kKeyBytesMax)
    return base::InvalidArgument(fmt::format("the key has {} bytes, at most {} are taken",
                                             arguments.key.size(), wire::kKeyBytesMax));
  const auto job = std::make_shared<Job>(Job{.command = call.command,
                                             .arguments = std::move(arguments),
                                             .engine = control_.shared_.engine,
                                             .topology = control_.snapshot_->topology});
  return jobs_.Start([job] { return job->Run(); },
                     [this, job, to = call.reply](const Result<Json>& answer) {
                       return answer ? OnDone(*job, to, *answer)
                                     : control_.ReplyError(to, answer.error());
                     });
}

void QuarantineAdmin::OnDone(const Job& job, const ReplyTo& to, const Json& answer) {
  if (job.command != "quarantine-drop") return control_.ReplyJson(to, answer);
  auto batch = std::make_unique<storage::Batch>();
  batch->Delete(storage::Family::kQuarantine, job.stored_key);
  control_.Persist(std::move(batch), [this, to, answer] { control_.ReplyJson(to, answer); });
}

}  // namespace starling::server
