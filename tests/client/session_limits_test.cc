// Goal:   what no frame can carry is an error of its request, and nothing is sent.
//
// Method: requests at the limits and one byte over them, against a fake cluster.
#include "server/wire/frame.h"
#include "server/wire/limits.h"
#include "tests/client/session_harness.h"

namespace starling::client {
namespace {

using base::Code;
using wire::Kind;

TEST_SUITE("client/session limits") {
  TEST_CASE("a key at its limit is sent, and one byte more is refused") {
    Harness h;
    h.Settle();
    h.session.Put({.key = std::string(wire::kKeyBytesMax, 'k'), .value = "v"}, 1);
    h.session.Get({.key = std::string(wire::kKeyBytesMax, 'k')}, 2);
    EXPECT(h.TakeAll(Kind::kPut).size() == 1);
    EXPECT(h.TakeAll(Kind::kGet).size() == 1);

    h.session.Put({.key = std::string(wire::kKeyBytesMax + 1, 'k'), .value = "v"}, 3);
    h.session.Get({.key = std::string(wire::kKeyBytesMax + 1, 'k')}, 4);
    h.session.OnTurnEnd();
    EXPECT(h.TakeAll(Kind::kPut).empty());
    EXPECT(h.TakeAll(Kind::kGet).empty());
    EXPECT(h.told.at(3).status.code() == Code::kInvalidArgument);
    EXPECT(h.told.at(3).status.message().find("32769") != std::string::npos);
    EXPECT(h.told.at(4).status.code() == Code::kInvalidArgument);
  }

  TEST_CASE("an empty key is refused") {
    Harness h;
    h.Settle();
    h.session.Put({.key = "", .value = "v"}, 1);
    h.session.Get({.key = ""}, 2);
    h.session.OnTurnEnd();
    EXPECT(h.TakeAll(Kind::kPut).empty());
    EXPECT(h.told.at(1).status.code() == Code::kInvalidArgument);
    EXPECT(h.told.at(2).status.code() == Code::kInvalidArgument);
  }

  TEST_CASE("a value at its limit is sent, and one byte more is refused") {
    Harness h;
    h.Settle();
    const std::string value(wire::kValueBytesMax + 1, 'v');
    h.session.Put({.key = "k", .value = base::Bytes(value).substr(1)}, 1);
    EXPECT(h.TakeOne(Kind::kPut).second.payload.size() == wire::kValueBytesMax);
    h.session.Put({.key = "k", .value = value}, 2);
    h.session.OnTurnEnd();
    EXPECT(h.TakeAll(Kind::kPut).empty());
    EXPECT(h.told.at(2).status.code() == Code::kInvalidArgument);
  }

  TEST_CASE("what names a keyspace or a command is limited too") {
    Harness h;
    h.Settle();
    h.session.CreateKeyspace({.name = std::string(100'000, 'n'), .replication = "simple:3"}, 1);
    h.session.CreateKeyspace({.name = "n", .replication = std::string(100'000, 'r')}, 2);
    h.session.Admin({.command = std::string(100'000, 'c'), .json = "{}"}, 3);
    const std::string huge(wire::kPayloadBytesMax + 1, ' ');
    h.session.Admin({.command = "why", .json = huge}, 4);
    h.session.OnTurnEnd();
    EXPECT(h.TakeAll(Kind::kCreateKeyspace).empty());
    EXPECT(h.TakeAll(Kind::kAdmin).empty());
    for (const std::uint64_t tag : {1, 2, 3, 4})
      EXPECT(h.told.at(tag).status.code() == Code::kInvalidArgument);
  }
}

}  // namespace
}  // namespace starling::client
