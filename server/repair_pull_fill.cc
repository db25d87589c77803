// server/repair_pull_fill.cc: the puller gathers what comes for buckets in which nothing is, until
// it is worth tables of its own (server/pulled_run.h).
//
// All slices go through the range of keys side by side, so of what lies before the bucket that the
// slowest of them is at nothing will come any more: that is a run, and the next one does not
// overlap it. What an order has gathered is handed over before the order ends; a crash costs it,
// and the next comparison has it pulled again. What cannot become tables is written as all else
// is, a little at a time.
#include <algorithm>
#include <utility>

#include "server/repair_pull_slice.h"

namespace starling::server {

bool RepairPull::MayGather(const Slice& slice, std::size_t bytes) {
  if (!slice.summary.empty() || bytes > RunBytesMin() || gathered_bytes_ >= GatheredBytesMax() ||
      parts_.replica.making().left() > 0 || !parts_.replica.room_for_runs())
    return false;
  if (room_ > 0) return true;
  const std::uint64_t room = GatheredBytesMax() + parts_.run_bytes;  // One is under way beside it.
  if (room > parts_.memory.bytes_max() / 2 || !parts_.memory.HasRoom(room)) return false;
  parts_.memory.Take(room);
  room_ = room;
  return true;
}

void RepairPull::Gather(const LocalWrite& write) {
  std::unique_ptr<PulledRun>& run = gathered_[write.keyspace];
  if (run == nullptr) run = std::make_unique<PulledRun>(write.keyspace);
  const std::size_t before = run->bytes();
  run->Add(write);
  gathered_bytes_ += run->bytes() - before;
}

bool RepairPull::HasGathered() const {
  return !gathered_.empty() || rest_ != nullptr || parts_.replica.fill_under_way();
}

void RepairPull::GoOnFilling() {
  if (rest_ == nullptr) SetRest(parts_.replica.TakeRest());
  WriteRest();
  if (rest_ == nullptr && !gathered_.empty() && !parts_.replica.fill_under_way()) NextRun();
  if (room_ == 0 || HasGathered()) return;
  parts_.memory.Give(room_);
  room_ = 0;
}

void RepairPull::NextRun() {
  const bool all_here = slices_.size() == 0;
  if (!all_here && gathered_bytes_ < std::min(next_run_at_, GatheredBytesMax())) return;
  const auto largest = std::ranges::max_element(
      gathered_, {}, [](const auto& each) { return each.second->bytes(); });
  PulledRun& fill = *largest->second;
  std::unique_ptr<PulledRun> later;
  if (!all_here && gathered_bytes_ < GatheredBytesMax()) {
    const base::Token reached = ReachedIn(fill.keyspace());
    if (fill.BytesBefore(reached) < parts_.run_bytes / 2) {
      next_run_at_ = gathered_bytes_ + parts_.run_bytes / 4;
      return;
    }
    later = fill.Split([&](const PulledRun::Entry& entry) { return entry.token < reached; });
  }
  std::unique_ptr<PulledRun> run = std::move(largest->second);
  if (later != nullptr && !later->empty())
    largest->second = std::move(later);
  else
    gathered_.erase(largest);
  gathered_bytes_ = 0;
  for (const auto& [keyspace, each] : gathered_) gathered_bytes_ += each->bytes();
  next_run_at_ = gathered_bytes_ + parts_.run_bytes / 2;
  if (run->bytes() < RunBytesMin() || !parts_.replica.MayFill())
    SetRest(std::move(run));
  else
    parts_.replica.StartFill(std::move(run));
}

// Where the slowest slice of the keyspace is.
base::Token RepairPull::ReachedIn(base::KeyspaceId keyspace) {
  base::Token reached = ~base::Token{0};
  for (const auto& order : orders_)
    for (const auto& waiting : order->waiting)
      if (waiting.first == keyspace) reached = 0;
  slices_.ForEach([&](std::uint64_t, const Slice& slice) {
    if (slice.keyspace != keyspace || slice.order->only_look) return;
    reached = slice.buckets.empty() ? 0 : std::min(reached, base::FirstToken(slice.buckets.back()));
  });
  return reached;
}

void RepairPull::SetRest(std::unique_ptr<PulledRun> rest) {
  rest_ = std::move(rest);
  rest_next_ = 0;
  WriteRest();
}

void RepairPull::WriteRest() {
  if (rest_ == nullptr) return;
  const std::vector<PulledRun::Entry>& entries = rest_->entries();
  const std::size_t before = rest_next_;
  while (rest_next_ < entries.size() && MayTakeMore()) Write(rest_->WriteOf(entries[rest_next_++]));
  const bool wrote = rest_next_ > before;
  if (rest_next_ == entries.size()) rest_ = nullptr;
  if (wrote) parts_.world.Again();  // This turn's writes are carried out already.
}

}  // namespace starling::server
