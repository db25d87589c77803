// Goal:   who asks to be admitted has the key that the cluster requires, or is told what it lacks.
// Method: requests of one envelope, read with another.
#include "server/join_request.h"

#include "tests/test.h"

namespace starling::server {
namespace {

gossip::Keyring RingOf(unsigned char key) {
  gossip::KeyBytes bytes{};
  bytes[0] = key;
  return gossip::Keyring(bytes);
}

gossip::Envelope Of(const gossip::Keyring& keyring, const char* cluster = "test") {
  return {cluster, keyring, {base::HostId{1, 2}, 1, 3}};
}

const JoinRequest kAsked{.replaced = {.address = {0x7f000001, 7700}, .host = {5, 6}},
                         .back = 5,
                         .node = {.host = {7, 8},
                                  .cluster = {0x7f000004, 7700},
                                  .client = {0x7f000004, 7701},
                                  .resp = {0x7f000004, 7702},
                                  .dc = "dc1",
                                  .rack = "r",
                                  .vnodes = 16}};

// What a node with `theirs` is told by one with `ours`.
base::Result<JoinRequest> Asked(const gossip::Keyring& theirs, const gossip::Keyring& ours) {
  gossip::Envelope asking = Of(theirs);
  gossip::Envelope asked = Of(ours);
  return DecodeJoin(EncodeJoin(kAsked, asking), asked);
}

void ExpectRefused(const base::Result<JoinRequest>& read, std::string_view word) {
  REQUIRE(!read.has_value());
  EXPECT(read.error().code() == base::Code::kFailedPrecondition);
  EXPECT(read.error().message().find(word) != std::string::npos);
}

TEST_SUITE("server/join_request") {
  TEST_CASE("what is asked arrives, sealed or not") {
    for (const gossip::Keyring& keyring : {gossip::Keyring(), RingOf(1)}) {
      const auto read = Asked(keyring, keyring);
      REQUIRE(read.has_value());
      EXPECT(read->replaced == kAsked.replaced);
      EXPECT(read->back == 5);
      EXPECT(read->node == kAsked.node);
    }
  }

  TEST_CASE("where seals are required, none, or one of another key, is refused and says why") {
    ExpectRefused(Asked({}, RingOf(1)), "has no key");
    ExpectRefused(Asked(RingOf(2), RingOf(1)), "is not installed");
    ExpectRefused(Asked(RingOf(2), {}), "is not installed");
  }

  TEST_CASE("a cluster that only begins to seal takes both") {
    gossip::Keyring begins;
    REQUIRE(begins.Add(RingOf(1).keys().front().bytes).ok());
    EXPECT(Asked({}, begins).has_value());
    EXPECT(Asked(RingOf(1), begins).has_value());
  }

  TEST_CASE("damage and another cluster's name are refused") {
    gossip::Envelope asking = Of(RingOf(1));
    gossip::Envelope asked = Of(RingOf(1));
    const std::string whole = EncodeJoin(kAsked, asking);
    for (std::size_t at = 0; at < whole.size(); ++at) {
      std::string damaged = whole;
      damaged[at] = static_cast<char>(damaged[at] ^ 1);
      EXPECT(!DecodeJoin(damaged, asked).has_value());
      EXPECT(!DecodeJoin(whole.substr(0, at), asked).has_value());
    }
    gossip::Envelope elsewhere = Of(RingOf(1), "other");
    ExpectRefused(DecodeJoin(whole, elsewhere), "cluster.name");
  }

  TEST_CASE("an unsealed request that is cut short is malformed") {
    gossip::Envelope plain = Of({});
    const std::string whole = EncodeJoin(kAsked, plain);
    for (std::size_t size = 0; size < whole.size(); ++size) {
      const auto read = DecodeJoin(whole.substr(0, size), plain);
      REQUIRE(!read.has_value());
      EXPECT(read.error().code() == base::Code::kInvalidArgument);
    }
  }
}

}  // namespace
}  // namespace starling::server
