// Goal:   each rule of a proposer, and what a change that fails says to its operator.
// Method: one proposer, driven by hand. Whole elections are in elections_test.cc.
#include <algorithm>

#include "tests/server/topology/voting.h"

namespace starling::topology {
namespace {

using ReplyKind = PaxosReply::Kind;

ProposerOptions OptionsOf(const Topology& value, const Topology* before = nullptr) {
  return {.self = kA,
          .voters = {{kA, AddressOf(1)}, {kB, AddressOf(2)}, {kC, AddressOf(3)}},
          .epoch = value.epoch,
          .value = EncodeTopology(value),
          .predecessor = before == nullptr ? std::string() : EncodeTopology(*before),
          .random_seed = 5};
}

PaxosReply Reply(ReplyKind kind, base::HostId from, const PaxosRequest& request) {
  PaxosReply reply;
  reply.kind = kind;
  reply.from = from;
  reply.epoch = request.epoch;
  reply.ballot = request.ballot;
  return reply;
}

TEST_SUITE("topology/proposer") {
  TEST_CASE("promises of a majority, then acceptances of one, choose the value and tell all") {
    const Topology value = FoundedBy(3);
    Proposer proposer(OptionsOf(value), At(0));
    auto prepares = proposer.TakeOutputs().messages;
    REQUIRE(prepares.size() == 3);
    proposer.OnReply(At(1), Reply(ReplyKind::kPromise, kA, prepares[0].request));
    EXPECT(proposer.TakeOutputs().messages.empty());
    proposer.OnReply(At(1), Reply(ReplyKind::kPromise, kA, prepares[0].request));
    EXPECT(proposer.TakeOutputs().messages.empty());
    proposer.OnReply(At(1), Reply(ReplyKind::kPromise, kC, prepares[2].request));
    auto accepts = proposer.TakeOutputs().messages;
    REQUIRE(accepts.size() == 3);
    EXPECT(accepts[1].request.kind == PaxosRequest::Kind::kAccept);
    proposer.OnReply(At(2), Reply(ReplyKind::kAccepted, kB, accepts[1].request));
    proposer.OnReply(At(2), Reply(ReplyKind::kAccepted, kStranger, accepts[1].request));
    EXPECT(!proposer.outcome().has_value());
    proposer.OnReply(At(2), Reply(ReplyKind::kAccepted, kC, accepts[2].request));
    REQUIRE(proposer.outcome().has_value());
    EXPECT(proposer.outcome()->status.ok());
    EXPECT(proposer.outcome()->mine);
    EXPECT(*proposer.outcome()->topology == value);
    const auto last = proposer.TakeOutputs();
    REQUIRE(last.messages.size() == 3);
    EXPECT(last.messages[0].request.kind == PaxosRequest::Kind::kLearn);
    EXPECT(last.next_tick == base::Instant::Never());
  }

  TEST_CASE("a value that was accepted before is proposed again instead of the own") {
    const Topology own = FoundedBy(3), older = FoundedBy(3, 8), newer = FoundedBy(3, 9);
    Proposer proposer(OptionsOf(own), At(0));
    const PaxosRequest prepare = proposer.TakeOutputs().messages[0].request;
    PaxosReply one = Reply(ReplyKind::kPromise, kA, prepare),
               two = Reply(ReplyKind::kPromise, kB, prepare);
    one.accepted = {.round = 2, .proposer = kB};
    one.value = EncodeTopology(newer);
    two.accepted = {.round = 1, .proposer = kC};
    two.value = EncodeTopology(older);
    proposer.OnReply(At(1), one);
    proposer.OnReply(At(1), two);
    const auto accepts = proposer.TakeOutputs().messages;
    REQUIRE(accepts.size() == 3);
    EXPECT(accepts[0].request.value == EncodeTopology(newer));
    proposer.OnReply(At(2), Reply(ReplyKind::kAccepted, kA, accepts[0].request));
    proposer.OnReply(At(2), Reply(ReplyKind::kAccepted, kB, accepts[0].request));
    REQUIRE(proposer.outcome().has_value());
    EXPECT(!proposer.outcome()->mine);
    EXPECT(*proposer.outcome()->topology == newer);
  }

  TEST_CASE("refused by a majority, it tries again later with a higher ballot") {
    Proposer proposer(OptionsOf(FoundedBy(3)), At(0));
    const PaxosRequest prepare = proposer.TakeOutputs().messages[0].request;
    PaxosReply refused = Reply(ReplyKind::kRefused, kA, prepare);
    refused.promised = {.round = prepare.ballot.round + (5ULL << 32), .proposer = kB};
    proposer.OnReply(At(1), refused);
    EXPECT(proposer.TakeOutputs().messages.empty());
    refused.from = kB;
    proposer.OnReply(At(1), refused);
    const auto waiting = proposer.TakeOutputs();
    EXPECT(waiting.messages.empty());
    EXPECT(waiting.next_tick > At(1));
    EXPECT(waiting.next_tick < At(100));
    proposer.OnTick(waiting.next_tick);
    const auto again = proposer.TakeOutputs().messages;
    REQUIRE(again.size() == 3);
    EXPECT(again[0].request.ballot > refused.promised);
  }

  TEST_CASE("votes of an earlier attempt do not count in a later one") {
    Proposer proposer(OptionsOf(FoundedBy(3)), At(0));
    const PaxosRequest first = proposer.TakeOutputs().messages[0].request;
    proposer.OnReply(At(1), Reply(ReplyKind::kPromise, kA, first));
    proposer.OnTick(At(1000));                          // The attempt is given up.
    proposer.OnTick(proposer.TakeOutputs().next_tick);  // The next begins.
    const PaxosRequest second = proposer.TakeOutputs().messages[0].request;
    EXPECT(second.ballot > first.ballot);
    proposer.OnReply(At(1100), Reply(ReplyKind::kPromise, kB, first));
    proposer.OnReply(At(1100), Reply(ReplyKind::kPromise, kC, second));
    EXPECT(proposer.TakeOutputs().messages.empty());
  }

  TEST_CASE("before any accept was sent, silence means that nothing was changed") {
    Proposer proposer(OptionsOf(FoundedBy(3)), At(0));
    const PaxosRequest prepare = proposer.TakeOutputs().messages[0].request;
    proposer.OnReply(At(1), Reply(ReplyKind::kPromise, kA, prepare));
    proposer.OnTick(At(10000));
    REQUIRE(proposer.outcome().has_value());
    const base::Status status = proposer.outcome()->status;
    EXPECT(status.code() == base::Code::kUnavailable);
    EXPECT(Mentions(status, "needs 2 of 3 voters; no answer from 10.0.0.2:7700 (host "));
    EXPECT(Mentions(status, "10.0.0.3:7700"));
    EXPECT(!Mentions(status, "10.0.0.1:7700"));
    EXPECT(Mentions(status, "Nothing was changed"));
  }

  TEST_CASE("once an accept was sent, silence means that the outcome is unknown") {
    Proposer proposer(OptionsOf(FoundedBy(3)), At(0));
    const PaxosRequest prepare = proposer.TakeOutputs().messages[0].request;
    for (const base::HostId voter : {kA, kB})
      proposer.OnReply(At(1), Reply(ReplyKind::kPromise, voter, prepare));
    const PaxosRequest accept = proposer.TakeOutputs().messages[0].request;
    proposer.OnReply(At(2), Reply(ReplyKind::kAccepted, kA, accept));
    proposer.OnTick(At(10000));
    REQUIRE(proposer.outcome().has_value());
    const base::Status status = proposer.outcome()->status;
    EXPECT(status.code() == base::Code::kTimeout);
    EXPECT(Mentions(status, "The outcome is unknown"));
    EXPECT(Mentions(status, "10.0.0.3:7700"));
  }

  TEST_CASE("rejected by a majority, it ends at once with their reason") {
    Proposer proposer(OptionsOf(FoundedBy(3)), At(0));
    const PaxosRequest prepare = proposer.TakeOutputs().messages[0].request;
    PaxosReply rejected = Reply(ReplyKind::kRejected, kB, prepare);
    rejected.reason = "B says no";
    proposer.OnReply(At(1), rejected);
    EXPECT(!proposer.outcome().has_value());
    rejected.from = kC;
    proposer.OnReply(At(1), rejected);
    REQUIRE(proposer.outcome().has_value());
    EXPECT(proposer.outcome()->status.code() == base::Code::kFailedPrecondition);
    EXPECT(Mentions(proposer.outcome()->status, "B says no"));
  }

  TEST_CASE("a voter that lags is told the epoch before, once an attempt, and asked again") {
    const Topology one = FoundedBy(3), two = Next(one);
    Proposer proposer(OptionsOf(two, &one), At(0));
    const PaxosRequest prepare = proposer.TakeOutputs().messages[1].request;
    proposer.OnReply(At(1), Reply(ReplyKind::kBehind, kB, prepare));
    const auto messages = proposer.TakeOutputs().messages;
    REQUIRE(messages.size() == 2);
    EXPECT(messages[0].request == Learn(one));
    EXPECT(messages[1].request == prepare);
    proposer.OnReply(At(2), Reply(ReplyKind::kBehind, kB, prepare));
    EXPECT(proposer.TakeOutputs().messages.empty());
  }

  TEST_CASE("a voter that knows the epoch or a later one ends it, with that as the outcome") {
    const Topology one = FoundedBy(3), mine = Next(one), other = Next(Next(one, "a"), "b");
    Proposer proposer(OptionsOf(mine, &one), At(0));
    PaxosReply known = Reply(ReplyKind::kKnown, kB, {});
    known.known_epoch = other.epoch;
    known.value = "garbage";
    proposer.OnReply(At(1), known);
    EXPECT(!proposer.outcome().has_value());
    known.value = EncodeTopology(other);
    proposer.OnReply(At(1), known);
    REQUIRE(proposer.outcome().has_value());
    EXPECT(proposer.outcome()->status.ok());
    EXPECT(!proposer.outcome()->mine);
    EXPECT(proposer.outcome()->topology->epoch == 3);
  }

  TEST_CASE("what a voter of another cluster knows or accepted is nothing to a proposer") {
    const Topology one = FoundedBy(3), mine = Next(one);
    Proposer proposer(OptionsOf(mine, &one), At(0));
    const PaxosRequest prepare = proposer.TakeOutputs().messages[0].request;
    Topology other = Next(Next(FoundedBy(3, 8), "a"), "b");
    SUBCASE("of another id") {}
    SUBCASE("of another name") { other.cluster_id = one.cluster_id, other.cluster_name = "other"; }
    PaxosReply known = Reply(ReplyKind::kKnown, kB, {});
    known.known_epoch = other.epoch;
    known.value = EncodeTopology(other);
    proposer.OnReply(At(1), known);
    EXPECT(!proposer.outcome().has_value());
    PaxosReply promise = Reply(ReplyKind::kPromise, kB, prepare);
    promise.accepted = {.round = 1, .proposer = kC};
    promise.value = EncodeTopology(other);
    proposer.OnReply(At(1), Reply(ReplyKind::kPromise, kA, prepare));
    proposer.OnReply(At(1), promise);
    EXPECT(proposer.TakeOutputs().messages.empty());  // One promise that counts is no majority.
    proposer.OnReply(At(1), Reply(ReplyKind::kPromise, kC, prepare));
    const auto accepts = proposer.TakeOutputs().messages;
    REQUIRE(accepts.size() == 3);
    EXPECT(accepts[0].request.value == EncodeTopology(mine));
  }

  TEST_CASE("a voter whose address nobody knows counts, and is named when it is missed") {
    ProposerOptions options = OptionsOf(FoundedBy(3));
    options.voters[2].address = {};
    Proposer proposer(options, At(0));
    EXPECT(proposer.TakeOutputs().messages.size() == 2);
    proposer.OnTick(At(10000));
    REQUIRE(proposer.outcome().has_value());
    EXPECT(Mentions(proposer.outcome()->status, "an unknown address (host"));
  }
}

}  // namespace
}  // namespace starling::topology
