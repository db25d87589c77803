#include <fmt/core.h>

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/mutants.h"
#include "server/coordinator.h"
#include "server/coordinator_ops.h"
#include "server/replica_write.h"
#include "server/wire/limits.h"

namespace starling::server {

using wire::WriteOutcome;

namespace {

// Above it no node would take a version, nor could this one send what it stored: a put of its key
// fails. Only who forges, or has a clock that is thousands of years ahead, stamps so high.
bool LeavesRoom(const base::Version& held) { return held.timestamp < wire::kTimestampMax; }

}  // namespace

void Coordinator::Put(const ReplyTo& reply, const wire::PutRequest& request, base::Token token,
                      base::Bytes value) {
  ++stats_.puts;
  const std::size_t bytes = request.key.size() + value.size();
  if (!Admit(stats_.put_requests, reply, bytes)) return;
  // A put ends at its deadline; what it gave the replica waits for the disk nevertheless.
  if (!parts_.replica.HasRoom(bytes))
    return RefuseForMemory(stats_.put_requests, reply, parts_.replica.Refusal());
  ReplicaSet replicas = ReplicasOf(*snapshot_, request.keyspace, base::BucketOf(token));
  // Like those that are down, they are left out and get hints.
  ReplicaMask full = request.tombstone ? 0 : replicas.up & FullOf(*snapshot_, replicas);
  // Of our own disk the replica knows first.
  if (!request.tombstone && replicas.self >= 0 && parts_.replica.disk_full())
    full |= ReplicaMask{1} << replicas.self;
  replicas.up &= ~full;
  const Requirement requirement = RequirementOf(request.level, replicas.all, replicas.local);
  if (!requirement.reachable(replicas.up)) {
    Refuse(stats_.put_requests, reply, request.level, request.keyspace, requirement, replicas.up,
           full);
    return;
  }
  const auto [id, op] = puts_.Add();
  op->began = parts_.world.Now();
  op->reply = reply;
  op->snapshot = snapshot_;
  op->replicas = replicas;
  op->requirement = requirement;
  op->tally = WriteTally(requirement, replicas.all);
  op->keyspace = request.keyspace;
  op->token = token;
  op->key = request.key;
  op->value = value;
  op->header.value_digest = request.value_digest;
  op->header.origin = request.restored ? storage::Origin::kRestore : storage::Origin::kDirect;
  op->header.flags = request.tombstone ? storage::kFlagTombstone : 0;
  if (!request.tombstone) op->ttl_ms = request.ttl_ms;
  op->first_stamper = request.stamp.empty() || base::Mutant("retry-restamped");
  parts_.memory.Take(bytes);
  op->deadline = put_timers_.Add(
      parts_.world.Now() + Deadline(request.deadline_ms, parts_.config.timeouts.write), id);

  if (!request.stamp.empty()) {
    Stamp(*op, request.stamp);
    Dispatch(id, *op);
  } else if (replicas.self >= 0) {
    // Stamped above what this replica holds, once that is known (design section 9): OnStamp.
    parts_.replica.Write({op->keyspace,
                          token,
                          op->key,
                          op->header,
                          op->value,
                          true,
                          {Ticket::Kind::kPut, id, static_cast<std::uint64_t>(replicas.self), 0}});
  } else {
    DispatchUnseen(id, *op);
  }
}

// Stamps without knowing what is held, and sends: a stamp too low comes back as superseded.
void Coordinator::DispatchUnseen(std::uint64_t id, PutOp& op) {
  const auto stamp = clock_->Next(StampWall());
  if (!stamp) {
    TimeOutPut(op, "this node's clock may not stamp yet: its bound is not on disk");
    EndPut(id, op);
    return;
  }
  Stamp(op, *stamp);
  Dispatch(id, op);
}

bool Coordinator::OnStamp(const Ticket& ticket, const base::Version& held,
                          storage::EntryHeader* header) {
  PutOp* op = puts_.Find(ticket.a);
  if (op == nullptr) return false;  // Timed out while the old version was being fetched.
  if (!LeavesRoom(held)) {
    RefuseStamp(ticket.a, *op, held);
    return false;
  }
  Stamp(*op, clock_->NextAbove(held, StampWall()));
  op->stamped_here = true;
  *header = op->header;
  Dispatch(ticket.a, *op);
  return true;
}

// It was sent to nobody.
void Coordinator::RefuseStamp(std::uint64_t id, PutOp& op, const base::Version& held) {
  op.answered = true;
  stats_.put_requests.Refused(Outcome::kFailed);
  parts_.replier.ReplyError(
      op.reply, {base::Code::kFailedPrecondition,
                 fmt::format("the key has version {}, and none can be stamped above it: nothing "
                             "was tried",
                             held.ToString()),
                 {}});
  EndPut(id, op);
}

void Coordinator::Stamp(PutOp& op, const base::Version& stamp) {
  op.header.version = stamp;
  if (op.ttl_ms == 0) return;
  op.header.flags |= storage::kFlagHasExpiry;
  op.header.expiry_ms = static_cast<std::uint64_t>(stamp.wall_ms()) + op.ttl_ms;
}

// Sends the present stamp to every replica.
void Coordinator::Dispatch(std::uint64_t id, PutOp& op) {
  for (int i = 0; i < static_cast<int>(op.replicas.nodes.size()); ++i) {
    if (i == op.replicas.self && op.stamped_here) continue;
    SendWrite(id, op, i);
  }
}

void Coordinator::SendWrite(std::uint64_t id, PutOp& op, int replica) {
  const auto index = static_cast<std::size_t>(replica);
  if (replica == op.replicas.self) {
    parts_.replica.Write(
        {op.keyspace,
         op.token,
         op.key,
         op.header,
         op.value,
         false,
         {Ticket::Kind::kPut, id, static_cast<std::uint64_t>(replica), op.attempt}});
    return;
  }
  if ((op.replicas.up >> replica & 1) == 0) {
    op.tally.OnFailed(replica);
    StoreHints(op, ReplicaMask{1} << replica);
    return;
  }
  wire::ReplicaWrite write =
      ReplicaWriteOf(op.keyspace, op.key, op.header, op.snapshot->topology->epoch);
  const PeerAddress to = AddressOf(op.replicas.nodes[index]);
  const base::NodeNumber peer = op.snapshot->node(op.replicas.nodes[index]).number;
  const std::uint64_t number = watermarks_.Next(peer);
  op.sent.push_back({peer, number});
  watermarks_.Tell(parts_.world.Now(), peer, parts_.links.SerialOf(to), number, &write);
  if (!parts_.links.Send(to, {kTagPut, static_cast<std::uint32_t>(replica), id, op.attempt}, write,
                         op.value))
    watermarks_.NotSent(peer);
}

void Coordinator::OnLocalWrite(const Ticket& ticket, WriteOutcome outcome,
                               const base::Version& held) {
  if (ticket.kind == Ticket::Kind::kPut) {
    OnOutcome(ticket.a, static_cast<int>(ticket.b), ticket.c, outcome, held);
    return;
  }
  CHECK(ticket.kind == Ticket::Kind::kGet);
  if (GetOp* op = gets_.Find(ticket.a))
    OnRepairOutcome(ticket.a, *op, static_cast<int>(ticket.b), ticket.c, outcome, held);
}

void Coordinator::OnOutcome(std::uint64_t id, int replica, std::uint64_t attempt,
                            WriteOutcome outcome, const base::Version& held) {
  PutOp* op = puts_.Find(id);
  if (op == nullptr || op->attempt != attempt) return;
  if (op->header.version.empty()) {
    // Our own replica can't say what it holds, so it could not be stamped there.
    CHECK(outcome == WriteOutcome::kRefused && replica == op->replicas.self);
    DispatchUnseen(id, *op);
    return;
  }
  op->held_max = std::max(op->held_max, held);
  switch (outcome) {
    case WriteOutcome::kOk: op->tally.OnOk(replica); break;
    case WriteOutcome::kNeverHeld: op->tally.OnNeverHeld(replica); break;
    case WriteOutcome::kUnknown: op->tally.OnUnknown(replica); break;
    case WriteOutcome::kRefused: op->tally.OnFailed(replica); break;
  }
  Decide(id, *op);
}

void Coordinator::Decide(std::uint64_t id, PutOp& op) {
  switch (op.tally.Decide(op.first_stamper && !op.answered)) {
    case WriteTally::Verdict::kWait: return;
    case WriteTally::Verdict::kAcknowledge:
      if (!op.answered) AnswerPut(op);
      break;
    case WriteTally::Verdict::kStampAgain: StampAgain(id, op); return;
    case WriteTally::Verdict::kGiveUp:
      if (!op.answered) TimeOutPut(op, op.tally.WhyGivenUp());
      break;
  }
  // Answered; the op lives on until each replica has taken it or is owed a hint.
  if (op.tally.settled()) EndPut(id, op);
}

void Coordinator::StampAgain(std::uint64_t id, PutOp& op) {
  const base::Version held = std::max(op.held_max, op.header.version);
  if (!LeavesRoom(held)) {
    TimeOutPut(op, fmt::format("a replica has version {}, and none can be stamped above it",
                               held.ToString()));
    if (op.tally.settled()) EndPut(id, op);
    return;
  }
  ++stats_.restamps;
  Stamp(op, clock_->NextAbove(held, StampWall()));
  op.stamped_here = false;
  ++op.attempt;
  op.hinted = 0;
  op.tally = WriteTally(op.requirement, op.replicas.all);
  Dispatch(id, op);
  Decide(id, op);
}

void Coordinator::AnswerPut(PutOp& op) {
  op.answered = true;
  stats_.put_requests.Ended(Outcome::kOk, Since(op.began));
  wire::PutReply reply{op.header.version, {}};
  for (std::size_t i = 0; i < op.replicas.nodes.size(); ++i)
    if ((op.tally.ok() >> i & 1) != 0)
      reply.replicas.push_back(op.snapshot->node(op.replicas.nodes[i]).number);
  if (base::Mutant("watermark-early")) MarkHandled(std::exchange(op.sent, {}));
  parts_.replier.ReplyPut(op.reply, reply);
  if (op.snapshot->ring->everywhere(op.keyspace)) Spread(op);
}

// It is synced here, which is all that its client was promised; now the others may hear of it.
void Coordinator::Spread(const PutOp& op) {
  if (base::Mutant("everywhere-untold")) return;
  parts_.spread.Tell(op.keyspace, {.key = op.key,
                                   .version = op.header.version,
                                   .flags = op.header.flags,
                                   .origin = static_cast<std::uint8_t>(storage::Origin::kRumor),
                                   .expiry_ms = op.header.expiry_ms,
                                   .value_digest = op.header.value_digest,
                                   .value = op.value});
}

void Coordinator::TimeOutPut(PutOp& op, std::string_view why) {
  op.answered = true;
  if (op.header.version.empty()) {  // Without a stamp it was sent to nobody, and never will be.
    ++stats_.unavailable;
    stats_.put_requests.Refused(Outcome::kUnavailable);
    parts_.replier.ReplyError(
        op.reply, {base::Code::kUnavailable, fmt::format("{}: nothing was tried", why), {}});
    return;
  }
  ++stats_.timeouts;
  stats_.put_requests.Ended(Outcome::kTimeout, Since(op.began));
  parts_.replier.ReplyError(
      op.reply,
      {base::Code::kTimeout,
       fmt::format("put of {} bytes: {} of {} replicas took it, {} needed: {}; it may take effect "
                   "later",
                   op.value.size(), CountOf(op.tally.ok()), op.replicas.nodes.size(),
                   op.requirement.needed, why),
       op.header.version});
}

void Coordinator::StoreHints(PutOp& op, ReplicaMask targets) {
  if (op.header.version.empty()) return;
  for (std::size_t i = 0; i < op.replicas.nodes.size(); ++i) {
    const ReplicaMask bit = ReplicaMask{1} << i;
    if ((targets & bit) == 0 || (op.hinted & bit) != 0 || static_cast<int>(i) == op.replicas.self)
      continue;
    op.hinted |= bit;
    const base::NodeNumber target = op.snapshot->node(op.replicas.nodes[i]).number;
    if (!parts_.hints.Store(target, {op.keyspace, op.token, op.key}, op.header, op.value))
      parts_.compare_soon.Add(target);
  }
}

void Coordinator::EndPut(std::uint64_t id, PutOp& op) {
  CHECK(op.answered);
  StoreHints(op, op.tally.missing());
  parts_.memory.Give(op.key.size() + op.value.size());
  put_timers_.Cancel(op.deadline);
  // What a replica has not acknowledged is handled once its hint is on disk; without a hint it is
  // repair's from now on.
  if (op.hinted == 0)
    MarkHandled(op.sent);
  else if (!op.sent.empty())
    hinted_.push_back({parts_.replica.last_commit(), std::move(op.sent)});
  puts_.Remove(id);
}

void Coordinator::MarkHandled(const std::vector<SentWrite>& writes) {
  for (const SentWrite& write : writes) watermarks_.Handled(write.peer, write.number);
}

}  // namespace starling::server
