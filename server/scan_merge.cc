#include "server/scan_merge.h"

#include <algorithm>

#include "base/mutants.h"
#include "storage/entry.h"

namespace starling::server {

namespace {

bool Live(const wire::PackedEntry& entry, std::int64_t now_ms) {
  const storage::EntryHeader header{entry.version, entry.expiry_ms, entry.value_digest,
                                    storage::Origin::kDirect, entry.flags};
  return header.live(now_ms);
}

}  // namespace

// What each page's entries count for, bucket by bucket.
class ScanMerge::Weights {
 public:
  Weights(const std::deque<Part>& parts, std::uint16_t first)
      : parts_(parts),
        answers_(parts.size()),
        nothing_upto_(parts.size()),
        runs_(parts.size(), {0, first}) {}

  // Of a replica's entries in a bucket, those stamped up to here are nothing. REQUIRES: buckets
  // ascend from call to call.
  std::uint64_t NothingUpto(std::size_t part, std::uint16_t bucket) {
    if (base::Mutant("scan-counts-no-marks")) return 0;
    if (bucket != bucket_) Enter(bucket);
    return nothing_upto_[part];
  }

 private:
  struct Run {
    std::size_t index = 0;
    std::uint32_t begin = 0;  // Its first bucket.
  };

  void Enter(std::uint16_t bucket) {
    bucket_ = bucket;
    for (std::size_t i = 0; i < parts_.size(); ++i)
      answers_[i] = {true, {}, parts_[i].page.epoch, PurgedIn(i, bucket)};
    for (std::size_t i = 0; i < parts_.size(); ++i)
      nothing_upto_[i] = purge::NothingUpto(answers_, i);
  }

  // Beyond the last run nothing was purged.
  std::uint64_t PurgedIn(std::size_t part, std::uint16_t bucket) {
    const std::vector<purge::PurgedRun>& runs = parts_[part].runs;
    Run& run = runs_[part];
    while (run.index < runs.size() && bucket >= run.begin + runs[run.index].buckets) {
      run.begin += runs[run.index].buckets;
      ++run.index;
    }
    return run.index < runs.size() ? runs[run.index].purged : 0;
  }

  const std::deque<Part>& parts_;
  std::optional<std::uint16_t> bucket_;  // That the answers are of.
  std::vector<purge::ReadAnswer> answers_;
  std::vector<std::uint64_t> nothing_upto_;
  std::vector<Run> runs_;
};

// All pages at once, key by key.
class ScanMerge::Walk {
 public:
  Walk(const std::deque<Part>& parts, std::uint16_t first)
      : parts_(parts), at_(parts.size()), weights_(parts, first) {}

  // The next key's; nullopt: no page has more.
  std::optional<View> Place() const {
    std::optional<View> place;
    for (std::size_t i = 0; i < parts_.size(); ++i)
      if (HasMore(i) && (!place || Next(i).first < *place)) place = Next(i).first;
    return place;
  }

  // Goes past it. The newest that counts, or null.
  const wire::PackedEntry* Take(const View& place) {
    const wire::PackedEntry* newest = nullptr;
    for (std::size_t i = 0; i < parts_.size(); ++i) {
      if (!HasMore(i) || Next(i).first != place) continue;
      const wire::PackedEntry& entry = Next(i).second;
      ++at_[i];
      if (entry.version.timestamp <= weights_.NothingUpto(i, base::BucketOf(place.first))) continue;
      if (newest == nullptr || newest->version < entry.version) newest = &entry;
    }
    return newest;
  }

 private:
  bool HasMore(std::size_t part) const { return at_[part] < parts_[part].entries.size(); }
  const std::pair<View, wire::PackedEntry>& Next(std::size_t part) const {
    return parts_[part].entries[at_[part]];
  }

  const std::deque<Part>& parts_;
  std::vector<std::size_t> at_;
  Weights weights_;
};

ScanMerge::ScanMerge(Place from, base::Token last_token, std::uint64_t token_seed)
    : from_(std::move(from)), last_token_(last_token), token_seed_(token_seed) {}

// What it has not told of begins after this.
ScanMerge::View ScanMerge::Part::end() const {
  return page.told_upto == 0 ? entries.back().first : View{page.told_upto + 1, {}};
}

// It must be in the order of storage and within what was asked for; one that is not done must have
// come further than the cursor.
base::Status ScanMerge::Unpack(Part& part) const {
  const base::Token told_upto = part.page.told_upto;
  if (told_upto != 0 && (told_upto < from_.first || told_upto >= last_token_))
    return base::Corruption("it was told up to a token that was not asked for");
  const base::Token last = told_upto != 0 ? told_upto : last_token_;
  for (base::Bytes rest = part.page.packed; !rest.empty();) {
    ASSIGN_OR_RETURN(const wire::PackedEntry entry, wire::UnpackEntry(rest));
    const View place{base::TokenOf(entry.key, token_seed_), entry.key};
    const View before = part.entries.empty() ? View(from_) : part.entries.back().first;
    if (place <= before || place.first > last)
      return base::Corruption("an entry is out of its place");
    part.entries.emplace_back(place, entry);
  }
  if (!part.page.done && told_upto == 0 && part.entries.empty())
    return base::Corruption("a page has neither entries nor an end");
  ASSIGN_OR_RETURN(part.runs, purge::DecodeRuns(part.page.purged, base::BucketOf(from_.first)));
  return base::Ok();
}

base::Status ScanMerge::Add(ReplicaPage page) {
  Part& part = parts_.emplace_back(Part{.page = std::move(page)});
  const base::Status sound = Unpack(part);
  if (!sound.ok()) parts_.pop_back();
  return sound;
}

// Beyond this some replica has not spoken; nullopt: all are done.
std::optional<ScanMerge::View> ScanMerge::End() const {
  std::optional<View> end;
  for (const Part& part : parts_)
    if (!part.page.done && (!end || part.end() < *end)) end = part.end();
  return end;
}

ScanMerge::Merged ScanMerge::Merge(std::size_t bytes_max, std::int64_t now_ms) const {
  Merged merged;
  const std::optional<View> end = End();
  if (end) merged.next.emplace(*end);
  Walk walk(parts_, base::BucketOf(from_.first));
  View before;
  for (auto place = walk.Place(); place && (!end || *place <= *end); place = walk.Place()) {
    const wire::PackedEntry* const newest = walk.Take(*place);
    if (newest != nullptr && Live(*newest, now_ms)) {
      const std::size_t size = merged.payload.size() + wire::PackedBytes(*newest);
      if (!merged.payload.empty() && size > bytes_max) {
        merged.next.emplace(before);
        return merged;
      }
      wire::PackEntryTo(*newest, merged.payload);
    }
    before = *place;
  }
  return merged;
}

}  // namespace starling::server
