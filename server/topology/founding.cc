#include "server/topology/founding.h"

#include <fmt/core.h>

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "server/topology/codec.h"

namespace starling::topology {
namespace {

std::vector<base::Address> Sorted(std::vector<base::Address> addresses) {
  std::sort(addresses.begin(), addresses.end());
  addresses.erase(std::unique(addresses.begin(), addresses.end()), addresses.end());
  return addresses;
}

std::vector<base::Address> Without(std::vector<base::Address> addresses, base::Address one) {
  std::erase(addresses, one);
  return addresses;
}

}  // namespace

SeedHello AnswerHello(const SeedHello& question, const NodeInfo& self,
                      const std::string& cluster_name, std::vector<base::Address> seeds,
                      const Acceptor& acceptor) {
  return {.round = question.round,
          .node = self,
          .cluster_name = cluster_name,
          .seeds = Sorted(std::move(seeds)),
          .bound_voters =
              acceptor.known() == nullptr ? acceptor.bound_voters() : std::vector<base::HostId>{},
          .topology = acceptor.known_bytes()};
}

Founding::Founding(FoundingOptions options, const Acceptor& acceptor, base::Instant now)
    : options_(std::move(options)),
      seeds_(Sorted(options_.seeds)),
      others_(Without(seeds_, options_.self.cluster)),
      acceptor_(acceptor),
      started_(now),
      random_(options_.random_seed),
      round_(random_.Next() >> 1),
      newcomers_(options_.hello_interval * kMissingIntervals),
      next_hello_(now),
      next_say_(now + options_.say_interval) {
  CHECK(acceptor_.known() == nullptr);
  CHECK(acceptor_.self() == options_.self.host);
  if (seeds_.empty() || seeds_.size() > kSeedsMax) {
    Fail(base::InvalidArgument(fmt::format("cluster.seeds names {} addresses; it takes 1 to {}",
                                           seeds_.size(), kSeedsMax)));
    return;
  }
  OnTick(now);
}

bool Founding::final() const {
  return decision_.kind == Decision::Kind::kAdopt || decision_.kind == Decision::Kind::kJoin ||
         decision_.kind == Decision::Kind::kFail;
}

bool Founding::is_seed() const { return others_.size() < seeds_.size(); }

Founding::Outputs Founding::TakeOutputs() {
  const bool quiet = final() || decision_.kind == Decision::Kind::kPropose;
  outputs_.next_tick = quiet ? base::Instant::Never() : next_hello_;
  return std::exchange(outputs_, {});
}

void Founding::OnTick(base::Instant now) {
  if (final() || decision_.kind == Decision::Kind::kPropose) return;
  if (now >= next_hello_) Ask(now);
  Decide(now);
}

void Founding::OnAnswer(base::Instant now, base::Address asked, const SeedHello& answer) {
  if (final() || decision_.kind == Decision::Kind::kPropose) return;
  if (answer.round != round_) return;
  if (!std::binary_search(others_.begin(), others_.end(), asked)) return;
  Heard heard{.hello = answer, .topology = nullptr, .at = now};
  if (!answer.topology.empty()) {
    base::Result<Topology> topology = DecodeTopology(answer.topology);
    if (!topology.has_value())
      return Fail(std::move(topology).error().Annotate(
          fmt::format("seed {} has a topology that cannot be read", asked.ToString())));
    heard.topology = std::make_shared<const Topology>(*std::move(topology));
  }
  heard_[asked] = std::move(heard);
  answers_[asked] = answer;
  answers_[asked].round = 0;  // Rounds are compared by what was said.
  if (answers_.size() == others_.size()) EndRound(now);
  Decide(now);
}

SeedHello Founding::Answer(const SeedHello& question) const {
  SeedHello answer = OwnHello();
  answer.round = question.round;
  return answer;
}

void Founding::OnNewcomer(base::Instant now, const SeedHello& question) {
  if (!is_seed() || options_.replaces || question.replaces) return;
  if (!question.topology.empty() || !question.bound_voters.empty()) return;
  if (!std::includes(seeds_.begin(), seeds_.end(), question.seeds.begin(), question.seeds.end()))
    return;
  if (std::binary_search(seeds_.begin(), seeds_.end(), question.node.cluster)) return;
  newcomers_.Hear(now, question.node);
}

void Founding::OnProposalEnded(base::Instant now) {
  CHECK(decision_.kind == Decision::Kind::kPropose);
  decision_ = {};
  agreed_since_.reset();
  last_round_.clear();
  answers_.clear();
  ++round_;
  next_hello_ = now;
  OnTick(now);
}

// Asks all, those that answered in this round too: what they said may have changed while another is
// waited for. A lone seed has nobody to ask: its round is over.
void Founding::Ask(base::Instant now) {
  next_hello_ = now + options_.hello_interval;
  if (others_.empty()) return EndRound(now);
  SeedHello hello = OwnHello();
  hello.round = round_;
  for (const base::Address& seed : others_) outputs_.hellos.push_back({.to = seed, .hello = hello});
}

void Founding::EndRound(base::Instant now) {
  const bool lone = others_.empty();
  if (!lone && answers_ != last_round_) {
    agreed_since_.reset();
    next_hello_ = now;  // The second round need not wait.
  } else if (!agreed_since_.has_value()) {
    agreed_since_ = now;
  }
  last_round_ = std::exchange(answers_, {});
  ++round_;
  if (!lone && now >= next_hello_) Ask(now);
}

// While its own proposal runs, this node counts as bound to it, even before its Acceptor is.
SeedHello Founding::OwnHello() const {
  SeedHello hello = AnswerHello({}, options_.self, options_.cluster_name, seeds_, acceptor_);
  hello.replaces = options_.replaces;
  if (decision_.kind == Decision::Kind::kPropose && hello.bound_voters.empty()) {
    for (const Voter& voter : decision_.voters) hello.bound_voters.push_back(voter.host);
    std::sort(hello.bound_voters.begin(), hello.bound_voters.end());
  }
  return hello;
}

}  // namespace starling::topology
