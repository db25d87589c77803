// server/keyring_admin.h: a node's keyring, and what `nodetool keyring` does to it.
//
//   keyring             which keys are installed, as every answer
//   keyring-add         {"key": base64}
//   keyring-use         {"id": key id}
//   keyring-remove      {"id": key id}
//   keyring-require     unsealed packets are dropped from now on
//
// Each concerns this node alone: nodetool goes from one to the next. A change is on disk before it
// counts and before it is answered. No answer and no line of the log has a key in it.
//
// Thread:    control's.
// Ownership: control's own; lives as long as it.
#pragma once

#include <memory>
#include <string>

#include "base/status.h"
#include "gossip/keyring.h"
#include "server/admin_call.h"
#include "server/keyring_file.h"

namespace starling::server {

class Control;

class KeyringAdmin {
 public:
  KeyringAdmin(Control& control, const NodeKeys& keys);
  ~KeyringAdmin();

  // Answers, now or later, if it is a command of the keyring; else false.
  bool Handle(const AdminCall& call);

  const gossip::Keyring& keyring() const { return keyring_; }

 private:
  struct SaveJob;

  void Answer(const ReplyTo& to);
  base::Status Change(const AdminCall& call);
  void OnSaved();

  Control& control_;
  const std::string file_;
  gossip::Keyring keyring_;
  std::unique_ptr<SaveJob> saving_;  // One at a time.
};

}  // namespace starling::server
