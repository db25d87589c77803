// Goal:   a first boot never makes two clusters, and ends in one when faults stop.
//         Nodes that wait to be taken in are, or join: as what they are, and in one cluster.
// Method: seeds with disks under random schedules of loss, doubling, reordering, restarts, and data
//         directories emptied at a minority of the addresses; then peace. Newcomers come behind the
//         seeds and may be emptied at any time.
#include <cstdlib>
#include <map>
#include <memory>
#include <set>
#include <variant>
#include <vector>

#include "server/topology/codec.h"
#include "server/topology/founding.h"
#include "tests/server/topology/builders.h"
#include "tests/test.h"

namespace starling::topology {
namespace {

// More by hand: STARLING_RUNS=100 multiplies the schedules of each case.
const int kBoots =
    500 * (std::getenv("STARLING_RUNS") ? std::atoi(std::getenv("STARLING_RUNS")) : 1);

class FirstBoot {
 public:
  FirstBoot(std::uint32_t seeds, std::uint32_t newcomers, std::uint64_t seed)
      : random_(seed), seeds_(seeds), machines_(seeds + newcomers) {
    for (std::uint32_t n = 1; n <= seeds + newcomers; ++n) addresses_.push_back(AddressOf(n));
    for (std::size_t i = 0; i < machines_.size(); ++i) Empty(i);
  }

  // `wipes` addresses, the last ones, may lose their directories, each `wipes_each` times at most.
  void StepWithFaults(std::size_t wipes, int wipes_each) {
    const std::uint64_t draw = random_.Below(100);
    const std::size_t i = random_.Below(machines_.size());
    // Time goes slower the more nodes talk, or mail would only pile up.
    const auto pairs = static_cast<std::int64_t>(machines_.size() * (machines_.size() - 1));
    if (draw < 10) return Pass(base::milliseconds(random_.Between(1, 3600 / (pairs + 1))));
    if (draw < 13) return Boot(i);
    if (draw < 14) {
      const std::size_t victim = machines_.size() - 1 - random_.Below(machines_.size());
      if (victim + wipes >= seeds_ && (victim >= seeds_ || machines_[victim].wiped < wipes_each)) {
        ++machines_[victim].wiped;
        Empty(victim);
      }
      return;
    }
    if (mail_.empty()) return;
    if (draw < 22) return void(Take());                                         // Lost.
    if (draw < 28) return mail_.push_back(mail_[random_.Below(mail_.size())]);  // Doubled.
    Deliver();
  }

  void StepInPeace() { mail_.empty() ? Pass(base::milliseconds(50)) : Deliver(); }

  bool done() const {
    for (const Machine& machine : machines_)
      if (machine.founding != nullptr) return false;
    return true;
  }
  bool any_failed() const { return failed_; }
  // How often a newcomer found itself in the first epoch.
  int taken_in() const { return taken_in_; }
  const std::set<base::HostId>& clusters() const { return clusters_; }

 private:
  struct Machine {
    // The disk.
    base::HostId host;
    std::string votes;
    TopologyPtr topology;
    // The process. `founding` is null once it is a member or joins.
    std::unique_ptr<Acceptor> acceptor;
    std::unique_ptr<Founding> founding;
    std::unique_ptr<Proposer> proposer;
    int wiped = 0;
  };
  struct Question {
    SeedHello hello;
  };
  struct Answer {
    SeedHello hello;
  };
  struct Mail {
    std::size_t from;
    std::size_t to;
    std::variant<Question, Answer, PaxosRequest, PaxosReply> body;
  };

  void Empty(std::size_t i) {
    machines_[i].host = base::HostId::Draw(random_);
    machines_[i].votes.clear();
    machines_[i].topology = nullptr;
    Boot(i);
  }

  void Boot(std::size_t i) {
    Machine& machine = machines_[i];
    machine.proposer = nullptr;
    machine.founding = nullptr;
    auto acceptor = Acceptor::Restore(machine.host, machine.topology, machine.votes);
    REQUIRE(acceptor.has_value());
    machine.acceptor = std::make_unique<Acceptor>(*std::move(acceptor));
    if (machine.topology != nullptr) return;
    machine.founding = std::make_unique<Founding>(FoundingOptions{.self = InfoOf(i),
                                                                  .seeds = seeds(),
                                                                  .cluster_name = "test",
                                                                  .random_seed = random_.Next()},
                                                  *machine.acceptor, now_);
    Act(i);
  }

  NodeInfo InfoOf(std::size_t i) const {
    NodeInfo info = NodeOf(static_cast<std::uint32_t>(i) + 1);
    info.host = machines_[i].host;
    return info;
  }

  std::vector<base::Address> seeds() const {
    return {addresses_.begin(), addresses_.begin() + static_cast<std::ptrdiff_t>(seeds_)};
  }

  std::size_t IndexOf(base::Address address) const { return address.ip - AddressOf(1).ip; }

  // Carries out what the machine's cores ask for.
  void Act(std::size_t i) {
    Machine& machine = machines_[i];
    if (machine.founding == nullptr) return;
    const Decision decision = machine.founding->decision();
    for (auto& [to, hello] : machine.founding->TakeOutputs().hellos) {
      if (machine.founding->may_be_taken_in()) hello.join = "sealed";
      mail_.push_back({i, IndexOf(to), Question{std::move(hello)}});
    }
    switch (decision.kind) {
      case Decision::Kind::kWait: return;
      case Decision::Kind::kPropose: return RunProposal(i, decision);
      case Decision::Kind::kAdopt: return End(i, decision.topology);
      case Decision::Kind::kJoin: return End(i, decision.topology);
      case Decision::Kind::kFail:
        failed_ = true;
        machine.founding = nullptr;
        return;
    }
  }

  void RunProposal(std::size_t i, const Decision& decision) {
    Machine& machine = machines_[i];
    if (machine.proposer == nullptr) {
      ProposerOptions options{.self = machine.host,
                              .voters = decision.voters,
                              .epoch = 1,
                              .value = EncodeTopology(*decision.topology),
                              .predecessor = {},
                              .random_seed = random_.Next()};
      machine.proposer = std::make_unique<Proposer>(std::move(options), now_);
    }
    for (auto& [to, request] : machine.proposer->TakeOutputs().messages)
      mail_.push_back({i, IndexOf(to.address), std::move(request)});
    if (!machine.proposer->outcome().has_value()) return;
    const Outcome outcome = *machine.proposer->outcome();
    machine.proposer = nullptr;
    if (outcome.status.ok()) return End(i, outcome.topology);
    machine.founding->OnProposalEnded(now_);
    Act(i);
  }

  // The machine has learned the cluster: for good, as its disk has it.
  void End(std::size_t i, const TopologyPtr& topology) {
    Machine& machine = machines_[i];
    clusters_.insert(topology->cluster_id);
    const Node* named = topology->Find(machine.host);
    REQUIRE((named == nullptr || named->cluster == addresses_[i]));
    if (i >= seeds_ && named != nullptr) ++taken_in_;
    machine.acceptor->Learn(topology);
    machine.topology = topology;
    machine.votes = machine.acceptor->EncodeState();
    machine.founding = nullptr;
    machine.proposer = nullptr;
  }

  void Pass(base::Duration duration) {
    now_ = now_ + duration;
    for (std::size_t i = 0; i < machines_.size(); ++i) {
      if (machines_[i].founding != nullptr) machines_[i].founding->OnTick(now_);
      if (machines_[i].proposer != nullptr) machines_[i].proposer->OnTick(now_);
      Act(i);
    }
  }

  Mail Take() {
    const std::size_t at = random_.Below(mail_.size());
    Mail mail = std::move(mail_[at]);
    mail_.erase(mail_.begin() + static_cast<std::ptrdiff_t>(at));
    return mail;
  }

  void Deliver() {
    const Mail mail = Take();
    Machine& to = machines_[mail.to];
    if (const auto* question = std::get_if<Question>(&mail.body)) {
      SeedHello answer = to.founding != nullptr ? to.founding->Answer(question->hello)
                                                : AnswerHello(question->hello, InfoOf(mail.to),
                                                              "test", seeds(), *to.acceptor);
      if (to.founding != nullptr && !question->hello.join.empty())
        to.founding->OnNewcomer(now_, question->hello);
      mail_.push_back({mail.to, mail.from, Answer{std::move(answer)}});
    } else if (const auto* answer = std::get_if<Answer>(&mail.body)) {
      if (to.founding != nullptr) to.founding->OnAnswer(now_, addresses_[mail.from], answer->hello);
    } else if (const auto* request = std::get_if<PaxosRequest>(&mail.body)) {
      const Vote vote = to.acceptor->OnRequest(*request);
      if (vote.learned != nullptr) End(mail.to, vote.learned);
      if (vote.must_sync) to.votes = to.acceptor->EncodeState();
      mail_.push_back({mail.to, mail.from, vote.reply});
    } else if (to.proposer != nullptr) {
      to.proposer->OnReply(now_, std::get<PaxosReply>(mail.body));
    }
    Act(mail.to);
  }

  base::Random random_;
  base::Instant now_;
  const std::size_t seeds_;
  std::vector<base::Address> addresses_;  // The seeds' first.
  std::vector<Machine> machines_;
  std::vector<Mail> mail_;
  std::set<base::HostId> clusters_;  // That any machine has learned.
  bool failed_ = false;
  int taken_in_ = 0;
};

struct Faults {
  std::uint32_t seeds = 3;
  std::uint32_t newcomers = 0;
  std::size_t wipes = 0;
  int wipes_each = 0;
  int runs = kBoots;
};

void RunFirstBoots(Faults faults) {
  const bool may_be_stuck = faults.wipes * static_cast<std::size_t>(faults.wipes_each) > 1;
  int stuck = 0, founded_under_faults = 0, taken_in = 0;
  for (int seed = 1; seed <= faults.runs; ++seed) {
    DOCTEST_CAPTURE(seed);
    FirstBoot boot(faults.seeds, faults.newcomers, static_cast<std::uint64_t>(seed));
    const int steps = (200 + seed % 400) * (faults.seeds + faults.newcomers > 3 ? 6 : 1);
    for (int step = 0; step < steps; ++step) boot.StepWithFaults(faults.wipes, faults.wipes_each);
    founded_under_faults += boot.clusters().empty() ? 0 : 1;
    for (int step = 0; step < 20000 && !boot.done(); ++step) boot.StepInPeace();
    REQUIRE(boot.done());
    REQUIRE(boot.clusters().size() <= 1);
    if (!may_be_stuck) REQUIRE(!boot.any_failed());
    stuck += boot.clusters().empty() ? 1 : 0;
    taken_in += boot.taken_in();
  }
  EXPECT(stuck <= (may_be_stuck ? faults.runs / 10 : 0));
  EXPECT(founded_under_faults > faults.runs / 10);
  EXPECT(taken_in >= static_cast<int>(faults.newcomers) * faults.runs / 10);
}

TEST_SUITE("topology/first_boot") {
  TEST_CASE("a single seed founds through restarts") { RunFirstBoots({.seeds = 1, .runs = 50}); }
  TEST_CASE("two and three seeds found one cluster through loss and restarts") {
    RunFirstBoots({.seeds = 2});
    RunFirstBoots({.seeds = 3});
  }
  TEST_CASE("three seeds found one cluster though one directory is emptied once") {
    RunFirstBoots({.seeds = 3, .wipes = 1, .wipes_each = 1});
  }
  TEST_CASE(
      "three seeds never found two clusters though one directory is emptied again and again") {
    RunFirstBoots({.seeds = 3, .wipes = 1, .wipes_each = 4});
  }
  TEST_CASE("seeds take in who waits, through loss, restarts and emptied directories") {
    RunFirstBoots({.seeds = 2, .newcomers = 3, .runs = kBoots / 5});
    RunFirstBoots({.seeds = 3, .newcomers = 2, .wipes = 1, .wipes_each = 1, .runs = kBoots / 5});
  }
  TEST_CASE("five seeds never found two clusters though two directories are emptied") {
    RunFirstBoots({.seeds = 5, .wipes = 2, .wipes_each = 2, .runs = kBoots / 5});
  }
}

}  // namespace
}  // namespace starling::topology
