#include "tools/stress/verify.h"

#include <fmt/core.h>

#include <set>

#include "tools/stress/workload.h"

namespace starling::stress {

FinalReader::FinalReader(base::World& world, client::SessionOptions session, const History& history)
    : SessionActor(world, std::move(session)),
      keyspace_(history.head.keyspace),
      run_(history.head.run),
      newest_(history.newest) {
  std::set<std::uint64_t> records;
  for (const Event& event : history.events)
    if (event.type != EventType::kGet) records.insert(event.record);
  records_.assign(records.begin(), records.end());
}

void FinalReader::OnMap(std::uint64_t, const base::Status& status) {
  if (!status.ok()) return world_.Exit(status);
  if (session_.routing().FindKeyspace(keyspace_) == nullptr)
    return world_.Exit(base::NotFound(fmt::format("there is no keyspace '{}'", keyspace_)));
  running_ = true;
  succeeded_at_ = world_.Now();
}

base::Instant FinalReader::next_wake() const {
  return running_ && !retries_.empty() ? retries_.front().at : base::Instant::Never();
}

void FinalReader::OnTurn() {
  if (!running_) return;
  const bool patient = world_.Now() - succeeded_at_ < kPatience;
  while (patient && in_flight_ < kInFlightMax && !retries_.empty() &&
         retries_.front().at <= world_.Now()) {
    Read(retries_.front().record);
    retries_.pop_front();
  }
  while (patient && in_flight_ < kInFlightMax && next_ < records_.size()) Read(records_[next_++]);
  if (in_flight_ > 0 || (patient && !retries_.empty())) return;
  running_ = false;
  state_.unread = retries_.size() + records_.size() - next_;
  world_.Exit(base::Ok());
}

void FinalReader::Read(std::uint64_t record) {
  ++in_flight_;
  session_.Get({.keyspace = keyspace_, .key = KeyOf(record)}, record);
}

void FinalReader::OnGet(std::uint64_t record, const client::GetResult& result) {
  --in_flight_;
  if (!result.status.ok()) {
    state_.why_unread = fmt::format("{}: {}", KeyOf(record), result.status.ToString());
    retries_.push_back({world_.Now() + kRetryAfter, record});
    return;
  }
  succeeded_at_ = world_.Now();
  std::uint64_t id = kNothing;
  if (result.found) {
    id = IdOf(result.value);
    if (id >> kRunShift != run_) id = kForeign;
  }
  const bool of_this_load = id != kNothing && id != kForeign;
  const auto newest = newest_.find(record);
  if (!of_this_load && newest != newest_.end() && result.version > newest->second)
    ++state_.replaced;
  else
    state_.id_by_record[record] = id;
}

}  // namespace starling::stress
