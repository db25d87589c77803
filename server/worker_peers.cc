// server/worker_peers.cc: what other nodes ask of a worker, port 7700.
#include <fmt/core.h>

#include <algorithm>

#include "base/hash.h"
#include "base/unreachable.h"
#include "server/entry_page.h"
#include "server/worker.h"
#include "server/worker_page.h"
#include "storage/entry.h"

namespace starling::server {

bool Worker::OnPeerFrame(base::ConnId conn, Conn& state, const wire::Frame& frame) {
  if (!state.greeted) return GreetPeer(conn, state, frame);
  const ReplyTo reply{id_, conn, frame.request_id, ReplyTo::Protocol::kNative, world_.Now()};
  switch (frame.kind) {
    case wire::Kind::kReplicaWrite: TakeReplicaWrite(reply, state.writes, frame); return true;
    case wire::Kind::kHandled: HandleHandled(reply, state.writes.source(), frame); return true;
    case wire::Kind::kReplicaRead:
    case wire::Kind::kReplicaScan:
    case wire::Kind::kSliceHashes:
    case wire::Kind::kBucketParts:
    case wire::Kind::kValuePiece:
    case wire::Kind::kBucketPull: HandlePeer(reply, state.writes.source().node, frame); return true;
    default:
      CloseWithError(conn, frame.request_id,
                     base::InvalidArgument(fmt::format("frame kind {} is not for data connections",
                                                       static_cast<unsigned>(frame.kind))));
      return false;
  }
}

// Control has looked at the hello already, to know where the connection belongs; whether it may
// stay is decided here, under this worker's view of the cluster.
bool Worker::GreetPeer(base::ConnId conn, Conn& state, const wire::Frame& frame) {
  const auto hello = wire::Decode<wire::Hello>(frame.header);
  base::Status refusal;
  if (frame.kind != wire::Kind::kHello || !hello) {
    refusal = base::InvalidArgument("the first frame must be a hello");
  } else if (snapshot_ == nullptr) {
    refusal = base::Unavailable("this node is not in a cluster yet");
  } else if (hello->cluster_id != snapshot_->topology->cluster_id) {
    refusal = base::FailedPrecondition(fmt::format("this node is of cluster {}, not {}",
                                                   snapshot_->topology->cluster_id.ToString(),
                                                   hello->cluster_id.ToString()));
  } else {
    const topology::Node* node = snapshot_->topology->Find(hello->host);
    if (node == nullptr || !node->member())
      refusal =
          base::FailedPrecondition(fmt::format("host {} is not a member in epoch {}",
                                               hello->host.ToString(), snapshot_->topology->epoch));
    else
      state.writes = WriteCounter({node->number, hello->boot, hello->worker});
  }
  if (!refusal.ok()) {
    CloseWithError(conn, frame.request_id, refusal);
    return false;
  }
  state.greeted = true;
  wire::SendFrame(world_, conn, frame.request_id, Greeting());
  return true;
}

void Worker::HandlePeer(const ReplyTo& reply, base::NodeNumber peer, const wire::Frame& frame,
                        const WriteNumber& numbered) {
  if (snapshot_ == nullptr)
    return Reply(reply, wire::ErrorReply{base::Code::kUnavailable, "not in a cluster yet", {}});
  switch (frame.kind) {
    case wire::Kind::kReplicaWrite: {
      const auto write = wire::Decode<wire::ReplicaWrite>(frame.header);
      if (!write) return Reply(reply, wire::ErrorOf(write.error()));
      HandleReplicaWrite(reply, *write, frame, numbered);
      return;
    }
    case wire::Kind::kReplicaRead: HandleReplicaRead(reply, frame); return;
    case wire::Kind::kReplicaScan: HandleReplicaScan(reply, frame); return;
    case wire::Kind::kSliceHashes: HandleSliceHashes(reply, peer, frame); return;
    case wire::Kind::kBucketParts: HandleBucketParts(reply, frame); return;
    case wire::Kind::kBucketPull: HandleBucketPull(reply, frame); return;
    case wire::Kind::kValuePiece: HandleValuePiece(reply, frame); return;
    default: UNREACHABLE("OnPeerFrame lets nothing else through");
  }
}

// After this nobody waits for the answer.
base::Instant Worker::EndOf(const ReplyTo& reply, std::uint32_t deadline_ms) {
  return deadline_ms == 0 ? base::Instant::Never()
                          : reply.arrived + base::milliseconds(deadline_ms);
}

// Whether we may answer for a bucket: we own it, and the sender does not act on an ownership that
// is over (design section 8).
base::Status Worker::CheckOwner(base::KeyspaceId keyspace, std::uint16_t bucket,
                                std::uint64_t epoch) const {
  if (epoch < snapshot_->ring_epoch)
    return base::FailedPrecondition(
        fmt::format("the sender is in epoch {}, and ownership changed in epoch {}", epoch,
                    snapshot_->ring_epoch));
  const auto replicas = snapshot_->ring->Replicas(keyspace, bucket);
  if (std::find(replicas.begin(), replicas.end(), snapshot_->self) == replicas.end())
    return base::FailedPrecondition(fmt::format("bucket {} of keyspace {} is not ours in epoch {}",
                                                bucket, keyspace, snapshot_->topology->epoch));
  return base::Ok();
}

// From the connection: what comes here is counted, whichever worker it is for.
void Worker::TakeReplicaWrite(const ReplyTo& reply, WriteCounter& writes,
                              const wire::Frame& frame) {
  const auto write = wire::Decode<wire::ReplicaWrite>(frame.header);
  if (!write) return Reply(reply, wire::ErrorOf(write.error()));
  HandleReplicaWrite(reply, *write, frame, writes.Count(*write));
}

void Worker::HandleReplicaWrite(const ReplyTo& reply, const wire::ReplicaWrite& write,
                                const wire::Frame& frame, const WriteNumber& numbered) {
  if (frame.payload.size() > storage::kValueBytesMax)
    return Reply(reply, wire::ErrorReply{base::Code::kInvalidArgument,
                                         fmt::format("the value has {} bytes, at most {} are taken",
                                                     frame.payload.size(), storage::kValueBytesMax),
                                         {}});
  const base::Token token = base::TokenOf(write.key, snapshot_->topology->token_seed);
  const std::uint16_t bucket = base::BucketOf(token);
  if (HandOver(bucket, reply, snapshot_->me().number, frame, numbered)) return;
  if (const base::Status status = CheckOwner(write.keyspace, bucket, write.epoch); !status.ok())
    return Reply(reply, wire::ErrorOf(status));
  if (storage::ValueDigest(frame.payload) != write.value_digest)
    return Reply(reply, wire::ErrorReply{base::Code::kCorruption,
                                         "the value's digest does not fit: it was damaged on its "
                                         "way",
                                         {}});
  if (!replica_.HasRoom(write.key.size() + frame.payload.size())) {
    ++refused_writes_;
    return Reply(reply, wire::ErrorReply{base::Code::kOverloaded, replica_.Refusal(), {}});
  }
  orphans_.Note(numbered, write);
  const storage::EntryHeader header{write.version, write.expiry_ms, write.value_digest,
                                    static_cast<storage::Origin>(write.origin), write.flags};
  const purge::Source source{.repair = header.origin == storage::Origin::kRepair,
                             .epoch = write.source_epoch,
                             .purged = write.source_purged};
  replica_.Write(
      {write.keyspace, token, write.key, header, frame.payload, false, PeerTicket(reply), source});
}

// The writes of a source may be with any of our workers: its connection leads to one, and keys to
// all.
void Worker::HandleHandled(const ReplyTo& reply, const WriteSource& source,
                           const wire::Frame& frame) {
  const auto handled = wire::Decode<wire::Handled>(frame.header);
  if (!handled) return Reply(reply, wire::ErrorOf(handled.error()));
  for (unsigned worker = 0; worker < shared_.workers; ++worker) {
    if (worker == number_) {
      orphans_.Handled(source, handled->below);
      continue;
    }
    auto mail = std::make_unique<HandledMail>();
    mail->source = source;
    mail->below = handled->below;
    world_.Post(WorkerActor(worker), std::move(mail));
  }
  Reply(reply, wire::HandledReply{});
}

void Worker::HandleReplicaRead(const ReplyTo& reply, const wire::Frame& frame) {
  const auto read = wire::Decode<wire::ReplicaRead>(frame.header);
  if (!read) return Reply(reply, wire::ErrorOf(read.error()));
  const base::Token token = base::TokenOf(read->key, snapshot_->topology->token_seed);
  const std::uint16_t bucket = base::BucketOf(token);
  if (HandOver(bucket, reply, snapshot_->me().number, frame)) return;
  base::Status status = CheckOwner(read->keyspace, bucket, read->epoch);
  if (status.ok() && !snapshot_->ready())
    status = base::Unavailable("this node serves no read until it has caught up");
  if (!status.ok()) return Reply(reply, wire::ErrorOf(status));
  // It may have waited for us after another worker took it in.
  if (world_.Now() >= EndOf(reply, read->deadline_ms)) {
    ++expired_reads_;
    return Reply(reply, wire::ErrorReply{base::Code::kTimeout, kExpired, {}});
  }
  replica_.Read({read->keyspace, token, read->key, read->want_value, PeerTicket(reply)});
}

void Worker::HandleReplicaScan(const ReplyTo& reply, const wire::Frame& frame) {
  const auto scan = wire::Decode<wire::ReplicaScan>(frame.header);
  if (!scan) return Reply(reply, wire::ErrorOf(scan.error()));
  base::Status status = CheckOwner(scan->keyspace, base::BucketOf(scan->from_token), scan->epoch);
  if (status.ok() && !snapshot_->ready())
    status = base::Unavailable("this node serves no read until it has caught up");
  if (!status.ok()) return Reply(reply, wire::ErrorOf(status));
  auto page = std::make_unique<PeerPage>(
      *this, PeerPage::Kind::kScan, reply, EndOf(reply, scan->deadline_ms),
      PageRequest{scan->keyspace, scan->from_token, std::string(scan->after_key), scan->last_token,
                  std::clamp<std::size_t>(scan->bytes_max, 4096, kPageBytesStandard)});
  // 0: without marks, which an older version would not understand.
  page->KeepFacts({.epoch = scan->with_marks ? snapshot_->topology->epoch : 0});
  ReadForPeer(std::move(page), reply);
}

void Worker::HandleSliceHashes(const ReplyTo& reply, base::NodeNumber peer,
                               const wire::Frame& frame) {
  const auto request = wire::Decode<wire::SliceHashesRequest>(frame.header);
  if (!request) return Reply(reply, wire::ErrorOf(request.error()));
  if (HandOver(request->slice, reply, peer, frame)) return;
  const auto hashes = repair_.HashesFor(*request, peer);
  if (!hashes) return Reply(reply, wire::ErrorOf(hashes.error()));
  Reply(reply, wire::SliceHashesReply{snapshot_->topology->epoch, base::Hash64(*hashes)}, *hashes);
}

// What this replica says of itself to one that repairs from it.
purge::Source Worker::OwnFacts(base::KeyspaceId keyspace, std::uint16_t bucket) const {
  return {.repair = true,
          .epoch = snapshot_->ready() ? snapshot_->topology->epoch : 0,
          .purged = replica_.MarkOf(keyspace, bucket).purged};
}

void Worker::HandleBucketParts(const ReplyTo& reply, const wire::Frame& frame) {
  const auto ask = wire::Decode<wire::BucketParts>(frame.header);
  if (!ask) return Reply(reply, wire::ErrorOf(ask.error()));
  const std::uint16_t bucket = base::BucketOf(ask->first_token);
  if (HandOver(bucket, reply, snapshot_->me().number, frame)) return;
  base::Status status = CheckOwner(ask->keyspace, bucket, ask->epoch);
  if (status.ok() && base::Hash64(frame.payload) != ask->payload_digest)
    status = base::Corruption("the hashes of a bucket's parts were damaged on their way");
  const std::size_t size = frame.payload.size();
  if (status.ok() && (size == 0 || size % 4 != 0 || size / 4 > kPartsMax))
    status = base::InvalidArgument(
        fmt::format("{} bytes are no hashes of 1 to {} parts", size, kPartsMax));
  if (status.ok() && !memory_.HasRoom(size)) status = base::Overloaded(memory_.Refusal());
  if (!status.ok()) return Reply(reply, wire::ErrorOf(status));
  if (purge::Adopts(OwnFacts(ask->keyspace, bucket), ask->epoch, ask->purged)) {
    const std::string all((size / 4 + 7) / 8, '\xff');
    repair_.mutable_stats().bytes_sent += all.size();
    return Reply(reply, wire::BucketPartsReply{base::Hash64(all)}, all);
  }
  PageRequest request{ask->keyspace, ask->first_token, {}, ask->last_token};
  request.under_way = {ask->cut_s, world_.WallMs()};
  auto page = std::make_unique<PeerPage>(*this, PeerPage::Kind::kParts, reply,
                                         world_.Now() + kPullAnswerMax / 2, std::move(request));
  page->KeepSummary(frame.payload, ask->salt);
  ReadForPeer(std::move(page), reply);
}

void Worker::HandleBucketPull(const ReplyTo& reply, const wire::Frame& frame) {
  const auto pull = wire::Decode<wire::BucketPull>(frame.header);
  if (!pull) return Reply(reply, wire::ErrorOf(pull.error()));
  if (HandOver(pull->bucket, reply, snapshot_->me().number, frame)) return;
  base::Status status = CheckOwner(pull->keyspace, pull->bucket, pull->epoch);
  if (status.ok() && base::Hash64(frame.payload) != pull->payload_digest)
    status = base::Corruption("the summary was damaged on its way");
  if (status.ok() && frame.payload.size() > kPageBytesStandard)
    status = base::InvalidArgument(fmt::format("a summary of {} bytes, the limit is {}",
                                               frame.payload.size(), kPageBytesStandard));
  if (status.ok() && !memory_.HasRoom(frame.payload.size()))
    status = base::Overloaded(memory_.Refusal());
  const auto further = [&](char leaf) {
    return base::BucketAt(base::SliceOf(pull->bucket), static_cast<std::uint8_t>(leaf));
  };
  for (const char leaf : pull->further)
    if (status.ok()) status = CheckOwner(pull->keyspace, further(leaf), pull->epoch);
  if (!status.ok()) return Reply(reply, wire::ErrorOf(status));
  PageRequest request{pull->keyspace,
                      base::FirstToken(pull->bucket),
                      {},
                      pull->last_token,
                      std::clamp<std::size_t>(pull->bytes_max, 4096, kPageBytesStandard)};
  request.under_way = {pull->cut_s, world_.WallMs()};
  request.whole_bytes_max = pull->whole_bytes_max;
  // Before the page is read: what is removed after this mark, is not named below it.
  const purge::Source self = OwnFacts(pull->keyspace, pull->bucket);
  const auto names_upto = [&](const purge::Source& facts) {
    return purge::Adopts(facts, pull->epoch, pull->purged) ? facts.purged : 0;
  };
  request.names_upto = names_upto(self);
  if (!pull->after.empty()) {
    request.from_token = base::LoadBig<base::Token>(pull->after.data());
    request.after_key = pull->after.substr(8);
  }
  auto page = std::make_unique<PeerPage>(*this, PeerPage::Kind::kPull, reply,
                                         world_.Now() + kPullAnswerMax / 2, std::move(request));
  page->KeepSummary(frame.payload);
  page->KeepFacts(self);
  for (const char leaf : pull->further) {
    const purge::Source facts = OwnFacts(pull->keyspace, further(leaf));
    page->AddFurther({further(leaf), names_upto(facts)}, facts.purged);
  }
  ReadForPeer(std::move(page), reply);
}

void Worker::ReadForPeer(std::unique_ptr<PageWork> work, const ReplyTo& reply) {
  const ReplyTo to = reply;  // It may be the work's.
  if (page_lane_.Add(std::move(work))) return;
  Reply(to, wire::ErrorReply{base::Code::kOverloaded, "too many pages wait to be read", {}});
}

void Worker::AnswerParts(const PeerPage& page) {
  const PartsRead& read = page.parts_;
  shared_.met_damage.Note(read.status);
  if (!read.status.ok()) return Reply(page.to_, wire::ErrorOf(read.status));
  const std::string bits = DifferingParts(read.packed, page.summary_);
  repair_.mutable_stats().bytes_sent += bits.size();
  repair_.mutable_stats().data_bytes_read += read.bytes_read;
  Reply(page.to_, wire::BucketPartsReply{base::Hash64(bits)}, bits);
}

void Worker::AnswerScan(const PeerPage& page) {
  const Page& read = page.page_;
  shared_.met_damage.Note(read.status);
  if (!read.status.ok()) return Reply(page.to_, wire::ErrorOf(read.status));
  wire::ReplicaScanReply reply{read.done, base::Hash64(read.packed)};
  reply.told_upto = page.told_upto_;
  if (page.facts_.epoch != 0 && page.facts_.epoch == snapshot_->topology->epoch) {
    reply.epoch = page.facts_.epoch;
    reply.purged = page.purged_;
  }
  Reply(page.to_, reply, read.packed);
}

void Worker::OnPeerPage(PeerPage& page) {
  if (page.kind_ == PeerPage::Kind::kParts) return AnswerParts(page);
  if (page.kind_ == PeerPage::Kind::kScan) return AnswerScan(page);
  const Page& read = page.page_;
  shared_.met_damage.Note(read.status);
  shared_.met_damage.Note(read.unreadable.first);
  if (!read.status.ok()) return Reply(page.to_, wire::ErrorOf(read.status));
  const std::uint64_t digest = base::Hash64(read.packed);
  RepairStats& stats = repair_.mutable_stats();
  stats.entries_sent += read.entries;
  stats.bytes_sent += read.packed.size();
  stats.data_bytes_read += read.bytes_read;
  std::string after;
  if (!read.done) {
    base::AppendBig(after, read.last_read_token);
    after.append(read.last_read_key);
  }
  stats.bytes_sent += read.names.size();
  wire::BucketPullReply reply{read.done,
                              after,
                              digest,
                              read.unreadable.entries,
                              page.facts_.epoch,
                              page.facts_.purged,
                              page.request_.names_upto,
                              0,
                              {},
                              {}};
  for (std::size_t i = 0; i < read.further.size(); ++i) {
    const ToldBucket& told = read.further[i];
    reply.further.push_back({told.unreadable, page.further_purged_[i], page.further_[i].names_upto,
                             told.names_bytes, told.bytes});
  }
  if (read.announced) {
    const storage::EntryHeader& header = read.announced->header;
    reply.announced = {header.version,
                       header.flags,
                       static_cast<std::uint8_t>(header.origin),
                       header.expiry_ms,
                       header.value_digest,
                       static_cast<std::uint32_t>(read.announced->value.size())};
    KeepAnnounced(page);
  }
  if (read.names.empty()) return Reply(page.to_, reply, read.packed);
  const std::string payload = read.names + read.packed;
  reply.names_bytes = static_cast<std::uint32_t>(read.names.size());
  reply.payload_digest = base::Hash64(payload);
  Reply(page.to_, reply, payload);
}

}  // namespace starling::server
