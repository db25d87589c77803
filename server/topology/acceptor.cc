// server/topology/acceptor.cc: the voter's side of Paxos.
#include <fmt/core.h>

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "server/topology/changes.h"
#include "server/topology/codec.h"
#include "server/topology/paxos.h"

namespace starling::topology {

Acceptor::Acceptor(base::HostId self, TopologyPtr known) : self_(self), known_(std::move(known)) {
  CHECK(!self_.empty());
  if (known_ != nullptr) known_bytes_ = EncodeTopology(*known_);
}

base::Result<Acceptor> Acceptor::Restore(base::HostId self, TopologyPtr known, base::Bytes state) {
  Acceptor acceptor(self, std::move(known));
  ASSIGN_OR_RETURN(acceptor.state_, DecodeAcceptorState(state));
  // Its epoch was learned after it voted: the votes have served.
  if (acceptor.state_.epoch <= acceptor.known_epoch()) acceptor.state_ = {};
  return acceptor;
}

std::string Acceptor::EncodeState() const { return EncodeAcceptorState(state_); }

Vote Acceptor::OnRequest(const PaxosRequest& request) {
  if (request.kind == PaxosRequest::Kind::kLearn) return OnLearn(request);
  if (auto reply = CheckTurn(request)) return {.learned = {}, .reply = *std::move(reply)};
  base::Status status = CheckVoters(request);
  if (status.ok() && request.ballot.empty()) status = base::InvalidArgument("its ballot is empty");
  if (status.ok() && request.kind == PaxosRequest::Kind::kAccept) status = CheckValue(request);
  if (!status.ok()) {
    Vote vote{.learned = {}, .reply = ReplyTo(request, PaxosReply::Kind::kRejected)};
    vote.reply.reason = fmt::format("{} does not vote on epoch {}: {}", self_.ToString(),
                                    request.epoch, status.message());
    return vote;
  }
  return request.kind == PaxosRequest::Kind::kPrepare ? OnPrepare(request) : OnAccept(request);
}

// Strictly higher: a ballot is promised once, so a doubled prepare cannot earn a second promise
// with an older memory of what was accepted.
Vote Acceptor::OnPrepare(const PaxosRequest& request) {
  if (request.ballot <= state_.promised)
    return {.learned = {}, .reply = ReplyTo(request, PaxosReply::Kind::kRefused)};
  state_.epoch = request.epoch;
  state_.voters = request.voters;
  state_.promised = request.ballot;
  Vote vote{
      .learned = {}, .must_sync = true, .reply = ReplyTo(request, PaxosReply::Kind::kPromise)};
  vote.reply.accepted = state_.accepted;
  vote.reply.value = state_.value;
  return vote;
}

Vote Acceptor::OnAccept(const PaxosRequest& request) {
  if (request.ballot < state_.promised)
    return {.learned = {}, .reply = ReplyTo(request, PaxosReply::Kind::kRefused)};
  // One ballot has one proposer, and a proposer one value for it.
  const bool again = request.ballot == state_.accepted;
  if (again && request.value != state_.value) {
    Vote vote{.learned = {}, .reply = ReplyTo(request, PaxosReply::Kind::kRejected)};
    vote.reply.reason = "another value was accepted under the same ballot";
    return vote;
  }
  state_ = {.epoch = request.epoch,
            .voters = request.voters,
            .promised = request.ballot,
            .accepted = request.ballot,
            .value = request.value};
  return {.learned = {}, .must_sync = true, .reply = ReplyTo(request, PaxosReply::Kind::kAccepted)};
}

Vote Acceptor::OnLearn(const PaxosRequest& request) {
  Vote vote;
  base::Result<Topology> topology = DecodeTopology(request.value);
  if (!topology.has_value() || topology->epoch != request.epoch) {
    vote.reply = ReplyTo(request, PaxosReply::Kind::kRejected);
    vote.reply.reason = topology.has_value() ? "the value is of another epoch than it says"
                                             : topology.error().message();
    return vote;
  }
  if (known_ != nullptr && known_->cluster_id != topology->cluster_id) {
    vote.reply = ReplyTo(request, PaxosReply::Kind::kRejected);
    vote.reply.reason = fmt::format("this node is of cluster {}, not {}",
                                    known_->cluster_id.ToString(), topology->cluster_id.ToString());
    return vote;
  }
  if (known_ != nullptr && Newer(*topology, *known_)) {
    if (const base::Status follows = CheckDescendant(*known_, *topology); !follows.ok()) {
      vote.reply = ReplyTo(request, PaxosReply::Kind::kRejected);
      vote.reply.reason = follows.message();
      return vote;
    }
  }
  if (Learn(std::make_shared<const Topology>(*std::move(topology)))) {
    vote.learned = known_;
    vote.must_sync = true;
  }
  vote.reply = ReplyTo(request, PaxosReply::Kind::kKnown);
  return vote;
}

bool Acceptor::Learn(TopologyPtr topology) {
  CHECK(topology != nullptr);
  if (known_ != nullptr && !(Newer(*topology, *known_) && CheckDescendant(*known_, *topology).ok()))
    return false;
  known_ = std::move(topology);
  known_bytes_ = EncodeTopology(*known_);
  if (state_.epoch <= known_->epoch) state_ = {};
  return true;
}

PaxosReply Acceptor::ReplyTo(const PaxosRequest& request, PaxosReply::Kind kind) const {
  PaxosReply reply;
  reply.kind = kind;
  reply.from = self_;
  reply.place = place_;
  reply.left = left_;
  reply.epoch = request.epoch;
  reply.ballot = request.ballot;
  if (kind == PaxosReply::Kind::kRefused) reply.promised = state_.promised;
  reply.known_epoch = known_epoch();
  return reply;
}

// It votes on the epoch after the one it knows, and on no other.
std::optional<PaxosReply> Acceptor::CheckTurn(const PaxosRequest& request) const {
  if (request.epoch <= known_epoch()) {
    PaxosReply reply = ReplyTo(request, PaxosReply::Kind::kKnown);
    reply.value = known_bytes_;
    return reply;
  }
  if (request.epoch > known_epoch() + 1) return ReplyTo(request, PaxosReply::Kind::kBehind);
  return std::nullopt;
}

// Before the founding there is no list that all agree on, so a voter binds itself to the first it
// promises under: a seed that lost its data directory comes back as another host, and votes under
// two lists could choose two clusters.
base::Status Acceptor::CheckVoters(const PaxosRequest& request) const {
  if (!std::binary_search(request.voters.begin(), request.voters.end(), self_))
    return base::FailedPrecondition("it is not among the voters that the proposer counts");
  if (known_ != nullptr && request.voters != known_->voters)
    return base::FailedPrecondition(
        fmt::format("the voters are not those that epoch {} names", known_->epoch));
  if (!state_.voters.empty() && request.voters != state_.voters)
    return base::FailedPrecondition("it has promised its vote among other voters");
  return base::Ok();
}

base::Status Acceptor::CheckValue(const PaxosRequest& request) const {
  ASSIGN_OR_RETURN(const Topology topology, DecodeTopology(request.value));
  if (topology.epoch != request.epoch)
    return base::InvalidArgument(fmt::format("the value is of epoch {}", topology.epoch));
  return known_ == nullptr ? base::Ok() : CheckSuccessor(*known_, topology);
}

}  // namespace starling::topology
