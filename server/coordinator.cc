#include "server/coordinator.h"

#include <fmt/core.h>

#include <algorithm>

#include "server/coordinator_ops.h"

namespace starling::server {

Coordinator::Coordinator(const CoordinatorParts& parts) : parts_(parts) {}

Coordinator::~Coordinator() = default;

// Refuses work for which there is no room: nothing was changed, and the client may try later.
bool Coordinator::Admit(RequestStats& stats, const ReplyTo& reply, std::size_t bytes) {
  if (parts_.memory.HasRoom(bytes)) return true;
  RefuseForMemory(stats, reply, parts_.memory.Refusal());
  return false;
}

void Coordinator::RefuseForMemory(RequestStats& stats, const ReplyTo& reply, std::string why) {
  ++stats_.overloaded;
  stats.Refused(Outcome::kOverloaded);
  parts_.replier.ReplyError(reply, {base::Code::kOverloaded, std::move(why), {}});
}

base::Duration Coordinator::Deadline(std::uint32_t asked_ms, base::Duration standard) const {
  return asked_ms == 0 ? standard
                       : std::min<base::Duration>(base::milliseconds(asked_ms), standard);
}

PeerAddress Coordinator::AddressOf(std::uint16_t node) const {
  const topology::Node& to = snapshot_->node(node);
  return {to.cluster, to.host};
}

namespace {

// "2 of 3 replicas, 1 can answer", or that so many will never be there.
std::string NeedsOf(wire::Consistency level, const Requirement& requirement, ReplicaMask up,
                    std::string_view dc) {
  const int replicas = CountOf(requirement.counted);
  const std::string where = level == wire::Consistency::kLocalQuorum
                                ? fmt::format(" in this coordinator's datacenter '{}'", dc)
                                : std::string();
  if (replicas < requirement.needed)
    return fmt::format("{} replica{}, and the key has {}{}", requirement.needed,
                       requirement.needed == 1 ? "" : "s", replicas == 0 ? "none" : "only 1",
                       where);
  return fmt::format("{} of {} replicas{}, {} can answer", requirement.needed, replicas, where,
                     CountOf(up & requirement.counted));
}

}  // namespace

void Coordinator::Refuse(RequestStats& stats, const ReplyTo& reply, wire::Consistency level,
                         base::KeyspaceId keyspace, const Requirement& requirement, ReplicaMask up,
                         ReplicaMask full) {
  ++stats_.unavailable;
  stats.Refused(Outcome::kUnavailable);
  const topology::Keyspace* space = snapshot_->topology->FindKeyspace(keyspace);
  parts_.replier.ReplyError(
      reply,
      {base::Code::kUnavailable,
       fmt::format("{} of keyspace '{}' needs {}{}: nothing was tried",
                   wire::ConsistencyName(level), space == nullptr ? "?" : space->name,
                   NeedsOf(level, requirement, up, snapshot_->me().dc),
                   full == 0 ? "" : fmt::format(", and on {} the disk is full", CountOf(full))),
       {}});
}

// The wall clock, but not beyond what is reserved on disk: behind it the counter goes on.
std::int64_t Coordinator::StampWall() const {
  return std::min(parts_.world.WallMs(), static_cast<std::int64_t>(clock_->bound() >> 16) - 1);
}

void Coordinator::OnWake(base::Instant now) {
  for (std::uint64_t id = 0; put_timers_.PopDue(now, &id);) {
    PutOp* op = puts_.Find(id);
    if (op == nullptr) continue;
    op->deadline = 0;
    if (!op->answered) TimeOutPut(*op, "the deadline has passed");
    EndPut(id, *op);
  }
  for (std::uint64_t id = 0; get_timers_.PopDue(now, &id);) {
    GetOp* op = gets_.Find(id);
    if (op == nullptr) continue;
    op->timer = 0;
    if (now >= op->ends) {
      FailGet(id, *op, base::Code::kTimeout, "the deadline has passed");
      continue;
    }
    op->timer = get_timers_.Add(op->ends, id);
    if (op->retrying)
      Retry(id, *op);
    else if (!op->tally.enough_answers())
      AskAnother(id, *op);
  }
}

void Coordinator::OnTick(base::Instant now) {
  for (; !hinted_.empty() && parts_.replica.Committed(hinted_.front().commit); hinted_.pop_front())
    MarkHandled(hinted_.front().writes);
  if (snapshot_ == nullptr) return;
  silent_.Look(*snapshot_, parts_.links, now);
  for (const Watermarks::Idle& idle : watermarks_.TakeIdle(now)) {
    const topology::Node* node = snapshot_->topology->FindNumber(idle.peer);
    if (node == nullptr || !node->member()) continue;
    const auto index = static_cast<std::uint16_t>(node - snapshot_->topology->nodes.data());
    if (!snapshot_->peers[index].up) continue;
    ++stats_.handled_messages;
    parts_.links.Send(AddressOf(index), {kTagHandled, 0, 0, 0}, wire::Handled{idle.below});
  }
}

// What a sync covers, many answers say: only the first of them has to tell the other workers.
void Coordinator::NoteMark(const Snapshot& snapshot, std::uint16_t node, const Mark& mark) {
  if (marks_.size() <= node) marks_.resize(snapshot.topology->nodes.size());
  if (mark.boot == 0 || mark <= marks_[node]) return;
  marks_[node] = mark;
  parts_.peer_marks.Note(snapshot.node(node).number, mark);
}

}  // namespace starling::server
