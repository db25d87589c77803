#include "merkle/journal.h"

#include <algorithm>

#include "base/check.h"
#include "base/mutants.h"
#include "merkle/records.h"

namespace starling::merkle {
namespace {

constexpr std::size_t kLapPerPages = 4;
constexpr std::size_t kSlotsMax = 1 << 16;  // As many as a key can say.
// Pages are put somewhat faster than once a lap, so that slots are free before they are needed.
constexpr std::uint64_t kHasteOver = 5, kHasteUnder = 4;

}  // namespace

Journal::Journal(const JournalOptions& options)
    : options_(options), record_(JournalHeader::kSize, '\0') {
  CHECK(options.slots_max > 0);
  CHECK(options.slots_max <= kSlotsMax);
  CHECK(options.lap_bytes_min > 0);
  CHECK(options.lap_bytes_min <= options.lap_bytes_max);
}

std::size_t Journal::lap_bytes() const {
  return std::clamp(pages_known_ * kPageBytes * kLapPerPages, options_.lap_bytes_min,
                    options_.lap_bytes_max);
}

void Journal::Take(Tree& tree) {
  if (tree.dirty().empty()) return;
  AppendChanged(tree, record_);
  Pages& pages = pages_[tree.keyspace()];
  pages.tree = &tree;
  for (const std::uint16_t bucket : tree.dirty()) {
    const std::uint8_t slice = base::SliceOf(bucket);
    if (pages.waiting.test(slice)) continue;
    pages.waiting.set(slice);
    if (!pages.known.test(slice)) ++pages_known_;
    pages.known.set(slice);
    queue_.push_back({&pages, slice, number_ + 1});
  }
  tree.ClearDirty();
}

void Journal::EndTurn(RecordSink& sink) {
  if (record_.size() == JournalHeader::kSize) return;
  ++number_;
  PutDue(sink, record_.size());
  const std::size_t slot = NextSlot(record_.size());
  while (Oldest() <= slots_[slot] && !base::Mutant("repair-journal-reused-early")) PutFirst(sink);
  slots_[slot] = number_;
  const std::uint64_t oldest = base::Mutant("repair-journal-forgotten-early") ? number_ : Oldest();
  JournalHeader{number_, oldest}.StoreTo(record_.data());
  sink.BeginPut(JournalKey({options_.stream, static_cast<std::uint16_t>(slot)})).append(record_);
  sink.EndPut();
  record_.resize(JournalHeader::kSize);
  if (record_.capacity() > lap_bytes()) record_.shrink_to_fit();
}

// A lap ends by its bytes or by its slots: what counts is the larger share of it.
void Journal::PutDue(RecordSink& sink, std::size_t bytes) {
  const std::size_t lap = lap_bytes();
  const std::uint64_t share = std::max<std::uint64_t>(bytes, lap / options_.slots_max + 1);
  credit_ += share * queue_.size() * kHasteOver / kHasteUnder;
  while (!queue_.empty() && credit_ >= lap) {
    credit_ -= lap;
    PutFirst(sink);
  }
  if (queue_.empty()) credit_ = 0;
}

void Journal::PutFirst(RecordSink& sink) {
  CHECK(!queue_.empty());
  const Waiting first = queue_.front();
  queue_.pop_front();
  first.pages->waiting.reset(first.slice);
  std::string& value = sink.BeginPut(PageKey({first.pages->tree->keyspace(), first.slice}));
  EncodePageTo(*first.pages->tree, first.slice, value);
  sink.EndPut();
  ++pages_put_;
}

std::size_t Journal::NextSlot(std::size_t bytes) {
  if (next_slot_ == options_.slots_max || (next_slot_ > 0 && lap_ + bytes > lap_bytes())) {
    next_slot_ = 0;
    lap_ = 0;
  }
  if (next_slot_ == slots_.size()) slots_.push_back(0);
  lap_ += bytes;
  return next_slot_++;
}

}  // namespace starling::merkle
