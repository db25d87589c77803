#include "server/admin_call.h"

#include <utility>

#include "base/hash.h"
#include "server/wire/client_messages.h"
#include "server/wire/codec.h"

namespace starling::server {

base::Result<AdminCall> AdminCall::Read(const FrameMail& mail) {
  ASSIGN_OR_RETURN(wire::AdminRequest request, wire::Decode<wire::AdminRequest>(mail.header));
  if (base::Hash64(mail.payload) != request.payload_digest)
    return base::Fail(base::Corruption("the arguments were damaged on their way"));
  auto arguments = base::JsonObject::Parse(mail.payload);
  if (!arguments) return base::Fail(arguments.error().Annotate("the arguments"));
  return AdminCall{mail.reply, std::move(request.command), *std::move(arguments)};
}

}  // namespace starling::server
