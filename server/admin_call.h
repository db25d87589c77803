// server/admin_call.h: one command of an operator, as it came from nodetool.
//
// Thread:    a value.
// Read next: server/admin.h
#pragma once

#include <string>

#include "base/json_object.h"
#include "base/status.h"
#include "server/mail.h"

namespace starling::server {

struct AdminCall {
  ReplyTo reply;
  std::string command;
  base::JsonObject arguments;

  // Fails with Corruption if it was damaged on its way, and with InvalidArgument if the arguments
  // are no JSON object.
  static base::Result<AdminCall> Read(const FrameMail& mail);
};

}  // namespace starling::server
