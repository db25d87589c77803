// server/repair_pull_values.cc: values that come in pieces: the puller's side.
//
// A page ends with the value that it announces. The slice stays there until the value is whole, or
// is known not to come: only then is the page done with, and the bucket adopted as far as it tells.
// So whatever breaks off in between, the entry counts as missing until it is here.
#include <fmt/core.h>

#include "base/hash.h"
#include "base/mutants.h"
#include "server/repair_pull_slice.h"
#include "server/wire/entries.h"

namespace starling::server {

void RepairPull::BeginFetch(std::uint64_t id, Slice& slice, const wire::AnnouncedValue& announced,
                            const Section& section) {
  const base::Bytes key = section.after.substr(sizeof(base::Token));
  const base::Token token = base::TokenOf(key, snapshot_->topology->token_seed);
  if (token != base::LoadBig<base::Token>(section.after.data()) ||
      base::BucketOf(token) != slice.buckets.back())
    return SkipBucket(id, slice, base::Corruption("the peer announces a value of another bucket"));
  slice.settled = false;
  auto fetch = std::make_unique<Fetch>(*this, announced);
  fetch->header = {announced.version, announced.expiry_ms, announced.value_digest,
                   storage::Origin::kRepair, announced.flags};
  fetch->asked_at = fetch->progress_at = parts_.world.Now();
  fetch->after = section.after;
  fetch->names = section.names;
  fetch->section = section;
  fetch->section.after = fetch->after;
  fetch->section.names = fetch->names;
  fetch->section.entries = {};
  slice.fetch = std::move(fetch);
  slice.step = Slice::Step::kPieces;
  AskPiece(id, slice);
}

bool RepairPull::MayOpen(const Fetch& fetch) const {
  const std::uint64_t bytes = fetch.pieces.bytes();
  return (fetching_bytes_ == 0 || fetching_bytes_ + bytes <= kFetchingBytesMax) &&
         parts_.memory.HasRoom(bytes);
}

void RepairPull::AskPiece(std::uint64_t id, Slice& slice) {
  Fetch& fetch = *slice.fetch;
  const topology::Node* peer = PeerOf(*slice.order);
  if (peer == nullptr) return EndSlice(id, slice, base::Ok());
  if (parts_.replica.disk_full()) return EndSlice(id, slice, DiskFull());
  if (!MayGoOn()) return held_back_.push_back(id);
  if (!fetch.opened) {
    if (!MayOpen(fetch)) return unopened_.push_back(id);
    fetch.opened = true;
    fetching_bytes_ += fetch.pieces.bytes();
    parts_.memory.Take(fetch.pieces.bytes());
    fetch.pieces.Open();
    fetch.progress_at = parts_.world.Now();  // It waited for us.
  }
  const wire::ValuePiece request{
      slice.keyspace,       base::Bytes(fetch.after).substr(sizeof(base::Token)),
      fetch.header.version, fetch.header.value_digest,
      fetch.pieces.bytes(), fetch.pieces.next(),
      parts_.piece_bytes,   snapshot_->topology->epoch};
  slice.answer_due = parts_.world.Now() + kPullAnswerMax;
  parts_.links.Send({peer->cluster, peer->host}, {kTagPull, 0, id, 0}, request);
}

void RepairPull::OnPiece(std::uint64_t id, Slice& slice, const wire::Frame& frame) {
  Fetch& fetch = *slice.fetch;
  parts_.rate.Count(parts_.world.Now(), frame.payload.size());
  const auto reply = wire::Decode<wire::ValuePieceReply>(frame.header);
  if (!reply || base::Hash64(frame.payload) != reply->payload_digest ||
      !fetch.pieces.Add(reply->version, reply->offset, frame.payload)) {
    NoteDamage(slice, 1, base::Corruption("a piece of a value from the peer is malformed"));
    return EndFetch(id, slice, Fetched::kGone);
  }
  fetch.progress_at = parts_.world.Now();
  if (fetch.pieces.whole()) return EndFetch(id, slice, Fetched::kWhole);
  AskPiece(id, slice);
}

void RepairPull::OnPieceRefused(std::uint64_t id, Slice& slice, const base::Status& why) {
  switch (why.code()) {
    // What took its place there comes by itself, or is found by the next comparison.
    case base::Code::kNotFound: return EndFetch(id, slice, Fetched::kGone);
    case base::Code::kCorruption:
    case base::Code::kIo:
      NoteDamage(
          slice, 1,
          base::Corruption(fmt::format("a value of node {} in bucket {:04x} cannot be read "
                                       "there: {}",
                                       slice.order->peer, slice.buckets.back(), why.message())));
      return EndFetch(id, slice, Fetched::kGone);
    case base::Code::kOverloaded: return AskPieceLater(id, slice, why);
    default: return EndSlice(id, slice, why);
  }
}

// The pieces that are here stay, and the next one is asked for again.
void RepairPull::AskPieceLater(std::uint64_t id, Slice& slice, const base::Status& why) {
  const topology::Node* peer = PeerOf(*slice.order);
  if (peer != nullptr && base::Mutant("repair-broken-value-forgotten"))
    return EndFetch(id, slice, Fetched::kGone);
  const bool up =
      peer != nullptr &&
      snapshot_->peers[static_cast<std::size_t>(peer - snapshot_->topology->nodes.data())].up;
  if (!up || parts_.world.Now() >= slice.fetch->progress_at + kPieceRetryMax)
    return EndSlice(id, slice, why);
  retries_.push_back(id);
}

void RepairPull::EndFetch(std::uint64_t id, Slice& slice, Fetched fetched) {
  const std::unique_ptr<Fetch> fetch = std::move(slice.fetch);
  const std::uint64_t taken = slice.order->entries;
  base::Status status;
  if (fetched == Fetched::kWhole) {
    const storage::EntryHeader& header = fetch->header;
    status = TakeEntry(slice,
                       {.key = base::Bytes(fetch->after).substr(sizeof(base::Token)),
                        .version = header.version,
                        .flags = header.flags,
                        .origin = static_cast<std::uint8_t>(header.origin),
                        .expiry_ms = header.expiry_ms,
                        .value_digest = header.value_digest,
                        .value = fetch->pieces.value()},
                       fetch->section.source);
  }
  // Only who has all that the page names may adopt, and while what it says is not older than any
  // other page may be.
  if (slice.order->entries == taken || parts_.world.Now() >= fetch->asked_at + kPullAnswerMax)
    slice.in_full = false;
  if (status.ok()) status = EndSection(slice, fetch->section);
  if (status.ok())
    NextBucket(id, slice);
  else
    SkipBucket(id, slice, status);
}

}  // namespace starling::server
