// Goal:   an operator's command is taken as it was sent, or refused with what is wrong with it.
// Method: frames as nodetool sends them, sound and spoilt.
#include "server/admin_call.h"

#include <memory>
#include <string>

#include "base/hash.h"
#include "server/wire/client_messages.h"
#include "server/wire/codec.h"
#include "tests/test.h"

namespace starling::server {
namespace {

std::unique_ptr<FrameMail> Asking(const std::string& arguments) {
  auto mail = std::make_unique<FrameMail>();
  mail->reply.request_id = 7;
  wire::EncodeTo(wire::AdminRequest{.command = "why", .payload_digest = base::Hash64(arguments)},
                 mail->header);
  mail->payload = arguments;
  return mail;
}

TEST_SUITE("server/admin_call") {
  TEST_CASE("a command comes with its arguments and where the answer goes") {
    const auto call = AdminCall::Read(*Asking(R"({"key":"a"})"));
    REQUIRE(call.has_value());
    EXPECT(call->command == "why");
    EXPECT(call->reply.request_id == 7);
    EXPECT(call->arguments.Text("key") == "a");
  }

  TEST_CASE("no arguments are none") { EXPECT(AdminCall::Read(*Asking("")).has_value()); }

  TEST_CASE("what was damaged on its way is told from what was wrong before") {
    const auto damaged = Asking(R"({"key":"a"})");
    damaged->payload[8] = 'b';
    EXPECT(AdminCall::Read(*damaged).error().code() == base::Code::kCorruption);
    const auto wrong = AdminCall::Read(*Asking("[1]"));
    REQUIRE(!wrong.has_value());
    EXPECT(wrong.error().code() == base::Code::kInvalidArgument);
    EXPECT(wrong.error().message() == "the arguments: it is not a JSON object");
  }

  TEST_CASE("a header that is no request is refused") {
    const auto mail = Asking("");
    mail->header = "\xff\xff";
    EXPECT(!AdminCall::Read(*mail).has_value());
  }
}

}  // namespace
}  // namespace starling::server
