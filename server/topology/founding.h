// server/topology/founding.h: the first boot: found a cluster with the other seeds, or join one.
//
// A node without a topology asks every listed seed who it is, again and again, until the answers
// decide: some seed has a topology (adopt it if it names this host, else join), or all seeds are
// empty, list the same seeds, and one of them proposes epoch 1 by Paxos among them all. A node that
// is to replace another never founds. Nodes that are no seeds, and wait for a cluster to join, are
// taken in by epoch 1 (newcomers.h): nothing is stored yet, so there is nothing to catch up with.
//
// Why two rounds. A seed that loses its data directory comes back under a new host id and has
// forgotten its votes. So a proposal is made only when two full rounds of answers agree, the second
// asked after the first was complete: every host proposed as voter was alive before any answer of
// the second round was written, so any vote taken part in by an earlier incarnation shows as some
// seed's `bound_voters`; and then only those voters are proposed (see Acceptor::CheckVoters).
//
// Thread:    confined. Ownership: reads the node's Acceptor, which must outlive it.
// Read next: founding_decide.cc, tests/server/topology/founding_test.cc
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/address.h"
#include "base/host_id.h"
#include "base/random.h"
#include "base/status.h"
#include "base/time.h"
#include "server/topology/changes.h"
#include "server/topology/newcomers.h"
#include "server/topology/paxos.h"
#include "server/topology/topology.h"

namespace starling::topology {

// Question and answer have one form; an answer repeats the question's round.
struct SeedHello {
  std::uint64_t round = 0;
  NodeInfo node;
  std::string cluster_name;
  std::vector<base::Address> seeds;        // As its configuration lists them: resolved, sorted.
  std::vector<base::HostId> bound_voters;  // Among whom it has promised its vote on epoch 1.
  std::string topology;                    // Encoded; empty when it has none.
  bool replaces = false;                   // It waits to take a member's place: no founder.
  std::string join{};  // Of a question: it is no seed, and this is its request to be taken in.

  bool operator==(const SeedHello&) const = default;
};

// What any node answers to a hello, long after its own first boot too. `seeds` need not be sorted.
// (A node that has a Founding asks that instead.)
SeedHello AnswerHello(const SeedHello& question, const NodeInfo& self,
                      const std::string& cluster_name, std::vector<base::Address> seeds,
                      const Acceptor& acceptor);

struct FoundingOptions {
  NodeInfo self;
  std::vector<base::Address> seeds;  // Resolved; any order, doubles allowed.
  std::string cluster_name;
  // It is to take the place of a member (node.replace): so there is a cluster, and one that this
  // node founded instead would be another one, empty, under the same name.
  bool replaces = false;
  // They are names that may lead elsewhere by now: another list than the others' may come to agree.
  bool seeds_may_change = false;
  std::uint64_t random_seed = 0;  // Truly random in production: it draws the cluster's id.
  base::Duration hello_interval = base::milliseconds(500);
  // How long one seed's topology waits for the others' answers, which might name another cluster.
  base::Duration join_grace = base::seconds(1);
  // The seeds propose in the order of their addresses, this far apart, so that one is enough.
  base::Duration propose_stagger = base::seconds(1);
  // While nodes that are no seeds come and ask to be taken in, the seeds wait for more: until none
  // came for `gather`, and at most for `gather_max`. Longer takes in those that start more slowly.
  base::Duration gather = base::seconds(1);
  base::Duration gather_max = base::seconds(5);
  base::Duration say_interval = base::seconds(5);
};

struct Decision {
  enum class Kind : std::uint8_t {
    kWait,     // `missing` did not answer, or others must act; `message` says which.
    kPropose,  // Run a Proposer for epoch 1: `topology` among `voters`. Then OnProposalEnded.
    kAdopt,    // `topology` names this host already: store it and be a member.
    kJoin,     // Ask the node at `via` to be admitted to `topology`, or to replace.
    kFail,     // `status` is what the operator must mend.
  };

  Kind kind = Kind::kWait;
  std::string message;
  std::vector<base::Address> missing;
  base::Status status;
  TopologyPtr topology;
  std::vector<Voter> voters;
  base::Address via;
};

class Founding {
 public:
  struct Hello {
    base::Address to;
    SeedHello hello;
  };
  struct Outputs {
    std::vector<Hello> hellos;  // Best effort; bring each answer back with OnAnswer.
    std::string say;            // If not empty: a line for the log, once every say_interval.
    base::Instant next_tick;
  };

  // REQUIRES: `acceptor` has no topology yet, and its host id is stored: it must outlive a crash
  // before anybody hears of it.
  Founding(FoundingOptions options, const Acceptor& acceptor, base::Instant now);

  void OnTick(base::Instant now);
  // What the seed at `asked` answered. Answers to an earlier round are ignored.
  void OnAnswer(base::Instant now, base::Address asked, const SeedHello& answer);
  // The answer to another node's hello.
  SeedHello Answer(const SeedHello& question) const;
  // Another node asks to be taken in. The caller has made sure that it may be in this cluster. One
  // that might be, or become, a member of another cluster has to join this one once it is founded.
  void OnNewcomer(base::Instant now, const SeedHello& question);
  // Whether this node is to ask for that, in its own hellos.
  bool may_be_taken_in() const { return !is_seed() && !options_.replaces; }
  // The proposal came to nothing: ask again. (If it came to something, the Founding is over.)
  void OnProposalEnded(base::Instant now);

  // Look after every call. kAdopt, kJoin and kFail are final.
  const Decision& decision() const { return decision_; }
  Outputs TakeOutputs();

 private:
  // Who has not answered, or asked, for this many intervals is not there.
  static constexpr int kMissingIntervals = 3;

  struct Heard {
    SeedHello hello;
    TopologyPtr topology;
    base::Instant at;
  };

  bool final() const;
  bool is_seed() const;
  void Ask(base::Instant now);
  void EndRound(base::Instant now);
  SeedHello OwnHello() const;
  // The parts of deciding, in order; each returns whether it has decided.
  void Decide(base::Instant now);
  bool DecideBadAnswer();
  bool DecideFromTopologies(base::Instant now);
  void DecideReplacement(base::Instant now);
  bool DecideSeedLists(base::Instant now);
  bool DecideReplacingSeed(base::Instant now);
  void DecideProposal(base::Instant now);
  bool DecideToGather(base::Instant now);
  void Propose(base::Instant now, const std::vector<SeedHello>& hellos,
               const std::vector<base::HostId>& voters);
  void Wait(base::Instant now, std::string why);
  void Fail(base::Status status);
  std::vector<base::Address> Missing(base::Instant now) const;

  const FoundingOptions options_;
  const std::vector<base::Address> seeds_;   // Sorted, each once.
  const std::vector<base::Address> others_;  // Without this node.
  const Acceptor& acceptor_;
  const base::Instant started_;
  base::Random random_;

  std::uint64_t round_;                            // Random at first: an old answer never fits.
  std::map<base::Address, SeedHello> answers_;     // Of this round.
  std::map<base::Address, SeedHello> last_round_;  // Complete, or empty.
  std::map<base::Address, Heard> heard_;           // The newest answer of each seed.
  std::optional<base::Instant> agreed_since_;      // Two rounds in a row were complete and equal.
  Newcomers newcomers_;
  base::Instant next_hello_;
  base::Instant next_say_;
  Decision decision_;
  Outputs outputs_;
};

}  // namespace starling::topology
