// Goal:   each rule of a voter, whatever is asked of it and whenever it restarts.
// Method: one acceptor, driven by hand. Whole elections are in elections_test.cc.
#include "tests/server/topology/voting.h"

namespace starling::topology {
namespace {

using ReplyKind = PaxosReply::Kind;

TEST_SUITE("topology/acceptor") {
  TEST_CASE("a ballot is promised once, and must be synced before the promise leaves") {
    Acceptor acceptor(kA, nullptr);
    const Vote vote = acceptor.OnRequest(Prepare(1, 5));
    EXPECT(vote.reply.kind == ReplyKind::kPromise);
    EXPECT(vote.must_sync);
    EXPECT(vote.reply.accepted.empty());
    for (const std::uint64_t round : {5, 4}) {
      const Vote refused = acceptor.OnRequest(Prepare(1, round));
      EXPECT(refused.reply.kind == ReplyKind::kRefused);
      EXPECT(refused.reply.promised.round == 5);
      EXPECT(!refused.must_sync);
    }
    EXPECT(acceptor.OnRequest(Prepare(1, 5, kB)).reply.kind == ReplyKind::kPromise);
  }

  TEST_CASE("an accept at or above the promise is taken, and shown to later proposers") {
    Acceptor acceptor(kA, nullptr);
    const Topology value = FoundedBy(3);
    REQUIRE(acceptor.OnRequest(Prepare(1, 5)).reply.kind == ReplyKind::kPromise);
    EXPECT(acceptor.OnRequest(Accept(value, 4)).reply.kind == ReplyKind::kRefused);
    EXPECT(acceptor.OnRequest(Accept(value, 5)).reply.kind == ReplyKind::kAccepted);
    EXPECT(acceptor.OnRequest(Accept(value, 5)).reply.kind == ReplyKind::kAccepted);
    EXPECT(acceptor.OnRequest(Accept(FoundedBy(3, 8), 5)).reply.kind == ReplyKind::kRejected);
    const Vote later = acceptor.OnRequest(Prepare(1, 6, kB));
    EXPECT(later.reply.kind == ReplyKind::kPromise);
    EXPECT(later.reply.accepted.round == 5);
    EXPECT(later.reply.value == EncodeTopology(value));
  }

  TEST_CASE("an accept without a prepare promises as well") {
    Acceptor acceptor(kA, nullptr);
    EXPECT(acceptor.OnRequest(Accept(FoundedBy(3), 5)).reply.kind == ReplyKind::kAccepted);
    EXPECT(acceptor.OnRequest(Prepare(1, 4)).reply.kind == ReplyKind::kRefused);
  }

  TEST_CASE("what was voted survives a restart") {
    Acceptor acceptor(kA, nullptr);
    REQUIRE(acceptor.OnRequest(Accept(FoundedBy(3), 5)).must_sync);
    auto restored = Acceptor::Restore(kA, nullptr, acceptor.EncodeState());
    REQUIRE(restored.has_value());
    EXPECT(restored->bound_voters() == kAbc);
    EXPECT(restored->OnRequest(Prepare(1, 5)).reply.kind == ReplyKind::kRefused);
    EXPECT(restored->OnRequest(Prepare(1, 6)).reply.accepted.round == 5);
  }

  TEST_CASE("a stored vote that is garbage is corruption, not an empty vote") {
    const auto restored = Acceptor::Restore(kA, nullptr, "garbage");
    REQUIRE(!restored.has_value());
    EXPECT(restored.error().code() == base::Code::kCorruption);
  }

  TEST_CASE("an epoch that is known is answered with it, and one too far ahead with `behind`") {
    const Topology one = FoundedBy(3);
    Acceptor acceptor(kA, Share(one));
    const Vote known = acceptor.OnRequest(Prepare(1, 5));
    EXPECT(known.reply.kind == ReplyKind::kKnown);
    EXPECT(known.reply.value == EncodeTopology(one));
    EXPECT(known.reply.known_epoch == 1);
    EXPECT(acceptor.OnRequest(Prepare(2, 5)).reply.kind == ReplyKind::kPromise);
    const Vote behind = acceptor.OnRequest(Prepare(3, 5));
    EXPECT(behind.reply.kind == ReplyKind::kBehind);
    EXPECT(behind.reply.known_epoch == 1);
    EXPECT(!behind.must_sync);
  }

  TEST_CASE("learning an epoch ends the vote on it and opens the next") {
    Acceptor acceptor(kA, nullptr);
    const Topology one = FoundedBy(3);
    REQUIRE(acceptor.OnRequest(Prepare(1, 5)).reply.kind == ReplyKind::kPromise);
    const Vote vote = acceptor.OnRequest(Learn(one));
    REQUIRE(vote.learned != nullptr);
    EXPECT(*vote.learned == one);
    EXPECT(vote.must_sync);
    EXPECT(acceptor.bound_voters().empty());
    EXPECT(acceptor.OnRequest(Prepare(2, 1)).reply.kind == ReplyKind::kPromise);
    const Vote again = acceptor.OnRequest(Learn(one));
    EXPECT(again.learned == nullptr);
    EXPECT(!again.must_sync);
    EXPECT(acceptor.bound_voters() == kAbc);
  }

  TEST_CASE("votes on an epoch that was learned meanwhile are dropped at restart") {
    Acceptor acceptor(kA, nullptr);
    REQUIRE(acceptor.OnRequest(Prepare(1, 5)).must_sync);
    const auto restored = Acceptor::Restore(kA, Share(FoundedBy(3)), acceptor.EncodeState());
    REQUIRE(restored.has_value());
    EXPECT(restored->bound_voters().empty());
  }

  TEST_CASE("before the founding it votes among the first list it promised under, and no other") {
    Acceptor acceptor(kA, nullptr);
    PaxosRequest without = Prepare(1, 5);
    without.voters = {kB, kC};
    EXPECT(Mentions({{}, acceptor.OnRequest(without).reply.reason}, "it is not among the voters"));
    REQUIRE(acceptor.OnRequest(Prepare(1, 5)).reply.kind == ReplyKind::kPromise);
    PaxosRequest other = Prepare(1, 6);
    other.voters = {kA, kB, kStranger};
    const Vote vote = acceptor.OnRequest(other);
    EXPECT(vote.reply.kind == ReplyKind::kRejected);
    EXPECT(Mentions({{}, vote.reply.reason}, "among other voters"));
    EXPECT(!vote.must_sync);
    other.kind = PaxosRequest::Kind::kAccept;
    other.value = EncodeTopology(FoundedBy(3));
    EXPECT(acceptor.OnRequest(other).reply.kind == ReplyKind::kRejected);
  }

  TEST_CASE("later it votes only among those whom the epoch before names") {
    Acceptor acceptor(kA, Share(FoundedBy(3)));
    PaxosRequest other = Prepare(2, 5);
    other.voters = {kA, kB};
    EXPECT(Mentions({{}, acceptor.OnRequest(other).reply.reason}, "those that epoch 1 names"));
  }

  TEST_CASE("a value that is no topology, of another epoch, or cannot follow is rejected") {
    const Topology one = FoundedBy(3);
    Acceptor acceptor(kA, Share(one));
    PaxosRequest request = Accept(Next(one), 5);
    std::string why;
    SUBCASE("garbage") { request.value = "garbage", why = "not a message"; }
    SUBCASE("epoch") { request.value = EncodeTopology(one), why = "the value is of epoch 1"; }
    SUBCASE("cluster") {
      Topology other = Next(one);
      other.cluster_id.low = 77;
      request.value = EncodeTopology(other), why = "it is of cluster";
    }
    SUBCASE("ballot") { request.ballot = {}, why = "ballot is empty"; }
    const Vote vote = acceptor.OnRequest(request);
    EXPECT(vote.reply.kind == ReplyKind::kRejected);
    EXPECT(Mentions({{}, vote.reply.reason}, why));
    EXPECT(!vote.must_sync);
    EXPECT(acceptor.bound_voters().empty());
  }

  TEST_CASE("a topology of another cluster, or garbage, is not learned") {
    Acceptor acceptor(kA, Share(FoundedBy(3)));
    Topology other = Next(FoundedBy(3, 8));
    EXPECT(acceptor.OnRequest(Learn(other)).reply.kind == ReplyKind::kRejected);
    PaxosRequest garbage = Learn(other);
    garbage.value = "garbage";
    EXPECT(acceptor.OnRequest(garbage).reply.kind == ReplyKind::kRejected);
    PaxosRequest misnamed = Learn(Next(FoundedBy(3)));
    misnamed.epoch = 3;
    EXPECT(acceptor.OnRequest(misnamed).reply.kind == ReplyKind::kRejected);
    EXPECT(acceptor.known()->epoch == 1);
  }
}

}  // namespace
}  // namespace starling::topology
