#include <fmt/core.h>

#include "base/check.h"
#include "base/mutants.h"
#include "server/coordinator.h"
#include "server/coordinator_ops.h"
#include "server/replica_write.h"

namespace starling::server {
namespace {

// When a read asks one more replica than it needs, because one is slow.
constexpr base::Duration kSpeculateAfter = base::milliseconds(50);

// Is it the value that was written (G1)? A damaged one is neither shown nor passed on by a repair.
// Of our own replica, it has looked (server/replica.h).
bool Sound(const storage::EntryHeader& header, bool has_value, base::Bytes value) {
  if (!has_value || header.tombstone() || header.version.empty()) return true;
  return storage::ValueDigest(value) == header.value_digest;
}

storage::EntryHeader HeaderOf(const wire::ReplicaReadReply& reply) {
  return {reply.version, reply.expiry_ms, reply.value_digest,
          static_cast<storage::Origin>(reply.origin), reply.flags};
}

}  // namespace

void Coordinator::Get(const ReplyTo& reply, const wire::GetRequest& request, base::Token token) {
  ++stats_.gets;
  const std::size_t bytes =
      request.key.size() + (request.want_value ? reply.value_bytes_expected : 0);
  if (!Admit(stats_.get_requests, reply, bytes)) return;
  const ReplicaSet replicas =
      ReplicasOf(*snapshot_, request.keyspace, base::BucketOf(token), Purpose::kRead);
  const Requirement requirement = RequirementOf(request.level, replicas.all, replicas.local);
  if (!requirement.reachable(replicas.readable)) {
    Refuse(stats_.get_requests, reply, request.level, request.keyspace, requirement,
           replicas.readable);
    return;
  }
  const auto [id, op] = gets_.Add();
  op->began = parts_.world.Now();
  op->reply = reply;
  Place(*op, replicas, requirement);
  op->keyspace = request.keyspace;
  op->token = token;
  op->key = request.key;
  op->want_value = request.want_value;
  op->level = request.level;
  parts_.memory.Take(bytes);
  op->charged = bytes;
  const base::Instant now = parts_.world.Now();
  op->ends = now + Deadline(request.deadline_ms, parts_.config.timeouts.read);
  op->timer = get_timers_.Add(std::min(op->ends, now + kSpeculateAfter), id);
  for (int asked = 0; asked < requirement.needed; ++asked)
    if (!AskAnother(id, *op)) break;
  if (silent_.any()) ProbeSilent(id, *op);
}

// Who decides it: the owners as they are known now.
void Coordinator::Place(GetOp& op, const ReplicaSet& replicas,
                        const Requirement& requirement) const {
  op.snapshot = snapshot_;
  op.replicas = replicas;
  op.requirement = requirement;
  op.tally = ReadTally(requirement);
  op.answers.assign(replicas.nodes.size(), {});
  op.counted_as.assign(replicas.nodes.size(), {});
}

void Coordinator::ProbeSilent(std::uint64_t id, GetOp& op) {
  const ReplicaMask open = op.replicas.readable & op.requirement.counted & ~op.asked;
  for (std::size_t i = 0; i < op.replicas.nodes.size(); ++i)
    if ((open >> i & 1) != 0 && silent_.TakeProbe(op.replicas.nodes[i], op.began))
      Ask(id, op, static_cast<int>(i), false);
}

// Asks one more replica that can answer: ourselves first, then in the order of the ring, from a
// place that differs by key; silent ones last. False: there is none left.
bool Coordinator::AskAnother(std::uint64_t id, GetOp& op) {
  ReplicaMask open = op.replicas.readable & op.requirement.counted & ~op.asked;
  if (open == 0) return false;
  const int n = static_cast<int>(op.replicas.nodes.size());
  if (silent_.any()) {
    ReplicaMask silent = 0;
    for (int i = 0; i < n; ++i)
      if (silent_.Contains(op.replicas.nodes[static_cast<std::size_t>(i)]))
        silent |= ReplicaMask{1} << i;
    if ((open & ~silent) != 0) open &= ~silent;
  }
  int chosen = -1;
  if (op.replicas.self >= 0 && (open >> op.replicas.self & 1) != 0) {
    chosen = op.replicas.self;
  } else {
    const int start = static_cast<int>(op.token % static_cast<std::uint64_t>(n));
    for (int i = 0; i < n && chosen < 0; ++i)
      if ((open >> ((start + i) % n) & 1) != 0) chosen = (start + i) % n;
  }
  Ask(id, op, chosen, op.want_value && op.asked == 0);
  return true;
}

void Coordinator::Ask(std::uint64_t id, GetOp& op, int replica, bool want_value) {
  op.asked |= ReplicaMask{1} << replica;
  if (replica == op.replicas.self) {
    parts_.replica.Read(
        {op.keyspace,
         op.token,
         op.key,
         want_value,
         {Ticket::Kind::kGet, id, static_cast<std::uint64_t>(replica), want_value ? 1u : 0u}});
    return;
  }
  const wire::ReplicaRead read{op.keyspace, op.key, want_value, op.snapshot->topology->epoch,
                               wire::DeadlineMs(op.ends - parts_.world.Now())};
  parts_.links.Send(AddressOf(op.replicas.nodes[static_cast<std::size_t>(replica)]),
                    {kTagGet, static_cast<std::uint32_t>(replica), id, want_value ? 1u : 0u}, read);
}

void Coordinator::OnLocalRead(const Ticket& ticket, const base::Status& error,
                              const storage::EntryHeader& header, base::Bytes value,
                              std::uint64_t purged) {
  GetOp* op = gets_.Find(ticket.a);
  if (op == nullptr) return;
  const int replica = static_cast<int>(ticket.b);
  if (!error.ok()) {
    OnReplicaFailed(ticket.a, *op, replica);
    return;
  }
  OnHolds(ticket.a, *op, replica, header, ticket.c == 1, value, snapshot_->topology->epoch, purged);
}

void Coordinator::OnPeerReply(const PeerTag& tag, const wire::Frame& frame) {
  const int replica = static_cast<int>(tag.b);
  if (frame.kind == wire::Kind::kReplicaWriteReply) {
    const auto reply = wire::Decode<wire::ReplicaWriteReply>(frame.header);
    if (!reply) return OnPeerFailed(tag, reply.error());
    const Mark mark{reply->boot, reply->mark};
    if (tag.kind == kTagPut) {
      if (const PutOp* op = puts_.Find(tag.a))
        NoteMark(*op->snapshot, op->replicas.nodes[tag.b], mark);
      OnOutcome(tag.a, replica, tag.c, reply->outcome, reply->held);
    } else if (GetOp* op = gets_.Find(tag.a)) {
      NoteMark(*op->snapshot, op->replicas.nodes[tag.b], mark);
      OnRepairOutcome(tag.a, *op, replica, tag.c, reply->outcome, reply->held);
    }
    return;
  }
  if (frame.kind == wire::Kind::kReplicaReadReply && tag.kind == kTagGet) {
    GetOp* op = gets_.Find(tag.a);
    if (op == nullptr) return;
    const auto reply = wire::Decode<wire::ReplicaReadReply>(frame.header);
    if (!reply) return OnPeerFailed(tag, reply.error());
    const storage::EntryHeader header = HeaderOf(*reply);
    if (!Sound(header, tag.c == 1, frame.payload))
      return OnPeerFailed(tag, base::Corruption("the value's digest does not fit"));
    OnHolds(tag.a, *op, replica, header, tag.c == 1, frame.payload, reply->epoch, reply->purged);
    return;
  }
  OnPeerFailed(tag, base::Unavailable("the replica refused"));
}

void Coordinator::OnPeerFailed(const PeerTag& tag, const base::Status&) {
  const int replica = static_cast<int>(tag.b);
  if (tag.kind == kTagPut) {
    OnOutcome(tag.a, replica, tag.c, wire::WriteOutcome::kRefused, {});
    return;
  }
  if (GetOp* op = gets_.Find(tag.a)) OnReplicaFailed(tag.a, *op, replica);
}

void Coordinator::OnReplicaFailed(std::uint64_t id, GetOp& op, int replica) {
  op.tally.OnFailed(replica);
  op.fetching = {};  // It may have been the one that was to send the value.
  AskAnother(id, op);
  if (op.tally.hopeless(op.replicas.readable))
    RetryLater(id, op);
  else
    Step(id, op);
}

void Coordinator::OnHolds(std::uint64_t id, GetOp& op, int replica,
                          const storage::EntryHeader& header, bool has_value, base::Bytes value,
                          std::uint64_t epoch, std::uint64_t purged) {
  const auto index = static_cast<std::size_t>(replica);
  op.answers[index] = {true, header.version, epoch, purged};
  op.counted_as[index] = purge::Weigh(op.answers, index);
  op.tally.OnHolds(replica, op.counted_as[index]);
  Weigh(op);
  if (header.version == op.tally.target()) {
    op.header = header;
    op.source = {.repair = true, .epoch = epoch, .purged = purged};
    if (has_value || header.tombstone() || header.version.empty()) {
      if (!KeepValue(id, op, value)) return;
      op.value_version = header.version;
    }
  }
  Step(id, op);
}

// An answer may take away what an earlier one counted for (server/purge/rules.h). Then all are
// counted anew, and what was repaired is asked about again.
void Coordinator::Weigh(GetOp& op) {
  bool changed = false;
  for (std::size_t i = 0; i < op.answers.size(); ++i) {
    if (!op.answers[i].there) continue;
    const base::Version weighed = purge::Weigh(op.answers, i);
    changed = changed || weighed != op.counted_as[i];
    op.counted_as[i] = weighed;
  }
  if (!changed) return;
  const ReplicaMask failed = op.tally.failed();
  op.tally = ReadTally(op.requirement);
  for (int i = 0; i < static_cast<int>(op.answers.size()); ++i) {
    if ((failed >> i & 1) != 0) op.tally.OnFailed(i);
    if (op.answers[static_cast<std::size_t>(i)].there)
      op.tally.OnHolds(i, op.counted_as[static_cast<std::size_t>(i)]);
  }
  op.repairing = {};
  op.repair_sent = 0;
  ++op.repair_round;
}

// From here on the value's own size counts. One that finds no room ends the get.
bool Coordinator::KeepValue(std::uint64_t id, GetOp& op, base::Bytes value) {
  parts_.memory.Give(op.charged);
  op.charged = 0;
  const std::size_t bytes = op.key.size() + value.size();
  if (!parts_.memory.HasRoom(bytes)) {
    RefuseForMemory(stats_.get_requests, op.reply, parts_.memory.Refusal());
    EndGet(id, op);
    return false;
  }
  parts_.memory.Take(bytes);
  op.charged = bytes;
  op.value = value;
  return true;
}

void Coordinator::Step(std::uint64_t id, GetOp& op) {
  const base::Version& target = op.tally.target();
  if (!op.tally.enough_answers()) return;
  const bool has_value = target.empty() || op.value_version == target;
  // A repair that was superseded tells the version alone.
  const bool has_header = target.empty() || op.header.version == target;
  const bool sure = op.tally.sure();
  if (sure && has_header && (has_value || !op.want_value)) {
    AnswerGet(id, op);
  } else if (!has_value) {
    FetchValue(id, op);
  } else {
    RepairBehind(id, op);
  }
}

// The first reads gave the target's version, but another replica's value.
void Coordinator::FetchValue(std::uint64_t id, GetOp& op) {
  const base::Version target = op.tally.target();
  if (op.fetching == target) return;
  const ReplicaMask holders = op.tally.holders() & ~op.tally.failed();
  for (int i = 0; i < static_cast<int>(op.replicas.nodes.size()); ++i) {
    if ((holders >> i & 1) == 0) continue;
    op.fetching = target;
    Ask(id, op, i, true);
    return;
  }
  RetryLater(id, op);  // Whoever held it is gone.
}

// The version must be with a majority before it may be shown: bring it to those behind. A replica
// that did not answer yet may be asked too, when the ones behind do not suffice.
void Coordinator::RepairBehind(std::uint64_t id, GetOp& op) {
  if (op.repairing != op.tally.target()) {
    op.repairing = op.tally.target();
    op.repair_sent = 0;
    ++op.repair_round;
  }
  const ReplicaMask targets = op.tally.behind() & ~op.repair_sent;
  for (int i = 0; i < static_cast<int>(op.replicas.nodes.size()); ++i) {
    if ((targets >> i & 1) == 0) continue;
    op.repair_sent |= ReplicaMask{1} << i;
    ++stats_.read_repairs;
    SendRepair(id, op, i);
  }
}

void Coordinator::SendRepair(std::uint64_t id, GetOp& op, int replica) {
  storage::EntryHeader header = op.header;
  header.origin = storage::Origin::kRepair;
  if (replica == op.replicas.self) {
    parts_.replica.Write(
        {op.keyspace,
         op.token,
         op.key,
         header,
         op.value,
         false,
         {Ticket::Kind::kGet, id, static_cast<std::uint64_t>(replica), op.repair_round},
         op.source});
    return;
  }
  wire::ReplicaWrite write =
      ReplicaWriteOf(op.keyspace, op.key, header, op.snapshot->topology->epoch);
  write.source_epoch = op.source.epoch;
  write.source_purged = op.source.purged;
  parts_.links.Send(AddressOf(op.replicas.nodes[static_cast<std::size_t>(replica)]),
                    {kTagGet, static_cast<std::uint32_t>(replica), id, op.repair_round}, write,
                    op.value);
}

void Coordinator::OnRepairOutcome(std::uint64_t id, GetOp& op, int replica, std::uint64_t round,
                                  wire::WriteOutcome outcome, const base::Version& held) {
  switch (outcome) {
    case wire::WriteOutcome::kOk:
      if (round == op.repair_round) op.tally.OnRepaired(replica, op.repairing);
      break;
    case wire::WriteOutcome::kNeverHeld:
    case wire::WriteOutcome::kUnknown:
      // Superseded is not ok: what superseded it is the new target, and needs its own majority.
      if (base::Mutant("repair-superseded-ok"))
        op.tally.OnRepaired(replica, op.repairing);
      else
        op.tally.OnHolds(replica, held);
      break;
    case wire::WriteOutcome::kRefused: OnReplicaFailed(id, op, replica); return;
  }
  Step(id, op);
}

void Coordinator::AnswerGet(std::uint64_t id, GetOp& op) {
  stats_.get_requests.Ended(Outcome::kOk, Since(op.began));
  wire::GetReply reply;
  reply.version = op.tally.target();
  reply.found = !reply.version.empty() && op.header.live(parts_.world.WallMs());
  if (reply.found) {
    reply.value_digest = op.header.value_digest;
    if ((op.header.flags & storage::kFlagHasExpiry) != 0) reply.expiry_ms = op.header.expiry_ms;
  }
  for (std::size_t i = 0; i < op.replicas.nodes.size(); ++i)
    if ((op.tally.holders() >> i & 1) != 0)
      reply.replicas.push_back(op.snapshot->node(op.replicas.nodes[i]).number);
  parts_.replier.ReplyGet(op.reply, reply,
                          reply.found && op.want_value ? base::Bytes(op.value) : base::Bytes());
  EndGet(id, op);
}

void Coordinator::FailGet(std::uint64_t id, GetOp& op, base::Code code, std::string_view why) {
  const bool late = code == base::Code::kTimeout;
  ++(late ? stats_.timeouts : stats_.unavailable);
  stats_.get_requests.Ended(late ? Outcome::kTimeout : Outcome::kUnavailable, Since(op.began));
  parts_.replier.ReplyError(
      op.reply, {code,
                 fmt::format("get at {}: {} of {} replicas answered, {} needed: {}",
                             wire::ConsistencyName(op.level), CountOf(op.tally.answered()),
                             op.replicas.nodes.size(), op.requirement.needed, why),
                 {}});
  EndGet(id, op);
}

void Coordinator::EndGet(std::uint64_t id, GetOp& op) {
  parts_.memory.Give(op.charged);
  get_timers_.Cancel(op.timer);
  gets_.Remove(id);
}

}  // namespace starling::server
