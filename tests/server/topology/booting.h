// tests/server/topology/booting.h: nodes at their first boot, which a test lets talk by hand.
//
// Thread: free functions.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "server/topology/founding.h"
#include "tests/server/topology/builders.h"

namespace starling::topology {

inline std::vector<base::Address> Seeds(std::uint32_t count) {
  std::vector<base::Address> seeds;
  for (std::uint32_t n = count; n >= 1; --n) seeds.push_back(AddressOf(n));
  return seeds;
}

struct Booting {
  std::unique_ptr<Acceptor> acceptor;
  std::unique_ptr<Founding> founding;

  const Decision& decision() const { return founding->decision(); }
};

struct Boot {
  std::uint32_t n = 1;
  std::vector<base::Address> seeds;
  std::string cluster = "test";
  bool replaces = false;
};

inline Booting Start(Boot boot) {
  const NodeInfo self = NodeOf(boot.n);
  Booting node;
  node.acceptor = std::make_unique<Acceptor>(self.host, nullptr);
  node.founding = std::make_unique<Founding>(FoundingOptions{.self = self,
                                                             .seeds = std::move(boot.seeds),
                                                             .cluster_name = boot.cluster,
                                                             .replaces = boot.replaces,
                                                             .random_seed = boot.n},
                                             *node.acceptor, At(0));
  return node;
}

// Answers every hello of `node` from `answers` until it has none left to send at this time.
inline void Exchange(Booting& node, base::Instant now,
                     const std::map<base::Address, std::function<SeedHello(SeedHello)>>& answers) {
  node.founding->OnTick(now);
  for (int rounds = 0; rounds < 4; ++rounds)
    for (const auto& [to, hello] : node.founding->TakeOutputs().hellos)
      if (const auto answer = answers.find(to); answer != answers.end())
        node.founding->OnAnswer(now, to, answer->second(hello));
}

inline auto AnswerOf(const Booting& node) {
  return [&node](const SeedHello& question) { return node.founding->Answer(question); };
}

inline auto MemberAnswer(std::uint32_t n, const Topology& topology,
                         const std::string& cluster = "test") {
  return [=](const SeedHello& question) {
    const Acceptor acceptor(NodeOf(n).host, Share(topology));
    return AnswerHello(question, NodeOf(n), cluster, {AddressOf(n)}, acceptor);
  };
}

}  // namespace starling::topology
