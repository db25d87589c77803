#include "gossip/round_trips.h"

#include <algorithm>
#include <bit>
#include <limits>

#include "base/mutants.h"

namespace starling::gossip {
namespace {

constexpr std::uint32_t kMeanParts = 8;
constexpr unsigned kFirstBit = 4;  // 16 microseconds: below it all times are one bucket.
constexpr unsigned kQuarters = 4;

std::uint32_t ToUs(base::Duration duration) {
  const std::int64_t us = duration / base::microseconds(1);
  return static_cast<std::uint32_t>(
      std::clamp<std::int64_t>(us, 0, std::numeric_limits<std::uint32_t>::max()));
}

std::size_t BucketOf(std::uint32_t us, std::size_t buckets) {
  if (us < 1U << kFirstBit) return 0;
  const auto top = static_cast<unsigned>(std::bit_width(us)) - 1;
  const unsigned quarter = us >> (top - 2) & 3;
  return std::min<std::size_t>(1 + (top - kFirstBit) * kQuarters + quarter, buckets - 1);
}

// The highest time in it.
std::uint32_t EndOf(std::size_t bucket) {
  if (bucket == 0) return (1U << kFirstBit) - 1;
  const auto top = static_cast<unsigned>((bucket - 1) / kQuarters) + kFirstBit;
  const auto quarter = static_cast<std::uint32_t>((bucket - 1) % kQuarters);
  return ((kQuarters + quarter + 1) << (top - 2)) - 1;
}

}  // namespace

void RoundTrips::Answered(base::Instant now, base::HostId host, base::Duration took) {
  Row& row = RowOf(now, host);
  row.streams_in_a_row = 0;
  row.last_us = ToUs(took);
  row.mean_us =
      row.samples == 0
          ? row.last_us
          : static_cast<std::uint32_t>(
                (std::uint64_t{row.mean_us} * (kMeanParts - 1) + row.last_us) / kMeanParts);
  ++row.samples;
  Count(row, row.last_us);
}

void RoundTrips::AnsweredLate(base::Instant now, base::HostId host) {
  Row& row = RowOf(now, host);
  ++row.late;
  if (!base::Mutant("gossip-stream-only-kept")) row.streams_in_a_row = 0;
}

void RoundTrips::AnsweredByStream(base::Instant now, base::HostId host) {
  Row& row = RowOf(now, host);
  ++row.late;
  if (row.streams_in_a_row < kStreamsInARow) ++row.streams_in_a_row;
}

std::vector<RoundTrips::Place>::const_iterator RoundTrips::PlaceOf(base::HostId host) const {
  return std::ranges::lower_bound(places_, host, {}, &Place::host);
}

RoundTrips::Row& RoundTrips::RowOf(base::Instant now, base::HostId host) {
  auto at = PlaceOf(host);
  RowId id = kNone;
  if (at != places_.end() && at->host == host) {
    id = at->row;
    Unlink(id);
  } else {
    id = MakeRoom();
    rows_[id] = {.host = host, .answered = now};
    places_.insert(PlaceOf(host), {host, id});
  }
  Link(id);
  rows_[id].answered = now;
  return rows_[id];
}

// A newcomer takes the place of who was heard longest ago.
RoundTrips::RowId RoundTrips::MakeRoom() {
  if (rows_.size() < kMembersMax) {
    rows_.emplace_back();
    return static_cast<RowId>(rows_.size() - 1);
  }
  const RowId id = oldest_;
  Unlink(id);
  places_.erase(PlaceOf(rows_[id].host));
  return id;
}

// As the newest.
void RoundTrips::Link(RowId id) {
  rows_[id].older = newest_;
  rows_[id].newer = kNone;
  (newest_ == kNone ? oldest_ : rows_[newest_].newer) = id;
  newest_ = id;
}

void RoundTrips::Unlink(RowId id) {
  const Row& row = rows_[id];
  (row.older == kNone ? oldest_ : rows_[row.older].newer) = row.newer;
  (row.newer == kNone ? newest_ : rows_[row.newer].older) = row.older;
}

void RoundTrips::Count(Row& row, std::uint32_t took_us) {
  std::uint8_t& count = row.counts[BucketOf(took_us, kBuckets)];
  if (++count < std::numeric_limits<std::uint8_t>::max()) return;
  for (std::uint8_t& each : row.counts) each /= 2;
}

std::uint32_t RoundTrips::P99(const Row& row) {
  std::uint32_t all = 0;
  for (const std::uint8_t count : row.counts) all += count;
  const std::uint32_t above = all / 100;  // So many may be higher.
  std::uint32_t seen = 0;
  for (std::size_t bucket = kBuckets; bucket-- > 0;) {
    seen += row.counts[bucket];
    if (seen > above) return EndOf(bucket);
  }
  return 0;
}

const RoundTrips::Row* RoundTrips::Find(base::HostId host) const {
  const auto at = PlaceOf(host);
  return at == places_.end() || at->host != host ? nullptr : &rows_[at->row];
}

std::optional<RoundTrip> RoundTrips::Of(base::HostId host) const {
  const Row* row = Find(host);
  if (row == nullptr) return std::nullopt;
  return RoundTrip{.last = base::microseconds(row->last_us),
                   .mean = base::microseconds(row->mean_us),
                   .p99 = base::microseconds(P99(*row)),
                   .samples = row->samples,
                   .late = row->late,
                   .answered = row->answered,
                   .stream_only = row->streams_in_a_row >= kStreamsInARow};
}

bool RoundTrips::StreamOnly(base::HostId host) const {
  const Row* row = Find(host);
  return row != nullptr && row->streams_in_a_row >= kStreamsInARow;
}

std::size_t RoundTrips::stream_only() const {
  return static_cast<std::size_t>(std::ranges::count_if(
      rows_, [](const Row& row) { return row.streams_in_a_row >= kStreamsInARow; }));
}

}  // namespace starling::gossip
