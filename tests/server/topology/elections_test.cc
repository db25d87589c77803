// Goal:   whatever the network and crashes do, an epoch is chosen once; when they stop, it is
// chosen.
//
// Method: three or five voters and several proposers under random schedules of loss, doubling,
// reordering, restarts from what was synced, and proposers that start over. A ledger that sees
// every synced acceptance says what was chosen, whether anybody noticed or not.
#include <cstdlib>
#include <map>
#include <memory>
#include <set>
#include <vector>

#include "server/topology/codec.h"
#include "server/topology/paxos.h"
#include "tests/server/topology/builders.h"
#include "tests/test.h"

namespace starling::topology {
namespace {

// More by hand: STARLING_RUNS=100 multiplies the schedules of each case.
const int kRuns =
    1000 * (std::getenv("STARLING_RUNS") ? std::atoi(std::getenv("STARLING_RUNS")) : 1);

class Election {
 public:
  // Epoch 1 when `base` is null; else the epoch after it, and one voter does not know `base` yet.
  Election(std::uint32_t voters, TopologyPtr base, std::uint64_t seed)
      : random_(seed), base_(std::move(base)) {
    for (std::uint32_t n = 1; n <= voters; ++n) {
      voters_.push_back({{0, n}, AddressOf(n)});
      disks_.push_back({.known = n == 1 ? nullptr : base_, .state = {}});
      acceptors_.push_back(std::make_unique<Acceptor>(voters_.back().host, disks_.back().known));
    }
    for (std::uint32_t n = 0; n < 3; ++n) {
      proposers_.push_back(nullptr);
      StartProposer(n);
    }
  }

  void StepWithFaults() {
    switch (random_.Below(12)) {
      case 0: return Pass(base::milliseconds(random_.Between(1, 400)));
      case 1: return Restart(random_.Below(acceptors_.size()));
      case 2:
        if (random_.Chance(0.1)) StartProposer(static_cast<std::uint32_t>(random_.Below(3)));
        return;
      case 3:
        if (!requests_.empty()) Take(requests_);  // Lost.
        return;
      case 4:
        if (!replies_.empty()) Take(replies_);
        return;
      case 5:  // Doubled.
        if (!requests_.empty()) requests_.push_back(requests_[random_.Below(requests_.size())]);
        if (!replies_.empty()) replies_.push_back(replies_[random_.Below(replies_.size())]);
        return;
      default: return random_.Chance(0.5) ? DeliverRequest(true) : DeliverReply();
    }
  }

  void StepInPeace() {
    if (requests_.empty() && replies_.empty()) return Pass(base::milliseconds(20));
    random_.Chance(0.5) ? DeliverRequest(false) : DeliverReply();
  }

  bool done() const {
    for (const auto& proposer : proposers_)
      if (!proposer->outcome().has_value()) return false;
    return true;
  }

  // Every value chosen for the epoch: by the ledger, by a proposer, or known to a voter.
  const std::set<std::string>& chosen() const { return chosen_; }

 private:
  struct Disk {
    TopologyPtr known;
    std::string state;
  };
  struct Reply {
    std::uint32_t proposer;
    PaxosReply reply;
  };
  struct Request {
    std::uint32_t proposer;
    Proposer::Message message;
  };

  template <typename Item>
  Item Take(std::vector<Item>& items) {
    const std::size_t at = random_.Below(items.size());
    Item item = std::move(items[at]);
    items.erase(items.begin() + static_cast<std::ptrdiff_t>(at));
    return item;
  }

  // Two proposers may stand on one host: 1 and 2 share it, as two changes on one node would.
  void StartProposer(std::uint32_t n) {
    ++values_;
    Topology value;
    if (base_ == nullptr) {
      value = FoundedBy(static_cast<std::uint32_t>(voters_.size()), values_);
    } else {
      value = *AddKeyspace(*base_, "k" + std::to_string(values_), Parsed("simple:3"));
    }
    ProposerOptions options{.self = {0, n == 0 ? 1U : 2U},
                            .voters = voters_,
                            .epoch = value.epoch,
                            .value = EncodeTopology(value),
                            .predecessor = base_ == nullptr ? "" : EncodeTopology(*base_),
                            .random_seed = random_.Next()};
    options.deadline = std::chrono::hours(1);
    proposers_[n] = std::make_unique<Proposer>(std::move(options), now_);
    Collect(n);
  }

  void Collect(std::uint32_t n) {
    for (auto& message : proposers_[n]->TakeOutputs().messages)
      requests_.push_back({n, std::move(message)});
    const auto& outcome = proposers_[n]->outcome();
    if (outcome.has_value() && outcome->status.ok()) chosen_.insert(outcome->chosen);
  }

  void Pass(base::Duration duration) {
    now_ = now_ + duration;
    for (std::uint32_t n = 0; n < proposers_.size(); ++n) {
      proposers_[n]->OnTick(now_);
      Collect(n);
    }
  }

  void Restart(std::size_t i) {
    auto restored = Acceptor::Restore(voters_[i].host, disks_[i].known, disks_[i].state);
    REQUIRE(restored.has_value());
    acceptors_[i] = std::make_unique<Acceptor>(*std::move(restored));
  }

  void DeliverRequest(bool faults) {
    if (requests_.empty()) return;
    const Request request = Take(requests_);
    const std::size_t i = request.message.to.host.low - 1;
    const Vote vote = acceptors_[i]->OnRequest(request.message.request);
    if (vote.must_sync) {
      if (faults && random_.Chance(0.05)) return Restart(i);  // Before the sync.
      if (vote.learned != nullptr) disks_[i].known = vote.learned;
      disks_[i].state = acceptors_[i]->EncodeState();
    }
    if (vote.learned != nullptr && vote.learned != base_ && vote.learned->epoch > BaseEpoch())
      chosen_.insert(EncodeTopology(*vote.learned));
    if (vote.reply.kind == PaxosReply::Kind::kAccepted) Count(request.message.request, i);
    if (faults && random_.Chance(0.05)) return Restart(i);  // Before the reply.
    replies_.push_back({request.proposer, vote.reply});
  }

  void DeliverReply() {
    if (replies_.empty()) return;
    const Reply reply = Take(replies_);
    proposers_[reply.proposer]->OnReply(now_, reply.reply);
    Collect(reply.proposer);
  }

  void Count(const PaxosRequest& accept, std::size_t voter) {
    auto& [value, voters] = ledger_[accept.ballot];
    if (!voters.empty()) REQUIRE(value == accept.value);
    value = accept.value;
    voters.insert(voter);
    if (voters.size() > voters_.size() / 2) chosen_.insert(value);
  }

  std::uint64_t BaseEpoch() const { return base_ == nullptr ? 0 : base_->epoch; }

  base::Random random_;
  base::Instant now_;
  const TopologyPtr base_;
  std::uint64_t values_ = 0;
  std::vector<Voter> voters_;
  std::vector<Disk> disks_;
  std::vector<std::unique_ptr<Acceptor>> acceptors_;
  std::vector<std::unique_ptr<Proposer>> proposers_;
  std::vector<Request> requests_;
  std::vector<Reply> replies_;
  std::map<Ballot, std::pair<std::string, std::set<std::size_t>>> ledger_;
  std::set<std::string> chosen_;
};

void RunElections(std::uint32_t voters, const TopologyPtr& base, int seeds) {
  int chosen_under_faults = 0;
  for (int seed = 1; seed <= seeds; ++seed) {
    DOCTEST_CAPTURE(seed);
    Election election(voters, base, static_cast<std::uint64_t>(seed));
    for (int step = 0; step < 400; ++step) election.StepWithFaults();
    chosen_under_faults += election.chosen().empty() ? 0 : 1;
    int steps = 0;
    while (!election.done() && ++steps < 20000) election.StepInPeace();
    REQUIRE(election.done());
    REQUIRE(election.chosen().size() == 1);
  }
  // Else the faults are so heavy that the schedules show nothing.
  EXPECT(chosen_under_faults > seeds / 4);
  EXPECT(chosen_under_faults < seeds);
}

TEST_SUITE("topology/elections") {
  TEST_CASE("three voters choose epoch 1 once") { RunElections(3, nullptr, kRuns); }
  TEST_CASE("five voters choose epoch 1 once") { RunElections(5, nullptr, kRuns); }
  TEST_CASE("three voters, one of them behind, choose epoch 2 once") {
    RunElections(3, Share(FoundedBy(3)), kRuns);
  }
}

}  // namespace
}  // namespace starling::topology
