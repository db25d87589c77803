#include "server/repair_pull.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/hash.h"
#include "base/log.h"
#include "merkle/compare.h"
#include "server/repair_pull_slice.h"

namespace starling::server {

RepairPull::RepairPull(const RepairPullParts& parts) : parts_(parts) {}
RepairPull::~RepairPull() = default;

void RepairPull::Start(const PullMail& mail) {
  auto order = std::make_unique<Order>();
  order->serial = mail.serial;
  order->peer = mail.peer;
  order->ahead = mail.ahead;
  order->waiting.assign(mail.slices.begin(), mail.slices.end());
  order->slices = mail.slices.size();
  order->began = parts_.world.Now();
  order->only_look = mail.only_look;
  orders_.push_back(std::move(order));
  Next(*orders_.back());
}

RepairStats RepairPull::stats() const {
  RepairStats stats = stats_;
  stats.piece_bytes = fetching_bytes_;
  for (const auto& order : orders_) {
    if (order->only_look) continue;
    stats.pulling += {order->slices, order->SlicesDone(), parts_.world.Now() - order->began};
  }
  return stats;
}

const topology::Node* RepairPull::PeerOf(const Order& order) const {
  const topology::Node* node = snapshot_->topology->FindNumber(order.peer);
  return node != nullptr && node->member() ? node : nullptr;
}

void RepairPull::Next(Order& order) {
  if (order.status.ok() && !order.only_look && parts_.replica.disk_full())
    order.status = DiskFull();
  if (order.advancing) return;  // It goes on below.
  order.advancing = true;
  while (order.asking < kRequestsAtATime) {
    if (order.open < kSlicesAtATime && !order.waiting.empty()) {
      OpenNext(order);
    } else if (!order.ready.empty() && MayGoOn()) {
      const std::uint64_t id = std::get<std::uint64_t>(*order.ready.begin());
      order.ready.erase(order.ready.begin());
      Slice& slice = *slices_.Find(id);
      slice.asking = true;
      ++order.asking;
      GoOn(id, slice);
    } else {
      break;
    }
  }
  order.advancing = false;
  if (order.open == 0 && AllStored()) End(order);
}

void RepairPull::OpenNext(Order& order) {
  const auto [keyspace, number] = order.waiting.front();
  order.waiting.pop_front();
  if (PeerOf(order) == nullptr || !order.status.ok()) return;
  const auto [id, slice] = slices_.Add();
  slice->order = &order;
  slice->keyspace = keyspace;
  slice->slice = number;
  slice->salt = parts_.world.random().Next();
  slice->asking = true;
  ++order.open;
  ++order.asking;
  Ask(id, *slice);
}

void RepairPull::End(Order& order) {
  if (order.unreadable > 0)
    base::log::Warn("repair", "{} left out of what node {} has and this one lacks, the first: {}",
                    order.unreadable, order.peer, order.damage.message());
  auto done = std::make_unique<PullDoneMail>();
  done->serial = order.serial;
  done->entries = order.entries;
  done->settled = std::move(order.settled);
  for (const auto& [range, difference] : order.differing) done->differing.push_back(difference);
  done->status = order.status;
  if (order.status.ok() && order.unreadable > 0)
    done->status = base::Corruption(
        fmt::format("{} left out, the first: {}", order.unreadable, order.damage.message()));
  parts_.world.Post(base::kControlActor, std::move(done));
  std::erase_if(orders_, [&](const auto& each) { return each.get() == &order; });
}

// The newest one: an order may take longer than a cut can be answered.
merkle::Generation RepairPull::CutFor(const Slice& slice) const {
  return std::max(merkle::NewestCut(parts_.world.WallMs()) + slice.order->ahead,
                  parts_.replica.OldestCut(slice.keyspace));
}

void RepairPull::Ask(std::uint64_t id, Slice& slice) {
  const topology::Node* peer = PeerOf(*slice.order);
  slice.cut = CutFor(slice);
  slice.hashes = HashesAt(static_cast<std::size_t>(peer - snapshot_->topology->nodes.data()),
                          slice.keyspace, slice.slice, slice.salt, slice.cut);
  const wire::SliceHashesRequest request{slice.keyspace, slice.slice, slice.salt,
                                         snapshot_->topology->epoch, slice.cut};
  slice.answer_due = parts_.world.Now() + kPullAnswerMax;
  parts_.links.Send({peer->cluster, peer->host}, {kTagPull, 0, id, 0}, request);
}

void RepairPull::OnPeerFailed(const PeerTag& tag, const base::Status& status) {
  Slice* slice = slices_.Find(tag.a);
  if (slice == nullptr) return;
  slice->answer_due = base::Instant::Never();
  if (slice->step == Slice::Step::kPieces)
    AskPieceLater(tag.a, *slice, status);
  else
    EndSlice(tag.a, *slice, status);
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
  const std::vector<std::uint64_t> again = std::move(retries_);
  retries_.clear();
  for (const std::uint64_t id : again)
    if (Slice* slice = slices_.Find(id)) AskPiece(id, *slice);
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
  } else if (frame.kind == wire::Kind::kValuePieceReply && slice->step == Slice::Step::kPieces) {
    OnPiece(tag.a, *slice, frame);
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
  if (slice.step == Slice::Step::kPieces) return OnPieceRefused(id, slice, why);
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
  for (std::uint32_t leaf = base::kLeavesPerSlice; leaf-- > 0;) {
    const auto theirs = base::LoadLittle<std::uint32_t>(frame.payload.data() + 4 * leaf);
    if (theirs != base::LoadLittle<std::uint32_t>(slice.hashes.data() + 4 * leaf))
      slice.buckets.push_back(base::BucketAt(slice.slice, static_cast<std::uint8_t>(leaf)));
  }
  slice.order->buckets += slice.buckets.size();
  slice.order->buckets_left += slice.buckets.size();
  slice.hashes = {};
  slice.step = Slice::Step::kEntries;
  if (!slice.order->only_look) return NextBucket(id, slice);
  NoteDiffering(slice);
  EndSlice(id, slice, base::Ok());
}

// When it is its turn.
void RepairPull::NextBucket(std::uint64_t id, Slice& slice) {
  Order& order = *slice.order;
  if (slice.buckets.empty()) return EndSlice(id, slice, base::Ok());
  const bool light = slice.summary.empty() && slice.adoption == 0;
  order.ready.emplace(light, slice.keyspace, base::LeafOf(slice.buckets.back()), id);
  slice.asking = false;
  --order.asking;
  Next(order);
}

void RepairPull::GoOn(std::uint64_t id, Slice& slice) {
  if (PeerOf(*slice.order) == nullptr) return EndSlice(id, slice, base::Ok());
  if (!slice.order->status.ok()) return EndSlice(id, slice, slice.order->status);
  if (parts_.replica.disk_full()) return EndSlice(id, slice, DiskFull());
  if (slice.runs.empty())
    StartSummary(id, slice);
  else
    AskEntries(id, slice);
}

bool RepairPull::MayTakeMore() const {
  return parts_.replica.HasRoomForRepair() && taking_bytes_ < parts_.taking_bytes_max;
}

bool RepairPull::MayGoOn() const {
  return MayTakeMore() && rest_ == nullptr && parts_.rate.Ready(parts_.world.Now()) &&
         (gathered_bytes_ == 0 || gathered_bytes_ < GatheredBytesMax());
}

void RepairPull::OnTaken(const Ticket& ticket, const base::Status& error) {
  taking_bytes_ -= ticket.a;
  if (ticket.b == 0) return;
  for (std::uint64_t i = 0; i <= ticket.c; ++i) parts_.adoption.OnTaken(ticket.b, error);
}

// Of what any order brought. One that ended before would have another peer send the rest again:
// until an entry's old version is looked up, no tree knows of it.
bool RepairPull::AllStored() const { return !HasGathered() && taking_bytes_ == 0; }

void RepairPull::EndWhoeverWaited() {
  for (std::size_t i = 0; i < orders_.size() && AllStored();) {
    Order& order = *orders_[i];
    if (order.open == 0 && order.waiting.empty())
      End(order);
    else
      ++i;
  }
}

void RepairPull::OnTurnEnd() {
  GoOnFilling();
  EndWhoeverWaited();
  while (!held_back_.empty() && MayGoOn()) {
    const std::uint64_t id = held_back_.front();
    held_back_.pop_front();
    if (Slice* slice = slices_.Find(id)) AskPiece(id, *slice);
  }
  // Each order comes first in its turn.
  if (!orders_.empty()) std::rotate(orders_.begin(), orders_.begin() + 1, orders_.end());
  for (std::size_t i = 0; i < orders_.size() && MayGoOn();) {
    Order* const order = orders_[i].get();
    Next(*order);
    if (i < orders_.size() && orders_[i].get() == order) ++i;  // Else it has ended.
  }
  while (!unopened_.empty() && MayGoOn()) {
    const std::uint64_t id = unopened_.front();
    Slice* slice = slices_.Find(id);
    if (slice != nullptr && !MayOpen(*slice->fetch)) return;
    unopened_.pop_front();
    if (slice != nullptr) AskPiece(id, *slice);
  }
}

void RepairPull::EndSlice(std::uint64_t id, Slice& slice, const base::Status& status) {
  Order& order = *slice.order;
  GiveUpAdoption(slice);
  // When the peer is gone, or in another epoch, so it is for all slices.
  if (!status.ok() && order.status.ok()) order.status = status;
  if (status.ok() && slice.settled) order.settled.emplace_back(slice.keyspace, slice.slice);
  order.buckets_left -= slice.buckets.size();
  if (slice.asking) --order.asking;
  slices_.Remove(id);
  --order.open;
  Next(order);
}

base::Result<std::string> RepairPull::HashesFor(const wire::SliceHashesRequest& request,
                                                base::NodeNumber peer) {
  const topology::Node* node = snapshot_->topology->FindNumber(peer);
  if (node == nullptr || request.epoch != snapshot_->topology->epoch)
    return base::Fail(base::FailedPrecondition("not in the same epoch, or no member"));
  if (!parts_.replica.making().Made(request.slice))
    return base::Fail(base::Unavailable("its tree is being made anew"));
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
