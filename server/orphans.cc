#include "server/orphans.h"

#include "base/check.h"
#include "base/log.h"
#include "base/mutants.h"
#include "server/replica_write.h"

namespace starling::server {

using wire::WriteOutcome;

void Orphans::Adopt(SnapshotPtr snapshot) { snapshot_ = std::move(snapshot); }

// --- remembering ---

void Orphans::Note(const WriteNumber& numbered, const wire::ReplicaWrite& write) {
  if (numbered.number == 0) return;
  if (last_ == nullptr || last_->first != numbered.source) {
    if (sources_.size() >= kSourcesMax && !sources_.contains(numbered.source)) {
      ++stats_.forgotten;
      return;
    }
    last_ = &*sources_.try_emplace(numbered.source).first;
  }
  Source& source = last_->second;
  source.writes.DropBelow(numbered.handled_below);
  source.writes.Add({numbered.number, write.keyspace, write.version, write.key});
  while (source.writes.bytes() > UnhandledWrites::kBytesMax) DropOldest(source);
}

void Orphans::DropOldest(Source& source) {
  const UnhandledWrites::Write oldest = source.writes.Front();
  ++stats_.forgotten;
  const base::Token token = base::TokenOf(oldest.key, snapshot_->topology->token_seed);
  for (const std::uint16_t node : snapshot_->ring->Replicas(oldest.keyspace, base::BucketOf(token)))
    if (node != snapshot_->self) parts_.compare_soon.Add(snapshot_->node(node).number);
  source.writes.PopFront();
}

void Orphans::Handled(const WriteSource& source, std::uint64_t below) {
  if (const auto found = sources_.find(source); found != sources_.end())
    found->second.writes.DropBelow(below);
}

bool Orphans::Gone(const WriteSource& source) const {
  const topology::Node* node = snapshot_->topology->FindNumber(source.node);
  if (node == nullptr || !node->member()) return true;
  const Snapshot::Peer& peer =
      snapshot_->peers[static_cast<std::size_t>(node - snapshot_->topology->nodes.data())];
  // Who is held back for a while is there, and sees to its writes itself.
  return (!peer.up && !peer.held) || peer.boot > source.boot;
}

// --- passing on ---

void Orphans::OnTick(base::Instant now) {
  if (snapshot_ == nullptr) return;
  for (auto it = sources_.begin(); it != sources_.end();) {
    auto& [id, source] = *it;
    source.orphaned = Gone(id) ? std::min(source.orphaned, now) : base::Instant::Never();
    if (source.orphaned != base::Instant::Never() && source.writes.empty()) {
      if (last_ == &*it) last_ = nullptr;
      it = sources_.erase(it);
    } else {
      ++it;
    }
  }
  StartSome(now);
}

void Orphans::StartSome(base::Instant now) {
  for (auto& [id, source] : sources_) {
    if (source.orphaned == base::Instant::Never() || now - source.orphaned < kDelay) continue;
    while (!source.writes.empty()) {
      if (entries_.size() >= kOpenMax || open_bytes_ >= kOpenBytesMax) return;
      Start(source.writes.Front());
      source.writes.PopFront();
    }
  }
}

void Orphans::Start(const UnhandledWrites::Write& write) {
  const auto [id, entry] = entries_.Add();
  entry->keyspace = write.keyspace;
  entry->key = write.key;
  entry->token = base::TokenOf(entry->key, snapshot_->topology->token_seed);
  entry->version = write.version;
  entry->open = 1;
  parts_.replica.Read(
      {write.keyspace, entry->token, entry->key, true, {Ticket::Kind::kOrphan, id, 0, 0}});
}

void Orphans::OnLocalRead(const Ticket& ticket, const base::Status& error,
                          const storage::EntryHeader& header, base::Bytes value) {
  Entry* entry = entries_.Find(ticket.a);
  CHECK(entry != nullptr);
  if (!error.ok()) {
    base::log::Warn("orphans", "an entry of a dead coordinator cannot be read: {}",
                    error.message());
  } else if (header.version == entry->version) {  // Else the write was not taken, or replaced.
    entry->header = header;
    entry->header.origin = storage::Origin::kRumor;
    if (base::Mutant("orphan-restamped")) ++entry->header.version.timestamp;
    entry->value = value;
    open_bytes_ += value.size();
    ++stats_.taken_over;
    HandOut(ticket.a, *entry);
  }
  Settle(ticket.a, *entry);
}

void Orphans::HandOut(std::uint64_t id, Entry& entry) {
  const ReplicaSet replicas = ReplicasOf(*snapshot_, entry.keyspace, base::BucketOf(entry.token));
  for (std::size_t i = 0; i < replicas.nodes.size(); ++i) {
    if (static_cast<int>(i) == replicas.self) continue;
    if ((replicas.up >> i & 1) == 0)
      LeaveHint(entry, snapshot_->node(replicas.nodes[i]).number);
    else if (entry.value.size() < kOfferedFrom)
      Send(id, entry, replicas.nodes[i]);
    else
      Offer(id, entry, replicas.nodes[i]);
  }
}

void Orphans::Offer(std::uint64_t id, Entry& entry, std::size_t node) {
  const topology::Node& to = snapshot_->node(node);
  ++entry.open;
  parts_.links.Send({to.cluster, to.host}, {kTagOrphanOffer, to.number, id, 0},
                    wire::ReplicaRead{.keyspace = entry.keyspace,
                                      .key = entry.key,
                                      .want_value = false,
                                      .epoch = snapshot_->topology->epoch});
}

void Orphans::Send(std::uint64_t id, Entry& entry, std::size_t node) {
  const topology::Node& to = snapshot_->node(node);
  ++entry.open;
  ++stats_.sent;
  parts_.links.Send(
      {to.cluster, to.host}, {kTagOrphanWrite, to.number, id, 0},
      ReplicaWriteOf(entry.keyspace, entry.key, entry.header, snapshot_->topology->epoch),
      entry.value);
}

void Orphans::OnPeerReply(const PeerTag& tag, const wire::Frame& frame) {
  Entry* entry = entries_.Find(tag.a);
  CHECK(entry != nullptr);  // It waits for all of its answers.
  const topology::Node* node = snapshot_->topology->FindNumber(tag.b);
  CHECK(node != nullptr);  // Numbers are never dropped.
  if (tag.kind == kTagOrphanOffer) {
    const auto reply = wire::Decode<wire::ReplicaReadReply>(frame.header);
    const bool has = frame.kind == wire::Kind::kReplicaReadReply && reply &&
                     reply->version >= entry->header.version;
    // Who serves no read yet may lack it as well.
    if (!has)
      Send(tag.a, *entry, static_cast<std::size_t>(node - snapshot_->topology->nodes.data()));
  } else {
    const auto reply = wire::Decode<wire::ReplicaWriteReply>(frame.header);
    const bool took = frame.kind == wire::Kind::kReplicaWriteReply && reply &&
                      reply->outcome != WriteOutcome::kRefused;
    if (!took) LeaveHint(*entry, node->number);
  }
  Settle(tag.a, *entry);
}

void Orphans::OnPeerFailed(const PeerTag& tag) {
  Entry* entry = entries_.Find(tag.a);
  CHECK(entry != nullptr);
  LeaveHint(*entry, tag.b);
  Settle(tag.a, *entry);
}

void Orphans::LeaveHint(const Entry& entry, base::NodeNumber target) {
  if (!parts_.hints.Store(target, {entry.keyspace, entry.token, entry.key}, entry.header,
                          entry.value))
    parts_.compare_soon.Add(target);
}

void Orphans::Settle(std::uint64_t id, Entry& entry) {
  if (--entry.open > 0) return;
  open_bytes_ -= entry.value.size();
  entries_.Remove(id);
  StartSome(parts_.world.Now());
}

OrphanStats Orphans::stats() const {
  OrphanStats stats = stats_;
  for (const auto& [id, source] : sources_) stats.remembered_bytes += source.writes.bytes();
  return stats;
}

}  // namespace starling::server
