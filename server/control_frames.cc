// server/control_frames.cc: what other nodes ask of control, and what they answer to it.
#include <fmt/core.h>

#include "base/hash.h"
#include "base/log.h"
#include "server/admin.h"
#include "server/control.h"
#include "server/control_jobs.h"
#include "server/topology/codec.h"

namespace starling::server {

// --- frames of other nodes ---

bool Control::OnFrame(base::ConnId conn, Conn& state, const wire::Frame& frame) {
  const ReplyTo reply{base::kControlActor, conn, frame.request_id, ReplyTo::Protocol::kNative};
  if (frame.kind == wire::Kind::kControl) {
    HandleControl(reply, state, frame);
    return true;
  }
  if (frame.kind == wire::Kind::kReplicaRead && snapshot_ != nullptr) {
    // `nodetool why` of another node: for whichever worker owns the key, which looks again.
    const topology::Node* node = snapshot_->topology->Find(state.host);
    auto mail = std::make_unique<FrameMail>();
    mail->reply = reply;
    mail->frame_kind = frame.kind;
    mail->peer = node == nullptr ? 0 : node->number;
    mail->header = frame.header;
    if (mail->peer != 0) {
      world_.Post(WorkerActor(0), std::move(mail));
      return true;
    }
  }
  CloseWithError(conn, frame.request_id,
                 base::InvalidArgument(fmt::format("frame kind {} is not for control connections",
                                                   static_cast<unsigned>(frame.kind))));
  return false;
}

void Control::HandleControl(const ReplyTo& reply, const Conn& state, const wire::Frame& frame) {
  const auto request = wire::Decode<wire::ControlRequest>(frame.header);
  if (!request) return ReplyError(reply, request.error());
  if (base::Hash64(frame.payload) != request->payload_digest)
    return ReplyError(reply, base::Corruption("the payload was damaged on its way"));
  switch (request->topic) {
    case wire::ControlTopic::kFounding: return ReplyBytes(reply, AnswerHello(frame.payload));
    case wire::ControlTopic::kPaxos:
      return HandlePaxos(frame.payload,
                         [this, reply](const std::string& bytes) { ReplyBytes(reply, bytes); });
    default: break;
  }
  if (snapshot_ == nullptr)
    return ReplyError(reply, base::Unavailable("this node is not in a cluster yet"));
  const topology::Node* peer = snapshot_->topology->Find(state.host);
  switch (request->topic) {
    case wire::ControlTopic::kGossip:
      ReplyBytes(reply, gossip_->OnStreamRequest(world_.Now(), frame.payload, state.from));
      DrainGossip();
      return;
    case wire::ControlTopic::kTopology: return ReplyBytes(reply, acceptor_->known_bytes());
    case wire::ControlTopic::kJoin: return HandleJoin(reply, frame.payload);
    case wire::ControlTopic::kCompare:
    case wire::ControlTopic::kProve:
    case wire::ControlTopic::kPurge:
    case wire::ControlTopic::kForward: break;
    default: return ReplyError(reply, base::InvalidArgument("unknown control topic"));
  }
  if (!published_) return ReplyError(reply, base::Unavailable("this node has just started"));
  if (peer == nullptr || !peer->member())
    return ReplyError(reply, base::FailedPrecondition(
                                 fmt::format("host {} is not a member", state.host.ToString())));
  const auto answer = [this, reply](const base::Result<std::string>& result) {
    if (result)
      ReplyBytes(reply, *result);
    else
      ReplyError(reply, result.error());
  };
  if (request->topic == wire::ControlTopic::kCompare) {
    repair_.HandleCompare(peer->number, frame.payload, answer);
  } else if (request->topic == wire::ControlTopic::kProve) {
    proofs_.HandleQuestion(peer->number, frame.payload, answer);
  } else if (request->topic == wire::ControlTopic::kPurge) {
    purge_.Handle(frame.payload, answer);
  } else {
    repair_.RunWith(peer->number, frame.payload,
                    [this, reply](const Repair::Result&) { ReplyBytes(reply, "done"); });
  }
}

void Control::ReplyBytes(const ReplyTo& to, base::Bytes payload) {
  Reply(to, wire::ControlReply{base::Hash64(payload), shared_.guard.boot(), shared_.guard.mark()},
        payload);
}

void Control::ReplyError(const ReplyTo& to, const base::Status& status) {
  Reply(to, wire::ErrorOf(status));
}

void Control::ReplyJson(const ReplyTo& to, const base::Json& answer) {
  const std::string text = answer.Text();
  Reply(to, wire::AdminReply{base::Hash64(text)}, text);
}

void Control::SendControl(const PeerAddress& peer, const PeerTag& tag, wire::ControlTopic topic,
                          base::Bytes payload) {
  links_.Send(peer, tag, wire::ControlRequest{topic, base::Hash64(payload)}, payload);
}

// --- what peers answer ---

void Control::OnPeerReply(const PeerTag& tag, const wire::Frame& frame) {
  switch (tag.kind) {
    case kTagCompare:
    case kTagRepairPeer: repair_.OnPeerReply(tag, frame); return;
    case kTagProve: proofs_.OnPeerReply(tag, frame); return;
    case kTagPurge: purge_.OnPeerReply(tag, frame); return;
    case kTagWhy: admin_->OnWhyReply(tag, frame); return;
    case kTagJoin: OnJoinReply(tag, frame); return;
    case kTagTwin: OnTwinAnswer(UnpackAddress(tag.a)); return;
    default: break;
  }
  const auto reply = wire::Decode<wire::ControlReply>(frame.header);
  if (frame.kind != wire::Kind::kControlReply || !reply ||
      base::Hash64(frame.payload) != reply->payload_digest) {
    OnPeerFailed(tag, base::Unavailable("the peer refused"));
    return;
  }
  switch (tag.kind) {
    case kTagGossip:
      if (gossip_ != nullptr)
        gossip_->OnStreamReply(world_.Now(), frame.payload, UnpackAddress(tag.a));
      break;
    case kTagFounding: OnFoundingReply(UnpackAddress(tag.a), frame.payload); break;
    case kTagPaxos:
      if (const auto answer = topology::DecodePaxosReply(frame.payload); answer && proposer_) {
        proposer_->OnReply(world_.Now(), *answer);
        DriveProposer();
      }
      break;
    case kTagTopology:
      LearnFrom(frame.payload, "the answer of a node");
      if (tag.a != 0) HasRemembered(links_.HostAt(UnpackAddress(tag.a)));  // In its hello.
      break;
  }
}

void Control::OnPeerFailed(const PeerTag& tag, const base::Status& status) {
  switch (tag.kind) {
    case kTagCompare:
    case kTagRepairPeer: repair_.OnPeerFailed(tag, status); return;
    case kTagProve: proofs_.OnPeerFailed(tag, status); return;
    case kTagPurge: purge_.OnPeerFailed(tag, status); return;
    case kTagWhy: admin_->OnWhyFailed(tag, status); return;
    case kTagJoin: OnJoinFailed(tag.a, status.message()); return;
    case kTagTwin: OnTwinAnswer(UnpackAddress(tag.a)); return;
    case kTagGossip:
      if (gossip_ != nullptr)
        gossip_->OnStreamFailed(world_.Now(), UnpackAddress(tag.a),
                                gossip::Gossip::StreamFailure::kOther);
      return;
    case kTagTopology:
      if (tag.a != 0) NobodyAnswersAt(UnpackAddress(tag.a));
      return;
    default: return;  // Founding and Paxos ask again by themselves.
  }
}

void Control::OnLinkLost(const PeerAddress& peer, base::CloseReason reason) {
  if (reason == base::CloseReason::kRefused) moving_.OnRefused(peer.address);
  if (gossip_ == nullptr) return;
  if (reason == base::CloseReason::kRefused)
    gossip_->OnStreamFailed(world_.Now(), peer.address, gossip::Gossip::StreamFailure::kRefused);
  if ((reason == base::CloseReason::kReset || reason == base::CloseReason::kPeer) &&
      !peer.host.empty())
    gossip_->ReportConnectionLost(world_.Now(), peer.host);
}

base::Status Control::OnPeerHello(const PeerAddress& peer, const wire::HelloReply& reply) {
  if (snapshot_ == nullptr || reply.cluster_id.empty()) return base::Ok();
  if (reply.cluster_id == snapshot_->topology->cluster_id) {
    met_a_peer_ = true;
    OnRemembered(peer, reply);
    if (reply.epoch > snapshot_->topology->epoch)
      SendControl(peer, {kTagTopology, 0, 0, 0}, wire::ControlTopic::kTopology, {});
    return base::Ok();
  }
  const base::Status other = base::FailedPrecondition(fmt::format(
      "cluster '{}' at {} has the id {}, this node's data directory is of {}: wrong seeds, or a "
      "wrong data directory",
      reply.cluster_name, peer.address.ToString(), reply.cluster_id.ToString(),
      snapshot_->topology->cluster_id.ToString()));
  FitsNobody(other);
  return other;
}

void Control::OnHelloRefused(const PeerAddress& peer, const wire::ErrorReply& error) {
  base::log::Warn("control", "{} refused this node: {}", peer.address.ToString(), error.message);
  if (error.code == base::Code::kFailedPrecondition)
    FitsNobody(base::FailedPrecondition(
        fmt::format("{} refused this node: {}", peer.address.ToString(), error.message)));
}

}  // namespace starling::server
