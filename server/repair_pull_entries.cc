// server/repair_pull_entries.cc: pages of entries, asked for and taken: the puller's side.
#include <fmt/core.h>

#include "base/hash.h"
#include "server/repair_pull_slice.h"
#include "server/wire/entries.h"

namespace starling::server {

// The token and key behind which the next page begins; of the first page of a run: its first token,
// and empty where the bucket begins.
std::string RepairPull::BeginOf(const Slice& slice) {
  std::string begin = slice.after;
  const TokenRun& run = slice.runs.front();
  if (begin.empty() && run.first != base::FirstToken(slice.buckets.back()))
    base::AppendBig(begin, run.first);
  return begin;
}

// What we have in the run goes along; after a page that was full, of the rest of it.
void RepairPull::AskEntries(std::uint64_t id, Slice& slice) {
  const topology::Node* peer = PeerOf(*slice.order);
  slice.step = Slice::Step::kEntries;
  TokenRun run = slice.runs.front();
  if (!slice.after.empty()) run.first = base::LoadBig<base::Token>(slice.after.data());
  const std::string after = BeginOf(slice);
  const base::Bytes summary = SummaryOf(slice.summary, run);
  const wire::BucketPull request{
      slice.keyspace,
      slice.buckets.back(),
      after,
      static_cast<std::uint32_t>(kPageBytesStandard),
      snapshot_->topology->epoch,
      base::Hash64(summary),
      run.last,
      slice.cut,
      parts_.replica.MarkOf(slice.keyspace, slice.buckets.back()).purged};
  stats_.bytes_sent += summary.size();
  slice.answer_due = parts_.world.Now() + kAnswerMax;
  parts_.links.Send({peer->cluster, peer->host}, {kTagPull, 0, id, 0}, request, summary);
}

void RepairPull::OnEntries(std::uint64_t id, Slice& slice, const wire::Frame& frame) {
  const auto reply = wire::Decode<wire::BucketPullReply>(frame.header);
  if (!reply || base::Hash64(frame.payload) != reply->payload_digest ||
      reply->names_bytes > frame.payload.size()) {
    SkipBucket(id, slice, base::Corruption("a page of entries from the peer is malformed"));
    return;
  }
  rate_.Count(parts_.world.Now(), frame.payload.size());
  const std::uint16_t bucket = slice.buckets.back();
  NoteDamage(
      slice, reply->unreadable,
      base::Corruption(fmt::format("an entry of node {} in bucket {:04x} cannot be read there",
                                   slice.order->peer, bucket)));
  base::Status status = Take(slice, frame.payload.substr(reply->names_bytes),
                             {.repair = true, .epoch = reply->epoch, .purged = reply->purged});
  if (status.ok()) Adopt(slice, *reply, frame.payload.substr(0, reply->names_bytes));
  if (status.ok()) status = Advance(slice, *reply);
  if (status.ok() && (slice.buckets.empty() || slice.buckets.back() != bucket))
    parts_.adoption.OnLastPage({slice.keyspace, bucket});
  if (status.ok())
    NextBucket(id, slice);
  else
    SkipBucket(id, slice, status);
}

void RepairPull::SkipBucket(std::uint64_t id, Slice& slice, const base::Status& why) {
  NoteDamage(slice, 1, why);
  parts_.adoption.GiveUp({slice.keyspace, slice.buckets.back()});
  slice.last_token = base::LastToken(slice.buckets.back());
  EndRange(slice);
  NextBucket(id, slice);
}

// What the summary told of has been asked for.
void RepairPull::EndRange(Slice& slice) {
  slice.summary = {};
  slice.runs.clear();
  slice.after.clear();
  slice.next = slice.last_token + 1;
  if (slice.last_token != base::LastToken(slice.buckets.back())) return;
  slice.next = 0;
  slice.in_full = true;
  slice.buckets.pop_back();
}

// To behind what the answer has told.
base::Status RepairPull::Advance(Slice& slice, const wire::BucketPullReply& reply) {
  if (!reply.done) {
    const bool onwards = reply.after.size() > sizeof(base::Token) && reply.after > slice.after &&
                         base::LoadBig<base::Token>(reply.after.data()) <= slice.runs.front().last;
    if (!onwards) return base::Corruption("the peer's pages do not come to an end");
    slice.after = reply.after;
    return base::Ok();
  }
  slice.after.clear();
  slice.runs.pop_front();
  if (slice.runs.empty()) EndRange(slice);
  return base::Ok();
}

// The peer has purged further than we: up to there, what we have becomes what it has.
void RepairPull::Adopt(Slice& slice, const wire::BucketPullReply& reply, base::Bytes names) {
  const std::uint16_t bucket = slice.buckets.back();
  const Adoption::Id id{slice.keyspace, bucket};
  const std::uint64_t epoch = snapshot_->topology->epoch;
  const bool further = reply.named_upto > parts_.replica.MarkOf(slice.keyspace, bucket).purged;
  if (further) slice.settled = false;
  if (!slice.in_full || reply.epoch == 0 || reply.epoch != epoch || reply.unreadable > 0) {
    parts_.adoption.GiveUp(id);  // Not all is named that is there.
    return;
  }
  if (!further) return;
  Span span{slice.keyspace, bucket, {}, {}};
  const auto stored = [&](base::Bytes token_and_key) {
    std::string key;
    base::AppendBig(key, slice.keyspace);
    return key.append(token_and_key);
  };
  // What the page was asked for, as far as it goes.
  if (const std::string begin = BeginOf(slice); !begin.empty()) span.after = stored(begin);
  if (!reply.done) {
    span.last = stored(reply.after);
  } else if (const base::Token last = slice.runs.front().last; last != base::LastToken(bucket)) {
    std::string next;
    base::AppendBig(next, last + 1);
    span.last = stored(next);
  }
  parts_.adoption.OnPage(epoch, reply.named_upto, std::move(span), std::string(names));
}

base::Status RepairPull::Take(Slice& slice, base::Bytes payload, const purge::Source& source) {
  const std::uint16_t bucket = slice.buckets.back();
  while (!payload.empty()) {
    const auto unpacked = wire::UnpackEntry(payload);
    if (!unpacked) return base::Corruption(unpacked.error().message());
    const wire::PackedEntry& entry = *unpacked;
    const base::Token token = base::TokenOf(entry.key, snapshot_->topology->token_seed);
    if (base::BucketOf(token) != bucket)
      return base::Corruption("the peer sent an entry of another bucket");
    storage::EntryHeader header{entry.version, entry.expiry_ms, entry.value_digest,
                                storage::Origin::kRepair, entry.flags};
    if (const base::Status sound = storage::VerifyValue({header, entry.value}); !sound.ok()) {
      NoteDamage(slice, 1, sound);
      continue;
    }
    slice.settled = false;
    ++slice.order->entries;
    ++stats_.entries_received;
    parts_.replica.Write(
        {slice.keyspace, token, entry.key, header, entry.value, false, {}, source});
  }
  return base::Ok();
}

}  // namespace starling::server
