// tools/stress/verify.h: reads every record of a history from the cluster, for check.h to judge.
//
// Thread:    confined to its World's.
// Read next: tools/stress/check.h.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "tools/stress/history.h"
#include "tools/stress/session_actor.h"

namespace starling::stress {

struct FinalState {
  std::map<std::uint64_t, std::uint64_t> id_by_record;
  std::uint64_t unread = 0;  // Records that could not be read.
  std::string why_unread;    // The first of them.
};

class FinalReader final : public SessionActor {
 public:
  // Reads, at QUORUM, what the history wrote. Ends its World when done.
  FinalReader(base::World& world, client::SessionOptions session, const History& history);

  FinalState TakeState() { return std::move(state_); }

 private:
  static constexpr std::size_t kInFlightMax = 512;
  static constexpr unsigned kAttemptsMax = 5;  // A read each; a cluster that restarts needs some.

  void OnTurn() override;
  void OnMap(std::uint64_t tag, const base::Status& status) override;
  void OnGet(std::uint64_t tag, const client::GetResult& result) override;
  void Read(std::uint64_t record);

  const std::string keyspace_;
  std::set<std::uint64_t> runs_;  // Whose values the history knows.
  std::vector<std::uint64_t> records_;
  std::map<std::uint64_t, unsigned> attempts_;  // Of records that failed.
  std::size_t next_ = 0;
  std::size_t in_flight_ = 0;
  bool running_ = false;
  FinalState state_;
};

}  // namespace starling::stress
