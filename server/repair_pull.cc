#include "server/repair_pull.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/check.h"
#include "base/hash.h"
#include "base/log.h"
#include "merkle/compare.h"
#include "server/bucket_parts.h"
#include "server/wire/entries.h"

namespace starling::server {

struct RepairPull::Order {
  std::uint64_t serial = 0;
  base::NodeNumber peer = 0;
  merkle::Generation ahead = 0;
  std::deque<std::pair<base::KeyspaceId, std::uint8_t>> waiting;
  std::size_t open = 0;  // Slices being worked on.
  std::uint64_t entries = 0;
  std::vector<std::pair<base::KeyspaceId, std::uint8_t>> settled;  // PullDoneMail's.
  std::uint64_t unreadable = 0;  // Damaged entries or buckets, here and there; they were left out.
  base::Status damage;           // The first of what was damaged.
  base::Status status;           // Why the rest was given up.
};

struct RepairPull::Slice {
  Order* order = nullptr;
  base::KeyspaceId keyspace = 0;
  std::uint8_t slice = 0;
  std::uint64_t salt = 0;
  merkle::Generation cut = 0;
  std::string hashes;                  // Ours, as of the cut.
  std::vector<std::uint16_t> buckets;  // That differ; the last one is next.
  bool settled = true;  // The peer has nothing in it that we lack, nor has purged further, so far.
  // Of the bucket.
  bool in_full = true;   // All of it is asked for, so far: no part of it counted as equal.
  base::Token next = 0;  // Where the next summary begins, if that is not its first token.
  std::string summary;   // What we have from here...
  base::Token first_token = 0;
  base::Token last_token = 0;  // ...to there.
  std::string part_hashes;     // Of it.
  std::deque<TokenRun> runs;   // That differ; the first is being asked for.
  std::string after;           // Within it: the stored key to resume after.
  enum class Step : std::uint8_t { kHashes, kParts, kEntries } step = Step::kHashes;
  base::Instant answer_due;  // Of the request that is open.
};

// Reads what we have of one bucket, so that the peer can send the rest.
struct RepairPull::SummaryJob final : base::Job {
  SummaryJob(RepairPull& home, std::uint64_t slice_id) : pull(home), id(slice_id) {}
  void Run() noexcept override { summary = Summarize(pull.parts_.engine, request); }
  void Done() override { pull.OnSummary(*this); }

  RepairPull& pull;
  const std::uint64_t id;
  PageRequest request;
  Summary summary;
};

namespace {

base::Status DiskFull() {
  return base::Unavailable("the disk of the node that would take it is full");
}

}  // namespace

RepairPull::RepairPull(const RepairPullParts& parts)
    : parts_(parts), rate_(parts.bytes_per_second) {}
RepairPull::~RepairPull() = default;

void RepairPull::Start(const PullMail& mail) {
  auto order = std::make_unique<Order>();
  order->serial = mail.serial;
  order->peer = mail.peer;
  order->ahead = mail.ahead;
  order->waiting.assign(mail.slices.begin(), mail.slices.end());
  orders_.push_back(std::move(order));
  Next(*orders_.back());
}

const topology::Node* RepairPull::PeerOf(const Order& order) const {
  const topology::Node* node = snapshot_->topology->FindNumber(order.peer);
  return node != nullptr && node->member() ? node : nullptr;
}

void RepairPull::Next(Order& order) {
  if (order.status.ok() && parts_.replica.disk_full()) order.status = DiskFull();
  while (order.open < kSlicesAtATime && !order.waiting.empty()) {
    const auto [keyspace, number] = order.waiting.front();
    order.waiting.pop_front();
    if (PeerOf(order) == nullptr || !order.status.ok()) continue;
    const auto [id, slice] = slices_.Add();
    slice->order = &order;
    slice->keyspace = keyspace;
    slice->slice = number;
    slice->salt = parts_.world.random().Next();
    ++order.open;
    Ask(id, *slice);
  }
  if (order.open > 0) return;
  if (order.unreadable > 0)
    base::log::Warn("repair", "{} left out of what node {} has and this one lacks, the first: {}",
                    order.unreadable, order.peer, order.damage.message());
  auto done = std::make_unique<PullDoneMail>();
  done->serial = order.serial;
  done->entries = order.entries;
  done->settled = std::move(order.settled);
  done->status = order.status;
  if (order.status.ok() && order.unreadable > 0)
    done->status = base::Corruption(
        fmt::format("{} left out, the first: {}", order.unreadable, order.damage.message()));
  parts_.world.Post(base::kControlActor, std::move(done));
  std::erase_if(orders_, [&](const auto& each) { return each.get() == &order; });
}

void RepairPull::Ask(std::uint64_t id, Slice& slice) {
  const topology::Node* peer = PeerOf(*slice.order);
  // The newest one: an order may take longer than a cut can be answered.
  slice.cut = std::max(merkle::NewestCut(parts_.world.WallMs()) + slice.order->ahead,
                       parts_.replica.OldestCut(slice.keyspace));
  slice.hashes = HashesAt(static_cast<std::size_t>(peer - snapshot_->topology->nodes.data()),
                          slice.keyspace, slice.slice, slice.salt, slice.cut);
  const wire::SliceHashesRequest request{slice.keyspace, slice.slice, slice.salt,
                                         snapshot_->topology->epoch, slice.cut};
  slice.answer_due = parts_.world.Now() + kAnswerMax;
  parts_.links.Send({peer->cluster, peer->host}, {kTagPull, 0, id, 0}, request);
}

void RepairPull::OnPeerFailed(const PeerTag& tag, const base::Status& status) {
  if (Slice* slice = slices_.Find(tag.a)) EndSlice(tag.a, *slice, status);
}

// A link that carries nothing any more can take a quarter of an hour to say so.
void RepairPull::OnTick(base::Instant now) {
  std::vector<std::uint64_t> overdue;
  slices_.ForEach([&](std::uint64_t id, const Slice& slice) {
    if (now >= slice.answer_due) overdue.push_back(id);
  });
  for (const std::uint64_t id : overdue)
    if (Slice* slice = slices_.Find(id))
      EndSlice(id, *slice, base::Timeout("the peer does not answer"));
}

void RepairPull::OnPeerReply(const PeerTag& tag, const wire::Frame& frame) {
  Slice* slice = slices_.Find(tag.a);
  if (slice == nullptr) return;
  slice->answer_due = base::Instant::Never();
  if (frame.kind == wire::Kind::kSliceHashesReply && slice->step == Slice::Step::kHashes) {
    OnHashes(tag.a, *slice, frame);
  } else if (frame.kind == wire::Kind::kBucketPartsReply && slice->step == Slice::Step::kParts) {
    OnParts(tag.a, *slice, frame);
  } else if (frame.kind == wire::Kind::kBucketPullReply && slice->step == Slice::Step::kEntries) {
    OnEntries(tag.a, *slice, frame);
  } else {
    const auto error = wire::Decode<wire::ErrorReply>(frame.header);
    OnRefused(tag.a, *slice,
              frame.kind == wire::Kind::kError && error
                  ? base::Status(error->code, error->message)
                  : base::Unavailable("the peer refused to be compared"));
  }
}

// A bucket that cannot be read on the peer's disk is one; its other reasons are about all of them.
void RepairPull::OnRefused(std::uint64_t id, Slice& slice, const base::Status& why) {
  const bool damaged = why.code() == base::Code::kCorruption || why.code() == base::Code::kIo;
  if (damaged && slice.step != Slice::Step::kHashes)
    SkipBucket(id, slice, why);
  else
    EndSlice(id, slice, why);
}

// What could not be read is no reason to leave the rest as it is.
void RepairPull::NoteDamage(Slice& slice, std::uint64_t entries, const base::Status& what) {
  if (entries == 0) return;
  Order& order = *slice.order;
  slice.settled = false;
  order.unreadable += entries;
  stats_.unreadable += entries;
  if (order.damage.ok()) order.damage = what;
}

void RepairPull::OnHashes(std::uint64_t id, Slice& slice, const wire::Frame& frame) {
  const auto reply = wire::Decode<wire::SliceHashesReply>(frame.header);
  const topology::Node* peer = PeerOf(*slice.order);
  if (!reply || peer == nullptr || frame.payload.size() != base::kLeavesPerSlice * 4 ||
      base::Hash64(frame.payload) != reply->payload_digest) {
    EndSlice(id, slice, base::Unavailable("the peer's hashes of a slice are malformed"));
    return;
  }
  for (std::uint32_t leaf = 0; leaf < base::kLeavesPerSlice; ++leaf) {
    const auto theirs = base::LoadLittle<std::uint32_t>(frame.payload.data() + 4 * leaf);
    if (theirs != base::LoadLittle<std::uint32_t>(slice.hashes.data() + 4 * leaf))
      slice.buckets.push_back(base::BucketAt(slice.slice, static_cast<std::uint8_t>(leaf)));
  }
  NextBucket(id, slice);
}

void RepairPull::NextBucket(std::uint64_t id, Slice& slice) {
  if (slice.buckets.empty() || PeerOf(*slice.order) == nullptr) {
    EndSlice(id, slice, base::Ok());
    return;
  }
  if (parts_.replica.disk_full()) return EndSlice(id, slice, DiskFull());
  if (!MayGoOn())
    held_back_.push_back(id);
  else if (slice.runs.empty())
    StartSummary(id, slice);
  else
    AskEntries(id, slice);
}

bool RepairPull::MayGoOn() const {
  return parts_.replica.HasRoomForRepair() && rate_.Ready(parts_.world.Now());
}

void RepairPull::OnTurnEnd() {
  while (!held_back_.empty() && MayGoOn()) {
    const std::uint64_t id = held_back_.front();
    held_back_.pop_front();
    if (Slice* slice = slices_.Find(id)) NextBucket(id, *slice);
  }
}

void RepairPull::StartSummary(std::uint64_t id, Slice& slice) {
  const std::uint16_t bucket = slice.buckets.back();
  // Of nothing nothing needs to be read: most buckets of a node that was emptied.
  const merkle::Tree* tree = parts_.replica.TreeOf(slice.keyspace);
  if (tree == nullptr || tree->Leaf(bucket).empty()) {
    slice.first_token = base::FirstToken(bucket);
    slice.last_token = base::LastToken(bucket);
    slice.runs = {{slice.first_token, slice.last_token}};
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
  rate_.Count(parts_.world.Now(), done->summary.bytes_read);
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
  slice.answer_due = parts_.world.Now() + kAnswerMax;
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
    parts_.adoption.GiveUp({slice.keyspace, slice.buckets.back()});
  }
  if (slice.runs.empty()) EndRange(slice);
  NextBucket(id, slice);
}

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

void RepairPull::EndSlice(std::uint64_t id, Slice& slice, const base::Status& status) {
  Order& order = *slice.order;
  if (!slice.buckets.empty()) parts_.adoption.GiveUp({slice.keyspace, slice.buckets.back()});
  // When the peer is gone, or in another epoch, so it is for all slices.
  if (!status.ok() && order.status.ok()) order.status = status;
  if (status.ok() && slice.settled) order.settled.emplace_back(slice.keyspace, slice.slice);
  slices_.Remove(id);
  --order.open;
  Next(order);
}

base::Result<std::string> RepairPull::HashesFor(const wire::SliceHashesRequest& request,
                                                base::NodeNumber peer) {
  const topology::Node* node = snapshot_->topology->FindNumber(peer);
  if (node == nullptr || request.epoch != snapshot_->topology->epoch)
    return base::Fail(base::FailedPrecondition("not in the same epoch, or no member"));
  if (const merkle::Generation oldest = parts_.replica.OldestCut(request.keyspace);
      request.cut_s < oldest)
    return base::Fail(base::FailedPrecondition(
        fmt::format("a comparison as of {} s is asked for, and the oldest that can be answered is "
                    "of {} s",
                    request.cut_s, oldest)));
  std::string hashes = HashesAt(static_cast<std::size_t>(node - snapshot_->topology->nodes.data()),
                                request.keyspace, request.slice, request.salt, request.cut_s);
  stats_.bytes_sent += hashes.size();
  return hashes;
}

// The low 4 bytes of the hash of each leaf of a slice, over what is shared with a node.
std::string RepairPull::HashesAt(std::size_t peer, base::KeyspaceId keyspace, std::uint8_t slice,
                                 std::uint64_t salt, merkle::Generation cut) {
  const auto& shared = parts_.shared.Of(*snapshot_, peer, keyspace);
  const merkle::History* history = parts_.replica.HistoryOf(keyspace);
  const auto hashes = history != nullptr
                          ? history->HashSliceAt(slice, shared, salt, cut)
                          : merkle::HashSlice(merkle::Tree(keyspace), slice, shared, salt);
  std::string packed;
  for (const std::uint64_t hash : hashes)
    base::AppendLittle(packed, static_cast<std::uint32_t>(hash));
  return packed;
}

}  // namespace starling::server
