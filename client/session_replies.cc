// client/session_replies.cc: what nodes answer, and how requests end.
#include <fmt/core.h>

#include <algorithm>
#include <utility>

#include "base/hash.h"
#include "client/session.h"

namespace starling::client {

using base::Code;
using base::ConnId;
using base::Status;
using base::Version;
using wire::Kind;

namespace {

constexpr base::Duration kMapRetry = base::milliseconds(200);

Status Mismatch(std::string_view what, base::Address from) {
  return base::Corruption(
      fmt::format("the {} from {} does not match its digest", what, from.ToString()));
}

Status Unexpected(const wire::Frame& frame) {
  return base::InvalidArgument(fmt::format("a frame of kind {} where its request has another",
                                           static_cast<unsigned>(frame.kind)));
}

}  // namespace

void Session::OnOpTimer(std::uint64_t id) {
  Op* op = ops_.Find(id);
  if (op == nullptr) return;
  op->timer = 0;
  if (op->paused) {
    if (world_.Now() >= op->deadline) return End(id, *op, Status(op->why));
    op->paused = false;
    return Begin(id, *op, {});
  }
  if (op->held && op->attempts == 0)
    return End(
        id, *op,
        base::Unavailable(links_.any_ready()
                              ? "no node had room for the request within its timeout"
                              : fmt::format("no host can be reached: {}", links_.why_down())));
  RefreshMap();
  Fail(id, *op,
       base::Timeout(fmt::format("{} did not answer within {} ms{}", op->address.ToString(),
                                 base::ToMs(world_.Now() - op->start), UnknownIfPut(*op))));
}

std::string_view Session::UnknownIfPut(const Op& op) {
  return op.kind == OpKind::kPut ? ": the outcome is unknown" : "";
}

bool Session::IsRead(const Op& op) {
  return op.kind == OpKind::kGet || op.kind == OpKind::kScan || op.kind == OpKind::kMap;
}

bool Session::MayAskAgain(const Op& op, Code code) const {
  if (!IsRead(op) || op.errors >= options_.read_errors_max || world_.Now() >= op.deadline)
    return false;
  return code == Code::kTimeout || code == Code::kUnavailable || code == Code::kIo ||
         code == Code::kCorruption;
}

// A node answered, but not with what was asked for.
void Session::FailAnswered(std::uint64_t id, Op& op, const Status& status, Version stamp) {
  // A scan has come far, and goes on once who was out of reach for a moment is back.
  if (op.kind != OpKind::kScan || status.code() != Code::kUnavailable) ++op.errors;
  Fail(id, op, status, stamp);
}

void Session::Fail(std::uint64_t id, Op& op, const Status& status, Version stamp) {
  if (MayAskAgain(op, status.code())) {
    AskAgain(id, op, status);
    return;
  }
  End(id, op, status, stamp);
}

void Session::End(std::uint64_t id, Op& op, const Status& status, Version stamp) {
  const OpKind kind = op.kind;
  Tell(kind, Finish(id, op), status, stamp);
}

void Session::FailLater(OpKind kind, std::uint64_t tag, Status status) {
  failed_.push_back({kind, tag, std::move(status)});
  world_.Again();
}

void Session::Tell(OpKind kind, std::uint64_t tag, const Status& status, Version stamp) {
  switch (kind) {
    case OpKind::kPut: {
      const bool may_repeat = status.code() == Code::kTimeout;
      return listener_.OnPut(tag, {.status = status, .stamp = may_repeat ? stamp : Version{}});
    }
    case OpKind::kGet: return listener_.OnGet(tag, {.status = status});
    case OpKind::kScan: return listener_.OnScan(tag, {.status = status});
    case OpKind::kCreateKeyspace: return listener_.OnCreateKeyspace(tag, {.status = status});
    case OpKind::kAdmin: return listener_.OnAdmin(tag, {.status = status});
    case OpKind::kPing: return listener_.OnPing(tag, status);
    case OpKind::kMap: return listener_.OnMap(tag, status);
    case OpKind::kOwnMap: map_retry_at_ = map_due_ = world_.Now() + kMapRetry;
  }
}

std::uint64_t Session::Finish(std::uint64_t id, Op& op) {
  if (id == map_op_) map_op_ = 0;
  const std::uint64_t tag = op.tag;
  timers_.Cancel(op.timer);
  ops_.Remove(id);
  return tag;
}

void Session::OnLinkReady(const wire::HelloReply& hello) {
  if (!routing_.known() || hello.epoch > routing_.map().epoch) RefreshMap();
}

void Session::OnLinkDown(ConnId conn, base::Address address) {
  std::vector<std::uint64_t> lost;
  ops_.ForEach([&](std::uint64_t id, const Op& op) {
    if (!op.held && op.conn == conn && op.attempts > 0) lost.push_back(id);
  });
  for (const std::uint64_t id : lost) {
    Op* op = ops_.Find(id);
    if (op == nullptr) continue;
    Fail(id, *op,
         base::Timeout(fmt::format("the connection to {} ended before an answer came{}",
                                   address.ToString(), UnknownIfPut(*op))));
  }
  if (!lost.empty()) RefreshMap();
  FailHopeless();
}

void Session::OnFrame(const Links::Link& link, const wire::Frame& frame) {
  Op* op = ops_.Find(frame.request_id);
  // Given up on, or an earlier attempt's. A late value is as good as any; a late error is not ours.
  if (op == nullptr || op->held) return;
  if (op->conn != link.conn && frame.kind == Kind::kError) return;
  const ConnId conn = link.conn;
  const Status status = TakeReply(frame.request_id, *op, frame);
  if (!status.ok()) links_.Condemn(conn, status);
}

Status Session::TakeReply(std::uint64_t id, Op& op, const wire::Frame& frame) {
  if (frame.kind == Kind::kError) return TakeError(id, op, frame);
  switch (op.kind) {
    case OpKind::kPut: return TakePut(id, op, frame);
    case OpKind::kGet: return TakeGet(id, op, frame);
    case OpKind::kScan: return TakeScan(id, op, frame);
    case OpKind::kCreateKeyspace: return TakeCreateKeyspace(id, op, frame);
    case OpKind::kAdmin: return TakeAdmin(id, op, frame);
    case OpKind::kMap:
    case OpKind::kOwnMap: return TakeMap(id, op, frame);
    case OpKind::kPing: {
      if (frame.kind != Kind::kPong) return Unexpected(frame);
      listener_.OnPing(Finish(id, op), base::Ok());
      return base::Ok();
    }
  }
  return base::Ok();
}

Status Session::TakePut(std::uint64_t id, Op& op, const wire::Frame& frame) {
  if (frame.kind != Kind::kPutReply) return Unexpected(frame);
  ASSIGN_OR_RETURN(const wire::PutReply reply, wire::Decode<wire::PutReply>(frame.header));
  listener_.OnPut(Finish(id, op),
                  {.version = reply.version, .replicas = reply.replicas, .stamp = {}});
  return base::Ok();
}

Status Session::TakeGet(std::uint64_t id, Op& op, const wire::Frame& frame) {
  if (frame.kind != Kind::kGetReply) return Unexpected(frame);
  ASSIGN_OR_RETURN(const wire::GetReply reply, wire::Decode<wire::GetReply>(frame.header));
  const bool has_value = reply.found && op.want_value;
  if (has_value && base::Hash64(frame.payload) != reply.value_digest) {
    FailAnswered(id, op, Mismatch("value", op.address));
    return base::Ok();
  }
  listener_.OnGet(Finish(id, op), {.found = reply.found,
                                   .version = reply.version,
                                   .expiry_ms = reply.expiry_ms,
                                   .value = has_value ? frame.payload : base::Bytes{},
                                   .replicas = reply.replicas});
  return base::Ok();
}

Status Session::TakeScan(std::uint64_t id, Op& op, const wire::Frame& frame) {
  if (frame.kind != Kind::kScanReply) return Unexpected(frame);
  ASSIGN_OR_RETURN(const wire::ScanReply reply, wire::Decode<wire::ScanReply>(frame.header));
  bool sound = base::Hash64(frame.payload) == reply.payload_digest;
  page_.clear();
  for (base::Bytes rest = frame.payload; sound && !rest.empty();) {
    ASSIGN_OR_RETURN(const wire::PackedEntry entry, wire::UnpackEntry(rest));
    sound = base::Hash64(entry.value) == entry.value_digest;
    page_.push_back(entry);
  }
  if (!sound) {
    FailAnswered(id, op, Mismatch("page", op.address));
    return base::Ok();
  }
  listener_.OnScan(Finish(id, op), {.entries = page_,
                                    .done = reply.done,
                                    .next_token = reply.next_token,
                                    .next_after_key = reply.next_after_key});
  return base::Ok();
}

Status Session::TakeCreateKeyspace(std::uint64_t id, Op& op, const wire::Frame& frame) {
  if (frame.kind != Kind::kCreateKeyspaceReply) return Unexpected(frame);
  ASSIGN_OR_RETURN(const auto reply, wire::Decode<wire::CreateKeyspaceReply>(frame.header));
  const CreateKeyspaceResult result{.id = reply.id, .existed = reply.existed};
  listener_.OnCreateKeyspace(Finish(id, op), result);
  RefreshMap();
  return base::Ok();
}

Status Session::TakeAdmin(std::uint64_t id, Op& op, const wire::Frame& frame) {
  if (frame.kind != Kind::kAdminReply) return Unexpected(frame);
  ASSIGN_OR_RETURN(const wire::AdminReply reply, wire::Decode<wire::AdminReply>(frame.header));
  if (base::Hash64(frame.payload) != reply.payload_digest) {
    FailAnswered(id, op, Mismatch("answer", op.address));
    return base::Ok();
  }
  listener_.OnAdmin(Finish(id, op), {.json = frame.payload});
  return base::Ok();
}

Status Session::TakeMap(std::uint64_t id, Op& op, const wire::Frame& frame) {
  if (frame.kind != Kind::kClusterMapReply) return Unexpected(frame);
  ASSIGN_OR_RETURN(const auto reply, wire::Decode<wire::ClusterMapReply>(frame.header));
  if (base::Hash64(frame.payload) != reply.payload_digest) {
    FailAnswered(id, op, Mismatch("map", op.address));
    return base::Ok();
  }
  ASSIGN_OR_RETURN(wire::ClusterMap map, wire::Decode<wire::ClusterMap>(frame.payload));
  const bool own = op.kind == OpKind::kOwnMap;
  const std::uint64_t tag = Finish(id, op);
  if (routing_.Adopt(std::move(map))) links_.SetNodes(routing_.map().nodes);
  if (!own) listener_.OnMap(tag, base::Ok());
  return base::Ok();
}

Status Session::TakeError(std::uint64_t id, Op& op, const wire::Frame& frame) {
  ASSIGN_OR_RETURN(const wire::ErrorReply error, wire::Decode<wire::ErrorReply>(frame.header));
  if (error.code == Code::kUnavailable || error.code == Code::kTimeout) RefreshMap();
  FailAnswered(id, op, Status(error.code, error.message), error.stamp);
  return base::Ok();
}

}  // namespace starling::client
