// server/quarantine_admin.h: what a node has set aside (docs/purge.md), for `nodetool quarantine`.
//
//   quarantine        {"keyspace": name, empty: all; "after": where the page before ended}
//   quarantine-value  {"keyspace", "key" or "key_base64", "version", "from": offset}
//   quarantine-drop   {"keyspace", "key" or "key_base64", "version"}
//
// Pages and pieces are bounded, so that any value fits: nodetool asks again for what follows. An
// entry is named with its version, since another one may have taken its place meanwhile.
//
// Thread:    control's; reading is done on the maintenance lane.
// Ownership: control's own; lives as long as it.
// Read next: server/adoption.h, tools/nodetool/quarantine.h
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/place.h"
#include "server/mail.h"

namespace starling::server {

class Control;

class QuarantineAdmin {
 public:
  explicit QuarantineAdmin(Control& control);
  ~QuarantineAdmin();

  // Answers, now or later, if it is one of these commands; else false.
  bool Handle(const FrameMail& mail);

 private:
  struct Arguments;
  struct Job;

  void Start(const ReplyTo& to, const std::string& command, Arguments arguments);
  void OnDone(Job& job);
  void Answer(const ReplyTo& to, const std::string& text);

  Control& control_;
  std::vector<std::unique_ptr<Job>> jobs_;
};

}  // namespace starling::server
