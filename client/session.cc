#include "client/session.h"

#include <fmt/core.h>

#include <algorithm>
#include <utility>

#include "base/hash.h"
#include "server/wire/frame.h"
#include "server/wire/limits.h"

namespace starling::client {

using base::Address;
using base::Bytes;
using base::Code;
using base::ConnId;
using base::Duration;
using base::Instant;
using base::Status;
using base::Version;

namespace {

constexpr std::uint64_t kUpkeepTag = 0;  // No slab id.
constexpr Duration kUpkeepPeriod = base::milliseconds(100);
constexpr Duration kMapTimeout = base::milliseconds(500);
// How much longer than the node we wait, so that its own answer, with a put's stamp, comes first.
constexpr Duration kGrace = base::milliseconds(300);

constexpr unsigned kDoublingsMax = 10;

Duration Doubled(Duration once, unsigned times) {
  return once * (1 << std::min(times, kDoublingsMax));
}

}  // namespace

void Session::Op::Reset() {
  std::string kept[] = {std::move(keyspace), std::move(key), std::move(payload)};
  for (std::string& text : kept) text.clear();
  *this = Op{};
  keyspace = std::move(kept[0]);
  key = std::move(kept[1]);
  payload = std::move(kept[2]);
}

Session::Session(base::World& world, Listener& listener, SessionOptions options)
    : world_(world),
      listener_(listener),
      options_(std::move(options)),
      links_(world, *this, options_.links) {}

void Session::Start() {
  links_.Upkeep();
  timers_.Add(world_.Now() + kUpkeepPeriod, kUpkeepTag);
}

void Session::Put(const PutArgs& args, std::uint64_t tag) {
  const auto [id, op] = NewOp(OpKind::kPut, tag, args.timeout);
  if (op == nullptr) return;
  op->keyspace = args.keyspace;
  op->key = args.key;
  op->tombstone = args.tombstone;
  op->restored = args.restored;
  op->ttl_ms = static_cast<std::uint64_t>(std::max<std::int64_t>(0, base::ToMs(args.time_to_live)));
  op->level = args.level;
  op->stamp = args.stamp;
  op->value_digest = base::Hash64(args.value);
  Begin(id, *op, args.value);
}

void Session::Get(const GetArgs& args, std::uint64_t tag) {
  const auto [id, op] = NewOp(OpKind::kGet, tag, args.timeout);
  if (op == nullptr) return;
  op->keyspace = args.keyspace;
  op->key = args.key;
  op->want_value = args.want_value;
  op->level = args.level;
  Begin(id, *op, {});
}

void Session::Scan(const ScanArgs& args, std::uint64_t tag) {
  const auto [id, op] = NewOp(OpKind::kScan, tag, args.timeout);
  if (op == nullptr) return;
  op->keyspace = args.keyspace;
  op->key = args.after_key;
  op->from_token = args.from_token;
  op->level = args.level;
  op->bytes_max = args.bytes_max;
  Begin(id, *op, {});
}

void Session::CreateKeyspace(const CreateKeyspaceArgs& args, std::uint64_t tag) {
  const auto [id, op] = NewOp(OpKind::kCreateKeyspace, tag, args.timeout);
  if (op == nullptr) return;
  op->keyspace = args.name;
  op->key = args.replication;
  Begin(id, *op, {});
}

void Session::Admin(const AdminArgs& args, std::uint64_t tag) {
  const auto [id, op] = NewOp(OpKind::kAdmin, tag, args.timeout);
  if (op == nullptr) return;
  op->key = args.command;
  op->value_digest = base::Hash64(args.json);
  Begin(id, *op, args.json);
}

void Session::Ping(std::uint64_t tag) {
  const auto [id, op] = NewOp(OpKind::kPing, tag, {});
  if (op != nullptr) Begin(id, *op, {});
}

void Session::FetchMap(std::uint64_t tag) {
  const auto [id, op] = NewOp(OpKind::kMap, tag, {});
  if (op != nullptr) Begin(id, *op, {});
}

void Session::RefreshMap() {
  if (map_op_ != 0) return;
  const auto [id, op] = NewOp(OpKind::kOwnMap, 0, kMapTimeout);
  if (op == nullptr) return;
  map_op_ = id;
  map_due_ = world_.Now() + options_.map_interval;
  Begin(id, *op, {});
}

void Session::OnWake() {
  std::uint64_t tag = 0;
  while (timers_.PopDue(world_.Now(), &tag)) {
    if (tag != kUpkeepTag) {
      OnOpTimer(tag);
      continue;
    }
    timers_.Add(world_.Now() + kUpkeepPeriod, kUpkeepTag);
    links_.Upkeep();
    FailHopeless();
    if (links_.any_ready() && world_.Now() >= map_due_) RefreshMap();
  }
}

void Session::OnTurnEnd() {
  SendHeld();
  if (failed_.empty()) return;
  const std::vector<LateFailure> failed = std::exchange(failed_, {});
  for (const LateFailure& late : failed) Tell(late.kind, late.tag, late.status, {});
  if (!failed_.empty()) world_.Again();
}

std::pair<std::uint64_t, Session::Op*> Session::NewOp(OpKind kind, std::uint64_t tag,
                                                      Duration timeout) {
  if (ops_.size() >= options_.requests_max) {
    FailLater(kind, tag,
              base::Overloaded(fmt::format("this client has {} requests in flight, its maximum",
                                           options_.requests_max)));
    return {0, nullptr};
  }
  const auto added = ops_.Add();
  Op& op = *added.second;
  op.kind = kind;
  op.tag = tag;
  op.start = world_.Now();
  op.deadline = op.start + (timeout > Duration{0} ? timeout : options_.timeout);
  return added;
}

// No frame can carry more, and its encoder relies on it. A node's own limits may be lower.
Status Session::CheckSizes(const Op& op, Bytes payload) {
  const auto check = [](std::string_view what, std::size_t size, std::size_t max) {
    if (size <= max) return base::Ok();
    return base::InvalidArgument(
        fmt::format("{} has {} bytes, at most {} are taken", what, size, max));
  };
  switch (op.kind) {
    case OpKind::kPut:
      if (op.key.empty()) return base::InvalidArgument("the key is empty");
      RETURN_IF_ERROR(check("the value", payload.size(), wire::kValueBytesMax));
      return check("the key", op.key.size(), wire::kKeyBytesMax);
    case OpKind::kGet:
      if (op.key.empty()) return base::InvalidArgument("the key is empty");
      return check("the key", op.key.size(), wire::kKeyBytesMax);
    case OpKind::kScan: return check("the key to go on after", op.key.size(), wire::kKeyBytesMax);
    case OpKind::kCreateKeyspace:
      RETURN_IF_ERROR(check("the keyspace's name", op.keyspace.size(), wire::kNameBytesMax));
      return check("the replication", op.key.size(), wire::kReplicationBytesMax);
    case OpKind::kAdmin:
      RETURN_IF_ERROR(check("the command", op.key.size(), wire::kCommandBytesMax));
      return check("what the command is given", payload.size(), wire::kPayloadBytesMax);
    case OpKind::kPing:
    case OpKind::kMap:
    case OpKind::kOwnMap: break;
  }
  return base::Ok();
}

// Sends the request, or keeps it until it can be sent. Those that wait already go first.
void Session::Begin(std::uint64_t id, Op& op, Bytes payload) {
  if (Status fits = CheckSizes(op, payload); !fits.ok()) {
    FailLater(op.kind, op.tag, std::move(fits));
    Finish(id, op);
    return;
  }
  const bool behind = !held_.empty() && op.kind != OpKind::kOwnMap;
  const Sent sent = behind ? Sent::kNoRoom : TrySend(id, op, payload);
  if (sent == Sent::kSent || sent == Sent::kFailed) return;
  op.held = true;
  op.payload = payload;
  held_.push_back(id);
  ArmTimer(id, op);
}

Session::Sent Session::TrySend(std::uint64_t id, Op& op, Bytes payload) {
  const wire::ClusterMap::Keyspace* keyspace = nullptr;
  if (op.kind == OpKind::kPut || op.kind == OpKind::kGet || op.kind == OpKind::kScan) {
    if (!routing_.known()) return Sent::kNoMap;
    keyspace = routing_.FindKeyspace(op.keyspace);
    if (keyspace == nullptr) return AwaitKeyspace(id, op);
  }
  Links::Link* link = PickLink(op, keyspace);
  if (link == nullptr) return Sent::kNoRoom;
  op.held = false;
  ++op.attempts;
  op.conn = link->conn;
  op.address = link->address;
  links_.Sent(*link);
  SendOn(*link, id, op, keyspace == nullptr ? 0 : keyspace->id, payload);
  ArmTimer(id, op);
  return Sent::kSent;
}

// A keyspace may be younger than our map: only a map asked for from now on says that there is none.
Session::Sent Session::AwaitKeyspace(std::uint64_t id, Op& op) {
  if (op.maps_needed == 0) op.maps_needed = routing_.adopted() + (map_op_ == 0 ? 1 : 2);
  if (routing_.adopted() < op.maps_needed) {
    if (world_.Now() >= map_retry_at_) RefreshMap();
    return Sent::kNoMap;
  }
  FailLater(op.kind, op.tag, base::NotFound(fmt::format("there is no keyspace '{}'", op.keyspace)));
  Finish(id, op);
  return Sent::kFailed;
}

Links::Link* Session::PickLink(const Op& op, const wire::ClusterMap::Keyspace* keyspace) {
  std::optional<Address> avoid;
  if (op.attempts > 0) avoid = op.address;
  const bool keyed = op.kind == OpKind::kPut || op.kind == OpKind::kGet;
  const bool route = keyed && keyspace != nullptr && !options_.links.listed_only;
  // Puts of a key meet at one coordinator, which stamps each above the last; reads spread.
  const auto order = op.kind == OpKind::kPut ? Links::Order::kInOrder : Links::Order::kSpread;
  if (!route) return links_.Pick({}, order, avoid);
  return links_.Pick(routing_.Replicas(*keyspace, op.key), order, avoid);
}

void Session::SendOn(const Links::Link& link, std::uint64_t id, const Op& op,
                     base::KeyspaceId keyspace, Bytes payload) {
  const std::uint32_t deadline_ms = wire::DeadlineMs(op.deadline - world_.Now());
  const auto send = [&](const auto& message) {
    wire::SendFrame(world_, link.conn, id, message, payload);
  };
  switch (op.kind) {
    case OpKind::kPut:
      return send(wire::PutRequest{.keyspace = keyspace,
                                   .key = op.key,
                                   .tombstone = op.tombstone,
                                   .ttl_ms = op.ttl_ms,
                                   .level = op.level,
                                   .deadline_ms = deadline_ms,
                                   .value_digest = op.value_digest,
                                   .stamp = op.stamp,
                                   .restored = op.restored});
    case OpKind::kGet:
      return send(wire::GetRequest{.keyspace = keyspace,
                                   .key = op.key,
                                   .level = op.level,
                                   .deadline_ms = deadline_ms,
                                   .want_value = op.want_value});
    case OpKind::kScan:
      return send(wire::ScanRequest{.keyspace = keyspace,
                                    .from_token = op.from_token,
                                    .after_key = op.key,
                                    .level = op.level,
                                    .deadline_ms = deadline_ms,
                                    .bytes_max = op.bytes_max});
    case OpKind::kCreateKeyspace:
      return send(wire::CreateKeyspaceRequest{
          .name = op.keyspace, .replication = op.key, .deadline_ms = deadline_ms});
    case OpKind::kAdmin:
      return send(wire::AdminRequest{
          .command = op.key, .deadline_ms = deadline_ms, .payload_digest = op.value_digest});
    case OpKind::kPing: return send(wire::PingRequest{});
    case OpKind::kMap:
    case OpKind::kOwnMap: return send(wire::ClusterMapRequest{});
  }
}

// Attempts of reads are given up on one by one; all else waits for the deadline.
void Session::ArmTimer(std::uint64_t id, Op& op) {
  timers_.Cancel(op.timer);
  Instant when = op.deadline + (op.held ? Duration{0} : kGrace);
  if (!op.held && IsRead(op)) {
    const Instant gives_up = world_.Now() + Doubled(options_.attempt_timeout, op.attempts - 1);
    if (gives_up < op.deadline) when = gives_up;
  }
  op.timer = timers_.Add(when, id);
}

void Session::SendHeld() {
  for (std::size_t n = held_.size(); n > 0 && links_.any_ready(); --n) {
    const std::uint64_t id = held_.front();
    held_.pop_front();
    Op* op = ops_.Find(id);
    if (op == nullptr || !op->held) continue;
    std::string payload = std::move(op->payload);
    const Sent sent = TrySend(id, *op, payload);
    if (sent == Sent::kSent || sent == Sent::kFailed) continue;
    op->payload = std::move(payload);
    if (sent == Sent::kNoMap) {
      held_.push_back(id);
      continue;
    }
    held_.push_front(id);  // Nor would the next find room.
    return;
  }
}

// At once the first time, and for what is wrong with one node alone. Else after a pause: what is
// wrong with several nodes takes a while to pass.
void Session::AskAgain(std::uint64_t id, Op& op, const Status& why) {
  op.conn = ConnId{};  // What the former node may still say is not for this attempt.
  op.paused = false;
  op.why = why;
  const bool passing = why.code() == Code::kTimeout || why.code() == Code::kUnavailable;
  if (op.attempts < 2 || !passing) return Begin(id, op, {});
  op.paused = true;
  timers_.Cancel(op.timer);
  const Duration pause = std::min(Doubled(options_.pause_min, op.attempts - 2), options_.pause_max);
  op.timer = timers_.Add(std::min(op.deadline, world_.Now() + pause), id);
}

// Whoever started after the last host was tried in vain need not wait for the deadline.
void Session::FailHopeless() {
  if (held_.empty()) return;
  const std::deque<std::uint64_t> held = held_;
  for (const std::uint64_t id : held) {
    Op* op = ops_.Find(id);
    if (op == nullptr || !op->held || !links_.hopeless(op->start)) continue;
    End(id, *op, base::Unavailable(fmt::format("no host can be reached: {}", links_.why_down())));
  }
}

}  // namespace starling::client
