// Goal:   who may found, join or only wait, and what an operator reads when a first boot goes
// wrong.
//
// Method: nodes on a small table of addresses; a test passes hellos between them by hand.
// Crashes, loss and emptied directories are in first_boot_test.cc.
#include "server/topology/founding.h"

#include "server/topology/codec.h"
#include "tests/server/topology/booting.h"
#include "tests/server/topology/builders.h"
#include "tests/test.h"

namespace starling::topology {
namespace {

using Kind = Decision::Kind;

// `node` votes for host 33's founding among `voters`.
void PromiseTo33(const Booting& node, const std::vector<base::HostId>& voters) {
  const PaxosRequest prepare{.kind = PaxosRequest::Kind::kPrepare,
                             .epoch = 1,
                             .ballot = {.round = 1, .proposer = {0, 33}},
                             .voters = voters,
                             .value = {}};
  REQUIRE(node.acceptor->OnRequest(prepare).reply.kind == PaxosReply::Kind::kPromise);
}

TEST_SUITE("topology/founding") {
  TEST_CASE("a single seed proposes a cluster of one at once") {
    const Booting node = Start({.n = 1, .seeds = Seeds(1)});
    REQUIRE(node.decision().kind == Kind::kPropose);
    EXPECT(node.decision().topology->nodes.size() == 1);
    EXPECT(node.decision().topology->cluster_name == "test");
    EXPECT(node.decision().voters == std::vector<Voter>{{NodeOf(1).host, AddressOf(1)}});
  }

  TEST_CASE("clusters founded from different chance have different ids and token seeds") {
    const Booting one = Start({.n = 1, .seeds = Seeds(1)});
    const Booting two = Start({.n = 2, .seeds = {AddressOf(2)}});
    EXPECT(one.decision().topology->cluster_id != two.decision().topology->cluster_id);
    EXPECT(one.decision().topology->token_seed != two.decision().topology->token_seed);
  }

  TEST_CASE("all seeds empty and agreed: the first in address order proposes, the others wait") {
    Booting one = Start({.n = 1, .seeds = Seeds(3)});
    Booting two =
        Start({.n = 2, .seeds = {AddressOf(1), AddressOf(2), AddressOf(3), AddressOf(1)}});
    Booting three = Start({.n = 3, .seeds = Seeds(3)});
    Exchange(two, At(0), {{AddressOf(1), AnswerOf(one)}, {AddressOf(3), AnswerOf(three)}});
    EXPECT(two.decision().kind == Kind::kWait);
    EXPECT(two.decision().missing.empty());
    EXPECT(two.decision().message ==
           "all seeds agree; waiting for 10.0.0.1:7700 to found the cluster");
    Exchange(one, At(0), {{AddressOf(2), AnswerOf(two)}, {AddressOf(3), AnswerOf(three)}});
    REQUIRE(one.decision().kind == Kind::kPropose);
    EXPECT(one.decision().voters.size() == 3);
    EXPECT(one.decision().topology->nodes.size() == 3);
    Exchange(two, At(1000), {{AddressOf(1), AnswerOf(one)}, {AddressOf(3), AnswerOf(three)}});
    EXPECT(two.decision().kind == Kind::kPropose);
  }

  TEST_CASE("one round of answers is not enough: another must be asked and say the same") {
    Booting one = Start({.n = 1, .seeds = Seeds(2)});
    const Booting two = Start({.n = 2, .seeds = Seeds(2)});
    auto hellos = one.founding->TakeOutputs().hellos;
    REQUIRE(hellos.size() == 1);
    const SeedHello answer = two.founding->Answer(hellos[0].hello);
    one.founding->OnAnswer(At(0), AddressOf(2), answer);
    EXPECT(one.decision().kind == Kind::kWait);
    one.founding->OnAnswer(At(0), AddressOf(2), answer);  // Doubled: of the first round.
    EXPECT(one.decision().kind == Kind::kWait);
    hellos = one.founding->TakeOutputs().hellos;
    REQUIRE(hellos.size() == 1);
    SUBCASE("the same") {
      one.founding->OnAnswer(At(0), AddressOf(2), two.founding->Answer(hellos[0].hello));
      EXPECT(one.decision().kind == Kind::kPropose);
    }
    SUBCASE("a seed that came back empty meanwhile is another host") {
      SeedHello changed = two.founding->Answer(hellos[0].hello);
      changed.node.host = {7, 7};
      one.founding->OnAnswer(At(0), AddressOf(2), changed);
      EXPECT(one.decision().kind == Kind::kWait);
    }
  }

  TEST_CASE("a lone seed that is to replace a member fails instead of founding") {
    const Booting node = Start({.n = 1, .seeds = Seeds(1), .replaces = true});
    REQUIRE(node.decision().kind == Kind::kFail);
    EXPECT(Mentions(node.decision().status, "node.replace is set"));
    EXPECT(Mentions(node.decision().status, "cluster.seeds names nobody but this node"));
  }

  TEST_CASE("a seed that is to replace a member fails when all others are empty too") {
    Booting one = Start({.n = 1, .seeds = Seeds(3), .replaces = true});
    const Booting two = Start({.n = 2, .seeds = Seeds(3)});
    const Booting three = Start({.n = 3, .seeds = Seeds(3)});
    SUBCASE("not while one of them is silent") {
      Exchange(one, At(0), {{AddressOf(2), AnswerOf(two)}});
      EXPECT(one.decision().kind == Kind::kWait);
    }
    SUBCASE("not while one of them may be about to found") {
      const auto bound = [&](const SeedHello& question) {
        SeedHello answer = three.founding->Answer(question);
        answer.bound_voters = {NodeOf(2).host, NodeOf(3).host};
        return answer;
      };
      Exchange(one, At(0), {{AddressOf(2), AnswerOf(two)}, {AddressOf(3), bound}});
      EXPECT(one.decision().kind == Kind::kWait);
    }
    SUBCASE("once they have all said so") {
      Exchange(one, At(0), {{AddressOf(2), AnswerOf(two)}, {AddressOf(3), AnswerOf(three)}});
      REQUIRE(one.decision().kind == Kind::kFail);
      EXPECT(Mentions(one.decision().status, "10.0.0.2:7700, 10.0.0.3:7700"));
    }
  }

  TEST_CASE("nobody founds with a seed that is to replace a member") {
    Booting one = Start({.n = 1, .seeds = Seeds(2)});
    const Booting two = Start({.n = 2, .seeds = Seeds(2), .replaces = true});
    Exchange(one, At(0), {{AddressOf(2), AnswerOf(two)}});
    EXPECT(one.decision().kind == Kind::kWait);
    EXPECT(one.decision().message.find("seed 10.0.0.2:7700 has node.replace set") == 0);
  }

  TEST_CASE("a silent seed is waited for, and named every five seconds") {
    Booting one = Start({.n = 1, .seeds = Seeds(3)});
    const Booting two = Start({.n = 2, .seeds = Seeds(3)});
    int said = 0;
    for (std::int64_t ms = 500; ms <= 20000; ms += 500) {
      one.founding->OnTick(At(ms));
      auto outputs = one.founding->TakeOutputs();
      EXPECT(outputs.next_tick == At(ms + 500));
      if (!outputs.say.empty()) {
        ++said;
        EXPECT(outputs.say ==
               "waiting for every seed, to found the cluster; no answer from 10.0.0.3:7700");
      }
      for (const auto& [to, hello] : outputs.hellos)
        if (to == AddressOf(2)) one.founding->OnAnswer(At(ms), to, two.founding->Answer(hello));
      EXPECT(one.decision().kind == Kind::kWait);
    }
    EXPECT(said == 4);
    EXPECT(one.decision().missing == std::vector<base::Address>{AddressOf(3)});
  }

  TEST_CASE(
      "a node that its own list does not name never founds, and joins when there is a cluster") {
    Booting one = Start({.n = 1, .seeds = {AddressOf(2)}});
    const Booting two = Start({.n = 2, .seeds = {AddressOf(2)}});
    SeedHello empty = two.founding->Answer({});
    empty.bound_voters.clear();
    Exchange(one, At(0), {{AddressOf(2), [=](const SeedHello& question) {
                             SeedHello answer = empty;
                             answer.round = question.round;
                             return answer;
                           }}});
    EXPECT(one.decision().kind == Kind::kWait);
    EXPECT(one.decision().message.find("is not among the seeds") != std::string::npos);
    const Topology founded = *two.decision().topology;
    Exchange(one, At(500), {{AddressOf(2), MemberAnswer(2, founded)}});
    REQUIRE(one.decision().kind == Kind::kJoin);
    EXPECT(one.decision().via == AddressOf(2));
    EXPECT(*one.decision().topology == founded);
  }

  TEST_CASE("a seed with a topology is joined, after a grace for the silent ones, newest first") {
    Booting four =
        Start({.n = 4, .seeds = {AddressOf(1), AddressOf(2), AddressOf(3), AddressOf(4)}});
    const Topology old = FoundedBy(3);
    const Topology fresh = *AddKeyspace(old, "users", Parsed("simple:3"));
    Exchange(four, At(0),
             {{AddressOf(1), MemberAnswer(1, old)}, {AddressOf(2), MemberAnswer(2, fresh)}});
    EXPECT(four.decision().kind == Kind::kWait);
    four.founding->OnTick(At(1000));
    REQUIRE(four.decision().kind == Kind::kJoin);
    EXPECT(four.decision().via == AddressOf(2));
    EXPECT(four.decision().topology->epoch == 2);
    EXPECT(four.founding->TakeOutputs().next_tick == base::Instant::Never());
  }

  TEST_CASE("a topology that names this host is adopted, not joined") {
    Booting three = Start({.n = 3, .seeds = Seeds(3)});
    const Topology topology = FoundedBy(3);
    Exchange(
        three, At(0),
        {{AddressOf(1), MemberAnswer(1, topology)}, {AddressOf(2), MemberAnswer(2, topology)}});
    EXPECT(three.decision().kind == Kind::kAdopt);
    EXPECT(*three.decision().topology == topology);
  }

  TEST_CASE("what its own voter was told in the meantime is adopted too") {
    Booting three = Start({.n = 3, .seeds = Seeds(3)});
    EXPECT(three.acceptor->Learn(Share(FoundedBy(3))));
    three.founding->OnTick(At(1000));
    EXPECT(three.decision().kind == Kind::kAdopt);
  }

  TEST_CASE("seeds wait for the one whose list differs, and say who it is; it fails") {
    Booting one = Start({.n = 1, .seeds = Seeds(3)});
    const Booting two = Start({.n = 2, .seeds = Seeds(3)});
    Booting wrong =
        Start({.n = 3, .seeds = {AddressOf(1), AddressOf(2), AddressOf(3), AddressOf(4)}});
    const auto others_of_one = [&](const Booting& three) {
      return std::map<base::Address, std::function<SeedHello(SeedHello)>>{
          {AddressOf(2), AnswerOf(two)}, {AddressOf(3), AnswerOf(three)}};
    };
    int said = 0;
    for (std::int64_t ms = 500; ms <= 20000; ms += 500) {
      one.founding->OnTick(At(ms));
      auto outputs = one.founding->TakeOutputs();
      if (!outputs.say.empty()) ++said;
      for (const auto& [to, hello] : outputs.hellos)
        one.founding->OnAnswer(At(ms), to, others_of_one(wrong)[to](hello));
      EXPECT(one.decision().kind == Kind::kWait);
    }
    EXPECT(said == 4);
    EXPECT(one.decision().message ==
           "seed 10.0.0.3:7700 lists the seeds 10.0.0.1:7700, 10.0.0.2:7700, 10.0.0.3:7700, "
           "10.0.0.4:7700, and this node lists 10.0.0.1:7700, 10.0.0.2:7700, 10.0.0.3:7700: a "
           "cluster is founded only when all seeds have the same list");

    SUBCASE("the wrong one fails once all have answered, saying whose list is whose") {
      const Booting four = Start({.n = 4, .seeds = Seeds(3)});
      Exchange(wrong, At(0), {{AddressOf(1), AnswerOf(one)}, {AddressOf(2), AnswerOf(two)}});
      EXPECT(wrong.decision().kind == Kind::kWait);
      Exchange(wrong, At(500),
               {{AddressOf(1), AnswerOf(one)},
                {AddressOf(2), AnswerOf(two)},
                {AddressOf(4), AnswerOf(four)}});
      REQUIRE(wrong.decision().kind == Kind::kFail);
      EXPECT(Mentions(wrong.decision().status,
                      "3 of the 3 other seeds list the seeds 10.0.0.1:7700, 10.0.0.2:7700, "
                      "10.0.0.3:7700, and this node lists"));
    }
    SUBCASE("mended, it is asked two rounds anew, and the cluster is founded") {
      const Booting mended = Start({.n = 3, .seeds = Seeds(3)});
      one.founding->OnTick(At(20500));
      for (const auto& [to, hello] : one.founding->TakeOutputs().hellos)
        if (to == AddressOf(3))
          one.founding->OnAnswer(At(20500), to, mended.founding->Answer(hello));
      EXPECT(one.decision().kind == Kind::kWait);
      Exchange(one, At(21000), others_of_one(mended));
      EXPECT(one.decision().kind == Kind::kPropose);
    }
  }

  TEST_CASE("of two seeds with different lists nobody knows who is wrong: both wait") {
    Booting one = Start({.n = 1, .seeds = Seeds(2)});
    Booting two = Start({.n = 2, .seeds = {AddressOf(1), AddressOf(2), AddressOf(3)}});
    Exchange(one, At(0), {{AddressOf(2), AnswerOf(two)}});
    EXPECT(one.decision().kind == Kind::kWait);
    EXPECT(one.decision().message.find("seed 10.0.0.2:7700 lists the seeds") == 0);
    Exchange(two, At(0), {{AddressOf(1), AnswerOf(one)}});
    EXPECT(two.decision().kind == Kind::kWait);
    EXPECT(two.decision().message.find("seed 10.0.0.1:7700 lists the seeds") == 0);
  }

  TEST_CASE("another cluster's name is an error that names both") {
    Booting one = Start({.n = 1, .seeds = Seeds(2)});
    SUBCASE("on an empty seed") {
      const Booting two = Start({.n = 2, .seeds = Seeds(2), .cluster = "other"});
      Exchange(one, At(0), {{AddressOf(2), AnswerOf(two)}});
    }
    SUBCASE("on a member") {
      Exchange(one, At(0), {{AddressOf(2), MemberAnswer(2, FoundedBy(2), "other")}});
    }
    REQUIRE(one.decision().kind == Kind::kFail);
    EXPECT(Mentions(one.decision().status, "is of cluster 'other'"));
    EXPECT(Mentions(one.decision().status, "configured for cluster 'test'"));
  }

  TEST_CASE("two clusters among the seeds are an error that names both ids") {
    Booting one = Start({.n = 1, .seeds = Seeds(3)});
    const Topology a = FoundedBy(3, 7), b = FoundedBy(3, 8);
    Exchange(one, At(0), {{AddressOf(2), MemberAnswer(2, a)}, {AddressOf(3), MemberAnswer(3, b)}});
    REQUIRE(one.decision().kind == Kind::kFail);
    EXPECT(Mentions(one.decision().status, a.cluster_id.ToString()));
    EXPECT(Mentions(one.decision().status, b.cluster_id.ToString()));
  }

  TEST_CASE("a copied data directory and a seed under another address are told apart") {
    Booting one = Start({.n = 1, .seeds = Seeds(2)});
    NodeInfo info = NodeOf(2);
    std::string why;
    SUBCASE("a copy") { info.host = NodeOf(1).host, why = "have the same host id"; }
    SUBCASE("an alias") { info.cluster = AddressOf(9), why = "says that its address is 10.0.0.9"; }
    const Acceptor acceptor(info.host, nullptr);
    Exchange(one, At(0), {{AddressOf(2), [&](const SeedHello& question) {
                             return AnswerHello(question, info, "test", Seeds(2), acceptor);
                           }}});
    REQUIRE(one.decision().kind == Kind::kFail);
    EXPECT(Mentions(one.decision().status, why));
  }

  TEST_CASE("no seeds, or too many, or a topology that cannot be read, is an error") {
    EXPECT(Start({.n = 1, .seeds = {}}).decision().kind == Kind::kFail);
    EXPECT(Start({.n = 1, .seeds = Seeds(17)}).decision().kind == Kind::kFail);
    Booting one = Start({.n = 1, .seeds = Seeds(2)});
    Exchange(one, At(0), {{AddressOf(2), [](const SeedHello& question) {
                             SeedHello answer = MemberAnswer(2, FoundedBy(2))(question);
                             answer.topology = "garbage";
                             return answer;
                           }}});
    EXPECT(one.decision().kind == Kind::kFail);
    EXPECT(
        Mentions(one.decision().status, "seed 10.0.0.2:7700 has a topology that cannot be read"));
  }

  TEST_CASE(
      "a founding that was begun goes on among its voters, an emptied seed among them or not") {
    // Seed 3 had host id 33 when seed 2 promised its vote.
    const std::vector<base::HostId> begun{NodeOf(1).host, NodeOf(2).host, {0, 33}};
    Booting one = Start({.n = 1, .seeds = Seeds(3)});
    Booting three = Start({.n = 3, .seeds = Seeds(3)});
    const Booting two = Start({.n = 2, .seeds = Seeds(3)});
    PromiseTo33(two, begun);
    Exchange(one, At(0), {{AddressOf(2), AnswerOf(two)}, {AddressOf(3), AnswerOf(three)}});
    REQUIRE(one.decision().kind == Kind::kPropose);
    EXPECT(one.decision().voters == std::vector<Voter>{{NodeOf(1).host, AddressOf(1)},
                                                       {NodeOf(2).host, AddressOf(2)},
                                                       {{0, 33}, {}}});
    Exchange(three, At(0), {{AddressOf(1), AnswerOf(one)}, {AddressOf(2), AnswerOf(two)}});
    three.founding->OnTick(At(60000));
    EXPECT(three.decision().kind == Kind::kWait);
  }

  TEST_CASE("a founding that lost most of its voters fails and says what to empty") {
    const std::vector<base::HostId> begun{NodeOf(2).host, {0, 11}, {0, 33}};
    Booting one = Start({.n = 1, .seeds = Seeds(3)});
    const Booting two = Start({.n = 2, .seeds = Seeds(3)}),
                  three = Start({.n = 3, .seeds = Seeds(3)});
    PromiseTo33(two, begun);
    Exchange(one, At(0), {{AddressOf(2), AnswerOf(two)}, {AddressOf(3), AnswerOf(three)}});
    REQUIRE(one.decision().kind == Kind::kFail);
    EXPECT(Mentions(one.decision().status, "Empty the data directories of all seeds"));
  }

  TEST_CASE("a proposal that came to nothing is followed by new rounds of questions") {
    Booting one = Start({.n = 1, .seeds = Seeds(2)});
    const Booting two = Start({.n = 2, .seeds = Seeds(2)});
    Exchange(one, At(0), {{AddressOf(2), AnswerOf(two)}});
    REQUIRE(one.decision().kind == Kind::kPropose);
    EXPECT(one.founding->Answer({}).bound_voters.size() == 2);
    EXPECT(one.founding->TakeOutputs().hellos.empty());
    one.founding->OnProposalEnded(At(9000));
    EXPECT(one.decision().kind == Kind::kWait);
    EXPECT(one.founding->Answer({}).bound_voters.empty());
    Exchange(one, At(9000), {{AddressOf(2), AnswerOf(two)}});
    EXPECT(one.decision().kind == Kind::kPropose);
  }
}

}  // namespace
}  // namespace starling::topology
