// tools/stress/verify.h: reads every record of a history from the cluster, for check.h to judge.
//
// Thread:    confined to its World's.
// Read next: tools/stress/check.h.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <unordered_map>
#include <vector>

#include "tools/stress/history.h"
#include "tools/stress/session_actor.h"

namespace starling::stress {

struct FinalState {
  std::map<std::uint64_t, std::uint64_t> id_by_record;
  // Records that another load has written since, by their versions: what this one wrote there was
  // replaced in good order, and they are not in id_by_record.
  std::uint64_t replaced = 0;
  std::uint64_t unread = 0;  // Records that could not be read.
  std::string why_unread;    // One of them.
};

class FinalReader final : public SessionActor {
 public:
  // Without any read that succeeded for so long, the rest is given up as unread. A cluster that
  // restarts needs some of it.
  static constexpr base::Duration kPatience = base::seconds(30);

  // Reads, at QUORUM, what the history wrote, and again what fails. Ends its World when done.
  FinalReader(base::World& world, client::SessionOptions session, const History& history);

  FinalState TakeState() { return std::move(state_); }

 private:
  static constexpr std::size_t kInFlightMax = 512;
  static constexpr base::Duration kRetryAfter = base::milliseconds(200);

  void OnTurn() override;
  base::Instant next_wake() const override;
  void OnMap(std::uint64_t tag, const base::Status& status) override;
  void OnGet(std::uint64_t tag, const client::GetResult& result) override;
  void Read(std::uint64_t record);

  const std::string keyspace_;
  const std::uint32_t run_;  // Whose values the history knows.
  const std::unordered_map<std::uint64_t, base::Version> newest_;  // By record.
  std::vector<std::uint64_t> records_;
  struct Retry {
    base::Instant at;
    std::uint64_t record = 0;
  };
  std::deque<Retry> retries_;  // In the order of `at`.
  std::size_t next_ = 0;
  std::size_t in_flight_ = 0;
  base::Instant succeeded_at_;
  bool running_ = false;
  FinalState state_;
};

}  // namespace starling::stress
