// server/repair_pull_parts.cc: which parts of a bucket differ: the puller's side.
#include <fmt/core.h>

#include <algorithm>

#include "base/check.h"
#include "base/hash.h"
#include "server/repair_pull_slice.h"

namespace starling::server {

bool RepairPull::NothingOf(base::KeyspaceId keyspace, std::uint16_t bucket) const {
  const merkle::Tree* tree = parts_.replica.TreeOf(keyspace);
  return tree == nullptr || tree->Leaf(bucket).empty();
}

void RepairPull::StartSummary(std::uint64_t id, Slice& slice) {
  const std::uint16_t bucket = slice.buckets.back();
  slice.cut = CutFor(slice);
  // Of nothing nothing needs to be read: most buckets of a node that was emptied.
  if (NothingOf(slice.keyspace, bucket)) {
    TakeWhole(slice);
    AskEntries(id, slice);
    return;
  }
  auto job = std::make_unique<SummaryJob>(*this, id);
  job->request.keyspace = slice.keyspace;
  job->request.from_token = std::max(base::FirstToken(bucket), slice.next);
  job->request.last_token = base::LastToken(bucket);
  SummaryJob& running = *job;
  jobs_.push_back(std::move(job));
  parts_.world.Offload(base::Lane::kBackground, running);
}

void RepairPull::OnSummary(SummaryJob& job) {
  const auto it = std::find_if(jobs_.begin(), jobs_.end(),
                               [&](const auto& each) { return each.get() == &job; });
  CHECK(it != jobs_.end());
  const std::unique_ptr<SummaryJob> done = std::move(*it);
  jobs_.erase(it);
  stats_.data_bytes_read += done->summary.bytes_read;
  parts_.rate.Count(parts_.world.Now(), done->summary.bytes_read);
  parts_.met_damage.Note(done->summary.status);
  parts_.met_damage.Note(done->summary.unreadable.first);
  Slice* slice = slices_.Find(done->id);
  if (slice == nullptr) return;
  NoteDamage(*slice, done->summary.unreadable.entries,
             base::Corruption(
                 fmt::format("an entry of this node in bucket {:04x} cannot be read: {}",
                             slice->buckets.back(), done->summary.unreadable.first.message())));
  if (!done->summary.status.ok()) {
    SkipBucket(done->id, *slice, done->summary.status);
    return;
  }
  if (PeerOf(*slice->order) == nullptr) {
    EndSlice(done->id, *slice, base::Ok());
    return;
  }
  slice->first_token = done->request.from_token;
  slice->last_token = done->summary.last_token;
  slice->summary = std::move(done->summary.packed);
  const std::uint32_t parts = PartCountFor(slice->summary.size() / kSummaryRecordBytes);
  if (parts > 1) {
    AskParts(done->id, *slice, parts);
  } else {
    slice->runs = {{slice->first_token, slice->last_token}};
    AskEntries(done->id, *slice);
  }
}

void RepairPull::AskParts(std::uint64_t id, Slice& slice, std::uint32_t parts) {
  const topology::Node* peer = PeerOf(*slice.order);
  slice.step = Slice::Step::kParts;
  slice.part_hashes =
      HashParts(slice.summary, PartHasher(slice.first_token, slice.last_token, parts, slice.salt,
                                          {slice.cut, parts_.world.WallMs()}));
  const wire::BucketParts request{
      slice.keyspace,
      slice.first_token,
      slice.last_token,
      slice.salt,
      snapshot_->topology->epoch,
      base::Hash64(slice.part_hashes),
      slice.cut,
      parts_.replica.MarkOf(slice.keyspace, slice.buckets.back()).purged};
  stats_.bytes_sent += slice.part_hashes.size();
  slice.answer_due = parts_.world.Now() + kPullAnswerMax;
  parts_.links.Send({peer->cluster, peer->host}, {kTagPull, 0, id, 0}, request, slice.part_hashes);
}

void RepairPull::OnParts(std::uint64_t id, Slice& slice, const wire::Frame& frame) {
  const auto reply = wire::Decode<wire::BucketPartsReply>(frame.header);
  const std::size_t parts = slice.part_hashes.size() / sizeof(std::uint32_t);
  if (!reply || base::Hash64(frame.payload) != reply->payload_digest ||
      frame.payload.size() != (parts + 7) / 8) {
    SkipBucket(id, slice, base::Corruption("the peer's parts of a bucket are malformed"));
    return;
  }
  const auto runs =
      RunsOf(frame.payload, slice.first_token, slice.last_token, static_cast<std::uint32_t>(parts));
  slice.runs.assign(runs.begin(), runs.end());
  // Hashes of 4 bytes prove nothing: of a bucket that is adopted, all is asked for.
  if (runs.size() != 1 || runs.front() != TokenRun{slice.first_token, slice.last_token}) {
    slice.in_full = false;
    GiveUpAdoption(slice);
  }
  if (slice.runs.empty()) EndRange(slice);
  NextBucket(id, slice);
}

}  // namespace starling::server
