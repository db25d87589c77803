#include "server/quarantine_admin.h"

#include <fmt/core.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/base64.h"
#include "base/check.h"
#include "base/hash.h"
#include "server/control.h"
#include "server/wire/limits.h"
#include "storage/entry.h"

namespace starling::server {

using base::Result;
using base::Status;
using Json = nlohmann::ordered_json;

namespace {

constexpr std::size_t kJobsMax = 16;
constexpr std::size_t kPageEntriesMax = 1000;
constexpr std::size_t kPageKeyBytesMax = 1 << 20;
constexpr std::size_t kPieceBytesMax = 4 << 20;

Result<std::string> BytesOf(const Json& object, const char* name) {
  const std::string in_base64 = object.value(std::string(name) + "_base64", "");
  if (in_base64.empty()) return object.value(name, "");
  auto bytes = base::FromBase64(in_base64);
  if (!bytes) return base::Fail(bytes.error().Annotate(std::string(name) + "_base64"));
  return bytes;
}

void PutKey(Json& object, base::Bytes key) {
  if (base::IsUtf8(key))
    object["key"] = key;
  else
    object["key_base64"] = base::ToBase64(key);
}

std::string TextOf(const Json& value) {
  return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace

struct QuarantineAdmin::Arguments {
  std::string keyspace{};
  std::string key{};
  std::string version{};
  std::string after{};  // A stored key.
  std::uint64_t from = 0;

  static Result<Arguments> Parse(base::Bytes text) {
    const Json object = text.empty() ? Json::object() : Json::parse(text, nullptr, false);
    if (!object.is_object())
      return base::Fail(base::InvalidArgument("the arguments are not a JSON object"));
    try {
      Arguments arguments{.keyspace = object.value("keyspace", ""),
                          .version = object.value("version", "")};
      if (const auto from = object.find("from"); from != object.end()) {
        if (!from->is_number_unsigned())  // get() would cut off what is none.
          return base::Fail(base::InvalidArgument("the arguments: 'from' is no whole number"));
        arguments.from = from->get<std::uint64_t>();
      }
      ASSIGN_OR_RETURN(arguments.key, BytesOf(object, "key"));
      ASSIGN_OR_RETURN(arguments.after, base::FromBase64(object.value("after", "")));
      return arguments;
    } catch (const Json::exception& error) {
      return base::Fail(base::InvalidArgument(fmt::format("the arguments: {}", error.what())));
    }
  }
};

struct QuarantineAdmin::Job final : base::Job {
  Job(QuarantineAdmin& home, std::string asked, Arguments with)
      : admin(home), command(std::move(asked)), arguments(std::move(with)) {}

  void Run() noexcept override {
    answer = command == "quarantine" ? List() : command == "quarantine-value" ? Piece() : Find();
  }
  void Done() override { admin.OnDone(*this); }

  Result<Json> List() {
    Json entries = Json::array();
    Json after;
    std::size_t key_bytes = 0;
    const auto cursor = engine->Scan(storage::Family::kQuarantine, {}, {});
    for (cursor->Seek(arguments.after); cursor->Valid(); cursor->Next()) {
      if (cursor->key() == arguments.after) continue;
      const auto key = storage::DecodeDataKey(cursor->key());
      if (!key) return base::Fail(key.error());
      const topology::Keyspace* space = topology->FindKeyspace(key->keyspace);
      if (!arguments.keyspace.empty() && (space == nullptr || space->name != arguments.keyspace))
        continue;
      const auto entry = storage::DecodeEntry(cursor->value());
      Json row = {{"keyspace", space == nullptr ? fmt::format("{}", key->keyspace) : space->name}};
      PutKey(row, key->key);
      row["version"] = entry ? Json(entry->header.version.ToString()) : Json();
      row["stamped_ms"] = entry ? Json(entry->header.version.wall_ms()) : Json();
      row["bytes"] = entry ? Json(entry->value.size()) : Json();
      const bool expires = entry && (entry->header.flags & storage::kFlagHasExpiry) != 0;
      row["expires_ms"] = expires ? Json(entry->header.expiry_ms) : Json();
      row["problem"] = entry ? Json() : Json(entry.error().message());
      entries.push_back(std::move(row));
      key_bytes += key->key.size();
      if (entries.size() < kPageEntriesMax && key_bytes < kPageKeyBytesMax) continue;
      after = base::ToBase64(cursor->key());
      break;
    }
    RETURN_IF_ERROR(cursor->status());
    return Json{{"entries", entries}, {"after", after}};
  }

  // The stored entry that the arguments name.
  Result<std::string> Load() {
    const topology::Keyspace* space = topology->FindKeyspace(arguments.keyspace);
    if (space == nullptr)
      return base::Fail(
          base::InvalidArgument(fmt::format("there is no keyspace '{}'", arguments.keyspace)));
    const base::Token token = base::TokenOf(arguments.key, topology->token_seed);
    storage::EncodeDataKeyTo({space->id, token, arguments.key}, stored_key);
    auto stored = storage::GetOne(*engine, storage::Family::kQuarantine, stored_key);
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

  QuarantineAdmin& admin;
  const std::string command;
  const Arguments arguments;
  storage::Engine* engine = nullptr;
  topology::TopologyPtr topology{};
  ReplyTo reply{};
  std::string stored_key{};
  Result<Json> answer{};
};

QuarantineAdmin::QuarantineAdmin(Control& control) : control_(control) {}
QuarantineAdmin::~QuarantineAdmin() = default;

bool QuarantineAdmin::Handle(const FrameMail& mail) {
  const auto request = wire::Decode<wire::AdminRequest>(mail.header);
  if (!request) return false;
  const std::string& command = request->command;
  if (command != "quarantine" && command != "quarantine-value" && command != "quarantine-drop")
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

void QuarantineAdmin::Start(const ReplyTo& to, const std::string& command, Arguments arguments) {
  Status may;
  if (control_.snapshot_ == nullptr)
    may = base::Unavailable("this node is not in a cluster yet: it waits for its seeds");
  else if (jobs_.size() >= kJobsMax)
    may = base::Overloaded(fmt::format(
        "{} commands on the quarantine wait already: try again when they are done", kJobsMax));
  else if (command != "quarantine" && arguments.key.empty())
    may = base::InvalidArgument("the key is empty");
  else if (arguments.key.size() > wire::kKeyBytesMax)
    may = base::InvalidArgument(fmt::format("the key has {} bytes, at most {} are taken",
                                            arguments.key.size(), wire::kKeyBytesMax));
  if (!may.ok()) return control_.ReplyError(to, may);
  auto job = std::make_unique<Job>(*this, command, std::move(arguments));
  job->engine = &control_.shared_.engine;
  job->topology = control_.snapshot_->topology;
  job->reply = to;
  Job& running = *job;
  jobs_.push_back(std::move(job));
  control_.world_.Offload(base::Lane::kMaintenance, running);
}

void QuarantineAdmin::OnDone(Job& job) {
  const auto it = std::ranges::find_if(jobs_, [&](const auto& each) { return each.get() == &job; });
  CHECK(it != jobs_.end());
  const std::unique_ptr<Job> done = std::move(*it);
  jobs_.erase(it);
  if (!done->answer) return control_.ReplyError(done->reply, done->answer.error());
  const std::string text = TextOf(*done->answer);
  if (done->command != "quarantine-drop") return Answer(done->reply, text);
  auto batch = std::make_unique<storage::Batch>();
  batch->Delete(storage::Family::kQuarantine, done->stored_key);
  control_.Persist(std::move(batch), [this, to = done->reply, text] { Answer(to, text); });
}

void QuarantineAdmin::Answer(const ReplyTo& to, const std::string& text) {
  control_.Reply(to, wire::AdminReply{base::Hash64(text)}, text);
}

}  // namespace starling::server
