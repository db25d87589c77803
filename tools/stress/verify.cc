#include "tools/stress/verify.h"

#include <fmt/core.h>

#include "tools/stress/workload.h"

namespace starling::stress {

namespace {

constexpr unsigned kRunShift = 40;

}  // namespace

FinalReader::FinalReader(base::World& world, client::SessionOptions session, const History& history)
    : SessionActor(world, std::move(session)), keyspace_(history.keyspace) {
  std::set<std::uint64_t> records;
  for (const Event& event : history.events) {
    if (event.type == EventType::kGet) continue;
    records.insert(event.record);
    if (event.type == EventType::kPut) runs_.insert(event.id >> kRunShift);
  }
  records_.assign(records.begin(), records.end());
}

void FinalReader::OnMap(std::uint64_t, const base::Status& status) {
  if (!status.ok()) return world_.Exit(status);
  running_ = true;
}

void FinalReader::OnTurn() {
  if (!running_) return;
  while (in_flight_ < kInFlightMax && next_ < records_.size()) Read(records_[next_++]);
  if (in_flight_ == 0) world_.Exit(base::Ok());
}

void FinalReader::Read(std::uint64_t record) {
  ++in_flight_;
  session_.Get({.keyspace = keyspace_, .key = KeyOf(record)}, record);
}

void FinalReader::OnGet(std::uint64_t record, const client::GetResult& result) {
  --in_flight_;
  if (!result.status.ok()) {
    if (++attempts_[record] < kAttemptsMax) return Read(record);
    if (++state_.unread == 1)
      state_.why_unread = fmt::format("{}: {}", KeyOf(record), result.status.ToString());
    return;
  }
  std::uint64_t id = kNothing;
  if (result.found) {
    id = IdOf(result.value);
    if (!runs_.contains(id >> kRunShift)) id = kForeign;
  }
  state_.id_by_record[record] = id;
}

}  // namespace starling::stress
