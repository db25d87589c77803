// server/topology/founding_decide.cc: what the answers of the seeds come to.
#include <fmt/core.h>

#include <algorithm>
#include <set>
#include <utility>

#include "server/topology/founding.h"

namespace starling::topology {
namespace {

using base::FailedPrecondition;

std::string List(const std::vector<base::Address>& addresses) {
  std::string text;
  for (const base::Address& address : addresses)
    text += (text.empty() ? "" : ", ") + address.ToString();
  return text;
}

std::string List(const std::vector<base::HostId>& hosts) {
  std::string text;
  for (const base::HostId& host : hosts) text += (text.empty() ? "" : ", ") + host.ToString();
  return text;
}

bool Contains(const std::vector<base::HostId>& sorted, base::HostId host) {
  return std::binary_search(sorted.begin(), sorted.end(), host);
}

// Whether the seed behind `hello` can vote among `voters`.
bool MayVote(const SeedHello& hello, const std::vector<base::HostId>& voters) {
  return Contains(voters, hello.node.host) &&
         (hello.bound_voters.empty() || hello.bound_voters == voters);
}

std::vector<base::HostId> HostsOf(const std::vector<SeedHello>& hellos) {
  std::vector<base::HostId> hosts;
  hosts.reserve(hellos.size());
  for (const SeedHello& hello : hellos) hosts.push_back(hello.node.host);
  std::sort(hosts.begin(), hosts.end());
  return hosts;
}

// Among whom epoch 1 is to be chosen: those that a seed is bound to, if enough of them are still
// there, else the seeds as they are. Empty: too many of the bound ones are lost.
std::vector<base::HostId> ChooseElectorate(const std::vector<SeedHello>& hellos) {
  std::set<std::vector<base::HostId>> bound;
  for (const SeedHello& hello : hellos)
    if (!hello.bound_voters.empty()) bound.insert(hello.bound_voters);
  if (bound.empty()) return HostsOf(hellos);
  for (const auto& voters : bound) {
    const auto able = std::count_if(hellos.begin(), hellos.end(),
                                    [&](const SeedHello& hello) { return MayVote(hello, voters); });
    if (static_cast<std::size_t>(able) > voters.size() / 2) return voters;
  }
  return {};
}

// Epoch 1 with those of `newcomers` that fit in. What one of them says of itself must not keep the
// seeds from founding: who does not fit hears why when it asks to join.
base::Result<Topology> FoundWith(FoundingPlan plan, const std::vector<NodeInfo>& newcomers) {
  plan.newcomers = newcomers;
  base::Result<Topology> all = Found(plan);
  if (all.has_value() || newcomers.empty()) return all;
  plan.newcomers.clear();
  for (const NodeInfo& node : newcomers) {
    plan.newcomers.push_back(node);
    if (!Found(plan).has_value()) plan.newcomers.pop_back();
  }
  return Found(plan);
}

}  // namespace

void Founding::Decide(base::Instant now) {
  if (final()) return;
  if (DecideBadAnswer() || DecideFromTopologies(now)) return;
  if (options_.replaces) return DecideReplacement(now);
  if (!is_seed())
    return Wait(now, fmt::format("{} is not among the seeds {}, so it can only join, and no seed "
                                 "that answered has a topology yet",
                                 options_.self.cluster.ToString(), List(seeds_)));
  if (DecideSeedLists(now) || DecideReplacingSeed(now)) return;
  if (!agreed_since_.has_value()) return Wait(now, "waiting for every seed, to found the cluster");
  DecideProposal(now);
}

// What no other answer can put right.
bool Founding::DecideBadAnswer() {
  std::map<base::HostId, base::Address> seen{{options_.self.host, options_.self.cluster}};
  for (const auto& [seed, heard] : heard_) {
    const SeedHello& hello = heard.hello;
    if (hello.cluster_name != options_.cluster_name) {
      Fail(FailedPrecondition(
          fmt::format("seed {} is of cluster '{}', and this node is configured for cluster '{}'",
                      seed.ToString(), hello.cluster_name, options_.cluster_name)));
    } else if (hello.node.cluster != seed) {
      Fail(FailedPrecondition(fmt::format(
          "seed {} says that its address is {}: list it in cluster.seeds under that one",
          seed.ToString(), hello.node.cluster.ToString())));
    } else if (const auto [twin, fresh] = seen.emplace(hello.node.host, seed); !fresh) {
      Fail(FailedPrecondition(fmt::format(
          "{} and {} have the same host id {}: one data directory is a copy of the other's",
          twin->second.ToString(), seed.ToString(), hello.node.host.ToString())));
    }
    if (final()) return true;
  }
  return false;
}

bool Founding::DecideFromTopologies(base::Instant now) {
  TopologyPtr newest = acceptor_.known();  // A proposer may have told it meanwhile.
  base::Address via = newest == nullptr ? base::Address{} : newest->members().front()->cluster;
  for (const auto& [seed, heard] : heard_) {
    if (heard.topology == nullptr) continue;
    if (newest != nullptr && heard.topology->cluster_id != newest->cluster_id) {
      Fail(FailedPrecondition(fmt::format("the seeds are of two clusters: {} of {}, and {} of {}",
                                          via.ToString(), newest->cluster_id.ToString(),
                                          seed.ToString(), heard.topology->cluster_id.ToString())));
      return true;
    }
    if (newest != nullptr && !Newer(*heard.topology, *newest)) continue;
    newest = heard.topology;
    via = seed;
  }
  if (newest == nullptr) return false;
  if (heard_.size() < others_.size() && now - started_ < options_.join_grace) {
    Wait(now, fmt::format("seed {} has a topology; asking the others", via.ToString()));
    return true;
  }
  const Node* self = newest->Find(options_.self.host);
  const bool named = self != nullptr && self->member();
  decision_ = {.kind = named ? Decision::Kind::kAdopt : Decision::Kind::kJoin,
               .message = {},
               .missing = {},
               .status = {},
               .topology = std::move(newest),
               .voters = {},
               .via = via};
  return true;
}

// Nobody has a topology yet, and this node founds none. Who has promised a vote may be about to.
void Founding::DecideReplacement(base::Instant now) {
  constexpr std::string_view kInstead =
      "Name members of the cluster in cluster.seeds; or remove node.replace, to found a new and "
      "empty cluster";
  if (others_.empty())
    return Fail(FailedPrecondition(fmt::format(
        "node.replace is set, and cluster.seeds names nobody but this node: there is no cluster to "
        "ask for a place in it. {}",
        kInstead)));
  const auto bound = [](const auto& seed) { return !seed.second.bound_voters.empty(); };
  if (is_seed() && agreed_since_.has_value() &&
      std::none_of(last_round_.begin(), last_round_.end(), bound))
    return Fail(FailedPrecondition(
        fmt::format("node.replace is set, and all other seeds ({}) are empty: there is no cluster "
                    "with a member to replace. {}",
                    List(others_), kInstead)));
  Wait(now,
       "node.replace is set, so this node founds nothing, and no seed that answered has a "
       "topology yet");
}

bool Founding::DecideReplacingSeed(base::Instant now) {
  for (const auto& [seed, heard] : heard_) {
    if (!heard.hello.replaces) continue;
    Wait(now, fmt::format("seed {} has node.replace set and is empty, so it founds nothing: remove "
                          "that there if a new cluster is wanted",
                          seed.ToString()));
    return true;
  }
  return false;
}

// Nobody founds while the lists differ. Who is wrong shows when all have answered: the one that
// stands alone against most of the others, which agree. It fails; they wait for it to come back
// mended, and say so. With two lists of one node each nobody knows, and both wait.
bool Founding::DecideSeedLists(base::Instant now) {
  std::map<std::vector<base::Address>, std::size_t> lists;
  const Heard* different = nullptr;
  for (const auto& [seed, heard] : heard_) {
    ++lists[heard.hello.seeds];
    if (different == nullptr && heard.hello.seeds != seeds_) different = &heard;
  }
  if (different == nullptr) {
    // What was agreed on before a list changed counts no more: two new rounds must say the same.
    return !std::all_of(last_round_.begin(), last_round_.end(), [this](const auto& seed) {
      return seed.second.seeds == seeds_;
    }) && (Wait(now, "a seed has changed its list of seeds; asking again"), true);
  }
  std::string why = fmt::format(
      "seed {} lists the seeds {}, and this node lists {}: a cluster is founded only when all "
      "seeds have the same list",
      different->hello.node.cluster.ToString(), List(different->hello.seeds), List(seeds_));
  for (const auto& [list, count] : lists) {
    if (options_.seeds_may_change || list == seeds_ || count < 2 || count <= others_.size() / 2 ||
        !Missing(now).empty())
      continue;
    Fail(FailedPrecondition(fmt::format(
        "{} of the {} other seeds list the seeds {}, and this node lists {}: a cluster is founded "
        "only when all seeds have the same list. Mend cluster.seeds here",
        count, others_.size(), List(list), List(seeds_))));
    return true;
  }
  Wait(now, std::move(why));
  return true;
}

void Founding::DecideProposal(base::Instant now) {
  std::vector<SeedHello> hellos{OwnHello()};
  for (const auto& [seed, hello] : last_round_) hellos.push_back(hello);
  const std::vector<base::HostId> voters = ChooseElectorate(hellos);
  if (voters.empty()) {
    std::string bound;
    for (const SeedHello& hello : hellos)
      if (!hello.bound_voters.empty())
        bound = fmt::format("{} has voted among {}", hello.node.cluster.ToString(),
                            List(hello.bound_voters));
    return Fail(FailedPrecondition(
        fmt::format("the founding was interrupted and most of its voters are gone: {}, and the "
                    "seeds are now {}. Empty the data directories of all seeds and start again",
                    bound, List(HostsOf(hellos)))));
  }
  if (!MayVote(hellos.front(), voters))
    return Wait(now, "the founding began without this node; waiting for the other seeds to end it");
  if (DecideToGather(now)) return;
  Propose(now, hellos, voters);
}

// Whether it is too early to propose: another seed is to do so, or more newcomers may come.
bool Founding::DecideToGather(base::Instant now) {
  base::Instant gathered = *agreed_since_;
  if (const std::optional<base::Instant> last = newcomers_.LastCame(now))
    gathered = std::clamp(*last + options_.gather, gathered, gathered + options_.gather_max);
  const auto rank = std::lower_bound(seeds_.begin(), seeds_.end(), options_.self.cluster);
  if (now >= gathered + options_.propose_stagger * (rank - seeds_.begin())) return false;
  Wait(now,
       now < gathered
           ? fmt::format("all seeds agree; {} other nodes are to be taken in, and more may come",
                         newcomers_.Present(now).size())
           : fmt::format("all seeds agree; waiting for {} to found the cluster",
                         seeds_.front().ToString()));
  return true;
}

void Founding::Propose(base::Instant now, const std::vector<SeedHello>& hellos,
                       const std::vector<base::HostId>& voters) {
  FoundingPlan plan{.cluster_id = base::HostId::Draw(random_),
                    .cluster_name = options_.cluster_name,
                    .token_seed = random_.Next(),
                    .seeds = {},
                    .newcomers = {}};
  std::map<base::HostId, base::Address> addresses;
  for (const SeedHello& hello : hellos) {
    plan.seeds.push_back(hello.node);
    addresses[hello.node.host] = hello.node.cluster;
  }
  base::Result<Topology> topology = FoundWith(plan, newcomers_.Present(now));
  if (!topology.has_value())
    return Fail(std::move(topology).error().Annotate("the cluster cannot be founded"));
  decision_ = {};
  decision_.topology = std::make_shared<const Topology>(*std::move(topology));
  for (const base::HostId& host : voters)
    decision_.voters.push_back({.host = host, .address = addresses[host]});
  decision_.kind = Decision::Kind::kPropose;
}

void Founding::Wait(base::Instant now, std::string why) {
  decision_ = {};
  decision_.missing = Missing(now);
  decision_.message = std::move(why);
  if (!decision_.missing.empty())
    decision_.message += "; no answer from " + List(decision_.missing);
  if (now < next_say_) return;
  next_say_ = now + options_.say_interval;
  outputs_.say = decision_.message;
}

void Founding::Fail(base::Status status) {
  decision_ = {};
  decision_.kind = Decision::Kind::kFail;
  decision_.status = std::move(status);
}

std::vector<base::Address> Founding::Missing(base::Instant now) const {
  std::vector<base::Address> missing;
  for (const base::Address& seed : others_) {
    const auto heard = heard_.find(seed);
    if (heard == heard_.end() ||
        now - heard->second.at > options_.hello_interval * kMissingIntervals)
      missing.push_back(seed);
  }
  return missing;
}

}  // namespace starling::topology
