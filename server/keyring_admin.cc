// server/keyring_admin.cc: commands to changes, changes to disk, and then to gossip.
#include "server/keyring_admin.h"

#include <fmt/core.h>

#include <nlohmann/json.hpp>
#include <utility>

#include "base/hash.h"
#include "base/log.h"
#include "server/control.h"

namespace starling::server {
namespace {

using Json = nlohmann::ordered_json;

std::string StringIn(const Json& object, const char* name) {
  const auto it = object.find(name);
  return it != object.end() && it->is_string() ? it->get<std::string>() : std::string();
}

// What was done, for the log.
base::Result<std::string> Apply(gossip::Keyring& keyring, std::string_view command,
                                const Json& arguments) {
  if (command == "keyring-require") {
    RETURN_IF_ERROR(keyring.Require());
    return std::string("a seal is required: unsealed packets are dropped");
  }
  if (command == "keyring-add") {
    ASSIGN_OR_RETURN(const gossip::KeyBytes key, gossip::ParseKey(StringIn(arguments, "key")));
    RETURN_IF_ERROR(keyring.Add(key));
    return fmt::format("key {} is installed", gossip::PrintKeyId(gossip::Fingerprint(key)));
  }
  ASSIGN_OR_RETURN(const gossip::KeyId id, gossip::ParseKeyId(StringIn(arguments, "id")));
  if (command == "keyring-use") {
    RETURN_IF_ERROR(keyring.Use(id));
    return fmt::format("key {} seals packets", gossip::PrintKeyId(id));
  }
  if (command == "keyring-remove") {
    RETURN_IF_ERROR(keyring.Remove(id));
    return fmt::format("key {} is removed", gossip::PrintKeyId(id));
  }
  return base::Fail(
      base::InvalidArgument(fmt::format("'{}' is not a command of this node", command)));
}

}  // namespace

struct KeyringAdmin::SaveJob final : base::Job {
  explicit SaveJob(KeyringAdmin& owner) : home(owner) {}
  void Run() noexcept override {
    status = home.file_.empty() ? base::Ok() : SaveKeyring(home.file_, keyring);
  }
  void Done() override { home.OnSaved(); }

  KeyringAdmin& home;
  gossip::Keyring keyring;
  std::string done;
  ReplyTo reply;
  base::Status status;
};

KeyringAdmin::KeyringAdmin(Control& control, const NodeKeys& keys)
    : control_(control), file_(keys.file), keyring_(keys.keyring) {}
KeyringAdmin::~KeyringAdmin() = default;

bool KeyringAdmin::Handle(const FrameMail& mail) {
  const auto request = wire::Decode<wire::AdminRequest>(mail.header);
  if (!request || !request->command.starts_with("keyring")) return false;
  if (base::Hash64(mail.payload) != request->payload_digest)
    control_.ReplyError(mail.reply, base::Corruption("the arguments were damaged on their way"));
  else if (request->command == "keyring")
    Answer(mail.reply);
  else
    Change(mail.reply, *request, mail.payload);
  return true;
}

void KeyringAdmin::Answer(const ReplyTo& to) {
  Json keys = Json::array();
  for (const gossip::Keyring::Key& key : keyring_.keys())
    keys.push_back(gossip::PrintKeyId(key.id));
  Json members = Json::array();
  if (control_.snapshot_ != nullptr) {
    for (const topology::Node* node : control_.snapshot_->topology->members())
      members.push_back(
          {{"address", node->cluster.IpString()}, {"client", node->client.ToString()}});
  }
  const std::optional<gossip::KeyId> primary = keyring_.primary();
  const Json answer = {{"address", control_.self_.cluster.IpString()},
                       {"keys", keys},
                       {"primary", primary ? Json(gossip::PrintKeyId(*primary)) : Json()},
                       {"required", keyring_.required()},
                       {"members", members}};
  const std::string text = answer.dump();
  control_.Reply(to, wire::AdminReply{base::Hash64(text)}, text);
}

void KeyringAdmin::Change(const ReplyTo& to, const wire::AdminRequest& request,
                          base::Bytes arguments) {
  if (saving_ != nullptr)
    return control_.ReplyError(
        to, base::Overloaded("another change of the keyring is being written: try again"));
  const Json parsed = arguments.empty() ? Json::object() : Json::parse(arguments, nullptr, false);
  if (!parsed.is_object())
    return control_.ReplyError(to, base::InvalidArgument("the arguments are not a JSON object"));
  gossip::Keyring changed = keyring_;
  auto done = Apply(changed, request.command, parsed);
  if (!done) return control_.ReplyError(to, done.error());
  saving_ = std::make_unique<SaveJob>(*this);
  saving_->keyring = std::move(changed);
  saving_->done = *std::move(done);
  saving_->reply = to;
  control_.world_.Offload(base::Lane::kSync, *saving_);
}

void KeyringAdmin::OnSaved() {
  const std::unique_ptr<SaveJob> job = std::move(saving_);
  if (!job->status.ok()) {
    base::log::Error("keyring", "unchanged: {}", job->status.message());
    return control_.ReplyError(job->reply, job->status);
  }
  keyring_ = std::move(job->keyring);
  if (control_.gossip_ != nullptr) control_.gossip_->SetKeyring(keyring_);
  base::log::Info("keyring", "{}", job->done);
  Answer(job->reply);
}

}  // namespace starling::server
