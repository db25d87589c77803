// server/worker_parts.cc: what a worker's parts report to it: its replica, and its links to nodes.
#include "base/check.h"
#include "base/log.h"
#include "server/worker.h"

namespace starling::server {
namespace {

// A peer's request as a ticket, and back.
ReplyTo PeerReplyTo(const Ticket& ticket) {
  return {base::ActorId{static_cast<std::uint16_t>(ticket.c)}, base::ConnId{ticket.a}, ticket.b,
          ReplyTo::Protocol::kNative};
}

}  // namespace

Ticket Worker::PeerTicket(const ReplyTo& reply) {
  return {Ticket::Kind::kPeer, static_cast<std::uint64_t>(reply.conn), reply.request_id,
          static_cast<std::uint64_t>(reply.home)};
}

bool Worker::OnStamp(const Ticket& ticket, const base::Version& held,
                     storage::EntryHeader* header) {
  return coordinator_.OnStamp(ticket, held, header);
}

void Worker::OnLocalWrite(const Ticket& ticket, wire::WriteOutcome outcome,
                          const base::Version& held, const base::Status& error) {
  shared_.met_damage.Note(error);
  switch (ticket.kind) {
    case Ticket::Kind::kNobody:
    case Ticket::Kind::kOrphan: return;
    case Ticket::Kind::kPurge: purger_.OnLocalWrite(ticket, error); return;
    case Ticket::Kind::kAdopt: adoption_.OnLocalWrite(ticket, error); return;
    case Ticket::Kind::kPull: repair_.OnTaken(ticket, error); return;
    case Ticket::Kind::kPut:
    case Ticket::Kind::kGet: coordinator_.OnLocalWrite(ticket, outcome, held); return;
    case Ticket::Kind::kPeer:
      if (error.ok())
        Reply(PeerReplyTo(ticket),
              wire::ReplicaWriteReply{outcome, held, shared_.guard.boot(), shared_.guard.mark()});
      else
        Reply(PeerReplyTo(ticket), wire::ErrorOf(error));
      return;
  }
}

void Worker::OnLocalRead(const Ticket& ticket, const base::Status& error,
                         const storage::EntryHeader& header, base::Bytes value,
                         std::uint64_t purged) {
  shared_.met_damage.Note(error);
  if (ticket.kind == Ticket::Kind::kGet) {
    coordinator_.OnLocalRead(ticket, error, header, value, purged);
    return;
  }
  if (ticket.kind == Ticket::Kind::kOrphan) {
    orphans_.OnLocalRead(ticket, error, header, value);
    return;
  }
  CHECK(ticket.kind == Ticket::Kind::kPeer);
  if (!error.ok()) {
    Reply(PeerReplyTo(ticket), wire::ErrorOf(error));
    return;
  }
  ReplyValue(PeerReplyTo(ticket),
             wire::ReplicaReadReply{header.version, header.flags,
                                    static_cast<std::uint8_t>(header.origin), header.expiry_ms,
                                    header.value_digest, snapshot_->topology->epoch, purged},
             value);
}

void Worker::OnPeerReply(const PeerTag& tag, const wire::Frame& frame) {
  switch (tag.kind) {
    case kTagPut:
    case kTagGet: coordinator_.OnPeerReply(tag, frame); return;
    case kTagHint: hints_.OnPeerReply(tag, frame); return;
    case kTagPull: repair_.OnPeerReply(tag, frame); return;
    case kTagScan: scans_.OnPeerReply(tag, frame); return;
    case kTagOrphanOffer:
    case kTagOrphanWrite: orphans_.OnPeerReply(tag, frame); return;
    case kTagHandled: return;
  }
}

void Worker::OnPeerFailed(const PeerTag& tag, const base::Status& status) {
  switch (tag.kind) {
    case kTagPut:
    case kTagGet: coordinator_.OnPeerFailed(tag, status); return;
    case kTagHint: hints_.OnPeerFailed(tag); return;
    case kTagPull: repair_.OnPeerFailed(tag, status); return;
    case kTagScan: scans_.OnPeerFailed(tag, status); return;
    case kTagOrphanOffer:
    case kTagOrphanWrite: orphans_.OnPeerFailed(tag); return;
    case kTagHandled: return;
  }
}

void Worker::OnLinkLost(const PeerAddress& peer, base::CloseReason reason) {
  if (reason == base::CloseReason::kLocal || peer.host.empty()) return;
  auto mail = std::make_unique<LinkLostMail>();
  mail->host = peer.host;
  world_.Post(base::kControlActor, std::move(mail));
}

base::Status Worker::OnPeerHello(const PeerAddress&, const wire::HelloReply& reply) {
  if (reply.cluster_id == snapshot_->topology->cluster_id) return base::Ok();
  return base::FailedPrecondition("the node belongs to another cluster");
}

void Worker::OnHelloRefused(const PeerAddress& peer, const wire::ErrorReply& error) {
  base::log::Debug("worker", "{} refused our hello: {}", peer.address.ToString(), error.message);
}

}  // namespace starling::server
