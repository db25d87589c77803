// Goal:   a voter and a copy of its data directory, which is started elsewhere while the voter is
//         frozen, are not two votes.
// Method: four acceptors of three voters, and proposers that see one of the twins each.
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "tests/server/topology/voting.h"

namespace starling::topology {
namespace {

// Node 1 to 3: hosts kA to kC, noted at AddressOf(n).
Topology Base() { return FoundedBy(3); }
constexpr std::uint32_t kElsewhere = 101;

// One that may be asked: `place` tells twins apart.
struct Peer {
  Acceptor acceptor;
  base::Address place;

  Peer(base::HostId host, std::uint32_t at) : acceptor(host, Share(Base())), place(AddressOf(at)) {
    acceptor.SetPlace(place);
  }
};

ProposerOptions OptionsOf(base::HostId self, const Topology& value, const Topology& before,
                          std::uint64_t seed) {
  ProposerOptions options{.self = self,
                          .voters = {},
                          .epoch = value.epoch,
                          .value = EncodeTopology(value),
                          .predecessor = EncodeTopology(before),
                          .random_seed = seed};
  for (const base::HostId& host : kAbc) {
    const base::Address at = before.Find(host)->cluster;
    options.voters.push_back({.host = host, .address = at, .noted = at});
  }
  return options;
}

// Runs until nothing is on the way; `reached` are those whom the proposer's messages get to.
void Run(Proposer& proposer, const std::vector<Peer*>& reached, base::Instant now) {
  for (;;) {
    const auto messages = proposer.TakeOutputs().messages;
    if (messages.empty()) return;
    for (const auto& message : messages)
      for (Peer* peer : reached)
        if (peer->acceptor.self() == message.to.host) {
          const PaxosReply reply = peer->acceptor.OnRequest(message.request).reply;
          proposer.OnReply(now, *DecodePaxosReply(EncodePaxosReply(reply)));
        }
  }
}

bool Chose(const Proposer& proposer) {
  return proposer.outcome().has_value() && proposer.outcome()->status.ok();
}

TEST_SUITE("topology/twins") {
  TEST_CASE("one epoch is chosen once, though two who are one voter are asked by one each") {
    Peer original(kA, 1), b(kB, 2), c(kC, 3), copy(kA, kElsewhere);
    // C hears the copy alone; B, which wakes the original, hears neither C nor the copy.
    Proposer by_c(OptionsOf(kC, Next(Base(), "one"), Base(), 1), At(0));
    Proposer by_b(OptionsOf(kB, Next(Base(), "two"), Base(), 2), At(0));
    Run(by_c, {&copy, &c}, At(1));
    Run(by_b, {&original, &b}, At(1));
    EXPECT(int(Chose(by_c)) + int(Chose(by_b)) == 1);
    EXPECT(Chose(by_b));  // The original is where all know it.
  }

  TEST_CASE("once an epoch notes the copy, the original is the one that does not count") {
    NodeInfo moved = NodeOf(1);
    moved.cluster = AddressOf(kElsewhere);
    const Topology noted = *MoveNode(Base(), moved);
    Peer original(kA, 1), b(kB, 2), c(kC, 3), copy(kA, kElsewhere);
    Proposer move(OptionsOf(kA, noted, Base(), 1), At(0));
    Run(move, {&copy, &b, &c}, At(1));  // It needs both others for that.
    REQUIRE(Chose(move));
    Proposer by_original(OptionsOf(kB, Next(noted, "one"), noted, 2), At(0));
    original.acceptor.OnRequest(Learn(noted));
    Run(by_original, {&original, &b}, At(1));
    EXPECT(!Chose(by_original));
    Proposer by_copy(OptionsOf(kC, Next(noted, "two"), noted, 3), At(0));
    Run(by_copy, {&copy, &c}, At(1));
    EXPECT(Chose(by_copy));
  }

  TEST_CASE("who found that nobody is left in its place votes from elsewhere") {
    Peer b(kB, 2), moved(kA, kElsewhere);
    moved.acceptor.SetLeft(AddressOf(7));
    Proposer early(OptionsOf(kB, Next(Base()), Base(), 1), At(0));
    Run(early, {&moved, &b}, At(1));
    EXPECT(!Chose(early));
    moved.acceptor.SetLeft(AddressOf(1));
    Proposer proposer(OptionsOf(kB, Next(Base()), Base(), 2), At(0));
    Run(proposer, {&moved, &b}, At(1));
    for (int s = 1; s < 9 && !Chose(proposer); ++s) {
      proposer.OnTick(At(s * 1000));
      Run(proposer, {&moved, &b}, At(s * 1000));
    }
    EXPECT(Chose(proposer));
  }

  // Not as it should be, but as it is: docs/operations.md says so. That silence counts at last is
  // what lets a cluster go on whose voter moved off a machine that is gone.
  TEST_CASE("an original that was held for dead, and wakes up in that ballot, votes as well") {
    Peer original(kA, 1), b(kB, 2), c(kC, 3), copy(kA, kElsewhere);
    copy.acceptor.SetLeft(AddressOf(1));
    Proposer by_c(OptionsOf(kC, Next(Base(), "one"), Base(), 1), At(0));
    Proposer by_b(OptionsOf(kB, Next(Base(), "two"), Base(), 2), At(0));
    Run(by_c, {&copy, &c}, At(1));
    Run(by_b, {&original, &b}, At(1));
    EXPECT(Chose(by_c));
    EXPECT(Chose(by_b));
  }

  TEST_CASE("a change that fails names who votes from elsewhere") {
    Peer b(kB, 2), copy(kA, kElsewhere);
    Proposer proposer(OptionsOf(kB, Next(Base()), Base(), 1), At(0));
    Run(proposer, {&copy, &b}, At(1));
    for (int s = 1; s < 20; ++s) {
      proposer.OnTick(At(s * 1000));
      Run(proposer, {&copy, &b}, At(s * 1000));
    }
    REQUIRE(proposer.outcome().has_value());
    const std::string why = proposer.outcome()->status.message();
    EXPECT(why.find("votes from 10.0.0.101:7700, which no epoch has noted") != std::string::npos);
    EXPECT(why.find("no answer from 10.0.0.3:7700") != std::string::npos);
  }

  TEST_CASE("where too few are in their places, they vote from where they are") {
    Peer a(kA, kElsewhere), b(kB, kElsewhere + 1);
    ProposerOptions options = OptionsOf(kB, Next(Base()), Base(), 1);
    for (Voter& voter : options.voters) voter.noted = {};
    Proposer proposer(std::move(options), At(0));
    Run(proposer, {&a, &b}, At(1));
    EXPECT(Chose(proposer));
  }
}

}  // namespace
}  // namespace starling::topology
