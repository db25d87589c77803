// tools/stress/generator.h: the load: operations issued in the event loop itself, and measured.
//
// Closed loop: as many operations are in flight as there are slots, and the next begins when one
// ends; after one that was refused the slot rests a little, as a client that backs off. Open loop
// (rate > 0): they are due at fixed instants, and the latency counts from the instant at which an
// operation was due, also when it had to wait for a slot: what a stalled server keeps from being
// sent is measured, not left out (coordinated omission). What was due and never begun is counted.
// The World's alarm comes up to 2 ms late, and so may an operation: the report says how late.
//
// Errors are counted by class and end nothing: a cluster may go down and come back meanwhile.
//
// Thread:    confined to its World's.
// Ownership: the HistoryFile and the listener of progress outlive it.
// Read next: tools/stress/workload.h, tools/stress/check.h.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>

#include "base/histogram.h"
#include "base/slab.h"
#include "tools/stress/history.h"
#include "tools/stress/session_actor.h"
#include "tools/stress/workload.h"

namespace starling::stress {

struct LoadOptions {
  std::string keyspace = "default";
  wire::Consistency level = wire::Consistency::kQuorum;
  Mix mix;
  double deletes = 0;  // Share of the writes that delete.
  Distribution distribution = Distribution::kUniform;
  std::uint64_t records = 100000;
  std::size_t value_bytes = 100;
  std::size_t slots = 64;        // Operations in flight.
  double rate = 0;               // A second; 0: closed loop.
  std::uint64_t operations = 0;  // 0: no limit. The warm-up is not counted.
  std::uint64_t issues_max = 0;  // Likewise, and the warm-up is.
  base::Duration duration{0};    // 0: no limit. REQUIRES: some limit.
  base::Duration warmup{0};
  std::uint64_t seed = 1;
  std::uint32_t run = 1;  // Tells the values of this load from others'; up to kRunMax.
  bool keep_history = false;
};

struct Latencies {
  std::uint64_t operations = 0;  // That ended well.
  base::Histogram ns;
};

struct LoadReport {
  double seconds = 0;  // Measured, without the warm-up.
  std::uint64_t operations = 0;
  std::uint64_t errors = 0;
  std::map<std::string, Latencies> by_type;  // "read", "write", "read-modify-write"
  base::Histogram all_ns;
  // Open loop: how late operations began, and how many that were due never did.
  base::Histogram late_ns;
  std::uint64_t never_begun = 0;
  std::map<std::string, std::uint64_t> errors_by_class;
  std::map<std::string, std::string> error_examples;  // The first message of each class.
  History history;                                    // If kept; warm-up included.
  bool interrupted = false;
};

// What happened since the last call, once a second.
struct Progress {
  double at_seconds = 0;
  bool warming_up = false;
  std::uint64_t operations = 0;
  std::uint64_t errors = 0;
  base::Histogram ns;
};

class Generator final : public SessionActor {
 public:
  class Listener {
   public:
    virtual void OnProgress(const Progress& progress) = 0;

   protected:
    ~Listener() = default;
  };

  // `file` may be null. Ends its World when the load is done, with a failure if it could not begin
  // or the history could not be written.
  Generator(base::World& world, client::SessionOptions session, LoadOptions options,
            HistoryFile* file, Listener& listener);

  // After the World has ended.
  LoadReport TakeReport();

  void OnMail(std::unique_ptr<base::Mail> mail) override;  // Whatever it is: stop.

 private:
  struct Flight {
    OpType type = OpType::kRead;
    std::uint64_t record = 0;
    std::uint64_t id = kNothing;  // Of the value that it puts.
    base::Instant due;            // Where its latency counts from.
    base::Instant invoked;        // Of its present request.
    bool measured = false;        // Begun after the warm-up.
  };

  void OnTurn() override;
  base::Instant next_wake() const override;
  void OnMap(std::uint64_t tag, const base::Status& status) override;
  void OnPut(std::uint64_t tag, const client::PutResult& result) override;
  void OnGet(std::uint64_t tag, const client::GetResult& result) override;

  // When operation `number` of an open loop is due.
  base::Instant DueAt(std::uint64_t number) const;
  void Begin();
  void Issue();
  bool IssuedAll() const;
  bool MayIssue() const;
  void IssueOne(base::Instant due);
  OpType DrawType();
  void SendPut(std::uint64_t tag, Flight& flight);
  void Keep(const Flight& flight, EventType type, Outcome outcome, std::uint64_t id,
            const base::Version& version);
  void Ended(std::uint64_t tag, const base::Status& status);
  void CountError(const base::Status& status);
  void ShowProgress();
  void Stop();

  const LoadOptions options_;
  HistoryFile* const file_;
  Listener& listener_;
  base::Random random_;
  KeyChooser keys_;
  base::Slab<Flight> flights_;
  std::string value_;  // Reused.

  bool running_ = false;
  bool stopping_ = false;
  base::Instant started_, measured_from_, stop_at_;
  std::uint64_t issued_ = 0;         // Also the number of the next one.
  std::uint64_t measured_ = 0;       // Of those, the ones after the warm-up.
  std::deque<base::Instant> rests_;  // When slots that rest may be used again, in order.
  std::uint64_t values_ = 0;
  base::Instant next_progress_;
  Progress progress_;
  std::array<Latencies, kOpTypes> latencies_;  // By OpType.
  LoadReport report_;
};

}  // namespace starling::stress
