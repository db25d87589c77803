// server/repair_pull_entries.cc: pages of entries, asked for and taken: the puller's side.
#include <fmt/core.h>

#include <utility>

#include "base/check.h"
#include "base/hash.h"
#include "base/mutants.h"
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

// The next bucket is asked for as one that we have nothing of.
void RepairPull::TakeWhole(Slice& slice) {
  slice.first_token = base::FirstToken(slice.buckets.back());
  slice.last_token = base::LastToken(slice.buckets.back());
  slice.runs = {{slice.first_token, slice.last_token}};
}

// The leaves of the buckets behind this one, as long as nothing of them is here: an emptied node
// would else ask for each of 65,536 apart.
std::string RepairPull::FurtherOf(const Slice& slice) const {
  std::string leaves;
  if (slice.runs.size() > 1 || slice.last_token != base::LastToken(slice.buckets.back()))
    return leaves;
  const std::uint64_t purged = parts_.replica.MarkOf(slice.keyspace, slice.buckets.back()).purged;
  for (std::size_t i = slice.buckets.size() - 1; i-- > 0;) {
    const std::uint16_t bucket = slice.buckets[i];
    if (!NothingOf(slice.keyspace, bucket) ||
        parts_.replica.MarkOf(slice.keyspace, bucket).purged != purged)
      break;
    leaves.push_back(static_cast<char>(base::LeafOf(bucket)));
  }
  return leaves;
}

// What we have in the run goes along; after a page that was full, of the rest of it.
void RepairPull::AskEntries(std::uint64_t id, Slice& slice) {
  const topology::Node* peer = PeerOf(*slice.order);
  slice.step = Slice::Step::kEntries;
  TokenRun run = slice.runs.front();
  if (!slice.after.empty()) run.first = base::LoadBig<base::Token>(slice.after.data());
  const std::string after = BeginOf(slice);
  const base::Bytes summary = SummaryOf(slice.summary, run);
  const std::string further = FurtherOf(slice);
  slice.further = further.size();
  const wire::BucketPull request{slice.keyspace,
                                 slice.buckets.back(),
                                 after,
                                 kPageBytes,
                                 snapshot_->topology->epoch,
                                 base::Hash64(summary),
                                 run.last,
                                 slice.cut,
                                 parts_.replica.MarkOf(slice.keyspace, slice.buckets.back()).purged,
                                 further,
                                 parts_.piece_bytes};
  stats_.bytes_sent += summary.size();
  slice.answer_due = parts_.world.Now() + kPullAnswerMax;
  parts_.links.Send({peer->cluster, peer->host}, {kTagPull, 0, id, 0}, request, summary);
}

void RepairPull::OnEntries(std::uint64_t id, Slice& slice, const wire::Frame& frame) {
  const auto reply = wire::Decode<wire::BucketPullReply>(frame.header);
  std::size_t first_bytes = frame.payload.size();
  bool fits = reply && base::Hash64(frame.payload) == reply->payload_digest &&
              reply->further.size() <= slice.further;
  if (fits) {
    for (const wire::FurtherBucket& told : reply->further) {
      fits = fits && told.bytes <= first_bytes;
      first_bytes -= fits ? told.bytes : 0;
    }
    fits = fits && reply->names_bytes <= first_bytes;
  }
  if (!fits) {
    SkipBucket(id, slice, base::Corruption("a page of entries from the peer is malformed"));
    return;
  }
  parts_.rate.Count(parts_.world.Now(), frame.payload.size());
  const wire::FurtherBucket first{reply->unreadable, reply->purged, reply->named_upto,
                                  reply->names_bytes, static_cast<std::uint32_t>(first_bytes)};
  base::Bytes rest = frame.payload;
  base::Status status;
  for (std::size_t i = 0; status.ok() && i <= reply->further.size(); ++i) {
    if (i > 0) TakeWhole(slice);
    const bool last = i == reply->further.size();
    Section section = CutSection(rest, i == 0 ? first : reply->further[i - 1]);
    section.source.epoch = reply->epoch;
    section.done = !last || reply->done;
    if (last) section.after = reply->after;
    status = TakeSection(slice, section);
    if (status.ok() && last && reply->announced.value_bytes > 0)
      return BeginFetch(id, slice, reply->announced, section);
    if (status.ok()) status = EndSection(slice, section);
  }
  if (status.ok())
    NextBucket(id, slice);
  else
    SkipBucket(id, slice, status);
}

RepairPull::Section RepairPull::CutSection(base::Bytes& rest, const wire::FurtherBucket& told) {
  Section section;
  section.unreadable = told.unreadable;
  section.source = {.repair = true, .epoch = 0, .purged = told.purged};
  section.named_upto = told.named_upto;
  section.names = rest.substr(0, told.names_bytes);
  section.entries = rest.substr(told.names_bytes, told.bytes - told.names_bytes);
  rest.remove_prefix(told.bytes);
  return section;
}

// What the peer has of the next bucket, or a part of that.
base::Status RepairPull::TakeSection(Slice& slice, const Section& section) {
  NoteDamage(
      slice, section.unreadable,
      base::Corruption(fmt::format("an entry of node {} in bucket {:04x} cannot be read there",
                                   slice.order->peer, slice.buckets.back())));
  if (BeginOf(slice).empty()) BeginAdoption(slice, section);
  return Take(slice, section.entries, section.source);
}

// Once all that it tells of was taken.
base::Status RepairPull::EndSection(Slice& slice, const Section& section) {
  const std::uint16_t bucket = slice.buckets.back();
  Adopt(slice, section);
  RETURN_IF_ERROR(Advance(slice, section));
  const bool last = slice.buckets.empty() || slice.buckets.back() != bucket;
  if (last && slice.adoption != 0) parts_.adoption.OnLastPage(std::exchange(slice.adoption, 0));
  return base::Ok();
}

void RepairPull::SkipBucket(std::uint64_t id, Slice& slice, const base::Status& why) {
  NoteDamage(slice, 1, why);
  GiveUpAdoption(slice);
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
  --slice.order->buckets_left;
}

// To behind what the answer has told.
base::Status RepairPull::Advance(Slice& slice, const Section& section) {
  const base::Bytes after = section.after;
  if (!section.done) {
    const bool onwards = after.size() > sizeof(base::Token) && after > slice.after &&
                         base::LoadBig<base::Token>(after.data()) <= slice.runs.front().last;
    if (!onwards) return base::Corruption("the peer's pages do not come to an end");
    slice.after = after;
    return base::Ok();
  }
  slice.after.clear();
  slice.runs.pop_front();
  if (slice.runs.empty()) EndRange(slice);
  return base::Ok();
}

// The peer has purged further than we, and all that it has up to there is named: up to there, what
// we have becomes what it has.
bool RepairPull::MayAdopt(const Slice& slice, const Section& section) const {
  return slice.in_full && section.source.epoch != 0 &&
         section.source.epoch == snapshot_->topology->epoch && section.unreadable == 0 &&
         section.named_upto > parts_.replica.MarkOf(slice.keyspace, slice.buckets.back()).purged;
}

// Before anything of the bucket's first page is taken.
void RepairPull::BeginAdoption(Slice& slice, const Section& section) {
  GiveUpAdoption(slice);  // Of the same bucket, whose pull begins anew since all here was removed.
  if (base::Mutant("purge-no-adoption") || !MayAdopt(slice, section)) return;
  slice.adoption = parts_.adoption.Begin({slice.keyspace, slice.buckets.back()},
                                         section.source.epoch, section.named_upto);
}

void RepairPull::GiveUpAdoption(Slice& slice) {
  if (slice.adoption != 0) parts_.adoption.GiveUp(std::exchange(slice.adoption, 0));
}

// What we have in the page's span beyond what it names is looked for.
void RepairPull::Adopt(Slice& slice, const Section& section) {
  const std::uint16_t bucket = slice.buckets.back();
  if (section.named_upto > parts_.replica.MarkOf(slice.keyspace, bucket).purged)
    slice.settled = false;
  if (!MayAdopt(slice, section)) return GiveUpAdoption(slice);
  if (slice.adoption == 0) return;  // It began without us: not all was named.
  Span span{slice.keyspace, bucket, {}, {}};
  const auto stored = [&](base::Bytes token_and_key) {
    std::string key;
    base::AppendBig(key, slice.keyspace);
    return key.append(token_and_key);
  };
  // What the page was asked for, as far as it goes.
  if (const std::string begin = BeginOf(slice); !begin.empty()) span.after = stored(begin);
  if (!section.done) {
    span.last = stored(section.after);
  } else if (const base::Token last = slice.runs.front().last; last != base::LastToken(bucket)) {
    std::string next;
    base::AppendBig(next, last + 1);
    span.last = stored(next);
  }
  parts_.adoption.OnPage(slice.adoption, section.source.epoch, section.named_upto, std::move(span),
                         std::string(section.names));
}

base::Status RepairPull::Take(Slice& slice, base::Bytes entries, const purge::Source& source) {
  while (!entries.empty()) {
    const auto entry = wire::UnpackEntry(entries);
    if (!entry) return base::Corruption(entry.error().message());
    RETURN_IF_ERROR(TakeEntry(slice, *entry, source));
  }
  return base::Ok();
}

base::Status RepairPull::TakeEntry(Slice& slice, const wire::PackedEntry& entry,
                                   const purge::Source& source) {
  const base::Token token = base::TokenOf(entry.key, snapshot_->topology->token_seed);
  if (base::BucketOf(token) != slice.buckets.back())
    return base::Corruption("the peer sent an entry of another bucket");
  const storage::EntryHeader header{entry.version, entry.expiry_ms, entry.value_digest,
                                    storage::Origin::kRepair, entry.flags};
  const base::Status sound = storage::VerifyValue({header, entry.value});
  if (!sound.ok() && !base::Mutant("repair-pieces-mixed")) {
    NoteDamage(slice, 1, sound);
    slice.in_full = false;
    return base::Ok();
  }
  slice.settled = false;
  if (slice.adoption != 0) parts_.adoption.OnTaking(slice.adoption);
  ++slice.order->entries;
  ++stats_.entries_received;
  const std::uint64_t bytes = entry.key.size() + entry.value.size();
  const LocalWrite write{.keyspace = slice.keyspace,
                         .token = token,
                         .key = entry.key,
                         .header = header,
                         .value = entry.value,
                         .ticket = {Ticket::Kind::kPull, bytes, slice.adoption, 0},
                         .source = source};
  if (MayGather(slice, bytes))
    Gather(write);
  else
    Write(write);
  return base::Ok();
}

void RepairPull::Write(const LocalWrite& write) {
  taking_bytes_ += write.ticket.a;
  parts_.replica.Write(write);
}

}  // namespace starling::server
