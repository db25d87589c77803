// server/topology/newcomers.h: who asks to be taken in while its cluster is yet to be founded.
//
// They are no seeds, so they found nothing and vote on nothing. They say every hello_interval that
// they are there; who falls silent is forgotten. Bounded: those beyond kNewcomersMax join later.
//
// Thread:    confined. Ownership: copies only.
// Read next: founding.h, docs/decisions/0002-one-newcomer-at-a-time.md
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <vector>

#include "base/address.h"
#include "base/time.h"
#include "server/topology/changes.h"

namespace starling::topology {

inline constexpr std::size_t kNewcomersMax = 256;

class Newcomers {
 public:
  // `kept`: who was not heard of for so long is gone.
  explicit Newcomers(base::Duration kept) : kept_(kept) {}

  // It is there. What it says now counts: its directory may have been emptied since.
  void Hear(base::Instant now, const NodeInfo& node);
  // Those that are there, by address.
  std::vector<NodeInfo> Present(base::Instant now);
  // When the last of them came; nullopt when there is none.
  std::optional<base::Instant> LastCame(base::Instant now);

 private:
  struct Waiting {
    NodeInfo node;
    base::Instant came;
    base::Instant heard;
  };
  void Forget(base::Instant now);

  const base::Duration kept_;
  std::map<base::Address, Waiting> waiting_;
};

}  // namespace starling::topology
