// server/replier.h: how a result finds the connection that asked, wherever that is.
//
// Thread: confined to its worker.
#pragma once

#include "server/mail.h"
#include "server/wire/client_messages.h"

namespace starling::server {

class Replier {
 public:
  virtual void ReplyPut(const ReplyTo& to, const wire::PutReply& reply) = 0;
  // `value` is valid during the call.
  virtual void ReplyGet(const ReplyTo& to, const wire::GetReply& reply, base::Bytes value) = 0;
  virtual void ReplyError(const ReplyTo& to, const wire::ErrorReply& error) = 0;

 protected:
  ~Replier() = default;
};

}  // namespace starling::server
