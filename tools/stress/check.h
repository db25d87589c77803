// tools/stress/check.h: whether what was read could have been, given what was written when.
//
// A write takes effect between its invocation and its return; one of unknown outcome at any time
// from its invocation on, or never. An acknowledged write that ended before another acknowledged
// one began is *hidden* by it from the latter's return on: whoever still reads the former, or reads
// nothing where no delete explains it, has seen one of these:
//   lost         nothing, or a value older than this load, although a write was acknowledged
//   stale        a value hidden by an acknowledged put
//   resurrected  a value hidden by an acknowledged delete
//   phantom      a value of a write that failed, had not begun, or was never made
// These are necessary conditions of linearizability and raise no false alarm; the simulator's
// checker decides it in full. Of a history whose generator was killed, what its missing writes
// could explain is no finding. Reads below QUORUM may be stale in good order.
//
// Thread: free functions.
#pragma once

#include <cstdint>
#include <limits>
#include <map>
#include <string>
#include <vector>

#include "tools/stress/history.h"

namespace starling::stress {

struct Verdict {
  std::uint64_t reads = 0;  // That were judged.
  std::uint64_t lost = 0;
  std::uint64_t stale = 0;
  std::uint64_t resurrected = 0;
  std::uint64_t phantom = 0;
  std::vector<std::string> examples;  // The first few, for people.

  bool clean() const { return lost + stale + resurrected + phantom == 0; }
};

// Judges every read of the history that ended well.
Verdict CheckReads(const History& history);

// Judges what was read of each record after the load was over: the last acknowledged write must be
// there, or one that is not hidden by it. A stale value is a lost write here: counted as lost.
Verdict CheckFinal(const History& history,
                   const std::map<std::uint64_t, std::uint64_t>& id_by_record);

}  // namespace starling::stress
