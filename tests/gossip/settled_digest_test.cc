// Goal:   rumors on their way make no difference, and missing ones do.
// Method: two digests fed by hand, a little apart in time.
#include "gossip/settled_digest.h"

#include "tests/gossip/hand.h"
#include "tests/test.h"

namespace starling::gossip {
namespace {

constexpr base::Duration kLag = base::seconds(1);

// One that learned `key`, born at `born_ms`, and lives at `now_ms`.
struct Folder {
  Folder& Learns(std::int64_t born_ms, const std::string& key, std::uint64_t version = 1) {
    digest.Add(At(born_ms), key, {version, version});
    return *this;
  }
  Folder& Until(std::int64_t now_ms) {
    digest.Advance(At(now_ms));
    return *this;
  }
  SettledDigest digest{kLag, 100};
};

TEST_SUITE("gossip/settled_digest") {
  TEST_CASE("a rumor counts once it is as old as the lag, and not before") {
    Folder node;
    node.Learns(5000, "k").Until(5999);
    EXPECT(node.digest.value() == 0);
    node.Until(6000);
    EXPECT(node.digest.value() == DigestOf("k", {1, 1}));
  }

  TEST_CASE("whatever the order in which rumors came, their digest is the same") {
    Folder one, two;
    one.Learns(1, "a").Learns(2, "b", 1).Learns(3, "b", 2).Until(5000);
    two.Learns(3, "b", 2).Learns(2, "b", 1).Learns(1, "a").Until(5000);
    EXPECT(one.digest.value() == two.digest.value());
    EXPECT(one.digest.value() == DigestOf("a", {1, 1}) + DigestOf("b", {2, 2}));
  }

  TEST_CASE("an older version that comes to count later changes nothing") {
    Folder node;
    node.Learns(1, "k", 2).Until(2000).Learns(1500, "k", 1).Until(4000);
    EXPECT(node.digest.value() == DigestOf("k", {2, 2}));
  }

  TEST_CASE("a replaced version counts at its time, for those that did not hear the next yet") {
    Folder both, one;
    both.Learns(1000, "k", 1).Learns(1900, "k", 2).Until(2000);
    one.Learns(1000, "k", 1).Until(2000);
    EXPECT(both.digest.value() == one.digest.value());
  }

  TEST_CASE("who knows the same may be a little earlier or later") {
    Folder here, early, late;
    for (Folder* node : {&here, &early, &late}) node->Learns(1000, "a").Learns(1100, "b");
    here.Until(1500).Until(2050);
    early.Until(1500);
    late.Until(2200);
    EXPECT(here.digest.MayBe(early.digest.value()));
    EXPECT(here.digest.MayBe(late.digest.value()));
  }

  TEST_CASE("but long after, to lack one or to have one more shows") {
    Folder here, lacking, with_more;
    here.Learns(1000, "a").Learns(1100, "b").Until(2100).Until(10000);
    lacking.Learns(1000, "a").Until(2100).Until(10000);
    with_more.Learns(1000, "a").Learns(1100, "b").Learns(1200, "c").Until(10000);
    EXPECT(!here.digest.MayBe(lacking.digest.value()));
    EXPECT(!lacking.digest.MayBe(here.digest.value()));
    EXPECT(!here.digest.MayBe(with_more.digest.value()));
  }

  TEST_CASE("to lack one shows while others are on their way") {
    Folder here, other;
    here.Learns(9500, "new").Learns(9600, "newer").Until(10000);
    other.Learns(1000, "lacked").Learns(9500, "new").Until(10000);
    EXPECT(!here.digest.MayBe(other.digest.value()));
  }

  TEST_CASE("of more young ones than it holds the oldest count early") {
    Folder node;
    for (int i = 0; i < 101; ++i) node.Learns(1000 + i, "k" + std::to_string(i));
    node.Until(1200);
    EXPECT(node.digest.value() == DigestOf("k0", {1, 1}));
  }
}

}  // namespace
}  // namespace starling::gossip
