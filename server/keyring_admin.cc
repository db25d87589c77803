// server/keyring_admin.cc: commands to changes, changes to disk, and then to gossip.
#include "server/keyring_admin.h"

#include <fmt/core.h>

#include <utility>

#include "base/log.h"
#include "server/control.h"

namespace starling::server {
namespace {

// What was done, for the log.
base::Result<std::string> Apply(gossip::Keyring& keyring, std::string_view command,
                                const base::JsonObject& arguments) {
  if (command == "keyring-require") {
    RETURN_IF_ERROR(keyring.Require());
    return std::string("a seal is required: unsealed packets are dropped");
  }
  if (command == "keyring-add") {
    ASSIGN_OR_RETURN(const std::string text, arguments.Text("key"));
    ASSIGN_OR_RETURN(const gossip::KeyBytes key, gossip::ParseKey(text));
    RETURN_IF_ERROR(keyring.Add(key));
    return fmt::format("key {} is installed", gossip::PrintKeyId(gossip::Fingerprint(key)));
  }
  ASSIGN_OR_RETURN(const std::string text, arguments.Text("id"));
  ASSIGN_OR_RETURN(const gossip::KeyId id, gossip::ParseKeyId(text));
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

bool KeyringAdmin::Handle(const AdminCall& call) {
  if (!call.command.starts_with("keyring")) return false;
  if (call.command == "keyring")
    Answer(call.reply);
  else if (const base::Status begun = Change(call); !begun.ok())
    control_.ReplyError(call.reply, begun);
  return true;
}

void KeyringAdmin::Answer(const ReplyTo& to) {
  base::Json keys = base::Json::Array();
  for (const gossip::Keyring::Key& key : keyring_.keys()) keys.Append(gossip::PrintKeyId(key.id));
  base::Json members = base::Json::Array();
  if (control_.snapshot_ != nullptr) {
    for (const topology::Node* node : control_.snapshot_->topology->members())
      members.Append({{"address", node->cluster.IpString()}, {"client", node->client.ToString()}});
  }
  const std::optional<gossip::KeyId> primary = keyring_.primary();
  control_.ReplyJson(
      to, {{"address", control_.self_.cluster.IpString()},
           {"keys", keys},
           {"primary", primary ? base::Json(gossip::PrintKeyId(*primary)) : base::Json()},
           {"required", keyring_.required()},
           {"members", members}});
}

base::Status KeyringAdmin::Change(const AdminCall& call) {
  if (saving_ != nullptr)
    return base::Overloaded("another change of the keyring is being written: try again");
  gossip::Keyring changed = keyring_;
  ASSIGN_OR_RETURN(std::string done, Apply(changed, call.command, call.arguments));
  saving_ = std::make_unique<SaveJob>(*this);
  saving_->keyring = std::move(changed);
  saving_->done = std::move(done);
  saving_->reply = call.reply;
  control_.world_.Offload(base::Lane::kSync, *saving_);
  return base::Ok();
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
